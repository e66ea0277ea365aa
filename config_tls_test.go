package dbfleet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
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

func TestTLS_DefaultIsVerifiedExceptOnThisMachine(t *testing.T) {
	t.Parallel()
	ca := newTestCA(t)
	for name, tc := range map[string]struct {
		host string
		ssl  bool
		tls  TLSConfig
		want TLSMode
	}{
		"a name":                      {host: "db.example.com", want: TLSVerifyFull},
		"a private address":           {host: "10.0.0.1", want: TLSVerifyFull},
		"any address":                 {host: "0.0.0.0", want: TLSVerifyFull},
		"a name like localhost":       {host: "localhost.example.com", want: TLSVerifyFull},
		"localhost":                   {host: "LocalHost", want: TLSDisable},
		"127/8":                       {host: "127.8.9.1", want: TLSDisable},
		"::1":                         {host: "::1", want: TLSDisable},
		"mapped":                      {host: "::ffff:127.0.0.1", want: TLSDisable},
		"SSL on this machine":         {host: "localhost", ssl: true, want: TLSVerifyFull},
		"a CA on this machine":        {host: "localhost", tls: TLSConfig{CA: ca.pem}, want: TLSVerifyFull},
		"a mode on this machine":      {host: "localhost", tls: TLSConfig{Mode: TLSRequire}, want: TLSRequire},
		"disabled elsewhere":          {host: "db", tls: TLSConfig{Mode: TLSDisable}, want: TLSDisable},
		"SSL with a mode of its own":  {host: "db", ssl: true, tls: TLSConfig{Mode: TLSVerifyCA}, want: TLSVerifyCA},
		"SSL with a mode, weak one":   {host: "db", ssl: true, tls: TLSConfig{Mode: TLSRequire}, want: TLSRequire},
		"a server name for localhost": {host: "127.0.0.1", tls: TLSConfig{ServerName: "db"}, want: TLSVerifyFull},
	} {
		c, err := ConnectionConfig{Driver: MySQL, Host: tc.host, Database: "d", Username: "u", SSL: tc.ssl, TLS: tc.tls}.prepare("x")
		require.NoError(t, err, name)
		require.Equal(t, tc.want, c.modeFor(c.Host), name)
		o, _, err := c.nodeOptions("x")
		require.NoError(t, err, name)
		if tc.want == TLSDisable {
			require.Nil(t, o.TLS, name)
			continue
		}
		require.Equal(t, uint16(tls.VersionTLS12), o.TLS.MinVersion, name)
		require.Equal(t, tc.want != TLSVerifyFull, o.TLS.InsecureSkipVerify, name)
		require.Equal(t, tc.want == TLSVerifyCA, o.TLS.VerifyConnection != nil, name)
	}

	c, err := ConnectionConfig{Driver: Postgres, Socket: "/run/pg", Database: "d", Username: "u", ReadHosts: []string{"r1"}}.prepare("x")
	require.NoError(t, err)
	o, replicas, err := c.nodeOptions("x")
	require.NoError(t, err)
	require.Nil(t, o.TLS, "a socket")
	require.NotNil(t, replicas[0].TLS)
}

func TestTLS_FaultsNameTheirKeys(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		ssl  bool
		tls  TLSConfig
		keys []string
	}{
		"unknown mode":          {tls: TLSConfig{Mode: "on"}, keys: []string{"tls.mode"}},
		"falls back":            {tls: TLSConfig{Mode: "prefer"}, keys: []string{"tls.mode"}},
		"SSL but disabled":      {ssl: true, tls: TLSConfig{Mode: TLSDisable}, keys: []string{"ssl"}},
		"disabled with a CA":    {tls: TLSConfig{Mode: TLSDisable, CAFile: "x"}, keys: []string{"tls.mode"}},
		"CA not used":           {tls: TLSConfig{Mode: TLSRequire, CAFile: "x"}, keys: []string{"tls.mode"}},
		"name not used":         {tls: TLSConfig{Mode: TLSVerifyCA, ServerName: "x"}, keys: []string{"tls.server_name"}},
		"certificate, no key":   {tls: TLSConfig{CertFile: "x"}, keys: []string{"tls.key_file"}},
		"key, no certificate":   {tls: TLSConfig{Key: "x"}, keys: []string{"tls.cert_file"}},
		"CA twice":              {tls: TLSConfig{CA: "x", CAFile: "x"}, keys: []string{"tls.ca_file"}},
		"server name":           {tls: TLSConfig{ServerName: "a b"}, keys: []string{"tls.server_name"}},
		"key of a printed JSON": {tls: TLSConfig{Cert: "x", Key: "[redacted]"}, keys: []string{"tls.key"}},
	} {
		c := ConnectionConfig{Driver: Postgres, Host: "db", Database: "d", Username: "u", SSL: tc.ssl, TLS: tc.tls}
		_, err := c.prepare("x")
		require.Equal(t, tc.keys, faultKeys(t, err), "%s: %v", name, err)
	}
	_, err := ConnectionConfig{Driver: Postgres, Socket: "/run/x", Database: "d", Username: "u", SSL: true}.prepare("x")
	require.Equal(t, []string{"tls.mode"}, faultKeys(t, err))
}

