package session

import (
	"crypto/tls"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Options describe one node completely: defaults are applied and everything is
// validated before it gets here.
type Options struct {
	// Name is how errors call this node, for example "users_db" or
	// "users_db/replica-1".
	Name    string
	Dialect *dialect.Dialect

	// Host and Port, or Socket (the path of a unix socket; on PostgreSQL its
	// directory), say where the server is. SQLite has neither.
	Host   string
	Port   int
	Socket string

	Database string
	Username string
	// Password gives the password; a func, so that printing Options shows none.
	Password func() string
	// TLS is the client's configuration; nil is an unencrypted connection.
	TLS *tls.Config

	// Guard says that the node is one that others write to, and that these sessions
	// must not, see ReadOnly: on SQLite the file is made if it is missing. Without it,
	// a SQLite file that is ReadOnly is a copy, which is never made or changed.
	Guard bool
	// ReadOnly pins sessions so that the server refuses writes. Behind a Pooler
	// on PostgreSQL nothing is pinned: a transaction must be begun read-only.
	ReadOnly bool
	// ConnectTimeout bounds dialling, the handshake and the pinning of the session.
	ConnectTimeout time.Duration
	// StatementTimeout is how long a server may stay silent while a statement
	// runs; 0 is forever.
	StatementTimeout time.Duration
	// Params are session parameters laid over the pinned ones: run-time
	// parameters on PostgreSQL, system variables on MySQL, pragmas on SQLite.
	// What the safety of this package rests on cannot be changed: the character
	// set, and on PostgreSQL standard_conforming_strings.
	Params map[string]string

	// MaxOpen and MaxIdle bound the pool; MaxOpen 0 is no bound.
	MaxOpen, MaxIdle         int
	MaxLifetime, MaxIdleTime time.Duration
	// StatementCache is how many prepared statements a connection keeps; 0 keeps none.
	StatementCache int
	// Pooler says that a transaction-mode pooler (PgBouncer, ProxySQL) is in
	// between: nothing may be kept on the server's session.
	Pooler bool

	SQLite SQLite
}

// SQLite are the settings that only SQLite has. Options.Database is the file's
// path, taken literally, or ":memory:".
type SQLite struct {
	JournalMode     string // "WAL"
	Synchronous     string // "NORMAL"
	BusyTimeout     time.Duration
	NoForeignKeys   bool
	DeferredWrites  bool // write transactions begin DEFERRED instead of IMMEDIATE
	DoubleQuotedStr bool // "x" may be a string
	// Memory is the name of a database in memory, which all pools share that have
	// it; "" is a database of the pool's own.
	Memory string
}
