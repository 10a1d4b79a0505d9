// Package explain serves a read-only page, text and JSON over HTTP that say why a name does or does not resolve. What there is to say
// comes from Servers.
package explain

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"
)

// Report is why a name resolves as it does in one server block.
type Report struct {
	Server string `json:"server"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	// Origin is the cluster zone, suffix or pod network that the name lies in, and Node what it means there; empty where it lies in none.
	Origin string `json:"origin,omitempty"`
	Node   string `json:"node,omitempty"`
	// Steps are those of the decision, in order.
	Steps   []string `json:"steps"`
	Outcome string   `json:"outcome"`
	Records []string `json:"records,omitempty"`
}

// Add adds a step.
func (r *Report) Add(format string, args ...any) {
	r.Steps = append(r.Steps, fmt.Sprintf(format, args...))
}

// Row is a line of what can be browsed. Link is a name to explain, if there is one.
type Row struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Link string `json:"link,omitempty"`
	Text string `json:"text"`
}

// Server is a server block. Its methods are called by many goroutines at once.
type Server interface {
	// Serves reports whether the name lies in the server block's zone, how many labels that has, and where it listens: of those who listen
	// at one place the zone with most labels gets the query.
	Serves(name string) (listen string, labels int, ok bool)
	// Explain explains a domain name that it Serves, asked for a type in upper case.
	Explain(name, qtype string) Report
	// Browse lists rows with all words of q in them, n of them after the first from, and says how many there are in all. It leaves out what
	// seen has, which other servers have listed, and adds what it lists.
	Browse(q string, from, n int, seen map[any]bool) (rows []Row, total int)
}

// page is how many rows a page has.
const page = 200

// Rates of all requests to one address together: a page is for people, and a look at all rows of a large cluster takes a tenth of a second.
const (
	perSecond   = 20
	burst       = 40
	browseCosts = 5 // requests
)

//go:embed page.html
var files embed.FS

var pages = template.Must(template.New("page.html").Funcs(template.FuncMap{"add": func(a, b int) int { return a + b }}).ParseFS(files, "page.html"))

// view is what is shown.
type view struct {
	Name    string   `json:"name,omitempty"`
	Type    string   `json:"type,omitempty"`
	Query   string   `json:"q,omitempty"`
	Error   string   `json:"error,omitempty"`
	Reports []Report `json:"reports,omitempty"`
	Browse  bool     `json:"-"`
	From    int      `json:"from,omitempty"`
	Rows    []Row    `json:"rows,omitempty"`
	Total   int      `json:"total,omitempty"`
	Next    int      `json:"next,omitempty"` // where the next page begins, 0 on the last
	// Here is the path and query of this page, to which a format can be added.
	Here string `json:"-"`
}

// handler serves what servers say, to requests whose Host is a loopback address, localhost, or the host that it listens on.
type handler struct {
	servers func() []Server
	host    string
	limit   *rate.Limiter
}

func newHandler(host string, servers func() []Server) *handler {
	return &handler{servers: servers, host: host, limit: rate.NewLimiter(perSecond, burst)}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "no-store")
	head.Set("Vary", "Accept")
	switch {
	case !h.allowed(r.Host):
		http.Error(w, "this Host is not served: allowed are localhost and the address that explain listens on", http.StatusMisdirectedRequest)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "allowed are GET and HEAD", http.StatusMethodNotAllowed)
	case r.URL.Path != "/" && r.URL.Path != "/browse":
		http.NotFound(w, r)
	case !h.limit.AllowN(time.Now(), cost(r)):
		head.Set("Retry-After", "1")
		http.Error(w, fmt.Sprintf("too many requests: allowed are %d a second", perSecond/cost(r)), http.StatusTooManyRequests)
	default:
		h.serve(w, r)
	}
}

// allowed keeps pages of other sites from reading this one under a name of theirs that resolves to it (DNS rebinding).
func (h *handler) allowed(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		listens, err := netip.ParseAddr(h.host)
		return a.IsLoopback() || err == nil && (a == listens || listens.IsUnspecified())
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

func cost(r *http.Request) int {
	if r.URL.Path == "/browse" {
		return browseCosts
	}
	return 1
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := view{Name: strings.TrimSpace(q.Get("name")), Type: strings.ToUpper(strings.TrimSpace(q.Get("type"))), Query: q.Get("q"), Browse: r.URL.Path == "/browse"}
	status := http.StatusOK
	if v.Browse {
		v.browse(h.servers(), q.Get("from"))
	} else if v.Name != "" && !v.explain(h.servers()) {
		status = http.StatusBadRequest
	}
	format := q.Get("format")
	q.Del("format")
	v.Here = r.URL.Path + "?" + q.Encode()
	if format == "" {
		format = accepted(r.Header.Get("Accept"))
	}
	head := w.Header()
	switch format {
	case "json":
		head.Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(&v) // the client is gone then
	case "html":
		head.Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_ = pages.Execute(w, &v) // as above
	case "text":
		head.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(v.plain())) // as above
	default:
		http.Error(w, "allowed formats are html, json and text", http.StatusBadRequest)
	}
}

// accepted is the format that a client wants that does not name one. Browsers want HTML, curl takes anything.
func accepted(accept string) string {
	switch {
	case strings.Contains(accept, "text/html"):
		return "html"
	case strings.Contains(accept, "application/json"):
		return "json"
	}
	return "text"
}

// explain has the server blocks explain the name that would be asked for it. It reports false for what is no name or no type.
func (v *view) explain(servers []Server) bool {
	if v.Type == "" {
		v.Type = "A"
	}
	if _, ok := dns.StringToType[v.Type]; !ok {
		v.Error = fmt.Sprintf("%q is no type: allowed are A, AAAA, SRV, PTR and so on", v.Type)
		return false
	}
	if _, ok := dns.IsDomainName(v.Name); !ok {
		v.Error = fmt.Sprintf("%q is no domain name", v.Name)
		return false
	}
	most := make(map[string]int)
	for _, s := range servers {
		if listen, labels, ok := s.Serves(v.Name); ok {
			most[listen] = max(most[listen], labels)
		}
	}
	for _, s := range servers {
		if listen, labels, ok := s.Serves(v.Name); ok && labels == most[listen] {
			v.Reports = append(v.Reports, s.Explain(v.Name, v.Type))
		}
	}
	if v.Reports == nil {
		v.Error = "no server block with headless and explain has a zone that the name lies in"
	}
	return true
}

func (v *view) browse(servers []Server, from string) {
	if n, err := strconv.Atoi(from); err == nil && n > 0 {
		v.From = n
	}
	seen := make(map[any]bool)
	for _, s := range servers {
		rows, total := s.Browse(v.Query, v.From-v.Total, page-len(v.Rows), seen)
		v.Rows = append(v.Rows, rows...)
		v.Total += total
	}
	if end := v.From + len(v.Rows); len(v.Rows) > 0 && end < v.Total {
		v.Next = end
	}
}

func (v *view) plain() string {
	var b strings.Builder
	switch {
	case v.Error != "":
		fmt.Fprintf(&b, "%s\n", v.Error)
	case v.Browse:
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, r := range v.Rows {
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", r.Kind, r.Name, r.Text) // into memory
		}
		_ = t.Flush() // as above
		fmt.Fprintf(&b, "%d in all\n", v.Total)
	case v.Name == "":
		b.WriteString("/?name=NAME&type=TYPE says why a name resolves, /browse?q=WORDS&from=ROW lists what there is; &format=json\n")
	}
	for _, r := range v.Reports {
		fmt.Fprintf(&b, "%s %s in %s\n", r.Name, r.Type, r.Server)
		for i, s := range r.Steps {
			fmt.Fprintf(&b, "%3d. %s\n", i+1, s)
		}
		fmt.Fprintf(&b, "%s\n", r.Outcome)
		for _, rr := range r.Records {
			fmt.Fprintf(&b, "  %s\n", rr)
		}
	}
	return b.String()
}
