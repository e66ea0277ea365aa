package dbfleet

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// txState is one transaction on the server. It is safe for concurrent use.
type txState struct {
	held

	marker *marker // of a transaction that is Resolvable, else nil

	beginning *beginning // for begin, nil afterwards
	spare     *turn      // that of BEGIN, for COMMIT; nil before and when it is taken

	// commitErr is what came of COMMIT once it was sent, nil before. It is used by who
	// ends the transaction.
	commitErr *error

	names int   // savepoints so far; protected by mu
	stack []*Tx // the transaction itself and the savepoints that are open in it; protected by mu

	tenant string // of the context that it was begun with; does not change once it has begun

	waiting int                // how many calls of afterEnd there were; protected by mu
	age     *age               // nil if nobody looks at it; does not change once it has begun
	options TxOptions          // how it was begun; does not change
	level   sql.IsolationLevel // what the server said it is, if it was asked; protected by mu

	unwatchCtx func() bool // by watch, for unwatch
	prev, next *txState    // among those that are watched; protected by the entry's mu
}

// newTx makes a transaction that has not begun, of a connection whose entry is entered.
// What every transaction needs is one allocation.
func newTx(e *entry, o TxOptions) *Tx {
	all := &struct {
		st    txState
		tx    Tx
		begin beginning
		stack [1]*Tx
	}{st: txState{held: held{e: e, node: &e.primary().writes}, options: o}}
	all.tx.st, all.st.beginning, all.stack[0] = &all.st, &all.begin, &all.tx
	all.st.stack = all.stack[:]
	return &all.tx
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

// admit waits until tx may send a statement, and takes the gate. within is the savepoint,
// or tx itself, that it will stand in. A savepoint that a verb has made for itself lets
// only those through that are inside of it: what others were told is written would be
// undone with it.
func (st *txState) admit(ctx context.Context, tx *Tx) (within *Tx, err error) {
	for {
		if err := st.lock(ctx); err != nil {
			return nil, err
		}
		st.mu.Lock()
		err := st.readyLocked()
		top := st.top()
		within := st.standing()
		st.mu.Unlock()
		if err != nil {
			st.gate.Unlock()
			return nil, err
		}
		if top == tx || top.over == nil || insideHidden() {
			return within, nil
		}
		st.gate.Unlock()
		select {
		case <-top.over:
		case <-ctx.Done():
			return nil, &driver.NotSentError{Err: ctx.Err()}
		}
	}
}

// standing is the innermost savepoint that is not rolled back. st.mu is held.
func (st *txState) standing() *Tx {
	i := len(st.stack) - 1
	for i > 0 && st.stack[i].wentBack {
		i--
	}
	return st.stack[i]
}

// place is where the statements of the transaction itself go; before it has begun, the
// primary.
func (st *txState) place() *place {
	p := &place{}
	st.locate(p)
	return p
}

func (st *txState) locate(p *place) {
	p.inTx(st.stack[0], "a transaction")
	if st.conn == nil {
		p.tx, p.by, p.on, p.node, p.begins = nil, nil, nil, nil, true
	}
}

// turn is what is sent to begin or end a transaction, or a savepoint in it. COMMIT takes
// the place of BEGIN.
type turn struct {
	place     place
	statement statement
}

// turn sends t, which is part of x and new.
func (tx *Tx) turn(ctx context.Context, op, text string, t *turn, x exchange) error {
	tx.st.endsFor(ctx)
	tx.st.locate(&t.place)
	t.statement = statement{op: op, text: text, turns: true, write: true}
	_, err := t.place.send(ctx, &t.statement, x)
	return err
}

func (tx *Tx) commit(ctx context.Context) error {
	err := tx.st.mayCommit()
	if err == nil {
		err = tx.st.mark(ctx)
	}
	if err != nil {
		_ = tx.rollback(ctx)
		return err
	}
	t := tx.st.spare
	if tx.st.spare = nil; t == nil {
		t = &turn{}
	}
	*t = turn{}
	return tx.st.settled(ctx, tx.turn(ctx, "commit", "COMMIT", t, &ending{st: tx.st, commit: true}))
}

func (tx *Tx) rollback(ctx context.Context) error {
	return tx.turn(ctx, "rollback", "ROLLBACK", &turn{}, &ending{st: tx.st})
}

// ending is the exchange of COMMIT and ROLLBACK.
type ending struct {
	st     *txState
	commit bool
}

func (x *ending) exchange(ctx context.Context, _ *place, _ *statement) (driver.Result, error) {
	st := x.st
	if !x.commit {
		st.gate.LockAnyway()
	} else if err := st.lock(ctx); err != nil {
		return unknownRows, err
	}
	defer st.gate.Unlock()
	st.mu.Lock()
	done, cause := st.done, st.cause
	err := st.readyLocked()
	st.mu.Unlock()
	switch {
	case !x.commit && cause != nil && done:
		return unknownRows, nil // the watcher has done it
	case done || x.commit && err != nil:
		return unknownRows, err // who began it rolls back
	}
	defer st.end(nil)
	st.endLent()
	if !x.commit {
		return unknownRows, st.conn.Rollback(ctx)
	}
	asks := st.asks()
	err = st.conn.Commit(ctx)
	st.commitErr = &err
	if err == nil {
		st.learn(ctx, asks)
	}
	return unknownRows, err
}

// end notes that the transaction is over and gives its connection back, which rolls back
// what is open still. The gate is held.
func (st *txState) end(cause error) {
	st.mu.Lock()
	done := st.done
	st.done = true
	if st.cause == nil {
		st.cause = cause
	}
	st.mu.Unlock()
	if done || st.conn == nil {
		return
	}
	st.age.end()
	st.endLent()
	st.conn.Release()
	st.node.transactions.Add(-1)
}

// endLent closes what raw methods gave out. The gate is held.
func (st *txState) endLent() {
	st.mu.Lock()
	scopes, cause := st.stack, st.cause
	st.mu.Unlock()
	for i := len(scopes) - 1; i >= 0; i-- {
		if scopes[i].lent.group != nil {
			scopes[i].lent.end(&endedError{st.e.name, "rows of a transaction on connection", ErrTxDone, cause})
		}
	}
}

// endedRows is what rows tell that were open at the end of the savepoint.
func (tx *Tx) endedRows() error {
	return &endedError{tx.st.e.name, "rows of a savepoint on connection", ErrTxDone, nil}
}

// savepoint is the exchange of the statement that begins a savepoint.
type savepoint struct {
	turn
	outer, inner *Tx
}

func (x *savepoint) exchange(ctx context.Context, _ *place, s *statement) (driver.Result, error) {
	st := x.outer.st
	if _, err := st.admit(ctx, x.outer); err != nil {
		return unknownRows, err
	}
	defer st.gate.Unlock()
	st.mu.Lock()
	err := st.nests(x.outer)
	st.mu.Unlock()
	if err != nil {
		return unknownRows, err
	}
	if _, err := st.conn.Exec(ctx, s.text, nil); err != nil {
		return unknownRows, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.stack = append(st.stack, x.inner)
	return unknownRows, nil
}

// leaving is the exchange of the statements that end a savepoint.
type leaving struct {
	turn
	tx *Tx
}

func (x *leaving) exchange(ctx context.Context, _ *place, s *statement) (driver.Result, error) {
	st := x.tx.st
	if err := st.lock(ctx); err != nil {
		return unknownRows, err
	}
	defer st.gate.Unlock()
	if err := x.tx.usable(); err != nil {
		return unknownRows, err
	}
	if err := st.ready(); err != nil {
		return unknownRows, err
	}
	x.tx.lent.end(x.tx.endedRows())
	if _, err := st.conn.Exec(ctx, s.text, nil); err != nil {
		return unknownRows, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	x.tx.wentBack = true
	return unknownRows, nil
}

// nests says whether a savepoint may be begun in outer. st.mu is held.
func (st *txState) nests(outer *Tx) error {
	if outer.ended || st.done || st.cause != nil {
		return st.doneError()
	}
	if top := st.top(); top != outer && top.over == nil {
		return errorf("transaction on connection %q: savepoint %s is open, which is not inside of this one: %w", st.e.name, top.name, ErrBusy)
	}
	return nil
}

// nameIt gives a savepoint inside outer its name in the transaction.
func (st *txState) nameIt(outer, inner *Tx) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := st.nests(outer); err != nil {
		return err
	}
	st.names++
	inner.name = "dbfleet_" + strconv.Itoa(st.names)
	return nil
}

// pop ends the savepoint, with those that goroutines have left open inside of it.
func (tx *Tx) pop() {
	st := tx.st
	st.mu.Lock()
	defer st.mu.Unlock()
	for i, open := range st.stack {
		if open != tx {
			continue
		}
		for _, inner := range st.stack[i:] {
			inner.ended = true
			if inner.over != nil {
				close(inner.over)
			}
		}
		st.stack = st.stack[:i:i]
		return
	}
	tx.ended = true
}
