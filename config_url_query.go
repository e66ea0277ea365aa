package dbfleet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// urlParams maps the parameters that PostgreSQL's and MySQL's own URLs know to
// keys. The library's own names (pool_max_open, tls_ca_file, …) need no entry.
var urlParams = map[string]string{
	"user":        "username",
	"dbname":      "database",
	"sslmode":     "tls.mode",
	"ssl-mode":    "tls.mode",
	"sslrootcert": "tls.ca_file",
	"sslcert":     "tls.cert_file",
	"sslkey":      "tls.key_file",
	"timeout":     "connect_timeout",
	"readTimeout": "statement_timeout",
	"pgbouncer":   "pooler",
}

// pinnedURLParams are parameters that other libraries need in order to behave as
// this one always does: with these values they change nothing.
var pinnedURLParams = map[string][]string{
	"parseTime":       {"true", "1"},
	"loc":             {"UTC"},
	"charset":         {"utf8mb4"},
	"clientFoundRows": {"true", "1"},
	"client_encoding": {"UTF8", "utf8", "UTF-8", "utf-8"},
}

// refusedURLParams are parameters of libpq and other libraries that must not
// pass for session parameters. Those of MySQL's driver are in refusedParams.
var refusedURLParams = []string{
	"url", "driver", "hostaddr", "service", "servicefile", "passfile", "sslpassword", "require_auth",
	"channel_binding", "target_session_attrs", "load_balance_hosts", "gssencmode", "krbsrvname", "krbspn",
	"requiressl", "sslsni", "sslinline", "sslnegotiation", "sslcrl", "sslcrldir", "sslcompression", "replication",
	"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
	"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity", "fallback_application_name",
	"min_protocol_version", "max_protocol_version", "_pragma", "_txlock", "_time_format", "mode", "cache", "vfs", "immutable",
}

// setURLQuery sets c from the parameters of a URL. What is not known becomes a
// session parameter.
func (c *ConnectionConfig) setURLQuery(query string) error {
	if query == "" {
		return nil
	}
	seen := make(map[string]bool)
	for _, pair := range strings.Split(query, "&") {
		name, text, ok := strings.Cut(pair, "=")
		if !ok {
			return errURLSyntax
		}
		name, err := unescape(name)
		if err != nil {
			return err
		}
		value, err := unescape(text)
		if name == "password" {
			value, err = unescapePassword(text)
		}
		if err != nil {
			return err
		}
		if !isURLParam(name) {
			return errURLSyntax
		}
		key := urlKey(c.Driver, name)
		if seen[key] {
			return fmt.Errorf("has the parameter %s, or another for the same key, twice", name)
		}
		seen[key] = true
		if err := c.setURLParam(name, key, value); err != nil {
			return fmt.Errorf("has the parameter %s, which %w", name, err)
		}
	}
	return nil
}

func isURLParam(name string) bool { return paramName.MatchString(name) || name == "ssl-mode" }

// urlKey returns the key that a parameter sets, or "params." and its name.
func urlKey(driver Driver, name string) string {
	if key, ok := urlParams[name]; ok {
		return key
	}
	if name == "tls" || name == "ssl" {
		return "tls.mode"
	}
	for _, key := range configKeys {
		own := strings.ReplaceAll(key.name, ".", "_")
		if name == own || driver == SQLite && "sqlite_"+name == own {
			return key.name
		}
	}
	return "params." + name
}

func (c *ConnectionConfig) setURLParam(name, key, value string) error {
	if slices.Contains(pinnedURLParams[name], value) {
		return nil
	}
	if slices.Contains(refusedURLParams, name) || strings.HasPrefix(name, "pool_") && strings.HasPrefix(key, "params.") {
		return errors.New("is not a parameter of a connection's URL")
	}
	if key, ok := strings.CutPrefix(key, "params."); ok {
		if why, refused := refusedParams[c.Driver][strings.ToLower(name)]; refused {
			return errors.New("cannot be set: " + why)
		}
		if c.Params == nil {
			c.Params = make(map[string]string)
		}
		c.Params[key] = value
		return nil
	}
	switch {
	case value == "":
		return errors.New("is empty")
	case key == "host":
		return c.setURLHost(value)
	case key == "tls.mode":
		value = urlTLSMode(name, value)
	case name == "sslrootcert" && value == "system":
		return nil
	case name == "connect_timeout" && strings.Trim(value, "0123456789") == "":
		value += "s" // as libpq counts
	}
	i := slices.IndexFunc(configKeys, func(k configKey) bool { return k.name == key })
	var query ConnectionConfig
	if err := configKeys[i].setText(&query, value); err != nil {
		return err
	}
	f := new(faults)
	if c.merge(query, f); len(f.list) > 0 {
		return errors.New("is also elsewhere in the url, with another value")
	}
	return nil
}

// setURLHost sets the host, or the socket if value is a path.
func (c *ConnectionConfig) setURLHost(value string) error {
	field := &c.Host
	if strings.HasPrefix(value, "/") {
		field = &c.Socket
	}
	if c.Host != "" || c.Socket != "" {
		return errors.New("is beside a host")
	}
	*field = value
	return nil
}

// urlTLSMode translates the words of MySQL's URLs; others stay as they are.
func urlTLSMode(name, value string) string {
	switch word := strings.ReplaceAll(strings.ToLower(value), "_", "-"); word {
	case "true", "1", "verify-identity":
		return string(TLSVerifyFull)
	case "false", "0", "disabled":
		return string(TLSDisable)
	case "skip-verify", "required":
		return string(TLSRequire)
	default:
		return word
	}
}
