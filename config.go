package dbfleet

import (
	"cmp"
	"maps"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/config"
)

// Driver names a kind of database. The usual aliases are understood wherever
// a driver is named, in any case: postgresql, pgx and pg for Postgres, mariadb
// for MySQL, sqlite3 for SQLite.
type Driver string

// The drivers. MySQL stands for MySQL and MariaDB.
const (
	Postgres Driver = "postgres"
	MySQL    Driver = "mysql"
	SQLite   Driver = "sqlite"
)

// canonical returns the driver that d, which may be an alias, stands for. What
// is not known stays as it is.
func (d Driver) canonical() Driver {
	if known, ok := config.Dialect(string(d)); ok {
		return Driver(known.Name)
	}
	return d
}

// Config describes all connections of a registry. It can be written in Go,
// decoded from JSON (snake_case keys, durations as "30s") or read from the
// environment by [ConfigFromEnv].
//
// Printing a Config in any way (fmt, slog, JSON) shows no secret. A Config
// that is itself an unexported field of another struct is out of fmt's reach:
// such a struct must not be printed.
type Config struct {
	// Default names the connection of everything that names none. It may be
	// empty: a sole connection is then the default, and with several of them
	// whatever needs a default fails.
	Default string
	// Connections are the databases by name. A name is any text without
	// control characters.
	Connections map[string]ConnectionConfig
}

// ConnectionConfig describes one named database: a primary and its replicas.
// The zero value of each field means what is documented there.
type ConnectionConfig struct {
	// Driver says what kind of database it is. It may be left out beside a URL.
	Driver Driver
	// URL gives the connection in one string, such as
	// "postgres://user:p%40ss@host:5432/db?sslmode=verify-full", "mysql://…",
	// "sqlite:relative.db" or "sqlite:///absolute.db". It and the other fields
	// add up; the same key in both with different values is a fault.
	URL string

	// Host is the primary's host name or IP address, without a port. A server
	// needs a Host or a Socket: there is no default.
	Host string
	// Port is the primary's port, and that of read hosts which name none.
	//
	// Defaults to 5432 (PostgreSQL) or 3306 (MySQL).
	Port int
	// Socket is the absolute path of a unix socket, instead of Host. On
	// PostgreSQL it is the directory that holds the socket.
	Socket string

	// Database is the database's name; on SQLite the path of the file, taken
	// literally whatever characters it has, or ":memory:". Required. A relative
	// path, also one with "..", is relative to the working directory: the path
	// is trusted, so do not build it from a request.
	Database string
	// Username is the account.
	//
	// Defaults to the name of the operating system's user, as in psql and
	// mysql. ConfigFromEnv requires it.
	Username string
	// Password may have any character but NUL. Empty sends none.
	Password string

	// SSL true asks for TLS, on every host; TLS.Mode says how strictly, and
	// verifies the certificate and the name when it is empty. false leaves the
	// choice to TLS.Mode, whose default is encrypted and verified on every host
	// that is not this machine. (An explicit false in JSON or in the
	// environment is TLSDisable.)
	SSL bool
	// TLS says how the connection is encrypted and whom it trusts.
	TLS TLSConfig

	// ReadHosts are the replicas: "host" or "host:port", IPv6 in brackets. They
	// share everything else with the primary. None means that the primary
	// serves reads.
	//
	// On SQLite they are files: the paths of copies that something else keeps up to
	// date (a backup, LiteFS, Litestream). They are opened for reading only, take
	// turns as servers do, and are never made. A copy that is replaced by another file
	// is noticed by the next query; one that is missing is left out like a server that
	// is down.
	ReadHosts []string
	// Pool bounds the primary's connections.
	Pool PoolConfig
	// ReadPool bounds the connections to each replica; its own zero fields have
	// the defaults of PoolConfig.
	//
	// Defaults to Pool.
	ReadPool *PoolConfig

	// ConnectTimeout bounds dialling, the handshake and the preparation of a
	// new connection.
	//
	// Defaults to 5 seconds.
	ConnectTimeout time.Duration
	// StatementTimeout is how long the server may stay silent while a statement
	// runs, where the context has no earlier deadline; -1 is forever.
	//
	// Defaults to 5 minutes.
	StatementTimeout time.Duration
	// Params are session parameters for each connection: run-time parameters on
	// PostgreSQL ("application_name"), system variables on MySQL, pragmas on
	// SQLite. Those on which the library's promises rest are refused.
	//
	// "multiStatements": "true" lets MySQL take several statements in one text without
	// arguments, as migration tools send them and as the other databases do anyway. Give
	// such a connection to nothing that makes SQL of what users enter.
	Params map[string]string
	// Pooler says that a transaction-mode pooler (PgBouncer, ProxySQL) stands
	// between, so nothing may be kept in the server's session.
	Pooler bool

	// SQLite are the settings that only SQLite has.
	SQLite SQLiteConfig

	// envPrefix is what the names of the variables begin with, such as
	// "DB_USERS_", if the connection came from the environment.
	envPrefix string
}

