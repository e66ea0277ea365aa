package dbfleet

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// configKey is one setting of a connection under its name in JSON, where a dot
// stands for a nested object. The environment and the parameters of a URL use
// the same names in their own spelling.
type configKey struct {
	name string
	at   func(*ConnectionConfig) any // a pointer to the field
}

// configKeys are all settings, except params, which are a map. "ssl" comes last
// because its false depends on tls.mode.
var configKeys = slices.Concat(
	[]configKey{
		{"driver", func(c *ConnectionConfig) any { return &c.Driver }},
		{"url", func(c *ConnectionConfig) any { return &c.URL }},
		{"host", func(c *ConnectionConfig) any { return &c.Host }},
		{"port", func(c *ConnectionConfig) any { return &c.Port }},
		{"socket", func(c *ConnectionConfig) any { return &c.Socket }},
		{"database", func(c *ConnectionConfig) any { return &c.Database }},
		{"username", func(c *ConnectionConfig) any { return &c.Username }},
		{"password", func(c *ConnectionConfig) any { return &c.Password }},
		{"tls.mode", func(c *ConnectionConfig) any { return &c.TLS.Mode }},
		{"tls.ca_file", func(c *ConnectionConfig) any { return &c.TLS.CAFile }},
		{"tls.cert_file", func(c *ConnectionConfig) any { return &c.TLS.CertFile }},
		{"tls.key_file", func(c *ConnectionConfig) any { return &c.TLS.KeyFile }},
		{"tls.ca", func(c *ConnectionConfig) any { return &c.TLS.CA }},
		{"tls.cert", func(c *ConnectionConfig) any { return &c.TLS.Cert }},
		{"tls.key", func(c *ConnectionConfig) any { return &c.TLS.Key }},
		{"tls.server_name", func(c *ConnectionConfig) any { return &c.TLS.ServerName }},
		{"read_hosts", func(c *ConnectionConfig) any { return &c.ReadHosts }},
		{"connect_timeout", func(c *ConnectionConfig) any { return &c.ConnectTimeout }},
		{"statement_timeout", func(c *ConnectionConfig) any { return &c.StatementTimeout }},
		{"pooler", func(c *ConnectionConfig) any { return &c.Pooler }},
		{"sqlite.journal_mode", func(c *ConnectionConfig) any { return &c.SQLite.JournalMode }},
		{"sqlite.synchronous", func(c *ConnectionConfig) any { return &c.SQLite.Synchronous }},
		{"sqlite.busy_timeout", func(c *ConnectionConfig) any { return &c.SQLite.BusyTimeout }},
		{"sqlite.disable_foreign_keys", func(c *ConnectionConfig) any { return &c.SQLite.DisableForeignKeys }},
		{"sqlite.deferred_transactions", func(c *ConnectionConfig) any { return &c.SQLite.DeferredTransactions }},
		{"sqlite.double_quoted_strings", func(c *ConnectionConfig) any { return &c.SQLite.DoubleQuotedStrings }},
	},
	poolKeys("pool.", func(c *ConnectionConfig) *PoolConfig { return &c.Pool }),
	poolKeys("read_pool.", func(c *ConnectionConfig) *PoolConfig {
		if c.ReadPool == nil {
			c.ReadPool = new(PoolConfig)
		}
		return c.ReadPool
	}),
	[]configKey{{"ssl", func(c *ConnectionConfig) any { return sslSwitch{c} }}},
)

func poolKeys(prefix string, pool func(*ConnectionConfig) *PoolConfig) []configKey {
	return []configKey{
		{prefix + "max_open", func(c *ConnectionConfig) any { return &pool(c).MaxOpen }},
		{prefix + "max_idle", func(c *ConnectionConfig) any { return &pool(c).MaxIdle }},
		{prefix + "max_lifetime", func(c *ConnectionConfig) any { return &pool(c).MaxLifetime }},
		{prefix + "max_idle_time", func(c *ConnectionConfig) any { return &pool(c).MaxIdleTime }},
		{prefix + "acquire_timeout", func(c *ConnectionConfig) any { return &pool(c).AcquireTimeout }},
		{prefix + "statement_cache", func(c *ConnectionConfig) any { return &pool(c).StatementCache }},
	}
}

// sslSwitch sets SSL from a text in which false is not the same as absent.
type sslSwitch struct{ c *ConnectionConfig }

