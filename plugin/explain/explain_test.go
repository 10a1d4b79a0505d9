package explain

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/coredns-headless/headless/plugin/zone"
)

type fake struct {
	listen, text string
	labels, rows int
}

func (f fake) Serves(name string) (string, int, bool) { return f.listen, f.labels, name != "outside" }

func (f fake) Explain(name, qtype string) Report {
	return Report{
		Server: "block" + f.listen, Name: name, Type: qtype, Steps: []string{f.text}, Outcome: "outcome",
		Records: []string{"record"},
	}
}

func (f fake) Browse(q string, from, n int, _ map[any]bool) (list []zone.Row, total int) {
	for i := max(from, 0); i < f.rows && len(list) < n; i++ {
		list = append(list, zone.Row{Kind: "peer", Name: fmt.Sprintf("%s-%d.", q, i), Link: "x"})
	}
	return list, f.rows
}

// request sends a request to a new handler. The Host is localhost unless the URL has another.
func request(f fake, method, url, accept string) *httptest.ResponseRecorder {
	h := newHandler("127.0.0.1", func() []Server { return []Server{f} })
	r := httptest.NewRequest(method, url, nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPageTextAndJSONSayTheSame(t *testing.T) {
	const odd = `<script>alert("x")</script>`
	tests := []struct{ accept, content, want string }{
		{"*/*", "text/plain; charset=utf-8", "n A in block\n  1. " + odd + "\noutcome\n  record\n"},
		{"text/html,*/*", "text/html; charset=utf-8", "<li>&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;</li>"},
		{
			"application/json", "application/json",
			`"steps":["\u003cscript\u003ealert(\"x\")\u003c/script\u003e"],"outcome":"outcome","records":["record"]`,
		},
	}
	for _, tt := range tests {
		w := request(fake{text: odd}, http.MethodGet, "http://localhost/?name=n&type=A", tt.accept)
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != tt.content ||
			!strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %s\n%s", tt.accept, w.Code, got, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" ||
			!strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("headers %v", w.Header())
		}
	}
}

func TestOtherRequestsAreRefused(t *testing.T) {
	tests := []struct {
		method, url string
		want        int
	}{
		{http.MethodGet, "http://127.0.0.1:8053/", http.StatusOK},
		{http.MethodHead, "http://[::1]:8053/", http.StatusOK},
		{http.MethodGet, "http://LocalHost.:8053/", http.StatusOK},
		{http.MethodGet, "http://evil.example/", http.StatusMisdirectedRequest},
		{http.MethodGet, "http://10.0.0.1/", http.StatusMisdirectedRequest},
		{http.MethodPost, "http://localhost/", http.StatusMethodNotAllowed},
		{http.MethodGet, "http://localhost/else", http.StatusNotFound},
		{http.MethodGet, "http://localhost/?name=a..b", http.StatusBadRequest},
		{http.MethodGet, "http://localhost/?name=a&type=NONE", http.StatusBadRequest},
		{http.MethodGet, "http://localhost/?name=a&type=aaaa", http.StatusOK},
		{http.MethodGet, "http://localhost/?name=a&format=xml", http.StatusBadRequest},
	}
	for _, tt := range tests {
		if w := request(fake{}, tt.method, tt.url, ""); w.Code != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.url, w.Code, tt.want)
		}
	}
}

