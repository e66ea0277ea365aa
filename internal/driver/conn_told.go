package driver

import (
	"context"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// What the session says after each statement decides whether the transaction still
// stands; the words of a statement decide only what is refused, and when it is worth to
// ask.

func (c *conn) effectOf(query string) effect {
	return c.effects.of(query, c.pool.dialect, c.pool.manyStatements)
}

// before is called before a statement that was admitted. On MySQL it refuses in a
// transaction what would commit it, and marks the transaction before what may end it.
func (c *conn) before(ctx context.Context, query string) error {
	e := c.effectOf(query)
	if e&unsure != 0 && !c.asked && c.tx.cause == nil {
		c.ask(ctx)
	}
	if !c.tx.active || c.tx.plain || c.tx.cause != nil || e&(commits|mayEnd) == 0 {
		return nil //nolint:nilerr // what was lost is told by who admits statements
	}
	if e&commits != 0 {
		return &NotSentError{Err: &CommitsError{Statement: firstWords(query, c.pool.dialect)}}
	}
	w, ok := c.s.(session.Watcher)
	if !ok {
		return nil
	}
	if err := w.Watch(ctx); err != nil {
		return c.failed(ctx, err)
	}
	c.tx.watched = true
	return nil
}

// statusNow is what the session says of the transaction after a statement that
// succeeded; where it was marked, whether it is still the same.
func (c *conn) statusNow() session.TxStatus {
	status := c.s.TxStatus()
	if !c.tx.watched || c.open.Load() > 0 {
		return status
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	return c.unwatch(ctx, status)
}

// statusAfter is statusNow after an error.
func (c *conn) statusAfter(ctx context.Context, v session.Verdict, err error) session.TxStatus {
	if !v.Answered || c.broken.Load() || c.tx.plain || c.open.Load() > 0 {
		return c.s.TxStatus()
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
	}
	if c.tx.watched {
		return c.unwatch(ctx, c.s.TxStatus())
	}
	if a, ok := c.s.(session.Asker); ok && !v.TxLost {
		if err := a.Ask(ctx, err); err != nil {
			c.broken.Store(true)
		}
	}
	return c.s.TxStatus()
}

// unwatch takes the mark off. A transaction whose mark is gone is over, or was rolled
// back to before it. The mark's absence is kept in tx.watched.
func (c *conn) unwatch(ctx context.Context, status session.TxStatus) session.TxStatus {
	still, err := c.s.(session.Watcher).Watched(ctx)
	switch {
	case err != nil:
		c.broken.Store(true)
		return session.TxNone
	case still:
		c.tx.watched = false
		return c.s.TxStatus()
	case !status.Over():
		return session.TxNone
	}
	return status
}

// endedBy notes that a statement, which failed with err or succeeded, has ended the
// transaction, and returns the error that says so.
func (c *conn) endedBy(status session.TxStatus, err error) error {
	cause := ErrTxEnded
	switch status {
	case session.TxCommitted:
		cause = ErrImplicitCommit
	case session.TxRolledBack:
		cause = ErrTxRolledBack
	}
	if err != nil {
		cause = &endedError{cause, err}
	}
	c.tx.watched = false
	c.lose(cause, true)
	return &TxLostError{Err: cause}
}

// noted notes the effect of a statement that has run.
func (c *conn) noted(e effect) {
	if e == 0 {
		return
	}
	if e&changesSession != 0 || e&begins != 0 && !c.tx.active {
		c.dirty = true
	}
	if e&unsure != 0 {
		c.unsure = true
	}
	if e&movesNames != 0 {
		c.forget()
		c.tx.moved = c.tx.moved || c.tx.active
	}
}

func (c *conn) forget() {
	if f, ok := c.s.(session.Forgetter); ok {
		f.Forget()
	}
}

// forgetMoved drops what was prepared when the end of the transaction may have changed
// back what names mean.
func (c *conn) forgetMoved() {
	if c.tx.moved {
		c.forget()
	}
}

// ask takes the state of the session before other code runs in it.
func (c *conn) ask(ctx context.Context) {
	if s, ok := c.s.(session.Stater); ok && !c.dirty {
		state, err := s.State(ctx)
		c.state, c.asked = state, err == nil
	}
}

// stateTimeout bounds the question that a connection is asked when it comes back.
const stateTimeout = time.Second

// strayed says that the session is not as the next user expects it, as far as it tells:
// what it knows by itself, and after a statement that ran other code what it answers.
func (c *conn) strayed() bool {
	if s, ok := c.s.(session.Strayer); ok && s.Strayed() {
		return true
	}
	if !c.unsure {
		return false
	}
	s, ok := c.s.(session.Stater)
	if !ok {
		return false
	}
	if !c.asked {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), stateTimeout)
	defer cancel()
	state, err := s.State(ctx)
	c.unsure = false
	return err != nil || state != c.state
}
