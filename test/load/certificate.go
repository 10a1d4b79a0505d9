package load

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"k8s.io/client-go/util/cert"
)

// writeCertificate writes a certificate for 127.0.0.1 with the one that signed it, and its key. It returns the settings of
// a client that trusts it.
func writeCertificate(certFile, keyFile string) (*tls.Config, error) {
	certs, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certs)
	err = errors.Join(os.WriteFile(certFile, certs, 0o600), os.WriteFile(keyFile, key, 0o600))
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, err
}
