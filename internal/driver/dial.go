package driver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/netconn"
)

// A connection to a server is made for the pool, not for the caller who asks for it: when
// that caller gives up, the dial goes on, and whoever waits then gets the connection.
// Otherwise a server that needs longer for a connection than callers wait would begin one
// after the other and finish none, and would be kept busy with that for as long as callers
// come. A dial that was left keeps nobody from one of his own, unless it has the last slot,
// or its connection is the last that the pool may have: then it has its way as long as the
// server says something.

const (
	// muteDial is how long a dial that was left may hear nothing from the server before it
	// makes way for others: it may have been lost on the way.
	muteDial = time.Second
	// keepDialled is how long a connection is kept that nobody takes.
	keepDialled = 10 * time.Second
	// lookAround is how often who waits for a slot looks whether such a dial makes way.
	lookAround = 50 * time.Millisecond
)

var (
	errNotWanted = errors.New("nobody waits for the connection any more")
	errNoDial    = errors.New("the goroutine that makes the connection has ended")
)

// dial is one connection on its way to a pool. It has a slot of the pool's, and one of its
// budget, until it is over.
type dial struct {
	pool       *Pool
	counted    bool   // it is one of the pool's made
	generation uint64 // of the pool's, see DropIdle
	hears      *netconn.Hearing
	end        context.CancelCauseFunc
	over       chan struct{}
	conn       *conn // once it is over, unless there is an error
	err        error

	dropped bool        // the connection is closed when it is there; pool.left.mu protects it
	keeps   *time.Timer // closes it when nobody has taken it
}

// begin begins the caller's dial, which ends by itself within ConnectTimeout. It ends with ctx,
// which comes from the caller's, too, unless it may be left. doubted is what the budget was
// told. The caller has a slot, and has reserved a connection.
func (w *dialWait) begin(ctx context.Context, doubted bool) *dial {
	p, outer := w.pool, w.outer
	d := &dial{pool: p, counted: w.counts(), generation: p.generation.Load(), hears: netconn.NewHearing(), over: make(chan struct{}), err: errNoDial}
	if p.remote {
		deadline, _ := outer.Deadline()
		outer = context.WithoutCancel(outer)
		ctx = netconn.WithHearing(netconn.WithPatience(outer, deadline), d.hears)
	}
	ctx, end, over := p.ends.begin(ctx, w.a)
	d.end = end
	run := func() {
		defer over()
		defer func() { p.left.ended(d, doubted) }()
		d.conn, d.err = p.connect(ctx, outer)
	}
	if p.remote {
		go run()
	} else {
		run()
	}
	return d
}

func (d *dial) isOver() bool {
	select {
	case <-d.over:
		return true
	default:
		return false
	}
}

// settle gives back what a dial that is over had, and does not need for its connection.
func (d *dial) settle(doubted bool) {
	p := d.pool
	d.hears.Stop()
	<-p.dials
	switch {
	case d.err != nil:
		if d.counted {
			p.made.Add(-1)
		}
		p.budget.Give(doubted)
		return
	case doubted:
		p.budget.Sure()
	}
	p.ends.opened(d.conn)
	d.conn.idleFrom, d.conn.counted, d.conn.budgeted = time.Now(), d.counted, p.budget != nil
}

// left are the dials of a pool whose callers have gone. It is safe for concurrent use.
type left struct {
	// came has one value for each of ready.
	came chan struct{}

	mu    sync.Mutex // protects following fields
	going []*dial    // that are not over
	ready []*dial    // whose connections are there, the oldest first
}

// ended is called when a dial is over.
func (l *left) ended(d *dial, doubted bool) {
	d.settle(doubted)
	l.mu.Lock()
	wanted := !d.dropped
	if at := slices.Index(l.going, d); at >= 0 {
		l.going = slices.Delete(l.going, at, at+1)
		wanted = l.keepLocked(d)
	}
	if wanted {
		d.pool.doubted.Store(d.err != nil)
	}
	unwanted := d.conn
	if wanted {
		unwanted = nil
	}
	close(d.over)
	l.mu.Unlock()
	if unwanted != nil {
		_ = unwanted.Close()
	}
}

