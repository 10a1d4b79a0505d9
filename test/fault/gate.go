package fault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/coredns-headless/headless/test/controlplane"
)

// A Gate is a reverse proxy before an API server. It can answer in its stead or spoil what it says, ends watches, and notes all requests.
type Gate struct {
	// Kubeconfig makes whoever uses it an administrator, through the gate.
	Kubeconfig string
	// Address is where the gate is reached, and CA its certificate in PEM.
	Address string
	CA      []byte

	api *httputil.ReverseProxy

	mu    sync.Mutex
	harm  Harm
	asked []Asked
	cut   chan struct{} // closed to end the watches that run, then made anew
}

// VerbWatch is the verb of a watch that goes on from a version.
const VerbWatch = "watch"

// The other verbs of requests. A streamed list is a watch that begins with a list (sendInitialEvents).
const verbList, verbStream = "list", "stream"

// Asked is a request.
type Asked struct {
	Asker
	Verb string
	At   time.Time
}

// Asker is the reflector that makes a request.
type Asker struct{ Resource, Selector string }

func (a Asker) String() string {
	selector, _, _ := strings.Cut(a.Selector, ",")
	return strings.TrimSpace(a.Resource + " " + selector)
}

// Harm answers a request instead of the API server, or hands it on. Which ones it harms is for it to say.
type Harm func(w http.ResponseWriter, r *http.Request, a Asked, api http.Handler)

// NewGate opens a gate before c's API server.
func NewGate(tb testing.TB, c *controlplane.ControlPlane) *Gate {
	tb.Helper()
	ca, err := os.ReadFile(c.CA())
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	to := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	quiet := log.New(io.Discard, "", 0) // proxies complain of connections that break, and breaking them is what tests want
	g := &Gate{cut: make(chan struct{}), api: &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "https", Host: c.Address}) },
		Transport: to, ErrorLog: quiet,
	}}
	s := httptest.NewUnstartedServer(g)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = quiet
	s.StartTLS() // with a certificate that signs itself
	tb.Cleanup(func() {
		g.Cut()
		s.CloseClientConnections()
		s.Close()
		to.CloseIdleConnections()
	})

	g.Address = s.Listener.Addr().String()
	g.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		tb.Fatal(err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server, cluster.CertificateAuthority = s.URL, ""
		cluster.CertificateAuthorityData = g.CA
	}
	g.Kubeconfig = filepath.Join(tb.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, g.Kubeconfig); err != nil {
		tb.Fatal(err)
	}
	return g
}

// Harm does harm from now on, or none for nil. Watches that run are left alone.
func (g *Gate) Harm(h Harm) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.harm = h
}

// Cut ends the watches that run as the API server ends them: in between two events.
func (g *Gate) Cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.cut)
	g.cut = make(chan struct{})
}

// Asked are the requests with one of these verbs since a time, by who made them.
func (g *Gate) Asked(since time.Time, verbs ...string) map[Asker][]Asked {
	g.mu.Lock()
	defer g.mu.Unlock()
	by := make(map[Asker][]Asked)
	for _, a := range g.asked {
		for _, verb := range verbs {
			if a.Verb == verb && !a.At.Before(since) {
				by[a.Asker] = append(by[a.Asker], a)
			}
		}
	}
	return by
}

// ServeHTTP implements http.Handler.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a := Asked{Asker: Asker{path.Base(r.URL.Path), q.Get("labelSelector")}, Verb: verbList, At: time.Now()}
	switch {
	case q.Get("sendInitialEvents") == "true":
		a.Verb = verbStream
	case q.Has("watch"):
		a.Verb = VerbWatch
	}
	g.mu.Lock()
	g.asked = append(g.asked, a)
	harm, cut := g.harm, g.cut
	g.mu.Unlock()

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if a.Verb != verbList {
		go func() {
			select {
			case <-cut:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	if harm == nil {
		harm = func(w http.ResponseWriter, r *http.Request, _ Asked, api http.Handler) { api.ServeHTTP(w, r) }
	}
	harm(w, r.WithContext(ctx), a, http.HandlerFunc(g.pass))
}

// pass hands a request on. Where the answer breaks off, it ends: the proxy would reset the client's stream.
func (g *Gate) pass(w http.ResponseWriter, r *http.Request) {
	defer func() {
		switch p := recover(); p {
		case nil, http.ErrAbortHandler:
		default:
			panic(p)
		}
	}()
	g.api.ServeHTTP(w, r)
}
