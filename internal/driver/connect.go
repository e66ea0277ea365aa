package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// connector is a Pool as database/sql's source of connections.
type connector Pool

// Connect opens a connection and pins its session when one of the slots for that is free,
// within ConnectTimeout from then on, even if ctx has no deadline. It may be one that was
// begun for somebody else, see dial.
func (cr *connector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	a, _ := ctx.(*acquireCtx)
	c, err := (*Pool)(cr).dialled(unwrapAcquire(ctx), a, false)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// dialled is Connect, for an acquisition if a is not nil. alone says that the connection is
// none of the pool's: it is not one that was left, nor left itself, and counts for nothing.
func (p *Pool) dialled(outer context.Context, a *acquireCtx, alone bool) (*conn, error) {
	if err := ended(outer); err != nil && a != nil && a.mute {
		return nil, p.muteError(err)
	}
	if a != nil && a.cut != nil {
		return nil, a.cut
	}
	if refused := p.refusal.Load(); refused != nil {
		return nil, &NotSentError{Err: refused}
	}
	ctx, over := p.ends.dial(outer, a)
	defer over()
	w := &dialWait{pool: p, outer: outer, a: a, alone: alone}
	defer w.stop()
	if w.counts() {
		w.came = p.left.came
		if c := p.left.take(ctx); c != nil {
			return c, nil
		}
	}
	doubted := p.budget != nil && p.doubted.Load()
	c, err := w.budget(ctx, doubted)
	if c != nil || err != nil {
		return c, err
	}
	if a != nil && a.elsewhere != nil {
		var end func()
		ctx, end = yielding(ctx, a.elsewhere)
		defer end()
	}
	if c, err = w.slot(ctx); c != nil || err != nil {
		p.budget.Give(doubted)
		return c, err
	}
	return w.dial(ctx, w.begin(ctx, doubted))
}

// callersTime is the error of a dial, of which the caller's time is the cause if that is over.
func callersTime(caller context.Context, err error) error {
	var connect *ConnectError
	if over := ended(caller); over != nil && errors.As(err, &connect) {
		connect.Err = over
	}
	return err
}

// yielding is a context that ends at half of ctx's time if another server is left then. When
// end returns, elsewhere is not asked any more.
func yielding(ctx context.Context, elsewhere Elsewhere) (yields context.Context, end func()) {
	deadline, ok := ctx.Deadline()
	half := time.Until(deadline) / 2
	if !ok || half < leastHalf {
		return ctx, func() {}
	}
	yields, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	timer := time.AfterFunc(half, func() {
		defer close(over)
		if elsewhere.Left() {
			cancel(ErrHalfTime)
		}
	})
	return yields, func() {
		if !timer.Stop() {
			<-over
		}
		cancel(nil)
	}
}

// ErrHalfTime is the cause of a ConnectError of AcquireToRead when half of its caller's
// time is over and another server is left. It says nothing of this one.
var ErrHalfTime = errors.New("half of the time for the read has passed")

// leastHalf is what half of a caller's time must be for it to matter: who has less than
// twice as much gains nothing by asking elsewhere.
const leastHalf = 100 * time.Millisecond

// connect opens a connection within ConnectTimeout. outer is the caller's context, from
// which ctx comes.
func (p *Pool) connect(ctx, outer context.Context) (*conn, error) {
	generation := p.generation.Load()
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	s, err := p.open(ctx)
	if err != nil {
		if ended(ctx) == nil {
			p.answers.Add(1)
		}
		return nil, p.connectError(outer, ctx, err)
	}
	p.answers.Add(1)
	c := newConn(s, p, jitter(p.lifetime))
	c.generation = generation
	return c, nil
}

// open opens a session, made ready. A panic, as of a connection of the program's that
// cannot be used, is an error: database/sql would lose the place of that connection.
func (p *Pool) open(ctx context.Context) (s session.Session, err error) {
	defer func() {
		if v := recover(); v != nil {
			s, err = nil, fmt.Errorf("panicked while it connected: %v", v)
		}
	}()
	password, err := p.credentials.next(ctx)
	if err != nil {
		return nil, err
	}
	s, err = p.backend.Open(ctx, password)
	if err != nil {
		return nil, err
	}
	if s, err = p.prepared(ctx, s); err != nil {
		return nil, err
	}
	if i, ok := s.(session.Interruptible); ok {
		i.Bound(p.silence)
	}
	return s, nil
}

// connectError is what a dial returns. If a context has ended, that is the cause, rather
// than what it interrupted; which of the two contexts it was decides whether the caller's
// time or the time for connecting was over. inner may also have been ended by the pool.
func (p *Pool) connectError(outer, inner context.Context, err error) error {
	e := newConnectError(p.node, stripBadConn(err), p.credentials.all())
	switch cause := context.Cause(inner); {
	case ended(outer) != nil:
		e.Err = ended(outer)
	case cause != nil && cause != inner.Err():
		e = newConnectError(p.node, cause, p.credentials.all())
	case ended(inner) != nil:
		e.Err = &SilenceError{After: p.timeout}
		e.text = e.Err.Error() + ": " + e.text
	}
	return e
}

// muteError is the error of a caller whose context ended with err while idle connections
// did not answer: nothing was sent, and the pool was not full.
func (p *Pool) muteError(err error) error {
	e := newConnectError(p.node, err, nil)
	e.text = (&SilenceError{After: idlePingTimeout}).Error() + ": " + e.text
	return e
}
