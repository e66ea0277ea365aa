package dbfleet

import (
	"context"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// txState is one transaction on the server. It is safe for concurrent use.
type txState struct {
	held

	marker *marker // of a transaction that is Resolvable, else nil

	names int   // savepoints so far; protected by mu
	stack []*Tx // the transaction itself and the savepoints that are open in it; protected by mu
}

// top is the innermost savepoint. st.mu is held.
func (st *txState) top() *Tx { return st.stack[len(st.stack)-1] }

// handle is top for who does not hold st.mu; nil once the transaction has ended.
func (st *txState) handle() *Tx {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.done {
		return nil
	}
	return st.top()
}

// place is where the statements that turn the transaction go.
func (st *txState) place() *place {
	p := &place{}
	p.inTx(st, "a transaction")
	if st.conn == nil {
		p.tx, p.on = nil, nil // not begun yet
	}
	return p
}

// turn sends a statement that begins or ends the transaction, or a savepoint in
// it.
func (st *txState) turn(ctx context.Context, op, text string, x exchange) error {
	s := statement{op: op, text: text, turns: true, write: true}
	_, err := st.place().send(ctx, &s, x)
	return err
}

// begin takes a connection for the transaction, which keeps it.
func (st *txState) begin(ctx context.Context, o TxOptions) error {
	if o.Resolvable {
		if err := st.newMarker(ctx); err != nil {
			return err
		}
	}
	return st.turn(ctx, "begin", "BEGIN", &beginning{st, o})
}

// beginning is the exchange of BEGIN.
type beginning struct {
	st *txState
	o  TxOptions
}

func (x *beginning) exchange(ctx context.Context, p *place, _ *statement) (driver.Result, error) {
	c, err := p.hold(ctx)
	if err != nil {
		return unknownRows, err
	}
	defer func() {
		if x.st.conn == nil {
			c.Release()
		}
	}()
	if err := c.Begin(ctx, driver.TxOptions{Isolation: x.o.Isolation, ReadOnly: x.o.ReadOnly}); err != nil {
		return unknownRows, err
	}
	x.st.conn, p.tx, p.on = c, x.st, &x.st.held
	p.node.transactions.Add(1)
	return unknownRows, nil
}

func (st *txState) commit(ctx context.Context) error {
	if err := st.mark(ctx); err != nil {
		_ = st.rollback(ctx)
		return err
	}
	return st.settled(ctx, st.turn(ctx, "commit", "COMMIT", &ending{st, true}))
}

func (st *txState) rollback(ctx context.Context) error {
	return st.turn(ctx, "rollback", "ROLLBACK", &ending{st, false})
}

// ending is the exchange of COMMIT and ROLLBACK.
type ending struct {
	st     *txState
	commit bool
}

func (x *ending) exchange(ctx context.Context, _ *place, _ *statement) (driver.Result, error) {
	st := x.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.done {
		return unknownRows, st.doneError()
	}
	st.endOpen()
	defer func() {
		st.done = true
		st.conn.Release() // hooks that come after may need the connection
	}()
	if !x.commit {
		return unknownRows, st.conn.Rollback(ctx)
	}
	if err := st.ready(); err != nil {
		return unknownRows, err // the connection's release rolls back
	}
	return unknownRows, st.conn.Commit(ctx)
}

// push opens inner as the savepoint inside tx, and names it.
func (tx *Tx) push(inner *Tx) error {
	st := tx.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if tx.ended || st.done {
		return st.doneError()
	}
	if st.top() != tx {
		return errorf("transaction on connection %q: savepoint %s is open, which is not inside of this one: %w", st.e.name, st.top().name, ErrBusy)
	}
	st.names++
	inner.name = "dbfleet_" + strconv.Itoa(st.names)
	st.stack = append(st.stack, inner)
	return nil
}

// pop ends the savepoint, with those that goroutines have left open inside of it.
func (tx *Tx) pop() {
	st := tx.st
	st.mu.Lock()
	defer st.mu.Unlock()
	for !tx.ended {
		last := len(st.stack) - 1
		st.stack[last].ended = true
		st.stack = st.stack[:last]
	}
}

// savepoint sends a statement that begins or ends the savepoint.
func (tx *Tx) savepoint(ctx context.Context, op, text string) error {
	return tx.st.turn(ctx, op, text, (*savepoint)(tx))
}

// savepoint is the exchange of a savepoint's statements.
type savepoint Tx

func (x *savepoint) exchange(ctx context.Context, _ *place, s *statement) (driver.Result, error) {
	st := x.st
	st.mu.Lock()
	defer st.mu.Unlock()
	if x.ended {
		return unknownRows, st.doneError()
	}
	if err := st.ready(); err != nil {
		return unknownRows, err
	}
	st.endOpen()
	_, err := st.conn.Exec(ctx, s.text, nil)
	return unknownRows, err
}
