package dbfleet

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"os"
	"strings"
)

// TLSMode says how strictly a connection is encrypted.
type TLSMode string

const (
	// TLSDisable sends everything, the password's proof included, in plain text.
	TLSDisable TLSMode = "disable"
	// TLSRequire encrypts, but believes any certificate: whoever sits in between
	// can read and change everything. It is weak; prefer TLSVerifyFull with the
	// server's CA.
	TLSRequire TLSMode = "require"
	// TLSVerifyCA believes a certificate that the CA signed, for whatever name.
	TLSVerifyCA TLSMode = "verify-ca"
	// TLSVerifyFull believes a certificate that the CA signed for the host's name.
	TLSVerifyFull TLSMode = "verify-full"
)

// check returns why m is not a mode.
func (m TLSMode) check() error {
	switch m {
	case "", TLSDisable, TLSRequire, TLSVerifyCA, TLSVerifyFull:
		return nil
	case "prefer", "preferred", "allow":
		return errors.New("would fall back to plain text in silence: use disable, require, verify-ca or verify-full")
	}
	return errors.New("is not disable, require, verify-ca or verify-full")
}

// TLSConfig says how a connection is encrypted and whom it trusts. A
// certificate or key is given as a file or as PEM text. Files are read by Open;
// TLS 1.2 is the oldest version that is spoken.
type TLSConfig struct {
	// Mode is how strictly the connection is encrypted.
	//
	// Defaults to TLSVerifyFull if SSL is true, if another field of TLSConfig is
	// set, and for each host other than this machine (localhost, 127.0.0.0/8,
	// ::1); to TLSDisable on this machine and through a socket.
	Mode TLSMode
	// CAFile is the path of the PEM file with the certificate authorities to
	// trust, and CA their PEM text.
	//
	// Defaults to the operating system's.
	CAFile, CA string
	// CertFile and KeyFile are the paths of the client's certificate (with its
	// intermediates) and of its unencrypted private key; Cert and Key their PEM
	// text. Both or neither.
	CertFile, KeyFile string
	Cert, Key         string
	// ServerName is the name that the certificate must have.
	//
	// Defaults to the host's name, for each host its own.
	ServerName string
}

// isLoopback reports whether host is this machine for certain.
func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

// modeFor returns the mode for one host; a host of "" is a socket.
func (c ConnectionConfig) modeFor(host string) TLSMode {
	t := c.TLS
	t.Mode = ""
	switch {
	case host == "":
		return TLSDisable
	case c.TLS.Mode != "":
		return c.TLS.Mode
	case c.SSL || t != (TLSConfig{}) || !isLoopback(host):
		return TLSVerifyFull
	}
	return TLSDisable
}

// tlsMaterial are the loaded certificates of one connection.
type tlsMaterial struct {
	roots *x509.CertPool // nil is the operating system's
	certs []tls.Certificate
}

// load reads the files and parses the certificates.
func (t TLSConfig) load(f *faults) tlsMaterial {
	var m tlsMaterial
	if ca, key, ok := pemText(t.CA, "tls.ca", t.CAFile, "tls.ca_file", f); ok && ca != nil {
		m.roots = x509.NewCertPool()
		if !m.roots.AppendCertsFromPEM(ca) {
			f.add(key, "holds no PEM certificate")
		}
	}
	cert, certKey, certOK := pemText(t.Cert, "tls.cert", t.CertFile, "tls.cert_file", f)
	key, _, keyOK := pemText(t.Key, "tls.key", t.KeyFile, "tls.key_file", f)
	if certOK && keyOK && cert != nil && key != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			f.addCause(certKey, err, "and its key do not fit")
		}
		m.certs = []tls.Certificate{pair}
	}
	return m
}

// pemText returns the text itself or that of the file, and the key it came
// from; nil if neither is set.
func pemText(text, textKey, file, fileKey string, f *faults) (pem []byte, key string, ok bool) {
	if file == "" {
		if text == "" {
			return nil, textKey, true
		}
		return []byte(text), textKey, true
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		f.addCause(fileKey, err, "cannot be read")
		return nil, fileKey, false
	}
	return pem, fileKey, true
}

// clientConfig returns the configuration for one host, nil for plain text.
func (m tlsMaterial) clientConfig(mode TLSMode, host, serverName string) *tls.Config {
	if mode == TLSDisable {
		return nil
	}
	if serverName == "" {
		serverName, _, _ = strings.Cut(host, "%") // without an IPv6 zone
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		ServerName:   serverName,
		RootCAs:      m.roots,
		Certificates: m.certs,
	}
	switch mode {
	case TLSRequire:
		config.InsecureSkipVerify = true
	case TLSVerifyCA:
		// The chain is checked below; InsecureSkipVerify turns off the name too.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verifyChain(state, m.roots)
		}
	}
	return config
}

// verifyChain checks the server's certificate as crypto/tls does, without its name.
func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("tls: the server sent no certificate")
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, cert := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(cert)
	}
	_, err := state.PeerCertificates[0].Verify(options)
	return err
}