// PoolConfig bounds the connections to one node.
type PoolConfig struct {
	// MaxOpen is the largest number of open connections. A caller that finds
	// none free waits for AcquireTimeout; -1 removes the bound.
	//
	// Defaults to 10.
	MaxOpen int
	// MaxIdle is how many unused connections are kept; -1 keeps all. It may not
	// exceed MaxOpen. Fewer than are usually busy makes connections come and go
	// all the time.
	//
	// Defaults to MaxOpen.
	MaxIdle int
	// MaxLifetime is the age at which a connection is replaced; -1 is never.
	//
	// Defaults to 30 minutes.
	MaxLifetime time.Duration
	// MaxIdleTime is how long an unused connection is kept; -1 is forever.
	//
	// Defaults to 5 minutes.
	MaxIdleTime time.Duration
	// AcquireTimeout is how long a caller waits for a free connection; -1 waits
	// until its context ends.
	//
	// Defaults to 10 seconds.
	AcquireTimeout time.Duration
	// StatementCache is how many prepared statements each connection keeps; -1
	// keeps none. With a Pooler none are kept.
	//
	// The next use of a statement follows the schema, whoever has changed it: what the
	// database refuses for that reason is prepared and sent once more. In a transaction
	// of PostgreSQL's, which such a refusal ends, the error is ErrSerialization: the
	// transaction may be run again. There a statement's parameters also keep the types
	// of the columns from when it was prepared. Whatever a wider type would get less of,
	// such as 0.1 for a REAL that is a DOUBLE PRECISION by now, is sent so that the
	// server takes the type of today. It does not notice when a column is made narrower:
	// what was NUMERIC or a float and is an integer now gets fractions rounded, what was
	// TIMESTAMPTZ and is a DATE the day in UTC, what was JSONB and is TEXT the text
	// that PostgreSQL writes of JSON, and a DOUBLE PRECISION that is a REAL now is not
	// found by an equal number, as long as the connection keeps the statement. Give
	// such a column another name, or open the connections anew.
	//
	// Defaults to 128.
	StatementCache int
}

// SQLiteConfig are the settings that only SQLite has.
type SQLiteConfig struct {
	// JournalMode is WAL, DELETE, TRUNCATE, PERSIST, MEMORY or OFF.
	//
	// Defaults to WAL.
	JournalMode string
	// Synchronous is OFF, NORMAL, FULL or EXTRA. With WAL, NORMAL survives a
	// crash of the program; a power failure may lose the last transactions, but
	// never corrupts the file.
	//
	// Defaults to NORMAL.
	Synchronous string
	// BusyTimeout is how long a statement waits for another's lock; -1 does
	// not wait.
	//
	// Defaults to 5 seconds.
	BusyTimeout time.Duration
	// DisableForeignKeys stops SQLite from checking foreign keys.
	DisableForeignKeys bool
	// DeferredTransactions begins write transactions DEFERRED instead of
	// IMMEDIATE: they may then fail as busy at their first write.
	DeferredTransactions bool
	// DoubleQuotedStrings lets "x" be a string where no column is called x.
	DoubleQuotedStrings bool
}

// withDefaults returns a copy with the default connection's name filled in and
// the defaults of every connection applied.
func (c Config) withDefaults() Config {
	connections := make(map[string]ConnectionConfig, len(c.Connections))
	for name, conn := range c.Connections {
		connections[name] = conn.withDefaults()
		if c.Default == "" && len(c.Connections) == 1 {
			c.Default = name
		}
	}
	c.Connections = connections
	return c
}

// withDefaults returns a deep copy of c with defaults applied and the driver's
// canonical name. It does not look at URL.
func (c ConnectionConfig) withDefaults() ConnectionConfig {
	c.Driver = c.Driver.canonical()
	c.Host = strings.TrimSuffix(strings.TrimPrefix(c.Host, "["), "]")
	c.Port = cmp.Or(c.Port, config.WellKnownPort(string(c.Driver)))
	if c.Username == "" && c.envPrefix == "" && (c.Driver == Postgres || c.Driver == MySQL) {
		if u, err := user.Current(); err == nil {
			c.Username = u.Username
		}
	}
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, 5*time.Second)
	c.StatementTimeout = cmp.Or(c.StatementTimeout, 5*time.Minute)
	c.ReadHosts = slices.Clone(c.ReadHosts)
	c.Params = maps.Clone(c.Params)
	c.Pool = c.Pool.withDefaults()
	read := c.Pool
	if c.ReadPool != nil {
		read = c.ReadPool.withDefaults()
	}
	c.ReadPool = &read
	if c.Driver == SQLite {
		c.SQLite = c.SQLite.withDefaults()
	}
	return c
}

func (p PoolConfig) withDefaults() PoolConfig {
	p.MaxOpen = cmp.Or(p.MaxOpen, 10)
	p.MaxIdle = cmp.Or(p.MaxIdle, max(p.MaxOpen, config.Unbounded))
	p.MaxLifetime = cmp.Or(p.MaxLifetime, 30*time.Minute)
	p.MaxIdleTime = cmp.Or(p.MaxIdleTime, 5*time.Minute)
	p.AcquireTimeout = cmp.Or(p.AcquireTimeout, 10*time.Second)
	p.StatementCache = cmp.Or(p.StatementCache, 128)
	return p
}

func (s SQLiteConfig) withDefaults() SQLiteConfig {
	s.JournalMode = cmp.Or(strings.ToUpper(s.JournalMode), "WAL")
	s.Synchronous = cmp.Or(strings.ToUpper(s.Synchronous), "NORMAL")
	s.BusyTimeout = cmp.Or(s.BusyTimeout, 5*time.Second)
	return s
}

// acquireWait is how long to wait for a connection, 0 until the context ends.
func (p PoolConfig) acquireWait() time.Duration {
	return max(p.AcquireTimeout, 0)
}
