package dbtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// serverAuthority signed the certificates of every server of this test binary.
var serverAuthority = sync.OnceValues(func() (*authority, error) { return newAuthority("dbtest") })

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificateTemplate(name)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key, pem: encodePEM("CERTIFICATE", der)}, nil
}

// sign returns a certificate and its key, both as PEM. A server's is valid for
// localhost and the loopback addresses; a client's carries the name.
func (a *authority) sign(name string, usage x509.ExtKeyUsage) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificateTemplate(name)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{usage}
	if usage == x509.ExtKeyUsageServerAuth {
		template.DNSNames = []string{"localhost"}
		template.IPAddresses = []net.IP{net.ParseIP(loopback), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return encodePEM("CERTIFICATE", der), encodePEM("PRIVATE KEY", keyDER), nil
}

func certificateTemplate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(48 * time.Hour),
	}
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// writeServerTLS puts ca.pem, server.pem and server.key into a server's folder.
func writeServerTLS(dir string) error {
	ca, err := serverAuthority()
	if err != nil {
		return err
	}
	cert, key, err := ca.sign("dbtest server", x509.ExtKeyUsageServerAuth)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
		mode os.FileMode
	}{{"ca.pem", ca.pem, 0o644}, {"server.pem", cert, 0o644}, {"server.key", key, 0o600}} {
		path := filepath.Join(dir, f.name)
		if err := os.WriteFile(path, f.text, f.mode); err != nil {
			return err
		}
		if err := handOver(path); err != nil {
			return err
		}
	}
	return nil
}

// ClientCertificate writes a certificate that the servers accept, and its key,
// to files that live as long as the test. See [Database.RequireClientCertificate].
func ClientCertificate(t testing.TB, commonName string) (certFile, keyFile string) {
	t.Helper()
	ca, err := serverAuthority()
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	return writeClientCertificate(t, ca, commonName)
}

// A Stranger is a certificate authority that no server trusts and that signed
// no server's certificate, for tests that must be refused.
type Stranger struct {
	CAFile            string
	CertFile, KeyFile string // a client's certificate signed by it
}

// NewStranger makes one; its files live as long as the test.
func NewStranger(t testing.TB, commonName string) Stranger {
	t.Helper()
	ca, err := newAuthority("a stranger to dbtest")
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	file := filepath.Join(t.TempDir(), "stranger-ca.pem")
	if err := os.WriteFile(file, ca.pem, 0o600); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	s := Stranger{CAFile: file}
	s.CertFile, s.KeyFile = writeClientCertificate(t, ca, commonName)
	return s
}

func writeClientCertificate(t testing.TB, ca *authority, commonName string) (certFile, keyFile string) {
	t.Helper()
	cert, key, err := ca.sign(commonName, x509.ExtKeyUsageClientAuth)
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key")
	for file, text := range map[string][]byte{certFile: cert, keyFile: key} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatalf("dbtest: %v", err)
		}
	}
	return certFile, keyFile
}
