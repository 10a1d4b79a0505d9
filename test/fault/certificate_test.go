package fault

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/coredns-headless/headless/test/parts"
)

// shortLived is how long the certificates live that are to expire: long enough for CoreDNS to connect.
const shortLived = 10 * time.Second

// expire waits until a certificate has expired, and checks that the watch goes on.
func (r *Rig) expire(t *testing.T, c *x509.Certificate) {
	t.Helper()
	time.Sleep(time.Until(c.NotAfter.Add(time.Second)))
	r.runs(t)
}

// A serving certificate is checked when a connection begins, and only then.
func TestServingCertificateReplaced(t *testing.T) {
	relay := newRelay(t, tls.NoClientCert)
	relay.present(t, time.Minute)
	x := NewProxy(t, relay.address)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	replace(t, ca, signer.text)
	path := kubeconfig(t, x.Address(), func(c *clientcmdapi.Cluster, _ *clientcmdapi.AuthInfo) { c.CertificateAuthority = ca })
	r := Start(t, cluster, Options{Kubeconfig: path})
	var short *x509.Certificate
	r.Fault(t, "serving certificate replaced in time", func() {
		short = relay.present(t, shortLived)
		x.Cut(t)
	})
	const reason = "certificate has expired"
	row := r.Fault(t, "serving certificate expired, replaced", func() {
		r.expire(t, short)
		x.Cut(t)
		r.Move(t)
		r.refused(t, path, reason)
		time.Sleep(lasts(3 * time.Second)) // the fault's length
		relay.present(t, time.Minute)
	})
	soon(t, row)
	r.saidSeldom(t, reason)
}

// A client's certificate is read from its file again when a connection begins. Who ends the client's TLS refuses one that has expired
// then; the API server does so at each request, and closes the connection (its feature UnauthenticatedHTTP2DOSMitigation).
func TestClientCertificateReplaced(t *testing.T) {
	relay := newRelay(t, tls.RequireAndVerifyClientCert)
	relay.present(t, 10*time.Minute)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	replace(t, ca, signer.text)
	config, err := cluster.RESTConfig()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ at, address, ca, token, reason string }{
		{"at the API server", cluster.Address, cluster.CA(), "", "Unauthorized"},
		{"at a proxy that demands it", relay.address, ca, config.BearerToken, "expired certificate"},
	} {
		t.Run(c.at, func(t *testing.T) {
			x := NewProxy(t, c.address)
			file := filepath.Join(t.TempDir(), "client.pem") // certificate and key, as kubelet keeps them
			issue := func(lifetime time.Duration) *x509.Certificate {
				cert, key, parsed := signer.issue(t, lifetime)
				replace(t, file, bytes.Join([][]byte{cert, key}, nil))
				return parsed
			}
			issue(time.Minute)
			path := kubeconfig(t, x.Address(), func(k *clientcmdapi.Cluster, a *clientcmdapi.AuthInfo) {
				k.CertificateAuthority, a.Token, a.ClientCertificate, a.ClientKey = c.ca, c.token, file, file
			})
			r := Start(t, cluster, Options{Kubeconfig: path})
			var short *x509.Certificate
			r.Fault(t, "client's certificate replaced in time, "+c.at, func() {
				short = issue(shortLived)
				x.Cut(t)
			})
			row := r.Fault(t, "client's certificate expired, replaced, "+c.at, func() {
				r.expire(t, short)
				x.Cut(t)
				r.Move(t)
				r.refused(t, path, c.reason)
				time.Sleep(lasts(3 * time.Second)) // the fault's length
				issue(time.Minute)
			})
			soon(t, row)
			r.saidSeldom(t, c.reason)
		})
	}
}

// A client's certificate that stands in the kubeconfig itself is read again by a reload, and by nothing else.
func TestInlineClientCertificateReplaced(t *testing.T) {
	if _, err := parts.CoreDNSStatic.Path(); err != nil { // built before the certificate begins to live
		t.Fatal(err)
	}
	x := NewProxy(t, cluster.Address)
	var short *x509.Certificate
	inline := func(lifetime time.Duration) func(*clientcmdapi.Cluster, *clientcmdapi.AuthInfo) {
		return func(_ *clientcmdapi.Cluster, a *clientcmdapi.AuthInfo) {
			a.Token = ""
			a.ClientCertificateData, a.ClientKeyData, short = signer.issue(t, lifetime)
		}
	}
	path := kubeconfig(t, x.Address(), inline(shortLived))
	r := Start(t, cluster, Options{Kubeconfig: path, Part: &parts.CoreDNSStatic}) // *kubernetes* races when it is reloaded
	r.Fault(t, "client's certificate in the kubeconfig expired, replaced, reload", func() {
		r.expire(t, short)
		x.Cut(t)
		r.Move(t)
		r.refused(t, path, "Unauthorized")
		rewrite(t, path, inline(time.Minute))
		time.Sleep(lasts(3 * time.Second)) // the fault's length
		r.refused(t, path, "Unauthorized")
		r.Reload(t) // until it is done the old instance may answer, too
	})
}