// keepLocked keeps the connection of a dial that is over for others. false says that nobody
// will want it.
func (l *left) keepLocked(d *dial) bool {
	if d.err != nil {
		return true
	}
	if d.pool.closed.Load() {
		return false
	}
	select {
	case l.came <- struct{}{}:
	default: // there are enough
		return false
	}
	l.ready = append(l.ready, d)
	d.keeps = time.AfterFunc(keepDialled, func() { l.close(func(other *dial) bool { return other == d }) })
	return true
}

// leave leaves a dial to others.
func (l *left) leave(d *dial) {
	l.mu.Lock()
	wanted := true
	switch {
	case d.isOver():
		wanted = l.keepLocked(d)
	case d.pool.closed.Load():
		d.dropped = true
	default:
		l.going = append(l.going, d)
	}
	l.mu.Unlock()
	if !wanted {
		_ = d.conn.Close()
	}
}

// drop gives up a dial of the caller's own, and what may have become of it.
func (l *left) drop(d *dial, why error) {
	l.mu.Lock()
	d.dropped = true
	over := d.isOver()
	l.mu.Unlock()
	d.end(why)
	if over && d.conn != nil {
		_ = d.conn.Close()
	}
}

// take is a connection that is there, nil for none.
func (l *left) take(ctx context.Context) *conn {
	for {
		select {
		case <-l.came:
			if c := l.pick(ctx); c != nil {
				return c
			}
		default:
			return nil
		}
	}
}

// pick takes a connection for a value of came. nil says that it was of no use.
func (l *left) pick(ctx context.Context) *conn {
	l.mu.Lock()
	d := l.ready[0]
	l.ready = slices.Delete(l.ready, 0, 1)
	l.mu.Unlock()
	d.keeps.Stop()
	if d.generation != d.pool.generation.Load() || d.conn.ResetSession(ctx) != nil {
		_ = d.conn.Close()
		return nil
	}
	return d.conn
}

// makeWay gives up a dial that hears nothing, the last that was left, for the others may be
// nearer to their end: of several the first has its way in any case, so that a server which
// takes its time for each word has one connection finished. Or it gives up all that hear
// nothing. It says whether there were any.
func (l *left) makeWay(all bool) bool {
	l.mu.Lock()
	var mute []*dial
	for i, d := range slices.Backward(l.going) {
		if d.hears.Silent() >= muteDial && (all || mute == nil && (i > 0 || len(l.going) == 1)) {
			d.dropped = true
			mute = append(mute, d)
		}
	}
	l.going = slices.DeleteFunc(l.going, func(d *dial) bool { return d.dropped })
	l.mu.Unlock()
	for _, d := range mute {
		d.end(errNotWanted)
	}
	return mute != nil
}

// close closes the connections that are there for which of is true, and says whether there
// were any.
func (l *left) close(of func(*dial) bool) bool {
	var list []*dial
	l.mu.Lock()
	for at := 0; at < len(l.ready); {
		if !of(l.ready[at]) {
			at++
			continue
		}
		select {
		case <-l.came:
			list = append(list, l.ready[at])
			l.ready = slices.Delete(l.ready, at, at+1)
			continue
		default: // there are as many who are about to pick one
		}
		break
	}
	l.mu.Unlock()
	for _, d := range list {
		d.keeps.Stop()
		_ = d.conn.Close()
	}
	return len(list) > 0
}

// closeAll gives up everything.
func (l *left) closeAll() {
	l.mu.Lock()
	going := l.going
	l.going = nil
	for _, d := range going {
		d.dropped = true
	}
	l.mu.Unlock()
	for _, d := range going {
		d.end(ErrPoolClosed)
	}
	l.close(func(*dial) bool { return true })
}
