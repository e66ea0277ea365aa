package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// A name may lead to several servers: that of a balancer, or one with several addresses.
// What is known of a node is what the server said that the monitor asks. Another one behind
// the same name is asked itself, on the connection that a read has taken, before the read
// is sent there. Which server a connection leads to is asked once.

// freshness is how old what a node shows may be. The monitor writes it, reads look at it.
// The zero value is unknown.
type freshness struct{ last atomic.Pointer[hadAll] }

// hadAll says that a server has all that the primary had at a time.
type hadAll struct {
	server string
	at     time.Time
}

// reached notes that the server has all that the primary had at t.
func (f *freshness) reached(t time.Time, server string) { f.last.Store(&hadAll{server, t}) }

// forget notes that nothing is known any more, as of a node that is another server now.
func (f *freshness) forget() { f.last.Store(nil) }

// within says that the server is the one whose age is known, and that it is at most so old.
func (f *freshness) within(server string, atMost time.Duration) bool {
	a := f.last.Load()
	return a != nil && server != "" && a.server == server && time.Since(a.at) <= atMost
}

// staleness is how old what the node shows is at most. It grows by itself while nothing is
// heard of the node or of the primary. Unknown is not fresh.
func (n *node) staleness(now time.Time) (atMost time.Duration, known bool) {
	a := n.fresh.last.Load()
	if a == nil {
		return 0, false
	}
	return max(now.Sub(a.at), 0), true
}

// checks says that it matters which server is behind a connection of the pool.
func (p *place) checks() bool { return p.isBound() || p.verifies() }

// isBound says that the replica may only be so old.
func (p *place) isBound() bool {
	return p.member != nil && p.atMost > 0 && p.atMost < math.MaxInt64
}

// check makes sure that the server behind a connection may be asked.
func (p *place) check(ctx context.Context, c *driver.Conn) (err error) {
	p.in.server, err = p.serverOf(ctx, c)
	return err
}

// serverOf is check for who must not change the place. It returns which server it is, if
// the session has to know that.
func (p *place) serverOf(ctx context.Context, c *driver.Conn) (server string, err error) {
	var told *driver.Report
	if p.verifies() {
		if server, told, err = p.verify(ctx, c); err != nil {
			return "", err
		}
	}
	if p.isBound() {
		err = p.verifyAge(ctx, c, told)
	}
	return server, err
}

// verifyAge makes sure that the server behind a connection is as fresh as the place asks.
// told is what it has just answered, nil if it was not asked.
func (p *place) verifyAge(ctx context.Context, c *driver.Conn, told *driver.Report) error {
	n := p.node.node
	if n.fresh.within(c.Server(), p.atMost) {
		return nil
	}
	if told == nil {
		r, err := c.Report(ctx)
		if err != nil {
			return err
		}
		told = &r
	}
	t, known := p.e.monitor.reached(told)
	atMost := time.Since(t)
	if known && atMost <= p.atMost || n.fresh.within(told.Server, p.atMost) {
		return nil
	}
	return &olderError{n.name, atMost, known}
}

// olderError says that a connection leads to a server that is further behind than the read
// bears. Nothing was sent.
type olderError struct {
	node   string
	atMost time.Duration
	known  bool
}

func (e *olderError) Error() string {
	if !e.known {
		return fmt.Sprintf("how far a server behind node %q is behind is not known", e.node)
	}
	return fmt.Sprintf("a server behind node %q is at most %s behind", e.node, forPeople(e.atMost))
}

func (e *olderError) Unwrap() error { return ErrStale }

// unlessOlder decides where a read goes that came to a server which is not fresh enough.
func (p *place) unlessOlder(ctx context.Context, older *olderError) error {
	m, reads := p.member, &p.e.config.Reads
	if p.nextReplica(replicaset.Suspected) {
		return nil
	}
	if p.in.needs != nil {
		if err := p.insteadOfReplicas(ctx); err != nil {
			return err
		}
		return p.settle(ctx)
	}
	limit, bears := reads.StaleLimit, false
	var none error
	if p.primaryIsDown() && p.maxLag == reads.MaxLag {
		limit, bears = 0, true
	} else if none = p.fallBack(ctx); none == nil {
		return nil
	} else if reads.WhenStale == FallbackStale && p.atMost == p.maxLag {
		bears = limit <= 0 || older.known && older.atMost <= limit
	}
	switch {
	case bears:
	case errors.Is(none, ErrNoReplica): // but one has answered
		return errorf("connection %q: %w: within %s: %w", p.e.name, ErrStale, p.maxLag, older)
	default:
		return errorf("%w; %w", none, older)
	}
	p.takeFreshest(m, limit, older.atMost, older.known)
	return nil
}

// pool is the pool of the node and the context for who takes connections of it without
// holding them: database/sql, on whose connections the server is checked.
func (p *place) pool(ctx context.Context) (context.Context, *driver.Pool, error) {
	pool, err := p.node.open()
	if err == nil && p.checks() {
		ctx = driver.Checked(ctx, p.check)
	}
	return ctx, pool, err
}
