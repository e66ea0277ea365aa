package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"unicode"
)

// The values of a setting of kind TLSMode.
const (
	TLSDisable    = "disable"
	TLSRequire    = "require"
	TLSVerifyCA   = "verify-ca"
	TLSVerifyFull = "verify-full"
)

// CheckTLSMode returns why mode is not a TLS mode. The empty one is the default.
func CheckTLSMode(mode string) error {
	switch mode {
	case "", TLSDisable, TLSRequire, TLSVerifyCA, TLSVerifyFull:
		return nil
	case "prefer", "preferred", "allow":
		return errors.New("would fall back to plain text in silence: use disable, require, verify-ca or verify-full")
	}
	return errors.New("is not disable, require, verify-ca or verify-full")
}

// IsLoopback reports whether host is this machine for certain.
func IsLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}

// Certificates are the loaded certificates of one connection. They are never
// changed and are safe for concurrent use.
type Certificates struct {
	roots *x509.CertPool // nil is the operating system's
	own   []tls.Certificate
}

// LoadCertificates reads the files that the settings under "tls." name and
// parses the certificates. What cannot be read or parsed is a fault.
func LoadCertificates(s Settings, f *Faults) Certificates {
	var c Certificates
	if ca, key, ok := s.pem("tls.ca", f); ok && ca != nil {
		c.roots = x509.NewCertPool()
		if !c.roots.AppendCertsFromPEM(ca) {
			f.Add(key, "holds no PEM certificate")
		}
	}
	cert, certKey, certOK := s.pem("tls.cert", f)
	key, _, keyOK := s.pem("tls.key", f)
	if certOK && keyOK && cert != nil && key != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			f.AddCause(certKey, err, "and its key do not fit")
		}
		c.own = []tls.Certificate{pair}
	}
	return c
}

// pem returns the PEM text that textKey holds, or that the file holds whose path
// stands under textKey and "_file", and the key it came from. It is nil if
// neither is set; ok is false if the file cannot be read.
func (s Settings) pem(textKey string, f *Faults) (pem []byte, key string, ok bool) {
	fileKey := textKey + "_file"
	file := s.text(fileKey)
	if file == "" {
		if text := s.text(textKey); text != "" {
			pem = []byte(text)
		}
		return pem, textKey, true
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		f.AddCause(fileKey, fileError(file, err), "cannot be read")
		return nil, fileKey, false
	}
	return pem, fileKey, true
}

// fileError is why a file cannot be read, without its path where that is not like
// one: a key itself may stand there.
func fileError(path string, err error) error {
	var e *fs.PathError
	if errors.As(err, &e) && (len(path) > 200 || strings.Contains(path, "-----") || strings.ContainsFunc(path, unicode.IsControl)) {
		return e.Err
	}
	return err
}

// ClientConfig returns the configuration for one host, nil for plain text. The
// certificate must have the name serverName, or the host's if that is empty.
func (c Certificates) ClientConfig(mode, host, serverName string) *tls.Config {
	if mode == TLSDisable {
		return nil
	}
	if serverName == "" {
		serverName, _, _ = strings.Cut(host, "%") // without an IPv6 zone
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		ServerName:   serverName,
		RootCAs:      c.roots,
		Certificates: c.own,
	}
	switch mode {
	case TLSRequire:
		config.InsecureSkipVerify = true
	case TLSVerifyCA:
		// The chain is checked below; InsecureSkipVerify turns off the name too.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verifyChain(state, c.roots)
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
