package dbfleet

import (
	"github.com/dbfleet/dbfleet/internal/config"
	"github.com/dbfleet/dbfleet/internal/driver"
)

// seams are the functions of c in the driver's terms.
func (c ConnectionConfig) seams() driver.Seams {
	return driver.Seams{Dial: c.Dial, PasswordFunc: c.PasswordFunc, OnConnect: c.OnConnect, Connector: c.Connector}
}

// validateSeams notes the faults of the functions.
func (c ConnectionConfig) validateSeams(f *config.Faults) {
	if c.Connector != nil {
		c.validateConnector(f)
		return
	}
	if c.Driver == SQLite {
		if c.Dial != nil {
			f.Add("dial", reasonNoServer)
		}
		if c.PasswordFunc != nil {
			f.Add("password_func", reasonNoServer)
		}
		return
	}
	if c.PasswordFunc != nil && c.Password != "" {
		f.Add("password_func", "is set beside password: only one of them gives the password")
	}
}

const reasonNoServer = "is set, but sqlite has no server"

// validateConnector notes what a connector leaves nothing to do.
func (c ConnectionConfig) validateConnector(f *config.Faults) {
	for _, other := range []struct {
		key string
		set bool
	}{
		{"host", c.Host != ""}, {"hosts", len(c.Hosts) > 0}, {"socket", c.Socket != ""}, {"password", c.Password != ""}, {"ssl", c.SSL}, {"tls", c.TLS != (TLSConfig{})},
		{"params", len(c.Params) > 0}, {"dial", c.Dial != nil}, {"password_func", c.PasswordFunc != nil},
	} {
		if other.set {
			f.Add(other.key, "is set beside connector, which stands in the server's place")
		}
	}
}
