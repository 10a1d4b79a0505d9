package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	golog "log"
	"math/big"
	"net"
	"net/http"
	"path"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/coredns-headless/headless/plugin/source"
	"github.com/coredns-headless/headless/plugin/source/sourcetest"
)

const stillPods = 3 // which nothing happens to

func stillAddr(n int) string { return fmt.Sprintf("10.0.0.%d", n+1) }

// The verbs of requests. A streamed list is a watch that begins with a list (sendInitialEvents).
const verbList, verbStream, verbWatch = "list", "stream", "watch"

// asked is a request.
type asked struct {
	t                        *testing.T
	resource, selector, verb string
	at                       time.Time
}

// by is what the log calls the reflector.
func (a asked) by() string {
	if a.selector != "" {
		return a.resource + " labelled " + a.selector
	}
	return a.resource
}

// harm answers a request in the API server's stead, or hands it on.
type harm func(w http.ResponseWriter, r *http.Request, a asked, api http.Handler)

// A bed is a watch and its API server: over TLS, HTTP/2 and protobuf, as in production, and through connections
// that can be harmed.
type bed struct {
	*line
	t     *testing.T
	api   *apiServer
	w     *source.Source
	log   *sourcetest.Log
	begun time.Time
	quiet func() // ends the probe
	calm  func() // ends what is done again and again, unless nil

	ca      *authority
	serving *tls.Certificate

	mu      sync.Mutex
	harming harm
	asked   []asked
	ended   chan struct{} // closed to end the watches that run, then made anew
	moves   int
	had     []string // addresses that the peer may be answered with that moves
	none    bool     // nor need anything be known
}

func newBed(t *testing.T) *bed {
	b := &bed{
		line: &line{pipes: newPipes()}, t: t, api: newAPIServer(t), log: sourcetest.CaptureLog(t),
		begun: time.Now(), ended: make(chan struct{}),
	}
	b.ca = newAuthority(t)
	b.serving = b.ca.issue(t, 24*time.Hour)
	b.api.set(headlessService("default/nginx", ""))
	var pods []string
	for n := range stillPods {
		pods = append(pods, fmt.Sprintf("web-%d=%s", n, stillAddr(n)))
	}
	b.api.set(endpointSlice("default/nginx-x", "", "nginx", pods...))
	b.api.set(handmade("default/own-x", "own", "own-0=10.0.2.1"))
	b.api.set(handmade("default/own-y", "own", "own-1=10.0.2.2"))
	b.api.set(headlessService("default/kafka", ""))
	b.move()

	server := &http.Server{
		Handler: b, ReadHeaderTimeout: time.Minute, ErrorLog: golog.New(io.Discard, "", 0), // it complains of connections that break
		TLSConfig: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.serving, nil
		}},
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.ServeTLS(b.pipes, "", "") }) // always fails, when it is closed
	t.Cleanup(func() {
		b.cut()
		_ = server.Close()
		wg.Wait()
	})
	return b
}

// watch starts the watch, which the test's end stops.
func (b *bed) watch() {
	b.t.Helper()
	b.w = start(b.t, &rest.Config{
		Host: "https://api.test", Dial: b.dial, TLSClientConfig: rest.TLSClientConfig{CAData: b.ca.text},
	})
}

// move gives the moving peer another address.
func (b *bed) move() {
	b.mu.Lock()
	b.moves++
	addr := fmt.Sprintf("10.0.1.%d", b.moves)
	b.had = append(b.had, addr)
	b.mu.Unlock()
	b.api.set(endpointSlice("default/kafka-x", "", "kafka", "kafka-0="+addr))
}

// end ends the watches that run as an API server ends them: in between two events.
func (b *bed) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ended)
	b.ended = make(chan struct{})
}

// harm does a trouble's harm.
func (b *bed) harm(tr trouble) {
	b.mu.Lock()
	b.harming = tr.answers
	b.mu.Unlock()
	b.line.harm(tr.wire)
	if tr.begin != nil {
		tr.begin(b)
	}
}

// mended does harm no more.
func (b *bed) mended() {
	b.mu.Lock()
	b.harming, b.serving = nil, b.ca.issue(b.t, 24*time.Hour)
	b.mu.Unlock()
	b.line.harm(nil)
	b.refuse(nil)
	if b.calm != nil {
		b.calm()
	}
}

