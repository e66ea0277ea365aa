package dbfleet

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/replicaset"
)

// hedgeable is an exchange of rows that begins anew when it is given some: those of
// either of two reads will do.
type hedgeable interface {
	exchange
	reader
	hedges() bool
}

func (v *selection) hedges() bool { return !v.changes }
func (v *iteration) hedges() bool { return v.yield == nil } // of Select, which has them all at once
func (v *summary) hedges() bool   { return true }

// hedged says whether the statement may be asked at a second node as well: a plain read on
// a replica, outside of a transaction and Conn, whose rows nobody has seen before all are
// there. args are its arguments, which nobody changes when the read is over.
func (p *place) hedged(s *statement, x exchange) (h hedgeable, args []any, ok bool) {
	if p.e.config.Reads.HedgeAfter <= 0 || p.member == nil || p.on != nil || p.only != nil || s.write || s.stream || s.oneRow != "" {
		return nil, nil, false
	}
	if h, ok = x.(hedgeable); !ok || !h.hedges() {
		return nil, nil, false
	}
	args, ok = settled(s.args)
	return h, args, ok
}

// settled returns arguments of which nothing is shared with the caller. It is false if
// some may be: what a Valuer has in it.
func settled(args []any) ([]any, bool) {
	copied := false
	for i, a := range args {
		var own any
		switch a := a.(type) {
		case nil, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64, string, time.Time:
			continue
		case []byte:
			own = slices.Clone(a)
		case []int64:
			own = slices.Clone(a)
		case []string:
			own = slices.Clone(a)
		default:
			return nil, false
		}
		if !copied {
			args, copied = slices.Clone(args), true
		}
		args[i] = own
	}
	return args, true
}

// A race is one read that up to two nodes are asked. What waits for their servers runs in
// goroutines; hooks and the caller's own code run where the read was called.
type race struct {
	s       *statement
	x       hedgeable
	args    []any
	answers chan *rival // has room for all

	mu   sync.Mutex
	over bool // nobody waits for an answer any more; protected by mu
}

// rival is the read at one node.
type rival struct {
	race   *race
	place  *place
	hooks  *call
	told   bool // of the end: the replica set and the hooks
	cancel context.CancelFunc

	// What came of it, once it is among the answers.
	conn   *driver.Conn
	server string // behind conn, where the session has to know that
	rows   driver.Rows
	err    error
}

// outrunError is what becomes of a read when another node has answered it first.
type outrunError struct{ by string }

func (e *outrunError) Error() string { return "given up: node " + quoted(e.by) + " has answered first" }
func (e *outrunError) Unwrap() error { return context.Canceled }

// sendHedged is sendOnce that asks a second replica when the first has not answered for
// longer than is usual. The first answer, when the first row is there, is read; the other
// statement is cancelled on its server, for which nobody waits.
func (p *place) sendHedged(ctx context.Context, s *statement, x hedgeable, args []any) (res driver.Result, err error) {
	r := &race{s: s, x: x, args: args, answers: make(chan *rival, 2)}
	p.e.hedges.Read()
	var one, two *rival
	defer func() {
		r.decided()
		r.giveUp(one, errPanicked) // nothing, unless this is a panic
		r.giveUp(two, errPanicked)
		r.end()
	}()
	one = r.begin(ctx, p)
	timer := time.NewTimer(max(p.e.config.Reads.HedgeAfter, 2*p.member.Figures().Latency))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if second := r.second(p); second != nil {
				two = r.begin(ctx, second)
			}
			continue
		case a := <-r.answers:
			other := one
			if a == one {
				other = two
			}
			waits := other != nil && !other.told
			a.place.in.server = a.server
			switch {
			case a.err == nil:
				r.decided()
				r.giveUp(other, &outrunError{a.place.node.name})
				p.becomes(a.place)
				return r.read(a)
			case a == one && waits && !p.goesElsewhere(a.err) && !errors.Is(a.err, ErrStale): // the statement's own error
				r.decided()
				r.giveUp(other, &outrunError{a.place.node.name})
				waits = false
			}
			err = r.ended(a, unknownRows, a.err)
			if !waits {
				p.becomes(a.place)
				return unknownRows, err
			}
		}
	}
}

