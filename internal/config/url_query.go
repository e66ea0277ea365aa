package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// urlParams maps the parameters that PostgreSQL's and MySQL's own URLs know to
// keys. The library's own names (pool_max_open, tls_ca_file, …) need no entry.
var urlParams = map[string]string{
	"user":             "username",
	"dbname":           "database",
	"sslmode":          "tls.mode",
	"ssl-mode":         "tls.mode",
	"tls":              "tls.mode",
	"ssl":              "tls.mode",
	"sslrootcert":      "tls.ca_file",
	"sslcert":          "tls.cert_file",
	"sslkey":           "tls.key_file",
	"timeout":          "connect_timeout",
	"readTimeout":      "statement_timeout",
	"pgbouncer":        "pooler",
	"sslaccept":        "tls.mode",      // Prisma's, as PlanetScale prints it
	"connection_limit": "pool.max_open", // Prisma's, as Supabase prints it
	"channel_binding":  "tls.channel_binding",
}

// pinnedURLParams are parameters that other libraries need in order to behave as
// this one always does: with these values they change nothing.
var pinnedURLParams = map[string][]string{
	"loc":             {"UTC"},
	"charset":         {"utf8mb4", "utf8mb4,utf8"},
	"time_zone":       {"UTC", "+00:00", "'UTC'", "'+00:00'"},
	"uselibpqcompat":  {"true"},
	"channel_binding": {"prefer"},
	"client_encoding": {"UTF8", "utf8", "UTF-8", "utf-8"},
}

// refusedURLParams are parameters of libpq and other libraries that must not
// pass for session parameters. Those of MySQL's driver are known to its dialect.
var refusedURLParams = []string{
	"url", "driver", "replicas", "hostaddr", "service", "servicefile", "passfile", "sslpassword", "require_auth",
	"target_session_attrs", "load_balance_hosts", "gssencmode", "krbsrvname", "krbspn",
	"requiressl", "sslsni", "sslinline", "sslnegotiation", "sslcrl", "sslcrldir", "sslcompression", "replication",
	"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
	"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity", "fallback_application_name",
	"min_protocol_version", "max_protocol_version", "vfs", "immutable",
	"schema", "pool_timeout", "statement_cache_size", "socket_timeout", "binary_parameters", "supa", "useSSL", "sslfactory", "currentSchema",
}

// insteadOf is what to use for a refused parameter.
var insteadOf = map[string]string{
	"replicas": "read_hosts", "schema": "search_path", "currentSchema": "search_path", "pool_timeout": "pool_acquire_timeout", "socket_timeout": "statement_timeout",
	"statement_cache_size": "pool_statement_cache", "statement_cache_capacity": "pool_statement_cache", "pool_max_conns": "pool_max_open",
	"useSSL": "tls", "hostaddr": "host", "fallback_application_name": "application_name",
}

// urlParam is one parameter, decoded.
type urlParam struct{ name, value string }

// setURLQuery sets s from the parameters of a URL. What is not known becomes a
// session parameter.
func (s Settings) setURLQuery(keys Keys, query string) error {
	var params []urlParam
	for _, pair := range strings.Split(query, "&") {
		if pair == "" { // some write & behind the last one
			continue
		}
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
		params = append(params, urlParam{name: name, value: value})
	}
	return s.setURLParams(keys, params)
}

// setURLParams sets s from parameters. A fault names the parameter.
func (s Settings) setURLParams(keys Keys, params []urlParam) error {
	seen := make(map[string]bool)
	for _, p := range params {
		if !isURLParam(p.name) {
			return errURLSyntax
		}
		list, err := s.translate(p)
		for _, own := range list {
			key := keys.urlKey(s.text("driver"), own.name)
			if seen[key] {
				return fmt.Errorf("has the parameter %s, or another for the same key, twice", p.name)
			}
			seen[key] = true
			if err == nil {
				err = s.setURLParam(keys, own.name, key, own.value)
			}
		}
		if err != nil {
			return fmt.Errorf("has the parameter %s, which %w", p.name, err)
		}
	}
	return nil
}

