package driver

import (
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Interrupt ends what waits for a server that was found silent: statements on connections
// that have heard nothing for a while, dials under way, and callers who wait for a
// connection. They get an error that wraps cause, of class Connection. Connections on
// which data comes are left alone; the idle ones are dropped as by DropIdle. What begins
// after the call is not hindered. It does not wait: a statement that had just been sent
// ends a moment later, unless the server answers.
//
// Statements on a connector of the program's and on SQLite are not ended.
func (p *Pool) Interrupt(cause error) {
	err := &InterruptedError{Err: cause}
	p.DropIdle()
	cut(p.ends.interrupt(err), err, nil)
}

// InterruptReads is Interrupt for plain reads alone, those of AcquireToRead: what may have
// written goes on waiting, for its outcome would not be known.
func (p *Pool) InterruptReads(cause error) {
	err := &InterruptedError{Err: cause}
	p.DropIdle()
	cut(p.ends.interruptReads(err), err, func(c *conn) bool { return c.reads.Load() }) // it may have another use by then
}

// cutAgain is when it is looked once more at connections that had not waited for long: the
// last time for a goroutine that has sent something and then had no processor for as long.
var cutAgain = []time.Duration{quiet, 5 * quiet, 25 * quiet}

// cut ends the connections that have waited for their server for long enough, and later those
// that still wait then for the answer to what they had sent by now, if fit, nil for all, says
// so.
func cut(conns []*conn, err *InterruptedError, fit func(*conn) bool) {
	began := time.Now()
	var look func(enough time.Duration, again []time.Duration)
	look = func(enough time.Duration, again []time.Duration) {
		conns = slices.DeleteFunc(conns, func(c *conn) bool {
			if fit != nil && !fit(c) {
				return true
			}
			s := c.s.(session.Interruptible)
			if s.Silent() < enough {
				return false
			}
			c.cut.Store(err)
			s.Interrupt(err)
			return true
		})
		if len(conns) > 0 && len(again) > 0 {
			time.AfterFunc(time.Until(began.Add(again[0])), func() { look(time.Since(began), again[1:]) })
		}
	}
	look(quiet, cutAgain)
}

// Abort is Interrupt for all that waits for the server, however short, and for rows that
// are being read: the pool is to be closed. What comes later is refused, as by Refuse: nobody
// would end it.
func (p *Pool) Abort(cause error) {
	err := &InterruptedError{Err: cause}
	p.Refuse(cause)
	for _, c := range p.ends.interrupt(err) {
		c.s.(session.Interruptible).Interrupt(err)
	}
}

// DropIdle keeps the connections that are open now from being used by anybody else: the
// idle ones are closed instead of being given out, those in use when they come back.
//
// SQLite's are kept: a database in memory ends with its connections.
func (p *Pool) DropIdle() {
	if p.dialect != dialect.SQLite {
		p.generation.Add(1)
	}
}