func (s sslSwitch) set(on bool) error {
	switch {
	case on:
		s.c.SSL = true
	case s.c.TLS.Mode != "" && s.c.TLS.Mode != TLSDisable:
		return errors.New("is false, but tls.mode asks for TLS")
	default:
		s.c.TLS.Mode = TLSDisable
	}
	return nil
}

// envSuffix spells a key as the end of a variable's name: POOL_MAX_OPEN.
func envSuffix(key string) string {
	return strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// errZero refuses a written zero, which would mean the default in silence.
var errZero = errors.New("is 0: leave it out for the default, or write -1 for no bound")

// setText sets the field from its text in the environment or in a URL. An
// error never contains the text.
func (k configKey) setText(c *ConnectionConfig, text string) error {
	switch field := k.at(c).(type) {
	case *string:
		*field = text
	case *int:
		return setInt(field, k.name, text)
	case *bool:
		return setBool(text, func(b bool) error { *field = b; return nil })
	case sslSwitch:
		return setBool(text, field.set)
	case *time.Duration:
		return setDuration(field, text)
	case *[]string:
		*field = strings.Split(text, ",")
		for i, item := range *field {
			(*field)[i] = strings.TrimSpace(item)
		}
	case *TLSMode:
		*field = TLSMode(strings.ToLower(text))
		return field.check()
	case *Driver:
		d, ok := Driver(text).dialect()
		if !ok {
			return errUnknownDriver(text)
		}
		*field = Driver(d.Name)
	}
	return nil
}

func setInt(field *int, key, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return errors.New("is not a whole number")
	}
	if n == 0 && key != "port" {
		return errZero
	}
	if key == "port" && (n < 1 || n > 65535) {
		return errors.New("must be between 1 and 65535")
	}
	*field = n
	return nil
}

func setBool(text string, set func(bool) error) error {
	switch strings.ToLower(text) {
	case "true", "1", "yes", "on":
		return set(true)
	case "false", "0", "no", "off":
		return set(false)
	}
	return errors.New("is neither true nor false")
}

func setDuration(field *time.Duration, text string) error {
	if text == "-1" {
		*field = unbounded
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New(`is not a duration with its unit, such as "30s", "5m" or "1h30m"`)
	}
	if d == 0 {
		return errZero
	}
	*field = d
	return nil
}

// merge adds the settings of from, which a URL gave, to c. A key that both give
// with different values is a fault.
func (c *ConnectionConfig) merge(from ConnectionConfig, f *faults) {
	if f.fromURL == nil {
		f.fromURL = make(map[string]bool)
	}
	for _, key := range configKeys {
		if strings.HasPrefix(key.name, "read_pool.") && from.ReadPool == nil {
			continue
		}
		_, own := jsonValue(key.at(c))
		if !mergeField(key.at(c), key.at(&from)) {
			f.add(key.name, "is also in the url, with another value")
		} else if _, given := jsonValue(key.at(&from)); given && !own {
			f.fromURL[key.name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from.Params)) {
		if own, ok := c.Params[name]; ok && own != from.Params[name] {
			f.add("params."+name, "is also in the url, with another value")
			continue
		}
		if c.Params == nil {
			c.Params = make(map[string]string)
		}
		c.Params[name] = from.Params[name]
	}
}

// mergeField sets the field of to if it is zero, and reports whether both agree.
func mergeField(to, from any) bool {
	switch to := to.(type) {
	case *string:
		return mergeValue(to, *from.(*string))
	case *int:
		return mergeValue(to, *from.(*int))
	case *bool:
		return mergeValue(to, *to || *from.(*bool))
	case *time.Duration:
		return mergeValue(to, *from.(*time.Duration))
	case *TLSMode:
		return mergeValue(to, *from.(*TLSMode))
	case *Driver:
		return mergeValue(to, *from.(*Driver))
	case *[]string:
		list := *from.(*[]string)
		if len(*to) == 0 {
			*to = list
		}
		return len(list) == 0 || slices.Equal(*to, list)
	case sslSwitch:
		to.c.SSL = to.c.SSL || from.(sslSwitch).c.SSL
	}
	return true
}

func mergeValue[V comparable](to *V, from V) bool {
	var zero V
	if *to == zero {
		*to = from
	}
	return from == zero || *to == from
}
