package dbfleet

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// closing closes the records of commits that every database has, several at once, a
// moment after their callers have gone on. An open record costs a recovery a look at each
// branch and nothing else, so nobody waits for the write that closes it. It is safe for
// concurrent use.
type closing struct {
	mu      sync.Mutex // protects following fields
	next    *closed    // those that are gathered; nil for none
	sending *closed    // those that are being closed; nil for none
}

// closed are records that are closed at once.
type closed struct {
	ids   []twophase.ID
	hurry chan struct{} // closed when somebody waits, or enough are gathered
	once  sync.Once
	done  chan struct{}
}

const (
	closingPause = 5 * time.Millisecond // how long records are gathered
	closingMost  = 4 * finishedAtOnce   // how many
	closingBound = 5 * time.Second      // how long it is tried; what stays open, Recover closes
)

// close closes the record of a commit soon. The caller is within the connection.
func (l *ledger) close(id twophase.ID) {
	c := &l.closing
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = &closed{hurry: make(chan struct{}), done: make(chan struct{})}
	}
	b := c.next
	b.ids = append(b.ids, id)
	switch {
	case len(b.ids) == closingMost:
		b.hurries()
	case len(b.ids) == 1 && c.sending == nil:
		c.sending = b
		l.e.running.Add(1) // Close waits for it; the caller's own keeps it from being over before
		go l.closeAll()
	}
}

// closeAll closes what is gathered until nothing is.
func (l *ledger) closeAll() {
	defer l.e.leave()
	c := &l.closing
	for b := l.closing.sending; b != nil; {
		b.gather()
		c.mu.Lock()
		c.next = nil
		c.mu.Unlock()
		l.finishAll(b.ids)
		if l.e.running.Load()&draining == 0 {
			l.refoundSoon()
		}
		close(b.done) // nothing is under way any more
		c.mu.Lock()
		b = c.next
		c.sending = b
		c.mu.Unlock()
	}
}

// finishAll closes records, again where the database did not answer, unless the connection
// is being closed.
func (l *ledger) finishAll(ids []twophase.ID) {
	ctx, cancel := context.WithTimeout(context.Background(), closingBound)
	defer cancel()
	for attempt := 1; l.Finish(ctx, twophase.ToCommit, ids) != nil; attempt++ {
		if ctx.Err() != nil || l.e.running.Load()&draining != 0 {
			return
		}
		twophase.BackOff(ctx, attempt)
	}
}

// gather waits for more records, unless somebody is in a hurry.
func (b *closed) gather() {
	pause := time.NewTimer(closingPause)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-b.hurry:
	}
}

func (b *closed) hurries() { b.once.Do(func() { close(b.hurry) }) }

// closeNow waits until the records of commits that are over by now are closed, or ctx
// ends: nobody is told that they are in doubt. It does not wait in the function of a
// transaction that has the only connection.
func (l *ledger) closeNow(ctx context.Context) {
	if txsOf(ctx).any() && errors.Is(l.on(ctx, func(*driver.Conn) error { return nil }), ErrBusy) {
		return
	}
	c := &l.closing
	c.mu.Lock()
	waits := [...]*closed{c.sending, c.next}
	c.mu.Unlock()
	for _, b := range waits {
		if b == nil {
			continue
		}
		b.hurries()
		select {
		case <-b.done:
		case <-ctx.Done():
			return
		}
	}
}
