package dbfleet

import "github.com/dbfleet/dbfleet/internal/config"

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

// TLSConfig says how a connection is encrypted and whom it trusts. A
// certificate or key is given as a file or as PEM text. Files are read by Open;
// TLS 1.2 is the oldest version that is spoken.
type TLSConfig struct {
	// Mode is how strictly the connection is encrypted.
	//
	// Defaults to TLSVerifyFull if SSL is true, if another field of TLSConfig is
	// set, and for each host other than this machine (localhost, 127.0.0.0/8,
	// ::1); to TLSDisable on this machine and through a socket.
	Mode TLSMode `json:"mode" yaml:"mode" mapstructure:"mode" toml:"mode,omitempty"`
	// CAFile is the path of the PEM file with the certificate authorities to
	// trust, and CA their PEM text.
	//
	// Defaults to the operating system's.
	CAFile string `json:"ca_file" yaml:"ca_file" mapstructure:"ca_file" toml:"ca_file,omitempty"`
	CA     string `json:"ca" yaml:"ca" mapstructure:"ca" toml:"ca,omitempty"`
	// CertFile and KeyFile are the paths of the client's certificate (with its
	// intermediates) and of its unencrypted private key; Cert and Key their PEM
	// text. Both or neither.
	CertFile string `json:"cert_file" yaml:"cert_file" mapstructure:"cert_file" toml:"cert_file,omitempty"`
	KeyFile  string `json:"key_file" yaml:"key_file" mapstructure:"key_file" toml:"key_file,omitempty"`
	Cert     string `json:"cert" yaml:"cert" mapstructure:"cert" toml:"cert,omitempty"`
	Key      Secret `json:"key" yaml:"key" mapstructure:"key" toml:"key,omitempty"`
	// ServerName is the name that the certificate must have.
	//
	// Defaults to the host's name, for each host its own.
	ServerName string `json:"server_name" yaml:"server_name" mapstructure:"server_name" toml:"server_name,omitempty"`
	// ChannelBinding asks PostgreSQL to show in the exchange of the password that it
	// is the holder of the certificate: whoever sits in between cannot, even where the
	// mode believes any certificate. The server must offer SCRAM-SHA-256-PLUS. It is
	// channel_binding=require of a URL.
	ChannelBinding bool `json:"channel_binding" yaml:"channel_binding" mapstructure:"channel_binding" toml:"channel_binding,omitempty"`
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
	case c.SSL || t != (TLSConfig{}) || !config.IsLoopback(host):
		return TLSVerifyFull
	}
	return TLSDisable
}

// validateTLS notes the faults of TLS and SSL.
func (c ConnectionConfig) validateTLS(f *config.Faults) {
	t := c.TLS
	if err := config.CheckTLSMode(string(t.Mode)); err != nil {
		f.Add("tls.mode", "%v", err)
	}
	if c.SSL && t.Mode == TLSDisable {
		f.Add("ssl", "is true, but tls.mode is disable")
	}
	t.Mode = ""
	if c.TLS.Mode == TLSDisable && t != (TLSConfig{}) {
		f.Add("tls.mode", "is disable (or ssl is false), but other TLS settings are given")
	}
	wantsTLS := c.SSL || t != (TLSConfig{}) || (c.TLS.Mode != "" && c.TLS.Mode != TLSDisable)
	if c.Socket != "" && wantsTLS && len(c.ReadHosts)+len(c.Replicas) == 0 && c.Discover == nil {
		f.Add("tls.mode", "asks for TLS, which a unix socket does not have")
	}
	if c.TLS.Mode == TLSRequire && (t.CA != "" || t.CAFile != "" || t.ServerName != "") {
		f.Add("tls.mode", "is require, which verifies nothing: with a CA or a server name use verify-ca or verify-full")
	}
	if c.TLS.Mode == TLSVerifyCA && t.ServerName != "" {
		f.Add("tls.server_name", "is not verified in mode verify-ca: use verify-full")
	}
	for _, both := range [][4]string{
		{t.CAFile, t.CA, "tls.ca_file", "tls.ca"},
		{t.CertFile, t.Cert, "tls.cert_file", "tls.cert"},
		{t.KeyFile, string(t.Key), "tls.key_file", "tls.key"},
	} {
		if both[0] != "" && both[1] != "" {
			f.Add(both[2], "is set beside %s: only one of them can be used", both[3])
		}
	}
	hasCert, hasKey := t.Cert != "" || t.CertFile != "", t.Key != "" || t.KeyFile != ""
	if hasCert && !hasKey {
		f.Add("tls.key_file", "is missing: the client's certificate needs its key")
	}
	if hasKey && !hasCert {
		f.Add("tls.cert_file", "is missing: the client's key needs its certificate")
	}
	if t.ChannelBinding && c.Driver != Postgres {
		f.Add("tls.channel_binding", "is set, but the driver is %s", c.Driver)
	}
	if t.ServerName != "" {
		if err := config.CheckHost(t.ServerName); err != nil {
			f.Add("tls.server_name", "%v", err)
		}
	}
	if t.Key == config.Redacted {
		f.Add("tls.key", "is the text that stands for a secret in a printed configuration")
		c.TLS.Key = ""
	}
	config.LoadCertificates(c.settings(), f)
}
