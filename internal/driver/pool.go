// Package driver opens the pools of connections and speaks with the databases:
// it pins each session, keeps prepared statements per connection, reads rows
// below database/sql, tracks transactions, and sorts errors into classes.
//
// A Pool is a *sql.DB whose driver connections are this package's own. They
// serve both the users of that *sql.DB and Conn, which speaks with them
// directly.
package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Pool is the connections to one node. It is safe for concurrent use.
type Pool struct {
	node    string
	dialect *dialect.Dialect
	db      *sql.DB

	// implicitCommits says that the server ends transactions by itself, noInsertID
	// that it knows no LastInsertId.
	implicitCommits, noInsertID bool
	// remote says that there is a network in between.
	remote bool

	backend  backend
	lifetime time.Duration
	timeout  time.Duration // of connecting
	password func() string
	dials    chan struct{} // one slot per dial at a time

	closed  atomic.Bool
	closing sync.WaitGroup // connections being given up
}

// backend opens sessions of one database. close is called once, after the pool
// has closed.
type backend interface {
	open(ctx context.Context) (session, error)
	io.Closer
}

// maxDials is how many connections a pool opens at the same time.
const maxDials = 8

// Open makes the pool of one node. It dials nothing. Its error is an
// *OptionError or a *NotLinkedError, or several joined.
func Open(o Options) (*Pool, error) {
	if o.Dialect == nil {
		return nil, &OptionError{Node: o.Name, Option: "Dialect", Reason: "is missing"}
	}
	if c, ok := substituteFor(o); ok {
		return OpenConnector(o, c), nil
	}
	p := &Pool{}
	var err error
	switch o.Dialect.Name {
	case "postgres":
		p.backend, err = newPostgres(o, p)
		p.noInsertID, p.remote = true, true
	case "mysql":
		p.backend, err = newMySQL(o)
		p.implicitCommits, p.remote = true, true
	case "sqlite":
		p.backend, err = newSQLite(o)
	default:
		err = &OptionError{Node: o.Name, Option: "Dialect", Reason: "is unknown"}
	}
	if err != nil {
		return nil, err
	}
	return p.start(o), nil
}

// Linked tells by a *NotLinkedError that the program was built without the
// dialect's driver.
func Linked(d *dialect.Dialect) error {
	switch {
	case d == dialect.Postgres && !postgresLinked:
		return &NotLinkedError{Driver: "PostgreSQL", Tag: "dbfleet_no_postgres"}
	case d == dialect.MySQL && !mysqlLinked:
		return &NotLinkedError{Driver: "MySQL", Tag: "dbfleet_no_mysql"}
	case d == dialect.SQLite && !sqliteLinked:
		return &NotLinkedError{Driver: "SQLite", Tag: "dbfleet_no_sqlite"}
	}
	return nil
}

// OpenConnector makes a pool on any connector, for tests. Only the sizes, times
// and name of the options are used, and the dialect for what its name implies.
func OpenConnector(o Options, c sqldriver.Connector) *Pool {
	p := &Pool{backend: &plainBackend{connector: c, cache: o.StatementCache}}
	if o.Dialect != nil {
		p.noInsertID = o.Dialect.Name == "postgres"
	}
	return p.start(o)
}

func (p *Pool) start(o Options) *Pool {
	p.node, p.dialect = o.Name, o.Dialect
	p.lifetime, p.timeout, p.password = o.MaxLifetime, o.ConnectTimeout, o.Password
	p.dials = make(chan struct{}, maxDials)
	p.db = sql.OpenDB((*connector)(p))
	p.db.SetMaxOpenConns(o.MaxOpen)
	p.db.SetMaxIdleConns(o.MaxIdle)
	p.db.SetConnMaxIdleTime(o.MaxIdleTime)
	// Each connection expires by itself, at its own moment, and those that nobody
	// takes any more fall to MaxIdleTime. Without that, this bound clears them; it
	// makes database/sql look at the clock twice per statement.
	if o.MaxIdleTime <= 0 {
		p.db.SetConnMaxLifetime(o.MaxLifetime + o.MaxLifetime/5)
	}
	return p
}

// DB is the pool as database/sql shows it. Its user does not close it.
func (p *Pool) DB() *sql.DB { return p.db }

// Close closes the idle connections and, as they come back, the others. It may
// be called more than once.
func (p *Pool) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	err := p.db.Close()
	p.closing.Wait()
	return errors.Join(err, p.backend.Close())
}

// connector is a Pool as database/sql's source of connections.
type connector Pool

// Connect opens a connection and pins its session, within ConnectTimeout even
// if ctx has no deadline.
func (cr *connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	p := (*Pool)(cr)
	outer := unwrapAcquire(ctx)
	ctx = outer
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(outer, p.timeout)
		defer cancel()
	}
	s, err := p.dial(ctx)
	if err != nil {
		return nil, p.connectError(outer, ctx, err)
	}
	return newConn(s, p, jitter(p.lifetime)), nil
}

// dial opens a session when one of the slots for that is free.
func (p *Pool) dial(ctx context.Context) (session, error) {
	select {
	case p.dials <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.dials }()
	return p.backend.open(ctx)
}

// connectError is what Connect returns. If a context has ended, that is the
// cause, rather than what it interrupted; which of the two contexts it was
// decides whether the caller's time or the time for connecting was over.
func (p *Pool) connectError(outer, inner context.Context, err error) error {
	password := ""
	if p.password != nil {
		password = p.password()
	}
	e := newConnectError(p.node, stripBadConn(err), password)
	switch {
	case ended(outer) != nil:
		e.Err = ended(outer)
	case ended(inner) != nil:
		e.Err = &SilenceError{After: p.timeout}
		e.text = e.Err.Error() + ": " + e.text
	}
	return e
}

// ended is ctx.Err, or what it is about to be: a socket's deadline, set from the
// context's, may be noticed first.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Driver is part of driver.Connector.
func (cr *connector) Driver() sqldriver.Driver { return noDriver{} }

// jitter spreads d by a tenth to both sides, so that connections opened
// together do not expire together.
func jitter(d time.Duration) time.Duration {
	spread := int64(d / 5)
	if spread <= 0 {
		return d
	}
	return d - time.Duration(spread/2) + time.Duration(rand.Int64N(spread))
}

// noDriver is the Driver of every Pool: connections come from its connector only.
type noDriver struct{}

func (noDriver) Open(string) (sqldriver.Conn, error) {
	return nil, errors.New("dbfleet pools cannot be opened by name")
}
