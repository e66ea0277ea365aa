package dbfleet

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// certificate returns a certificate and its key, as PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	keyDER, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

func TestTLS_DefaultIsVerifiedExceptOnThisMachine(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t)
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
		"a CA on this machine":        {host: "localhost", tls: TLSConfig{CA: cert}, want: TLSVerifyFull},
		"a mode on this machine":      {host: "localhost", tls: TLSConfig{Mode: TLSRequire}, want: TLSRequire},
		"disabled elsewhere":          {host: "db", tls: TLSConfig{Mode: TLSDisable}, want: TLSDisable},
		"SSL with a mode of its own":  {host: "db", ssl: true, tls: TLSConfig{Mode: TLSVerifyCA}, want: TLSVerifyCA},
		"SSL with a mode, weak one":   {host: "db", ssl: true, tls: TLSConfig{Mode: TLSRequire}, want: TLSRequire},
		"a server name for localhost": {host: "127.0.0.1", tls: TLSConfig{ServerName: "db"}, want: TLSVerifyFull},
	} {
		c, err := ConnectionConfig{Driver: MySQL, Host: tc.host, Database: "d", Username: "u", SSL: tc.ssl, TLS: tc.tls}.prepare("x")
		require.NoError(t, err, name)
		require.Equal(t, tc.want, c.modeFor(c.Host), name)
		o, _, err := nodeOptions(c, "x")
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
	o, replicas, err := nodeOptions(c, "x")
	require.NoError(t, err)
	require.Nil(t, o.TLS, "a socket")
	require.NotNil(t, replicas[0].TLS)
}

func TestTLS_FaultsNameTheirKeys(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t)
	file := filepath.Join(t.TempDir(), "x.pem")
	require.NoError(t, os.WriteFile(file, []byte(cert), 0o600))
	for name, tc := range map[string]struct {
		ssl  bool
		tls  TLSConfig
		keys []string
	}{
		"unknown mode":          {tls: TLSConfig{Mode: "on"}, keys: []string{"tls.mode"}},
		"falls back":            {tls: TLSConfig{Mode: "prefer"}, keys: []string{"tls.mode"}},
		"SSL but disabled":      {ssl: true, tls: TLSConfig{Mode: TLSDisable}, keys: []string{"ssl"}},
		"disabled with a CA":    {tls: TLSConfig{Mode: TLSDisable, CAFile: file}, keys: []string{"tls.mode"}},
		"CA not used":           {tls: TLSConfig{Mode: TLSRequire, CAFile: file}, keys: []string{"tls.mode"}},
		"name not used":         {tls: TLSConfig{Mode: TLSVerifyCA, ServerName: "x"}, keys: []string{"tls.server_name"}},
		"certificate, no key":   {tls: TLSConfig{CertFile: file}, keys: []string{"tls.key_file"}},
		"key, no certificate":   {tls: TLSConfig{Key: "x"}, keys: []string{"tls.cert_file"}},
		"CA twice":              {tls: TLSConfig{CA: cert, CAFile: file}, keys: []string{"tls.ca_file"}},
		"server name":           {tls: TLSConfig{ServerName: "a b"}, keys: []string{"tls.server_name"}},
		"with a missing file":   {tls: TLSConfig{Mode: TLSDisable, CAFile: file + "x"}, keys: []string{"tls.mode", "tls.ca_file"}},
		"key of a printed JSON": {tls: TLSConfig{Cert: "x", Key: "[redacted]"}, keys: []string{"tls.key"}},
	} {
		c := ConnectionConfig{Driver: Postgres, Host: "db", Database: "d", Username: "u", SSL: tc.ssl, TLS: tc.tls}
		_, err := c.prepare("x")
		require.Equal(t, tc.keys, faultKeys(t, err), "%s: %v", name, err)
	}
	_, err := ConnectionConfig{Driver: Postgres, Socket: "/run/x", Database: "d", Username: "u", SSL: true}.prepare("x")
	require.Equal(t, []string{"tls.mode"}, faultKeys(t, err))
}

func TestTLS_FilesAreReadByOpen(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	nodes := func(tls TLSConfig) (driver.Options, error) {
		c, err := ConnectionConfig{Driver: Postgres, Host: "db", Database: "d", Username: "u", TLS: tls, envPrefix: "DB_"}.prepare("x")
		if err != nil {
			return driver.Options{}, err
		}
		primary, _, err := nodeOptions(c, "x")
		return primary, err
	}
	files := TLSConfig{CAFile: certFile, CertFile: certFile, KeyFile: keyFile, ServerName: "other"}
	_, err := nodes(files)
	require.Equal(t, []string{"tls.ca_file", "tls.cert_file", "tls.key_file"}, faultKeys(t, err))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "DB_TLS_CA_FILE")
	require.ErrorContains(t, err, certFile)
	_, err = nodes(TLSConfig{CAFile: cert}) // the text itself by mistake
	require.Equal(t, []string{"tls.ca_file"}, faultKeys(t, err))
	require.NotContains(t, err.Error(), "BEGIN")

	require.NoError(t, os.WriteFile(certFile, []byte(cert), 0o600))
	require.NoError(t, os.WriteFile(keyFile, []byte(key), 0o600))
	for _, config := range []TLSConfig{files, {CA: cert, Cert: cert, Key: Secret(key), ServerName: "other"}} {
		o, err := nodes(config)
		require.NoError(t, err)
		require.NotNil(t, o.TLS.RootCAs)
		require.Len(t, o.TLS.Certificates, 1)
		require.Equal(t, "other", o.TLS.ServerName)
	}
	_, err = nodes(TLSConfig{Cert: cert, Key: canary})
	require.Equal(t, []string{"tls.cert"}, faultKeys(t, err))
	requireNoCanary(t, err.Error())
}
