package fault

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/coredns-headless/headless/test/parts"
)

// signer signs the certificates of the tests. The API server takes its word for who clients are.
var signer *authority

// An authority is a CA.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	text        []byte // the certificate in PEM
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of the tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, err
}

// issue makes a certificate for the administrator, and says when it expires.
func (a *authority) issue(t *testing.T, lifetime time.Duration) (cert, key []byte, expires time.Time) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	keyDER, errKey := x509.MarshalPKCS8PrivateKey(private)
	if err := errors.Join(err, errKey); err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER), template.NotAfter
}

// A client's certificate is read from its file again when a connection begins. The API server looks at it at each
// request, refuses one that has expired, and closes the connection (its feature UnauthenticatedHTTP2DOSMitigation); a
// watch that runs goes on.
func TestClientCertificateReplaced(t *testing.T) {
	line := NewLine(t, cluster.Address)
	file := filepath.Join(t.TempDir(), "client.pem") // certificate and key, as kubelet keeps them
	issue := func(lifetime time.Duration) (expires time.Time) {
		cert, key, expires := signer.issue(t, lifetime)
		replace(t, file, bytes.Join([][]byte{cert, key}, nil))
		return expires
	}
	issue(time.Hour)
	r := Start(t, cluster, Options{Kubeconfig: kubeconfig(t, line.Address, func(a *clientcmdapi.AuthInfo) {
		a.Token, a.ClientCertificate, a.ClientKey = "", file, file
	})})
	var expires time.Time
	r.Fault(t, "client's certificate replaced in time", func() {
		expires = r.shortLived(t, func(lifetime time.Duration) time.Time {
			defer line.Cut()
			return issue(lifetime)
		})
	})
	r.Fault(t, "client's certificate expired, replaced", func() {
		time.Sleep(time.Until(expires.Add(time.Second)))
		r.runs(t)
		line.Cut()
		r.Move(t)
		r.refused(t, "Unauthorized")
		linger(30 * time.Second)
		issue(time.Hour)
	})
}

// shortLived connects with a certificate that will soon expire: how soon, a machine decides that needs long to
// connect.
func (r *Rig) shortLived(t *testing.T, connect func(lifetime time.Duration) time.Time) (expires time.Time) {
	t.Helper()
	lifetime := 10 * time.Second
	expires = connect(lifetime)
	r.Move(t)
	r.Server.Poll(t, hang, func() error {
		_, err := r.moved.Show(r.Address(), 0, mover(Suffix))
		if time.Now().Before(expires) {
			return err
		}
		lifetime *= 2
		expires = connect(lifetime)
		return errors.New("the certificate expired before it was of use")
	})
	return expires
}

// A token or a certificate that stands in the kubeconfig itself is read again by a reload, and by nothing else.
func TestInlineCredentialsReplaced(t *testing.T) {
	line := NewLine(t, cluster.Address)
	token := account(t)
	defer bind(t)()
	path := kubeconfig(t, line.Address, func(a *clientcmdapi.AuthInfo) { a.Token = token })
	r := Start(t, cluster, Options{Kubeconfig: path, Part: &parts.CoreDNSStatic}) // *kubernetes* races when it is reloaded
	r.Fault(t, "token in the kubeconfig invalid, a certificate in its place, reload", func() {
		deleteAccount(t)
		refuses(t, r, token, apierrors.IsUnauthorized)
		r.runs(t)
		line.Cut()
		r.Move(t)
		r.refused(t, "Unauthorized")
		rewrite(t, path, func(a *clientcmdapi.AuthInfo) {
			a.Token = ""
			a.ClientCertificateData, a.ClientKeyData, _ = signer.issue(t, time.Hour)
		})
		failed := r.failed(t)
		r.Server.Poll(t, hang, func() error {
			if r.failed(t) < failed+reflectors {
				return errors.New("nobody has tried again")
			}
			return nil
		})
		linger(30 * time.Second)
		r.Reload(t) // until it is done the old instance may answer, too
	})
}

// failed is how many requests of the plugin have failed.
func (r *Rig) failed(t *testing.T) (n int) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^coredns_headless_requests_failed_total\{.*\} (\d+)$`).FindAllStringSubmatch(r.Server.Metrics(t), -1) {
		more, _ := strconv.Atoi(m[1]) // digits
		n += more
	}
	return n
}
