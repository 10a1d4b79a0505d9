// Package explain serves read-only pages over HTTP that say why a name does or does not resolve, as HTML, text and
// JSON. Servers provide the content.
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

	"github.com/coredns-headless/headless/plugin/zone"
)

// Report says what a server block answers for a name, and why.
type Report struct {
	Server string `json:"server"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	// Origin is the cluster zone, suffix or pod network that the name is in, and Node is the name that it stands for
	// in the tree. Both are empty if there is none.
	Origin string `json:"origin,omitempty"`
	Node   string `json:"node,omitempty"`
	// Steps are the steps that lead to the outcome, in order.
	Steps   []string `json:"steps"`
	Outcome string   `json:"outcome"`
	Records []string `json:"records,omitempty"`
}

// Add appends a step.
func (r *Report) Add(format string, args ...any) {
	r.Steps = append(r.Steps, fmt.Sprintf(format, args...))
}

// Server is a server block. Its methods are safe for concurrent use.
type Server interface {
	// Serves reports whether the name is in the zone of the server block, and returns where the server block listens
	// and how many labels its zone has. Of the server blocks that listen at the same place, CoreDNS gives a query to
	// the one with the most labels.
	Serves(name string) (listen string, labels int, ok bool)
	// Explain explains a query for a domain name that the source Serves. The type is in upper case.
	Explain(name, qtype string) Report
	// Browse returns the rows that contain all words of q, at most n of them from row number from on, and how many
	// there are in all. The first row is number 0. Browse skips what is in seen, which other servers have listed, and
	// adds what it lists.
	Browse(q string, from, n int, seen map[any]bool) (rows []zone.Row, total int)
}

// page is the maximum number of rows of a page.
const page = 200

// Limits for all requests to one address together. They are enough for people, and protect the server: to browse a
// large cluster takes a tenth of a second.
const (
	perSecond   = 20
	burst       = 40
	browseCosts = 5 // requests
)

// policy lets a page load nothing, and run no script.
const policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; " +
	"frame-ancestors 'none'"

//go:embed page.html
var files embed.FS

var pages = template.Must(template.New("page.html").
	Funcs(template.FuncMap{"add": func(a, b int) int { return a + b }}).
	ParseFS(files, "page.html"))

// view is the content of a page.
type view struct {
	Name    string     `json:"name,omitempty"`
	Type    string     `json:"type,omitempty"`
	Query   string     `json:"q,omitempty"`
	Error   string     `json:"error,omitempty"`
	Reports []Report   `json:"reports,omitempty"`
	Browse  bool       `json:"-"`
	From    int        `json:"from,omitempty"`
	Rows    []zone.Row `json:"rows,omitempty"`
	Total   int        `json:"total,omitempty"`
	Next    int        `json:"next,omitempty"` // number of the next page's first row, 0 on the last page
	// Here is the path and query of this page without a format.
	Here string `json:"-"`
}

// handler serves the pages. The Host of a request must be localhost, a loopback address, or the address that explain
// listens on.
type handler struct {
	servers func() []Server
	host    string // that explain listens on
	limit   *rate.Limiter
}

func newHandler(host string, servers func() []Server) *handler {
	return &handler{servers: servers, host: host, limit: rate.NewLimiter(perSecond, burst)}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept")
	switch {
	case !h.allowed(r.Host):
		http.Error(w, "invalid Host: use localhost or the address that explain listens on",
			http.StatusMisdirectedRequest)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "invalid method: use GET or HEAD", http.StatusMethodNotAllowed)
	case r.URL.Path != "/" && r.URL.Path != "/browse":
		http.NotFound(w, r)
	case !h.limit.AllowN(time.Now(), cost(r)):
		header.Set("Retry-After", "1")
		text := fmt.Sprintf("too many requests: at most %d per second", perSecond/cost(r))
		http.Error(w, text, http.StatusTooManyRequests)
	default:
		h.serve(w, r)
	}
}

// allowed reports whether a request may have this Host. It prevents DNS rebinding, where a page of another site reads
// this one by a name of its own that resolves to this server.
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

// cost returns how many requests r counts as.
func cost(r *http.Request) int {
	if r.URL.Path == "/browse" {
		return browseCosts
	}
	return 1
}

// serve writes the page that r asks for.
func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := view{
		Name: strings.TrimSpace(q.Get("name")), Type: strings.ToUpper(strings.TrimSpace(q.Get("type"))),
		Query: q.Get("q"), Browse: r.URL.Path == "/browse",
	}
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
	// A write fails only if the client has closed the connection.
	header := w.Header()
	switch format {
	case "json":
		header.Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(&v)
	case "html":
		header.Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		_ = pages.Execute(w, &v)
	case "text":
		header.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(v.plain()))
	default:
		http.Error(w, "invalid format: use html, json or text", http.StatusBadRequest)
	}
}

// accepted returns the format for an Accept header. Browsers ask for HTML, curl accepts anything and gets text.
func accepted(accept string) string {
	switch {
	case strings.Contains(accept, "text/html"):
		return "html"
	case strings.Contains(accept, "application/json"):
		return "json"
	}
	return "text"
}

// explain adds a report of each server block that would get a query for the name. It reports false if the name or the
// type is not valid.
func (v *view) explain(servers []Server) bool {
	if v.Type == "" {
		v.Type = "A"
	}
	if _, ok := dns.StringToType[v.Type]; !ok {
		v.Error = fmt.Sprintf("%q is not a type of DNS record, such as A, AAAA, SRV or PTR", v.Type)
		return false
	}
	if _, ok := dns.IsDomainName(v.Name); !ok {
		v.Error = fmt.Sprintf("%q is not a domain name", v.Name)
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
		v.Error = "no server block with the option explain has a zone for this name"
	}
	return true
}

// browse adds one page of rows.
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

// plain returns the page as text.
func (v *view) plain() string {
	var b strings.Builder
	switch {
	case v.Error != "":
		fmt.Fprintf(&b, "%s\n", v.Error)
	case v.Browse:
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, r := range v.Rows {
			_, _ = fmt.Fprintf(t, "%s\t%s\t%s\n", r.Kind, r.Name, r.Text) // cannot fail in memory
		}
		_ = t.Flush() // likewise
		fmt.Fprintf(&b, "%d in all\n", v.Total)
	case v.Name == "":
		b.WriteString("/?name=NAME&type=TYPE explains a name\n/browse?q=WORDS&from=ROW lists names\n" +
			"&format=json returns JSON\n")
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
