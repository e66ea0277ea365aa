// Package driver opens the pools of connections and speaks with the databases:
// it keeps the rules of a connection, reads rows below database/sql, tracks
// transactions, and sorts errors into classes. What differs from database to
// database is in the packages below it, by the contract of package session: they
// pin the sessions, keep prepared statements, encode and decode.
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
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/plain"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Pool is the connections to one node. It is safe for concurrent use.
type Pool struct {
	node    string
	dialect *dialect.Dialect
	db      *sql.DB

	// implicitCommits says that the server ends transactions by itself, noInsertID
	// that it knows no LastInsertId.
	implicitCommits, noInsertID bool
	// remote says that there is a network in between, memory that the database lives
	// in this process's memory; see readAhead.
	remote, memory bool
	// manyStatements says that a text may have several statements.
	manyStatements bool

	backend  session.Backend
	lifetime time.Duration
	timeout  time.Duration // of connecting
	silence  time.Duration // how long the server may stay silent while a statement runs; 0 is forever
	idlePing time.Duration // see answers
	dials    chan struct{} // one slot per dial at a time
	budget   *Budget       // of several pools, nil for none
	unmade   atomic.Int64  // connections that wait for the budget

	budgetWaits  atomic.Int64 // how often one did
	budgetWaited atomic.Int64 // for how long all together, in nanoseconds

	doubted atomic.Bool // the last dial has failed

	maxOpen int // 0 or less is no bound

	keeping sync.Mutex // protects maxIdle
	maxIdle int

	credentials credentials
	onConnect   func(ctx context.Context, driverConn any) error // nil is none
	late        sync.WaitGroup                                  // sessions that onConnect has not given back in time

	ran    atomic.Pointer[func(ctx context.Context, query string, err error)] // see TellRuns; nil is none
	inVain func(ctx context.Context) error                                    // see RefuseWaits; nil is none

	closed     atomic.Bool
	refusal    atomic.Pointer[InterruptedError] // see Refuse
	generation atomic.Uint64                    // of the connections that may be used again
	loans      loans
	ends       ends
	stops      stops
	left       left
	made       atomic.Int64  // connections that are there or on their way, where some may be left
	answers    atomic.Uint64 // dials that the server has answered
}

// maxDials is how many connections a pool opens at the same time.
const maxDials = 8

// Open makes the pool of one node. It dials nothing. Its error is an
// *OptionError or a *NotLinkedError, or several joined.
func Open(o Options) (*Pool, error) {
	if o.Dialect == nil {
		return nil, &OptionError{Node: o.Name, Option: "Dialect", Reason: "is missing"}
	}
	o = watched(o)
	if o.Connector != nil {
		return OpenConnector(o, o.Connector), nil
	}
	db := databaseOf(o.Dialect)
	switch {
	case db == nil:
		return nil, &OptionError{Node: o.Name, Option: "Dialect", Reason: "is unknown"}
	case db.NotLinked != nil:
		return nil, db.NotLinked
	}
	backend, err := db.Open(o)
	if err != nil {
		return nil, err
	}
	p := &Pool{backend: backend, implicitCommits: db.ImplicitCommits, noInsertID: db.NoInsertID, remote: db.Remote}
	p.memory = o.Dialect == dialect.SQLite && o.Database == ":memory:"
	return p.start(o), nil
}

// OpenConnector makes a pool on any connector. Only the sizes, times and name of
// the options are used, OnConnect, and the dialect for what its name implies.
func OpenConnector(o Options, c sqldriver.Connector) *Pool {
	p := &Pool{backend: plain.NewBackend(c, o.StatementCache)}
	if o.Dialect != nil {
		p.noInsertID = o.Dialect.Name == "postgres"
	}
	return p.start(o)
}

func (p *Pool) start(o Options) *Pool {
	p.node, p.dialect, p.manyStatements = o.Name, o.Dialect, o.Dialect != dialect.MySQL
	if on, _ := o.MultiStatements(); on {
		p.manyStatements = true
	}
	p.lifetime, p.timeout, p.silence, p.onConnect = o.MaxLifetime, o.ConnectTimeout, o.StatementTimeout, o.OnConnect
	p.credentials.fixed, p.credentials.ask = o.Password, o.PasswordFunc
	_, p.credentials.address = o.Address()
	p.dials, p.idlePing = make(chan struct{}, maxDials), idlePing
	p.left.came = make(chan struct{}, maxDials)
	p.budget, p.maxOpen, p.maxIdle = o.Budget, o.MaxOpen, o.MaxIdle
	p.stops.start(p, o)
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

// DB is the pool itself as database/sql shows it, for this module only: others get
// what Lend gives.
func (p *Pool) DB() *sql.DB { return p.db }

// HasRoom says that a connection is idle, or may be opened.
func (p *Pool) HasRoom() bool {
	s := p.db.Stats()
	return s.Idle > 0 || p.budget == nil && (s.MaxOpenConnections <= 0 || s.InUse < s.MaxOpenConnections)
}

// Close closes the idle connections and, as they come back, the others. It may
// be called more than once.
func (p *Pool) Close() error {
	if p.closed.Swap(true) {
		return nil
	}
	p.ends.close()
	p.EndLoans()
	err := p.db.Close()
	p.left.closeAll()
	p.waitLate()
	p.stops.close()
	return errors.Join(err, p.backend.Close())
}

// waitLate waits for dials, and for the sessions that OnConnect still has, but not for ever.
func (p *Pool) waitLate() {
	back := make(chan struct{})
	go func() {
		p.ends.running.Wait()
		p.late.Wait()
		close(back)
	}()
	t := time.NewTimer(lateWait)
	defer t.Stop()
	select {
	case <-back:
	case <-t.C:
	}
}

const lateWait = 2 * time.Second

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
	least := d - time.Duration(spread/2)
	return max(least, least+time.Duration(rand.Int64N(spread))) // which may be too long for a duration
}

// noDriver is the Driver of every Pool: connections come from its connector only.
type noDriver struct{}

func (noDriver) Open(string) (sqldriver.Conn, error) {
	return nil, errors.New("dbfleet pools cannot be opened by name")
}

// stripBadConn removes driver.ErrBadConn from err, so that database/sql does
// not execute the statement again.
func stripBadConn(err error) error {
	if err == nil || !errors.Is(err, sqldriver.ErrBadConn) {
		return err
	}
	return &ConnLostError{}
}
