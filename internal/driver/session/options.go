package session

import (
	"context"
	"crypto/tls"
	sqldriver "database/sql/driver"
	"net"
	"path/filepath"
	"strconv"
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
	// ChannelBinding demands of a PostgreSQL server that it proves by the password's
	// exchange to be the one that TLS is spoken with.
	ChannelBinding bool

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
	// Budget bounds the connections of this pool and of others together; nil is no bound.
	Budget *Budget
	// Pooler says that a transaction-mode pooler (PgBouncer, ProxySQL) is in
	// between: nothing may be kept on the server's session.
	Pooler bool

	SQLite SQLite

	Seams
}

// Seams are the functions of the program's that stand in the place of something
// that this package does otherwise. All of them may be nil.
type Seams struct {
	// Dial makes the network connections to the server, those that cancel a
	// statement among them. Its address is the node's, as Options.Address tells it.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// PasswordFunc gives the password of each new connection, in the place of
	// Password.
	PasswordFunc func(ctx context.Context, address string) (string, error)
	// OnConnect gets the driver's own connection, once its session is pinned.
	OnConnect func(ctx context.Context, driverConn any) error
	// Connector gives connections in the place of the server.
	Connector sqldriver.Connector
}

// Address is where the server is, in the words of package net.
func (o Options) Address() (network, address string) {
	switch {
	case o.Socket == "":
		return "tcp", net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
	case o.Dialect == dialect.Postgres:
		port := o.Port
		if port == 0 {
			port = 5432
		}
		return "unix", filepath.Join(o.Socket, ".s.PGSQL."+strconv.Itoa(port))
	}
	return "unix", o.Socket
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