// again does something once a second, in the middle of it, until the trouble is over.
func (b *bed) again(do func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	b.calm = cancel
	go func() {
		for tick := time.Second / 2; ; tick = time.Second {
			select {
			case <-time.After(tick):
				do()
			case <-ctx.Done():
				return
			}
		}
	}()
}

// since are the verbs of the requests since a time, by reflector.
func (b *bed) since(t time.Time) map[string][]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	by := make(map[string][]string)
	for _, a := range b.asked {
		if !a.at.Before(t) {
			by[a.by()] = append(by[a.by()], a.verb)
		}
	}
	return by
}

// ServeHTTP implements http.Handler.
func (b *bed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	a := asked{b.t, path.Base(r.URL.Path), q.Get("labelSelector"), verbList, time.Now()}
	switch {
	case q.Get("sendInitialEvents") == "true":
		a.verb = verbStream
	case q.Has("watch"):
		a.verb = verbWatch
	}
	b.mu.Lock()
	b.asked = append(b.asked, a)
	harming, ended := b.harming, b.ended
	b.mu.Unlock()

	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	if a.verb != verbList {
		seconds, _ := strconv.Atoi(q.Get("timeoutSeconds"))
		ctx, cancel = context.WithTimeout(ctx, time.Duration(seconds)*time.Second)
		defer cancel()
		go func() {
			select {
			case <-ended:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.api.ServeHTTP(&protobufs{ResponseWriter: w, t: b.t, watch: a.verb != verbList}, r)
	})
	if harming == nil {
		harming = func(w http.ResponseWriter, r *http.Request, _ asked, api http.Handler) { api.ServeHTTP(w, r) }
	}
	harming(w, r.WithContext(ctx), a, api)
}

// A line leads through pipes, and harms what the client reads.
type line struct {
	*pipes
	mu      sync.Mutex
	read    harmRead
	refusal error
}

// harmRead is what becomes of what was read from a connection. It returns how many octets, as a Reader does.
type harmRead func(c *lineConn, read []byte) (int, error)

func (l *line) harm(h harmRead) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.read = h
}

// refuse has no connection begin, for a reason, until that is nil.
func (l *line) refuse(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refusal = why
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	why := l.refusal
	l.mu.Unlock()
	if why != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: why}
	}
	conn, err := l.pipes.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &lineConn{Conn: conn, line: l, out: make(chan []byte, 1000), closed: make(chan struct{})}
	c.close = sync.OnceFunc(func() { close(c.closed) })
	go func() {
		for {
			select {
			case text := <-c.out:
				_, _ = conn.Write(text) // broken: who reads finds that out
			case <-c.closed:
				return
			}
		}
	}()
	return c, nil
}

// lineConn is the client's end. What it writes is buffered, as in a socket: who breaks off a handshake says so
// while the other end talks.
type lineConn struct {
	net.Conn
	line   *line
	total  int // octets that were read
	out    chan []byte
	closed chan struct{}
	close  func()
}

// Read implements net.Conn.
func (c *lineConn) Read(buf []byte) (int, error) {
	n, err := c.Conn.Read(buf)
	c.total += n
	c.line.mu.Lock()
	h := c.line.read
	c.line.mu.Unlock()
	if err != nil || h == nil {
		return n, err
	}
	return h(c, buf[:n])
}

// Write implements net.Conn.
func (c *lineConn) Write(text []byte) (int, error) {
	select {
	case c.out <- slices.Clone(text):
		return len(text), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

// Close implements net.Conn.
func (c *lineConn) Close() error {
	c.close()
	return c.Conn.Close()
}

// An authority is a CA.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	text        []byte // the certificate in PEM
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := new(authority)
	own := a.issue(t, 1000*time.Hour)
	a.certificate, a.key = own.Leaf, own.PrivateKey.(*ecdsa.PrivateKey)
	a.text = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})
	return a
}

// issue makes a certificate for the API server; the first is the authority's own.
func (a *authority) issue(t *testing.T, lifetime time.Duration) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: fmt.Sprintf("CA: %t", a.key == nil)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime), DNSNames: []string{"api.test"},
		IsCA: a.key == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	parent, signer := template, key
	if a.key != nil {
		parent, signer = a.certificate, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	must(t, err)
	leaf, err := x509.ParseCertificate(der)
	must(t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