func TestMoreRequestsThanPeopleMakeAreRefused(t *testing.T) {
	h := newHandler("127.0.0.1", func() []Server { return nil })
	h.limit.SetLimit(0) // no time gives a request back
	const light = burst - browseCosts
	for i := range light + 2 {
		url := "http://localhost/"
		if i >= light {
			url += "browse"
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
		if last := i == light+1; last != (w.Code == http.StatusTooManyRequests) {
			t.Errorf("request %d: %d %s", i, w.Code, w.Body)
		}
	}
}

func TestAFormatCanBeAskedFor(t *testing.T) {
	for format, want := range map[string]string{
		"html": "<!doctype html>", "text": "n A in block",
		"json": `{"name":"n"`,
	} {
		for _, accept := range []string{"", "text/html", "application/json"} {
			if body := request(fake{}, http.MethodGet, "http://localhost/?name=n&format="+format,
				accept).Body.String(); !strings.HasPrefix(body, want) {
				t.Errorf("%s with Accept: %s: %s", format, accept, body)
			}
		}
	}
	body := request(fake{}, http.MethodGet, "http://localhost/?name=n%26m", "text/html").Body.String()
	if !strings.Contains(body, `href="/?name=n%26m&amp;format=json"`) {
		t.Errorf("no link to the same as JSON:\n%s", body)
	}
}

func TestTheServerBlockWithTheLongestZoneExplains(t *testing.T) {
	servers := []Server{fake{listen: "a"}, fake{listen: "b", labels: 1}, fake{listen: "a", labels: 2, text: "longest"}}
	v := view{Name: "n"}
	if !v.explain(servers) || len(v.Reports) != 2 || v.Reports[0].Server != "blockb" ||
		v.Reports[1].Steps[0] != "longest" {
		t.Errorf("%+v", v)
	}
	v = view{Name: "outside"}
	if !v.explain(servers) || v.Reports != nil || !strings.Contains(v.Error, "no server block") {
		t.Errorf("%+v", v)
	}
}

func TestBrowsingGoesFromPageToPage(t *testing.T) {
	for from, want := range map[string]string{
		"": "x-199.", "200": "x-149.", "400": "x-199.", "-1": "x-199.",
		"9999": "",
	} {
		h := newHandler("127.0.0.1", func() []Server { return []Server{fake{rows: 250}, fake{rows: 200}} })
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/browse?q=x&from="+from, nil))
		lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
		if n := len(lines); lines[n-1] != "450 in all" || n > 1 && !strings.Contains(lines[n-2], want) || n == 1 &&
			want != "" {
			t.Errorf("from %q: %d lines, the last %q", from, n, lines[max(0, n-2):])
		}
	}
	w := request(fake{rows: 450}, http.MethodGet, "http://localhost/browse?q=x+y&from=200", "text/html").Body.String()
	for _, want := range []string{"450 in all; this page has rows 201 to 400", `href="/browse?q=x%20y&amp;from=400"`} {
		if !strings.Contains(w, want) {
			t.Errorf("no %q in\n%s", want, w)
		}
	}
}

// A reload acquires before it releases.
func TestAnAddressIsServedByTheNewestGenerationUntilTheLastGoes(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	defer http.DefaultClient.CloseIdleConnections()
	var l Listeners
	const address = "127.0.0.1:0"
	at, releaseOne, err := l.Acquire(address, 1, fake{text: "one"})
	if err != nil {
		t.Fatal(err)
	}
	says := func(want string) {
		t.Helper()
		resp, err := http.Get("http://" + at.String() + "/?name=n")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v, want %q:\n%s", err, want, text)
		}
	}
	says("one")
	_, releaseTwo, err := l.Acquire(address, 2, fake{text: "two"})
	if err != nil {
		t.Fatal(err)
	}
	says("two")
	releaseTwo() // a reload that failed
	says("one")
	if _, _, err := l.Acquire(at.String(), 1, fake{}); err == nil {
		t.Error("an address is listened on twice")
	}
	releaseOne()
	if resp, err := http.Get("http://" + at.String()); err == nil {
		resp.Body.Close()
		t.Error("it is still served")
	}
}

// crowd is a listener that always has another connection.
type crowd struct {
	accepted int
	closed   chan struct{}
}

func (c *crowd) Accept() (net.Conn, error) {
	select {
	case <-c.closed:
		return nil, net.ErrClosed
	default:
	}
	c.accepted++
	_, conn := net.Pipe()
	return conn, nil
}

func (c *crowd) Addr() net.Addr { return &net.TCPAddr{} }

func (c *crowd) Close() error {
	close(c.closed)
	return nil
}

func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crowd{closed: make(chan struct{})}
		ln := new(Listeners).serve("127.0.0.1", c)
		synctest.Wait()
		if c.accepted != maxConnections {
			t.Errorf("%d connections, want %d", c.accepted, maxConnections)
		}
		if err := ln.server.Close(); err != nil {
			t.Error(err)
		}
		<-ln.done
	})
}