// translate returns the parameters of this library's that one of another's stands
// for, none if it changes nothing.
func (s Settings) translate(p urlParam) ([]urlParam, error) {
	switch driver := s.text("driver"); {
	case driver == dialect.SQLite.Name:
		own, pinned, err := sqliteParam(s.text("database"), p)
		if pinned {
			return nil, err
		}
		return []urlParam{own}, err
	case driver == dialect.Postgres.Name && strings.EqualFold(p.name, "options"):
		return serverOptions(p.value)
	}
	return []urlParam{p}, nil
}

func isURLParam(name string) bool { return paramName.MatchString(name) || name == "ssl-mode" }

// urlKey returns the key that a parameter sets, or "params." and its name.
func (k Keys) urlKey(driver, name string) string {
	if key, ok := urlParams[name]; ok {
		return key
	}
	for _, key := range k {
		own := urlName(key.Name)
		if name == own || driver == dialect.SQLite.Name && "sqlite_"+name == own {
			return key.Name
		}
	}
	return paramsPrefix + name
}

func (s Settings) setURLParam(keys Keys, name, key, value string) error {
	if isPinned(name, value) {
		return nil
	}
	param, isParam := strings.CutPrefix(key, paramsPrefix)
	if slices.Contains(refusedURLParams, name) || isParam && strings.HasPrefix(name, "pool_") {
		if instead, ok := insteadOf[name]; ok {
			return fmt.Errorf("is not a parameter of a connection's URL: use %s", instead)
		}
		return errors.New("is not a parameter of a connection's URL")
	}
	if isParam {
		value = unquoteVariable(s.text("driver"), value)
		if why := refusedParam(s.text("driver"), param, value); why != "" {
			return errors.New("cannot be set: " + why)
		}
		s.SetParam(param, value)
		return nil
	}
	switch {
	case value == "":
		return errors.New("is empty")
	case key == "host":
		return s.setURLHost(value)
	case key == "tls.mode":
		value = urlTLSMode(value)
	case name == "channel_binding" && value != "require":
		return errors.New("is neither require nor prefer")
	case name == "channel_binding":
		value = "true"
	case name == "sslrootcert" && value == "system":
		return nil
	case name == "connect_timeout" && strings.Trim(value, "0123456789") == "":
		value += "s" // as libpq counts
	}
	known, ok := keys.find(key)
	if !ok {
		return errors.New("is not a parameter of a connection's URL")
	}
	query := make(Settings)
	if err := query.setText(known, value); err != nil {
		return err
	}
	for key, value := range query {
		if !s.agree(key, value) {
			return errors.New("is also elsewhere in the url, with another value")
		}
	}
	return nil
}

// isPinned reports whether a parameter of another library changes nothing.
func isPinned(name, value string) bool {
	on, err := parseBool(value)
	return slices.Contains(pinnedURLParams[name], value) ||
		err == nil && on && slices.Contains(trueOfMySQL, name) || err == nil && !on && slices.Contains(falseOfMySQL, name)
}

// setURLHost sets the host, or the socket if value is a path.
func (s Settings) setURLHost(value string) error {
	if s.text("host") != "" || s.text("socket") != "" {
		return errors.New("is beside a host")
	}
	if strings.HasPrefix(value, "/") {
		s.Set("socket", value)
	} else {
		s.Set("host", value)
	}
	return nil
}

// urlTLSMode translates the words of other libraries' URLs; others stay as they are.
func urlTLSMode(value string) string {
	switch word := strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(value), "_", "-"), " ", ""); word {
	case "true", "1", "verify-identity", "strict", `{"rejectunauthorized":true}`:
		return TLSVerifyFull
	case "false", "0", "disabled":
		return TLSDisable
	case "skip-verify", "no-verify", "required", "accept-invalid-certs", `{"rejectunauthorized":false}`:
		return TLSRequire
	default:
		return word
	}
}
