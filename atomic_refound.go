package dbfleet

import (
	"context"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/twophase"
)

// refoundEvery is how often a process that commits looks whether its ledgers are still
// what they were.
const refoundEvery = time.Second

// refound puts the ledger's identity back where somebody has emptied its table while this
// process runs. Its commits bear that identity: to a process that found another one there,
// what a crash has left of them would be a stranger's, which nobody finishes or lists. What
// was decided until now may be gone with the rows, so it is forgotten rather than undone:
// a recovery guesses nothing of it. A ledger that was dropped, or made anew by others, is
// looked for anew by the next commit.
//
// It changes nothing else, and what stands in its way is told by what the caller does there.
func (l *ledger) refound(ctx context.Context) {
	var is string
	err := l.on(ctx, func(c *driver.Conn) (err error) {
		is, err = l.value(ctx, c, l.text.Identity)
		return err
	})
	if err == nil && is == "" {
		is, err = string(l.id), l.inTx(ctx, func(c *driver.Conn) error { return l.restore(ctx, c) })
	}
	gone := err != nil && absent(err) == nil
	if gone || err == nil && is != string(l.id) {
		l.e.decides.CompareAndSwap(l, nil)
	}
}

// restore writes the rows of the ledger itself, and that what was decided until now is forgotten.
func (l *ledger) restore(ctx context.Context, c *driver.Conn) error {
	if err := l.found(ctx, c, l.id); err != nil {
		return err
	}
	_, err := c.Exec(ctx, l.text.Raise, []any{int64(twophase.NewID(l.id, time.Now()).Made())})
	return err
}

// refoundLater is refound of all participants after a commit of which something is left
// to do, once the caller has gone on. Close waits for it.
func (a *atomicRun) refoundLater() {
	for _, p := range a.parts {
		p.ledger.e.running.Add(1) // the caller's own keeps it from being over before
		go func() {
			defer p.ledger.e.leave()
			p.ledger.refoundBounded()
		}()
	}
}

// refoundSoon is refound unless that was done a moment ago. One goroutine calls it.
func (l *ledger) refoundSoon() {
	if time.Since(l.refounded) < refoundEvery {
		return
	}
	l.refounded = time.Now()
	l.refoundBounded()
}

func (l *ledger) refoundBounded() {
	ctx, cancel := context.WithTimeout(context.Background(), closingBound)
	defer cancel()
	l.refound(ctx)
}
