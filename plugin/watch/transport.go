package watch

import (
	"net/http"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// lateTransport is made at the first request. client-go starts a goroutine with a transport that has client certificates in files, and that logs: a
// Corefile that is still being read is too early, not least since *kubernetes* sets klog's logger then.
type lateTransport struct {
	config *rest.Config

	mu   sync.Mutex
	made http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (l *lateTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	t, err := l.transport()
	if err != nil {
		return nil, err
	}
	resp, err := t.RoundTrip(r)
	if err == nil {
		// client-go would try again by itself, ten times and at once where the header says so. Reflectors back off better.
		resp.Header.Del("Retry-After")
	}
	return resp, err
}

// transport makes the transport, again at the next request if it cannot now: files may be missing for a moment.
func (l *lateTransport) transport() (t http.RoundTripper, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == nil {
		l.made, err = newTransport(l.config)
	}
	return l.made, err
}

func newTransport(config *rest.Config) (http.RoundTripper, error) {
	if file := config.BearerTokenFile; file != "" {
		// client-go reads it again every 50 s, and goes on with a token that is refused. This source reads it after a 401, too.
		config = rest.CopyConfig(config)
		config.BearerToken, config.BearerTokenFile = "", ""
		config.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(file)))
	}
	return rest.TransportFor(config)
}
