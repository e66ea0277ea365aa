package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"sync"
	"sync/atomic"
	"time"
)

// A pool is lent as a *sql.DB of its own, whose connections are taken out of the pool
// for as long as they are used: closing it, or setting its bounds, is between the
// borrower and that *sql.DB.

// loans are what a pool has lent.
type loans struct {
	mu    sync.Mutex // protects following fields
	db    *sql.DB    // the present one, nil before it was asked for
	from  *lender    // its connector
	conns map[*lentConn]bool
}

// Lend is the pool for others: the same *sql.DB each time, and another one after it
// was closed. Who waits for a connection waits at most so long; 0 is until the
// context ends. Of a closed pool it is closed as well. told makes of an error of
// waiting the one that borrowers get.
func (p *Pool) Lend(wait time.Duration, told func(error) error) *sql.DB {
	l := &p.loans
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db == nil || l.from.closed.Load() && !p.closed.Load() {
		l.from = &lender{pool: p, wait: wait, told: told}
		l.db = sql.OpenDB(l.from)
		if p.closed.Load() {
			_ = l.db.Close()
		}
	}
	return l.db
}

// EndLoans lets nobody begin anything with what was lent, and takes back the
// connections that are held without being used: outside of a transaction, without open
// rows and without a statement for lentRest. It reports how many are in use. Connections
// that are being opened for nobody in particular are given up.
func (p *Pool) EndLoans() (busy int) {
	p.ends.endOrphans()
	p.left.closeAll()
	l := &p.loans
	l.mu.Lock()
	db := l.db
	conns := make([]*lentConn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	if db != nil {
		_ = db.Close()
	}
	now := time.Now()
	for _, c := range conns {
		if c.retire(now) {
			_ = c.Close()
		} else {
			busy++
		}
	}
	return busy
}

// lender is a Pool as the source of connections of a *sql.DB that is lent.
type lender struct {
	pool   *Pool
	wait   time.Duration
	told   func(error) error // makes of an error of waiting what callers know
	closed atomic.Bool
}

// Connect takes a connection out of the pool.
func (l *lender) Connect(ctx context.Context) (sqldriver.Conn, error) {
	held, err := l.pool.Acquire(ctx, l.wait)
	if err != nil {
		return nil, l.told(err)
	}
	held.inner.held.Store(false) // a borrower gets the driver's own errors
	c := &lentConn{conn: held.inner, held: held}
	c.seen = c.conn.uses - 1 // it is in use from now on
	loans := &l.pool.loans
	loans.mu.Lock()
	defer loans.mu.Unlock()
	if loans.conns == nil {
		loans.conns = map[*lentConn]bool{}
	}
	loans.conns[c] = true
	return c, nil
}

// Driver is part of driver.Connector.
func (l *lender) Driver() sqldriver.Driver { return noDriver{} }

// Close notes that the borrower has closed the *sql.DB.
func (l *lender) Close() error {
	l.closed.Store(true)
	return nil
}

// lentConn is a connection of the pool in the hands of a borrower, for one use.
type lentConn struct {
	*conn
	held *Conn
	once sync.Once

	// What EndLoans, which one goroutine calls at a time, saw last.
	seen  uint64
	since time.Time
}

// ResetSession is not called: a connection is lent once.
func (c *lentConn) ResetSession(context.Context) error { return sqldriver.ErrBadConn }

// IsValid is called when the borrower is done. The connection goes back to the pool,
// which decides whether it is kept.
func (c *lentConn) IsValid() bool { return false }

// Close gives the connection back.
func (c *lentConn) Close() error {
	c.once.Do(func() {
		loans := &c.pool.loans
		loans.mu.Lock()
		delete(loans.conns, c)
		loans.mu.Unlock()
		c.held.Release()
	})
	return nil
}

// lentRest is how long a connection must have been without a statement to count as
// not used.
const lentRest = 200 * time.Millisecond

// retire makes the connection useless for a borrower who holds it and does not use it.
func (c *lentConn) retire(now time.Time) bool {
	if !c.gate.tryLock() {
		return false
	}
	defer c.unlock()
	if c.uses != c.seen {
		c.seen, c.since = c.uses, now
	}
	if c.tx.active || c.open.Load() > 0 || now.Sub(c.since) < lentRest {
		return false
	}
	c.broken.Store(true)
	return true
}