func TestTLS_FilesAreReadWhenNodesAreMade(t *testing.T) {
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
	nodes := func(tls TLSConfig) error {
		c, err := ConnectionConfig{Driver: Postgres, Host: "db", Database: "d", Username: "u", TLS: tls, envPrefix: "DB_"}.prepare("x")
		require.NoError(t, err)
		_, _, err = c.nodeOptions("x")
		return err
	}
	require.NoError(t, nodes(TLSConfig{CAFile: caFile, CertFile: certFile, KeyFile: keyFile}))
	require.NoError(t, nodes(TLSConfig{CA: ca.pem, Cert: cert, Key: key}))

	err := nodes(TLSConfig{CAFile: dir + "/none", CertFile: dir + "/none", KeyFile: keyFile})
	require.Equal(t, []string{"tls.ca_file", "tls.cert_file"}, faultKeys(t, err))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "DB_TLS_CA_FILE")
	require.Equal(t, []string{"tls.ca_file"}, faultKeys(t, nodes(TLSConfig{CAFile: keyFile})))
	require.Equal(t, []string{"tls.cert"}, faultKeys(t, nodes(TLSConfig{Cert: cert, Key: otherKey})))
	err = nodes(TLSConfig{Cert: cert, Key: canary})
	require.Equal(t, []string{"tls.cert"}, faultKeys(t, err))
	requireNoCanary(t, err.Error())
}

// Who is believed in which mode, told by a real handshake.
func TestTLS_ModesBelieveWhatTheySay(t *testing.T) {
	t.Parallel()
	ours, theirs := newTestCA(t), newTestCA(t)
	for name, tc := range map[string]struct {
		issuer   testCA
		certName string
		believed map[TLSMode]bool
	}{
		"the right name":  {ours, "db.example.com", map[TLSMode]bool{TLSRequire: true, TLSVerifyCA: true, TLSVerifyFull: true}},
		"another name":    {ours, "evil.example.com", map[TLSMode]bool{TLSRequire: true, TLSVerifyCA: true}},
		"another CA":      {theirs, "db.example.com", map[TLSMode]bool{TLSRequire: true}},
		"nothing is left": {theirs, "evil.example.com", map[TLSMode]bool{TLSRequire: true}},
	} {
		cert, key := tc.issuer.issue(t, tc.certName)
		pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
		require.NoError(t, err)
		for _, mode := range []TLSMode{TLSRequire, TLSVerifyCA, TLSVerifyFull} {
			config := TLSConfig{Mode: mode, CA: ours.pem}
			if mode == TLSRequire {
				config.CA = ""
			}
			c, err := ConnectionConfig{Driver: MySQL, Host: "db.example.com", Database: "d", Username: "u", TLS: config}.prepare("x")
			require.NoError(t, err)
			o, _, err := c.nodeOptions("x")
			require.NoError(t, err)
			err = handshake(t, &tls.Config{Certificates: []tls.Certificate{pair}}, o.TLS)
			require.Equal(t, tc.believed[mode], err == nil, "%s, %s: %v", name, mode, err)
			err = handshake(t, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: tls.VersionTLS11}, o.TLS)
			require.Error(t, err, "TLS 1.1")
		}
	}
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
