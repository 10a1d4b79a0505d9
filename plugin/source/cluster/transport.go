package cluster

import (
	"fmt"
	"net/http"
	"sync"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// lateTransport makes its transport at the first request, when the source has started. With client certificates in
// files client-go starts a goroutine for a transport, which logs. While a Corefile is read that is too early: its
// sources may never start, and *kubernetes* sets klog's logger only then.
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
		// client-go retries by itself up to ten times, and at once if this header says so. Reflectors back off
		// instead.
		resp.Header.Del("Retry-After")
	}
	return resp, err
}

// transport makes the transport. If it cannot, the next request tries again: files may be missing for a moment.
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
		// client-go reads the token again every 50 s and meanwhile goes on with one that is refused. This source reads
		// it again after a 401, too.
		config = rest.CopyConfig(config)
		config.BearerToken, config.BearerTokenFile = "", ""
		config.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(file)))
	}
	return rest.TransportFor(config)
}

// sameServer follows a redirect on the same server only. The transport adds the bearer token to every request, so
// another host would get it, and so would a listener if the redirect left TLS.
func sameServer(r *http.Request, via []*http.Request) error {
	if to, from := r.URL, via[0].URL; to.Host != from.Host || to.Scheme != from.Scheme {
		return fmt.Errorf("redirect to %s://%s refused: it would get the token", to.Scheme, to.Host)
	}
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}

const maxRedirects = 3
