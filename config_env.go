package dbfleet

import (
	"cmp"
	"os"

	"github.com/dbfleet/dbfleet/internal/config"
)

// EnvOptions say which variables [ConfigFromEnv] reads.
type EnvOptions struct {
	// Prefix is what the names of all variables begin with: capital letters, digits
	// and "_", the last of which is "_". With "SHOP_DB_" they are SHOP_DB_CONNECTION,
	// SHOP_DB_HOST, SHOP_DB_USERS_HOST and so on.
	//
	// Defaults to "DB_".
	Prefix string
	// Lookup gives all variables as NAME=value, of which the first of a name counts:
	// a file's or a test's instead of the process's. It is a list, because the names
	// of connections are found in it.
	//
	// Defaults to os.Environ.
	Lookup func() []string
	// Ignore are names of variables, with the prefix, that are somebody else's. One
	// that ends with "*" stands for all names that begin with the rest of it:
	// "DB_SERVICE_*".
	Ignore []string
}

// ConfigFromEnv reads a configuration from the environment variables that begin
// with DB_.
//
// DB_CONNECTION names the default connection. DB_HOST, DB_PORT, DB_DATABASE,
// DB_USERNAME, DB_PASSWORD and so on describe it; DB_ANALYTICS_HOST and so on
// describe the connection "analytics", and any other name works as well, also
// with underscores. Names become lower case. DB_CONNECTION may also name one of
// those connections; then none of the variables without a name may be set.
//
// The variables of a connection are DRIVER, URL, HOST, PORT, SOCKET, DATABASE,
// USERNAME, PASSWORD, SSL, READ_HOSTS, REPLICAS and HOSTS (hosts with commas),
// READS_BALANCE, READS_ZONE, READS_MAX_LAG, READS_WHEN_STALE, READS_STALE_LIMIT,
// READS_PRIMARY_READS, READS_WHEN_PRIMARY_DOWN, READS_MIN_WAIT, READS_MAX_WAIT,
// READS_PROBE_INTERVAL, READS_HEDGE_AFTER, READS_DISCOVER_EVERY, CONNECT_TIMEOUT,
// STATEMENT_TIMEOUT, LONG_TRANSACTION, POOLER, TLS_MODE, TLS_CA_FILE, TLS_CERT_FILE,
// TLS_KEY_FILE, TLS_SERVER_NAME, TLS_CA, TLS_CERT, TLS_KEY, TLS_CHANNEL_BINDING, POOL_MAX_OPEN,
// POOL_MAX_IDLE, POOL_MAX_LIFETIME, POOL_MAX_IDLE_TIME, POOL_ACQUIRE_TIMEOUT,
// POOL_STATEMENT_CACHE, the same with READ_POOL_, SQLITE_JOURNAL_MODE,
// SQLITE_SYNCHRONOUS, SQLITE_BUSY_TIMEOUT, SQLITE_DISABLE_FOREIGN_KEYS,
// SQLITE_DEFERRED_TRANSACTIONS, SQLITE_DOUBLE_QUOTED_STRINGS, TENANTS_MAX_OPEN,
// TENANTS_MAX_TENANTS and TENANTS_IDLE_CLOSE; they mean what the fields of
// [ConnectionConfig] mean. Durations have a unit ("30s").
//
// One of the three last makes the connection another database for each tenant. What is
// missing there may be told by TenantsConfig.Connect, which is set after this: Open says
// that it is not.
//
// The driver comes from DRIVER, else from the URL's scheme, else from the
// connection's name if that is a driver's ("postgresql"), else from the
// well-known port (5432, 3306).
//
// DB_SESSION_KEYS has [Config.SessionKeys], with commas between them.
//
// What is missing, empty, malformed or unknown is a fault. All faults are
// reported at once, each as a *ConfigError that names its variable and not the
// value; files of certificates that cannot be read are among them. So is a variable
// that can be that of two connections: DB_MAIN_READ_POOL_MAX_OPEN where both "main"
// and "main_read" are described by others. (Kubernetes sets variables like
// DB_SERVICE_HOST for a service called "db": EnvOptions.Ignore leaves them out,
// enableServiceLinks: false in the pod's specification stops that.)
//
// At most one EnvOptions may be given.
func ConfigFromEnv(options ...EnvOptions) (Config, error) {
	o, err := atMostOne(options)
	if err != nil {
		return Config{}, errorf("%w", err)
	}
	if o.Lookup == nil {
		o.Lookup = os.Environ
	}
	env := configKeys.ReadEnv(o.Lookup(), cmp.Or(o.Prefix, config.EnvPrefix), o.Ignore)
	c := Config{Default: env.Default, SessionKeys: secrets(env.SessionKeys), Connections: make(map[string]ConnectionConfig)}
	list := env.Faults
	for _, conn := range env.Connections {
		from := ConnectionConfig{envPrefix: conn.Prefix}
		from.set(conn.Settings)
		c.Connections[conn.Name] = from
		list = append(list, conn.Faults.List()...)
		prepared, more := from.prepareAll(conn.Name)
		for _, fault := range more {
			switch {
			case conn.Faults.Has(fault.Key): // what is malformed is not missing too
			case prepared.Tenants != nil && maybeElsewhere(fault): // Connect may tell it, which is set later
			default:
				list = append(list, fault)
			}
		}
	}
	if len(list) > 0 {
		return Config{}, configError(list)
	}
	return c, nil
}
