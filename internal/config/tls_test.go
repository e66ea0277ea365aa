package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testCA is a certificate authority for one test.
type testCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newTestCA(t *testing.T) testCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return testCA{cert, key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
}

// issue returns a certificate for names and its key, as PEM.
func (ca testCA) issue(t *testing.T, names ...string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: names, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, private.Public(), ca.key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

func TestIsLoopback_OnlyWhatIsThisMachineForCertain(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LocalHost.": true, "127.8.9.1": true, "::1": true, "::ffff:127.0.0.1": true,
		"localhost.example.com": false, "10.0.0.1": false, "0.0.0.0": false, "": false, "db": false,
	} {
		require.Equal(t, want, IsLoopback(host), host)
	}
}

func TestLoadCertificates_FaultsNameTheKeyThatWasUsed(t *testing.T) {
	t.Parallel()
	ca, dir := newTestCA(t), t.TempDir()
	cert, key := ca.issue(t, "client")
	_, otherKey := ca.issue(t, "other")
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	caFile, certFile, keyFile := write("ca.pem", ca.pem), write("cert.pem", cert), write("key.pem", key)
	for name, tc := range map[string]struct {
		settings Settings
		keys     []string
	}{
		"nothing":              {Settings{}, []string{}},
		"files":                {Settings{"tls.ca_file": caFile, "tls.cert_file": certFile, "tls.key_file": keyFile}, []string{}},
		"texts":                {Settings{"tls.ca": ca.pem, "tls.cert": cert, "tls.key": key}, []string{}},
		"files that are not":   {Settings{"tls.ca_file": dir + "/none", "tls.cert_file": dir + "/none", "tls.key_file": keyFile}, []string{"tls.ca_file", "tls.cert_file"}},
		"a key as a CA":        {Settings{"tls.ca_file": keyFile}, []string{"tls.ca_file"}},
		"a text that is no CA": {Settings{"tls.ca": canary}, []string{"tls.ca"}},
		"another's key":        {Settings{"tls.cert": cert, "tls.key": otherKey}, []string{"tls.cert"}},
		"a key that is none":   {Settings{"tls.cert": cert, "tls.key": canary}, []string{"tls.cert"}},
	} {
		f := NewFaults("", "")
		LoadCertificates(tc.settings, f)
		require.Equal(t, tc.keys, keysOf(f.List()), name)
		for _, fault := range f.List() {
			requireNoCanary(t, fault.Error())
			require.Equal(t, strings.HasSuffix(name, "are not"), errors.Is(fault, fs.ErrNotExist), name)
		}
	}
}

// Who is believed in which mode, told by a real handshake.
func TestClientConfig_ModesBelieveWhatTheySay(t *testing.T) {
	t.Parallel()
	ours, theirs := newTestCA(t), newTestCA(t)
	for name, tc := range map[string]struct {
		issuer   testCA
		certName string
		believed map[string]bool
	}{
		"the right name":  {ours, "db.example.com", map[string]bool{TLSRequire: true, TLSVerifyCA: true, TLSVerifyFull: true}},
		"another name":    {ours, "evil.example.com", map[string]bool{TLSRequire: true, TLSVerifyCA: true}},
		"another CA":      {theirs, "db.example.com", map[string]bool{TLSRequire: true}},
		"nothing is left": {theirs, "evil.example.com", map[string]bool{TLSRequire: true}},
	} {
		cert, key := tc.issuer.issue(t, tc.certName)
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		require.NoError(t, err)
		for _, mode := range []string{TLSRequire, TLSVerifyCA, TLSVerifyFull} {
			f := NewFaults("", "")
			client := LoadCertificates(Settings{"tls.ca": ours.pem}, f).ClientConfig(mode, "db.example.com", "")
			require.Empty(t, f.List())
			err = handshake(t, &tls.Config{Certificates: []tls.Certificate{pair}}, client)
			require.Equal(t, tc.believed[mode], err == nil, "%s, %s: %v", name, mode, err)
			err = handshake(t, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS11}, client)
			require.Error(t, err, "TLS 1.1")
		}
	}
}

func TestClientConfig_NamesTheHostOrTheServerName(t *testing.T) {
	t.Parallel()
	var c Certificates
	require.Nil(t, c.ClientConfig(TLSDisable, "db", ""))
	require.Equal(t, "db", c.ClientConfig(TLSVerifyFull, "db", "").ServerName)
	require.Equal(t, "fe80::1", c.ClientConfig(TLSVerifyFull, "fe80::1%eth0", "").ServerName, "without the zone")
	require.Equal(t, "other", c.ClientConfig(TLSVerifyFull, "db", "other").ServerName)
}

// handshake returns the client's error.
func handshake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	serverSide, clientSide := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer serverSide.Close()
		conn := tls.Server(serverSide, server)
		if conn.Handshake() == nil {
			_, _ = io.Copy(io.Discard, conn)
		}
	}()
	err := tls.Client(clientSide, client).Handshake()
	require.NoError(t, clientSide.Close())
	<-done
	return err
}
