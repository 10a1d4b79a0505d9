package fault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"
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

// issue makes a certificate for servers on 127.0.0.1, and for the administrator as a client.
func (a *authority) issue(t *testing.T, lifetime time.Duration) (cert, key []byte, parsed *x509.Certificate) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(lifetime), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, private.Public(), a.key)
	must(err)
	parsed, err = x509.ParseCertificate(der)
	must(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	must(err)
	encode := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", keyDER), parsed
}

// A relay ends TLS with a certificate of the test's, and passes on what is inside to the API server.
type relay struct {
	address string
	serving atomic.Pointer[tls.Certificate]
}

// newRelay starts a relay, which shows no certificate yet.
func newRelay(t *testing.T, clients tls.ClientAuthType) *relay {
	t.Helper()
	text, err := os.ReadFile(cluster.CA())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	x := &relay{address: l.Addr().String()}
	downstream := &tls.Config{
		NextProtos: []string{"h2"}, ClientAuth: clients, ClientCAs: pool(signer.text),
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return x.serving.Load(), nil },
	}
	upstream := &tls.Config{NextProtos: []string{"h2"}, RootCAs: pool(text)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return // closed
			}
			go pass(tls.Server(conn, downstream), upstream)
		}
	}()
	return x
}

func pool(text []byte) *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(text)
	return p
}

// pass copies both ways until either side closes.
func pass(client *tls.Conn, upstream *tls.Config) {
	defer client.Close()
	if client.Handshake() != nil {
		return // as a client sees it: an alert
	}
	server, err := tls.Dial("tcp", cluster.Address, upstream)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client) // either side's end is both sides' end
		server.Close()
	}()
	_, _ = io.Copy(client, server)
}

// present has the relay show a new certificate from now on.
func (x *relay) present(t *testing.T, lifetime time.Duration) *x509.Certificate {
	t.Helper()
	cert, key, parsed := signer.issue(t, lifetime)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	x.serving.Store(&pair)
	return parsed
}
