package load

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"

	certutil "k8s.io/client-go/util/cert"
)

// writeCertificate writes a certificate for 127.0.0.1, with the one that signed it, and its key. It returns the
// settings of a client that trusts them.
func writeCertificate(cert, key string) (*tls.Config, error) {
	certs, private, err := certutil.GenerateSelfSignedCertKey("127.0.0.1", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certs)
	config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return config, errors.Join(os.WriteFile(cert, certs, 0o600), os.WriteFile(key, private, 0o600))
}
