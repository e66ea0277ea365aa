package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// The functions of the program's that a configuration may bring along. Each is
// called in a goroutine of its own: one that panics, ends its goroutine or does not
// come back is an error of the connection that it was called for. database/sql
// would lose the place of that connection, or the goroutine that opens others.

// A SeamError says that such a function has failed. Seam is its name in the
// configuration.
type SeamError struct {
	Seam string
	Err  error
}

func (e *SeamError) Error() string { return e.Seam + ": " + e.Err.Error() }

func (e *SeamError) Unwrap() error { return e.Err }

var errGoexit = errors.New("ended its goroutine")

// ask calls the function called seam and returns what it does, or a *SeamError. If
// ctx ends first, late gets what comes after that.
func ask[T any](ctx context.Context, seam string, f func() (T, error), late func(T)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var (
		none    T
		answers = make(chan answer, 1)
		mu      sync.Mutex
		left    bool // the caller has gone
	)
	go func() {
		a := answer{err: errGoexit}
		defer func() {
			if v := recover(); v != nil {
				a = answer{err: fmt.Errorf("panicked: %v", v)}
			}
			mu.Lock()
			defer mu.Unlock()
			if left {
				if a.err == nil {
					late(a.value)
				}
				return
			}
			answers <- a
		}()
		a.value, a.err = f()
	}()
	var a answer
	select {
	case a = <-answers:
	case <-ctx.Done():
		mu.Lock()
		left = true
		mu.Unlock()
		select {
		case a = <-answers: // it came meanwhile
		default:
			return none, ctx.Err()
		}
	}
	if a.err != nil {
		return none, &SeamError{Seam: seam, Err: a.err}
	}
	if err := ctx.Err(); err != nil { // it came too late
		late(a.value)
		return none, err
	}
	return a.value, nil
}

// watched is options whose functions are called as this file says.
func watched(o Options) Options {
	if dial := o.Dial; dial != nil {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialBy(ctx, dial, network, address, o.ConnectTimeout)
		}
	}
	if o.Connector != nil {
		o.Connector = &watchedConnector{o.Connector}
	}
	return o
}

var errNoConn = errors.New("returned neither a connection nor an error")

// isNone says that connection is nil, or a nil pointer of some type.
func isNone(connection any) bool {
	v := reflect.ValueOf(connection)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

func dialBy(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), network, address string, timeout time.Duration) (net.Conn, error) {
	if timeout > 0 { // it also dials to cancel a statement
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return ask(ctx, "Dial", func() (net.Conn, error) {
		nc, err := dial(ctx, network, address)
		if err == nil && isNone(nc) {
			err = errNoConn
		}
		return nc, err
	}, func(nc net.Conn) { discard(nc) })
}

// discard closes a connection of the program's that nobody waits for any more. Its
// panic would end the process.
func discard(connection io.Closer) {
	defer func() { _ = recover() }()
	_ = connection.Close()
}

// watchedConnector is the program's connector. It has no Close: the program's may
// serve several pools.
type watchedConnector struct{ sqldriver.Connector }

func (c *watchedConnector) Connect(ctx context.Context) (sqldriver.Conn, error) {
	return ask(ctx, "Connector", func() (sqldriver.Conn, error) {
		dc, err := c.Connector.Connect(ctx)
		if err == nil && isNone(dc) {
			err = errNoConn
		}
		return dc, err
	}, func(dc sqldriver.Conn) { discard(dc) })
}

// credentials give the password of each new connection.
type credentials struct {
	fixed   func() string // nil is no password
	ask     func(ctx context.Context, address string) (string, error)
	address string

	mu     sync.Mutex
	recent []string // what ask gave, the newest last
}

// keptPasswords is how many passwords are remembered, to be left out of errors: a
// function that could not get a new one may tell of the last.
const keptPasswords = 4

// next returns the password of a new connection.
func (c *credentials) next(ctx context.Context) (string, error) {
	if c.ask == nil {
		if c.fixed == nil {
			return "", nil
		}
		return c.fixed(), nil
	}
	return ask(ctx, "PasswordFunc", func() (string, error) {
		password, err := c.ask(ctx, c.address)
		c.remember(password)
		if err == nil && strings.IndexByte(password, 0) >= 0 {
			err = errors.New("returned a NUL byte")
		}
		return password, err
	}, func(string) {})
}

func (c *credentials) remember(password string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if password == "" || slices.Contains(c.recent, password) {
		return
	}
	if len(c.recent) == keptPasswords {
		c.recent = slices.Delete(c.recent, 0, 1)
	}
	c.recent = append(c.recent, password)
}

// all is every password that an error could show.
func (c *credentials) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.Clone(c.recent)
	if c.fixed != nil {
		list = append(list, c.fixed())
	}
	return list
}

// prepared is a new session after OnConnect, which is over. A session that does not
// serve after it is closed.
func (p *Pool) prepared(ctx context.Context, s session.Session) (session.Session, error) {
	if p.onConnect == nil {
		return s, nil
	}
	before, err := s.Pins(ctx)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	closed := func() { _ = s.Close() }
	over := make(chan struct{})
	_, err = ask(ctx, "OnConnect", func() (struct{}, error) {
		defer close(over)
		return struct{}{}, p.onConnect(ctx, s.DriverConn())
	}, func(struct{}) {})
	if err != nil {
		select {
		case <-over:
			closed()
		default: // it still has the connection
			p.late.Go(func() {
				<-over
				closed()
			})
		}
		return nil, err
	}
	after, err := s.Pins(ctx)
	if err == nil {
		err = changed(before, after)
	}
	if err != nil {
		closed()
		return nil, &SeamError{Seam: "OnConnect", Err: err}
	}
	return s, nil
}

// changed says which of a session's pins are not what they were.
func changed(before, after []string) error {
	for i := range min(len(before), len(after)) {
		if before[i] != after[i] {
			return fmt.Errorf("changed what the session is pinned to, %s, to %s", before[i], after[i])
		}
	}
	return nil
}
