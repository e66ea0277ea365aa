package dbfleet

import (
	"context"
	"database/sql/driver"
	"net"
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

// Config describes all connections of a registry. It can be written in Go, read
// from the environment by [ConfigFromEnv], or decoded from JSON, YAML, TOML or the
// maps of viper and mapstructure, under the same snake_case keys everywhere.
// Durations are texts such as "30s" there, and -1 where that has a meaning; a text
// in the place of a number, a truth value or a list is read as from the environment.
// Unknown keys are errors. A false of "ssl" is [TLSDisable]. Decoders that go by the
// tags alone (mapstructure before 2.5, pelletier/go-toml) can tell neither. In YAML:
//
//	default: main
//	connections:
//	  main: {driver: sqlite, database: app.db}
//	  users:
//	    url: postgres://app@db1/users
//	    read_hosts: [r1, r2]
//	    pool: {max_open: 20, max_lifetime: 1h}
//
// which yaml.Unmarshal(text, &config) takes, and [Open] then.
//
// Printing a Config (fmt, slog, JSON, YAML) shows no secret, but with the two verbs
// that [Secret] names. Encoders that go by the fields (gob, TOML) redact each Secret
// of it; of a password in Params or a private key in TLS.Cert they know nothing. A
// Config that is itself an unexported field of another struct is out of fmt's reach:
// such a struct must not be printed.
type Config struct {
	// Default names the connection of everything that names none. It may be
	// empty: a sole connection is then the default, and with several of them
	// whatever needs a default fails.
	Default string `json:"default" yaml:"default" mapstructure:"default" toml:"default,omitempty"`
	// Connections are the databases by name. A name is any text without
	// control characters.
	Connections map[string]ConnectionConfig `json:"connections" yaml:"connections" mapstructure:"connections" toml:"connections,omitempty"`
	// SessionKeys sign the tokens of sessions: the first one new tokens, and each of them
	// those that are taken. A new key is put last in all processes, then first, and the old
	// one is taken out when the tokens that it has signed are of no use any more. A key is
	// any text of at least 16 bytes that cannot be guessed, such as 32 random ones in
	// base64. Without a key sessions do not leave their process.
	SessionKeys []Secret `json:"session_keys" yaml:"session_keys" mapstructure:"session_keys" toml:"session_keys,omitempty"`
}

// ConnectionConfig describes one named database: a primary and its replicas.
// The zero value of each field means what is documented there.
type ConnectionConfig struct {
	// Driver says what kind of database it is. It may be left out beside a URL.
	Driver Driver `json:"driver" yaml:"driver" mapstructure:"driver" toml:"driver,omitempty"`
	// URL gives the connection in one string, such as
	// "postgres://user:p%40ss@host:5432/db?sslmode=verify-full", "mysql://…",
	// "sqlite:relative.db" or "sqlite:///absolute.db"; or as other libraries take it:
	// "user:pass@tcp(host:3306)/db?tls=true" (go-sql-driver/mysql), "host=db user=app
	// dbname=shop" (libpq) or "file:app.db?_pragma=busy_timeout(5000)". A part that is
	// not understood, or would break a promise, is a fault that names it. It and the
	// other fields add up; the same key in both with different values is a fault.
	URL Secret `json:"url" yaml:"url" mapstructure:"url" toml:"url,omitempty"`

	// Host is the primary's host name or IP address, without a port. A server
	// needs a Host or a Socket: there is no default.
	Host string `json:"host" yaml:"host" mapstructure:"host" toml:"host,omitempty"`
	// Port is the primary's port, and that of read hosts which name none.
	//
	// Defaults to 5432 (PostgreSQL) or 3306 (MySQL).
	Port int `json:"port" yaml:"port" mapstructure:"port" toml:"port,omitzero"`
	// Socket is the absolute path of a unix socket, instead of Host. On
	// PostgreSQL it is the directory that holds the socket.
	Socket string `json:"socket" yaml:"socket" mapstructure:"socket" toml:"socket,omitempty"`

	// Database is the database's name; on SQLite the path of the file, taken
	// literally whatever characters it has, or ":memory:": a database of this connection
	// alone, which its whole pool shares, and which is gone when the connection is
	// replaced, removed or closed. Required. A relative
	// path, also one with "..", is relative to the working directory: the path
	// is trusted, so do not build it from a request.
	Database string `json:"database" yaml:"database" mapstructure:"database" toml:"database,omitempty"`
	// Username is the account.
	//
	// Defaults to the name of the operating system's user, as in psql and
	// mysql. ConfigFromEnv requires it.
	Username string `json:"username" yaml:"username" mapstructure:"username" toml:"username,omitempty"`
	// Password may have any character but NUL. Empty sends none.
	Password Secret `json:"password" yaml:"password" mapstructure:"password" toml:"password,omitempty"`

	// SSL true asks for TLS, on every host; TLS.Mode says how strictly, and
	// verifies the certificate and the name when it is empty. false leaves the
	// choice to TLS.Mode, whose default is encrypted and verified on every host
	// that is not this machine. (An explicit false in a file or in the
	// environment is TLSDisable.)
	SSL bool `json:"ssl" yaml:"ssl" mapstructure:"ssl" toml:"ssl,omitempty"`
	// TLS says how the connection is encrypted and whom it trusts.
	TLS TLSConfig `json:"tls" yaml:"tls" mapstructure:"tls" toml:"tls,omitempty"`

	// ReadHosts are the replicas: "host" or "host:port", IPv6 in brackets. They
	// share everything else with the primary. None means that the primary
	// serves reads.
	//
	// On SQLite they are files: the paths of copies that something else keeps up to
	// date (a backup, LiteFS, Litestream). They are opened for reading only, take
	// turns as servers do, and are never made. A copy that is replaced by another file
	// is noticed by the next query; one that is missing, empty or no database is left
	// out like a server that is down.
	ReadHosts []string `json:"read_hosts" yaml:"read_hosts" mapstructure:"read_hosts" toml:"read_hosts,omitempty"`
	// Replicas are replicas as ReadHosts are, with a name, a weight, a zone or bounds of
	// their own. Both may be given.
	Replicas []ReplicaConfig `json:"replicas" yaml:"replicas" mapstructure:"replicas" toml:"replicas,omitempty"`
	// Hosts are further servers that may be the primary, "host" or "host:port": the standbys
	// of a cluster that fails over, the nodes of Galera. The primary is then found by its
	// role: the one server that takes writes. Host may be empty beside them. They serve no
	// reads as standbys, not even while there is no primary: one that shall is named in
	// ReadHosts or Replicas too, as the same node. PostgreSQL and MySQL only.
	Hosts []string `json:"hosts" yaml:"hosts" mapstructure:"hosts" toml:"hosts,omitempty"`
	// Reads says how reads are spread over the replicas.
	Reads ReadsConfig `json:"reads" yaml:"reads" mapstructure:"reads" toml:"reads,omitempty"`
	// Pool bounds the primary's connections.
	Pool PoolConfig `json:"pool" yaml:"pool" mapstructure:"pool" toml:"pool,omitempty"`
	// ReadPool bounds the connections to each replica; its own zero fields have
	// the defaults of PoolConfig.
	//
	// Defaults to Pool.
	ReadPool *PoolConfig `json:"read_pool" yaml:"read_pool" mapstructure:"read_pool" toml:"read_pool,omitempty"`

	// ConnectTimeout bounds dialling, the handshake and the preparation of a
	// new connection. A caller whose context ends earlier ends none of that: the
	// connection is for whoever needs one next, and is closed if nobody does within
	// 10 seconds. It is given up earlier where others need its place and the server
	// has said nothing for a second.
	//
	// Defaults to 5 seconds.
	ConnectTimeout time.Duration `json:"connect_timeout" yaml:"connect_timeout" mapstructure:"connect_timeout" toml:"connect_timeout,omitzero"`
	// StatementTimeout is how long the server may stay silent while a statement
	// runs, where the context has no earlier deadline; -1 is forever.
	//
	// Defaults to 5 minutes.
	StatementTimeout time.Duration `json:"statement_timeout" yaml:"statement_timeout" mapstructure:"statement_timeout" toml:"statement_timeout,omitzero"`
	// LongTransaction is the age from which an open transaction is told to the hooks of
	// OnLongTransaction; Health tells the oldest open one then. It costs each transaction
	// a timer and a look at who has called it.
	//
	// Defaults to 0: nobody looks.
	LongTransaction time.Duration `json:"long_transaction" yaml:"long_transaction" mapstructure:"long_transaction" toml:"long_transaction,omitzero"`
	// Params are session parameters for each connection: run-time parameters on
	// PostgreSQL ("application_name"), system variables on MySQL, pragmas on
	// SQLite. Those on which the library's promises rest are refused. They are no
	// place for secrets: the server shows them to others, and logs them.
	//
	// "TimeZone" on PostgreSQL, which is UTC otherwise, is the zone of the database's own
	// functions and casts (CURRENT_DATE, timestamptz::date). Values of time.Time go in
	// and come out as the same instants.
	//
	// "multiStatements": "true" lets MySQL take several statements in one text without
	// arguments, as migration tools send them and as the other databases do anyway. Give
	// such a connection to nothing that makes SQL of what users enter.
	Params map[string]string `json:"params" yaml:"params" mapstructure:"params" toml:"params,omitempty"`
	// Pooler says that a transaction-mode pooler (PgBouncer, ProxySQL) stands
	// between, so nothing may be kept in the server's session. What a statement does on
	// MySQL whose context has ended is not stopped behind one: the sessions are the
	// pooler's.
	Pooler bool `json:"pooler" yaml:"pooler" mapstructure:"pooler" toml:"pooler,omitempty"`

	// SQLite are the settings that only SQLite has.
	SQLite SQLiteConfig `json:"sqlite" yaml:"sqlite" mapstructure:"sqlite" toml:"sqlite,omitempty"`

	// Tenants makes the connection another database for each tenant, as Registry.AddTenants
	// does: whatever names it means the database of the context's tenant. The other fields
	// are then a template. In Database, Username, Host, Socket, Hosts, ReadHosts, the hosts
	// of Replicas, and the values of Params, "{tenant}" stands for the tenant's name:
	//
	//	connections:
	//	  shops: {url: "postgres://app@db1/shop_{tenant}", tenants: {max_open: 200}}
	//
	// In Database it must stand, or else in each host: a node that all tenants would share
	// is a fault. So it must in each file of SQLite's, with something behind it (".db") by
	// which no tenant's file is the journal of another's. Whoever has a database by such a
	// name is a tenant; one of SQLite's without a file is ErrUnknownTenant, and a new
	// tenant's file may be an empty one. TenantsConfig.Connect tells more than a template
	// can.
	Tenants *TenantsConfig `json:"tenants" yaml:"tenants" mapstructure:"tenants" toml:"tenants,omitempty"`

	// Dial makes the network connections to the servers, in the place of package
	// net: through an SSH tunnel, by a cloud's connector, to a server of a test.
	// PostgreSQL and MySQL only. Every connection to every node comes from it, also
	// those by which PostgreSQL is told to cancel a statement. network and address are
	// the node's own, "tcp" and its host and port as configured (names are not looked
	// up before), or "unix" and the path of the socket. TLS is spoken on top of it as
	// TLS says, with the host's name; where the dialled connection is encrypted
	// already, say TLSDisable. (The password itself is then sent to a PostgreSQL server
	// that asks for it, which is refused on an open network otherwise.)
	//
	// ctx ends when the connection is made, after ConnectTimeout at the latest: it may
	// not bound the life of what Dial returns. A connection without deadlines, as SSH
	// has them, is closed where it would run into one. Dial's error is ErrConnection
	// and ErrConnectionRefused, and is found in it by errors.Is and errors.As.
	//
	// Dial, PasswordFunc, OnConnect and Connector are called by several goroutines at
	// once. One that panics has failed, and so has one that does not come back within
	// ConnectTimeout: it is not waited for. They are in no JSON and never printed.
	Dial func(ctx context.Context, network, address string) (net.Conn, error) `json:"-" yaml:"-" mapstructure:"-" toml:"-"`
	// PasswordFunc gives the password in the place of Password, for each new
	// connection anew: one that is rotated, or a token that a cloud hands out.
	// PostgreSQL and MySQL only. address is the node's host and port, or the path of
	// its socket. Connections that are open stay open when the password changes;
	// MaxLifetime says how long. It is called often when connections come and go, so
	// what is expensive to get should be kept by it until it expires. A server of
	// MySQL's that asks for the password itself gets it over verified TLS only.
	//
	// Its error is that of the connection, ErrConnection, which errors.Is and
	// errors.As find in it. The passwords that it returned last are left out of the
	// text of errors, whatever tells of them.
	PasswordFunc func(ctx context.Context, address string) (string, error) `json:"-" yaml:"-" mapstructure:"-" toml:"-"`
	// OnConnect prepares each new connection, after its session is pinned and before
	// anything else runs on it. driverConn is the driver's own: a *pgx.Conn on
	// PostgreSQL, the database/sql/driver.Conn of go-sql-driver/mysql or
	// modernc.org/sqlite elsewhere, or the Connector's. It may be used until OnConnect
	// returns, no longer. An error fails the connection, as PasswordFunc's does.
	//
	// What it sets stays for the life of the connection: types of pgx
	// (driverConn.TypeMap().RegisterType), prepared statements, run-time parameters,
	// LISTEN, pragmas, functions. Types that are registered with pgx are used where an
	// argument is one of them; values are read in the text form, by the Scan of a
	// field, as they are without. The connection fails if OnConnect leaves a transaction
	// or rows open, or changes what values and safety rest on: the time zone, character
	// set, form of dates and strings and read-only mode on PostgreSQL, the time zone,
	// character set, sql_mode, autocommit and read-only mode on MySQL, foreign_keys and
	// query_only on SQLite. Params may set some of these.
	OnConnect func(ctx context.Context, driverConn any) error `json:"-" yaml:"-" mapstructure:"-" toml:"-"`
	// Connector gives the connections in the place of a server, for tests that script
	// a database and for drivers that wrap another. Driver says in which SQL
	// statements are written and how values are sent: the connector must understand
	// that. All nodes, the ReadHosts too, get their connections from it; their
	// sessions are not pinned, not even as read-only. Of the other fields Pool,
	// ReadPool, ReadHosts, ConnectTimeout and OnConnect have a meaning; Host, Socket,
	// Password, TLS, Params, Dial and PasswordFunc are refused. It is not closed:
	// whoever made it does that.
	Connector driver.Connector `json:"-" yaml:"-" mapstructure:"-" toml:"-"`

	// Discover tells which replicas there are, beside ReadHosts and Replicas: what an
	// orchestrator, a cloud or a table of the application's own knows of them. It is asked
	// when the connection is first used, every Reads.DiscoverEvery and when a replica is
	// lost, by one goroutine at a time, with a context that ends after ConnectTimeout or
	// with the connection. A replica that it does not name any more leaves when its reads
	// are done. After an error, and after a list that is not valid, all stay as they were;
	// both are told to OnNodeChange. It is in no JSON and never printed.
	Discover func(ctx context.Context) ([]ReplicaConfig, error) `json:"-" yaml:"-" mapstructure:"-" toml:"-"`

	// envPrefix is what the names of the variables begin with, such as
	// "DB_USERS_", if the connection came from the environment.
	envPrefix string
	// tenant is whose database it is, empty if that of no tenant, and budget that of all
	// connections of tenants, nil for any other connection.
	tenant string
	budget *connectionBudget
}

// PoolConfig bounds the connections to one node.
type PoolConfig struct {
	// MaxOpen is the largest number of open connections. A caller that finds
	// none free waits for AcquireTimeout; -1 removes the bound.
	//
	// Defaults to 10.
	MaxOpen int `json:"max_open" yaml:"max_open" mapstructure:"max_open" toml:"max_open,omitzero"`
	// MaxIdle is how many unused connections are kept; -1 keeps all. It may not
	// exceed MaxOpen. Fewer than are usually busy makes connections come and go
	// all the time.
	//
	// Defaults to MaxOpen.
	MaxIdle int `json:"max_idle" yaml:"max_idle" mapstructure:"max_idle" toml:"max_idle,omitzero"`
	// MaxLifetime is the age at which a connection is replaced; -1 is never.
	//
	// Defaults to 30 minutes.
	MaxLifetime time.Duration `json:"max_lifetime" yaml:"max_lifetime" mapstructure:"max_lifetime" toml:"max_lifetime,omitzero"`
	// MaxIdleTime is how long an unused connection is kept; -1 is forever.
	//
	// Defaults to 5 minutes.
	MaxIdleTime time.Duration `json:"max_idle_time" yaml:"max_idle_time" mapstructure:"max_idle_time" toml:"max_idle_time,omitzero"`
	// AcquireTimeout is how long a caller waits for a free connection; -1 waits
	// until its context ends.
	//
	// Defaults to 10 seconds.
	AcquireTimeout time.Duration `json:"acquire_timeout" yaml:"acquire_timeout" mapstructure:"acquire_timeout" toml:"acquire_timeout,omitzero"`
	// StatementCache is how many prepared statements each connection keeps; -1
	// keeps none. With a Pooler none are kept. Queries are prepared all the same on MySQL,
	// each time, which costs a round trip: to a text it tells 6 digits of a FLOAT. A query
	// that it cannot prepare (EXECUTE IMMEDIATE, several statements in one text, or when the
	// server has no room for more statements) is an error where it gives a FLOAT.
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
	StatementCache int `json:"statement_cache" yaml:"statement_cache" mapstructure:"statement_cache" toml:"statement_cache,omitzero"`
}

// SQLiteConfig are the settings that only SQLite has.
type SQLiteConfig struct {
	// JournalMode is WAL, DELETE, TRUNCATE, PERSIST, MEMORY or OFF.
	//
	// Defaults to WAL.
	JournalMode string `json:"journal_mode" yaml:"journal_mode" mapstructure:"journal_mode" toml:"journal_mode,omitempty"`
	// Synchronous is OFF, NORMAL, FULL or EXTRA. With WAL, NORMAL survives a
	// crash of the program; a power failure may lose the last transactions, but
	// never corrupts the file.
	//
	// Defaults to NORMAL.
	Synchronous string `json:"synchronous" yaml:"synchronous" mapstructure:"synchronous" toml:"synchronous,omitempty"`
	// BusyTimeout is how long a statement waits for another's lock, 24 days at
	// most; -1 does not wait.
	//
	// Defaults to 5 seconds.
	BusyTimeout time.Duration `json:"busy_timeout" yaml:"busy_timeout" mapstructure:"busy_timeout" toml:"busy_timeout,omitzero"`
	// DisableForeignKeys stops SQLite from checking foreign keys.
	DisableForeignKeys bool `json:"disable_foreign_keys" yaml:"disable_foreign_keys" mapstructure:"disable_foreign_keys" toml:"disable_foreign_keys,omitempty"`
	// DeferredTransactions begins write transactions DEFERRED instead of
	// IMMEDIATE: they may then fail as busy at their first write.
	DeferredTransactions bool `json:"deferred_transactions" yaml:"deferred_transactions" mapstructure:"deferred_transactions" toml:"deferred_transactions,omitempty"`
	// DoubleQuotedStrings lets "x" be a string where no column is called x.
	DoubleQuotedStrings bool `json:"double_quoted_strings" yaml:"double_quoted_strings" mapstructure:"double_quoted_strings" toml:"double_quoted_strings,omitempty"`
}