// second is the place of the read at another replica that is well, if there is one and the
// budget allows it.
func (r *race) second(p *place) *place {
	r.mu.Lock() // for Left
	defer r.mu.Unlock()
	second := *p
	if second.tellTo = nil; !second.nextReplica(replicaset.Returning) || !p.e.hedges.Extra() {
		return nil
	}
	second.route.Reason = "hedged beside " + strconv.Quote(p.node.name)
	p.tried.Add(second.member)
	return &second
}

// becomes takes over where the read was answered.
func (p *place) becomes(other *place) {
	if p == other {
		return
	}
	p.node, p.member, p.attempt, p.route, p.atMost = other.node, other.member, other.attempt, other.route, other.atMost
	p.tell()
}

// begin asks one node, in a goroutine.
func (r *race) begin(ctx context.Context, p *place) *rival {
	a := &rival{race: r, place: p, hooks: p.callHooks(ctx, r.s)}
	p.asks(r.s)
	if a.hooks != nil {
		ctx = a.hooks.context(r.x)
	}
	ctx, a.cancel = context.WithCancel(ctx)
	e, node := p.e, p.node
	var check serverCheck
	if p.checks() {
		as := *p // who waits changes p
		check = as.serverOf
	}
	e.running.Add(1) // the read is among them until it returns
	go func() {
		defer e.leave()
		a.ask(ctx, node, check, r.s.text, r.args)
		r.deliver(a)
	}()
	return a
}

// serverCheck makes sure that the server behind a connection may be asked, and says which
// it is.
type serverCheck func(ctx context.Context, c *driver.Conn) (server string, err error)

// ask sends the statement and waits for the first row. Without a check any server will do.
func (a *rival) ask(ctx context.Context, node *sessions, check serverCheck, text string, args []any) {
	pool, err := node.open()
	if err == nil {
		a.conn, err = pool.AcquireToRead(ctx, node.wait, a)
	}
	if err != nil {
		a.err = err
		return
	}
	if check != nil {
		a.server, err = check(ctx, a.conn)
	}
	if err == nil {
		a.rows, err = a.conn.Query(ctx, text, args)
	}
	if err == nil {
		a.rows, err = driver.WithFirst(a.rows)
	}
	if err != nil {
		a.err, a.rows = err, nil
		a.conn.Release()
	}
}

// Left implements driver.Elsewhere for the node's place, which is the caller's goroutine's
// once nobody waits for this answer any more.
func (a *rival) Left() bool {
	a.race.mu.Lock()
	defer a.race.mu.Unlock()
	return !a.race.over && a.place.Left()
}

// Room implements driver.Elsewhere, as Left.
func (a *rival) Room() bool {
	a.race.mu.Lock()
	defer a.race.mu.Unlock()
	return !a.race.over && a.place.Room()
}

// decided notes that nobody waits for another answer.
func (r *race) decided() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
}

// deliver gives an answer to who waits for it, or drops it.
func (r *race) deliver(a *rival) {
	if !r.delivered(a) {
		a.drop()
	}
}

func (r *race) delivered(a *rival) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.answers <- a
	}
	return !r.over
}

// end drops the answer that nobody waits for any more, if there is one.
func (r *race) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	select {
	case a := <-r.answers:
		e := a.place.e
		e.running.Add(1)
		go func() { // its server may take a while
			defer e.leave()
			a.drop()
		}()
	default:
	}
}

// drop ends a read whose rows nobody wants, or has any more.
func (a *rival) drop() {
	a.cancel()
	if a.rows != nil {
		_ = a.rows.Close()
		a.conn.Release()
		a.rows = nil
	}
}

// giveUp cancels a read that is not over, because of err.
func (r *race) giveUp(a *rival, err error) {
	if a != nil && !a.told {
		a.cancel()
		_ = r.ended(a, unknownRows, err)
	}
}

// ended tells the end of a read, once.
func (r *race) ended(a *rival, res driver.Result, err error) error {
	a.told = true
	return a.place.ended(r.s, a.hooks, res, err)
}

// read reads the rows of the one that has answered.
func (r *race) read(a *rival) (driver.Result, error) {
	defer a.drop() // also when reading panics
	n, err := r.x.read(a.rows)
	if closeErr := a.rows.Close(); err == nil {
		err = closeErr
	}
	res := driver.Result{RowsAffected: n}
	return res, r.ended(a, res, err)
}
