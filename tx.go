package dbfleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// TxOptions say how a transaction runs. The zero value is the database's
// default isolation, for reading and writing, tried once.
type TxOptions struct {
	// Isolation is the isolation level; one that the database does not have is
	// an error.
	Isolation sql.IsolationLevel
	// ReadOnly makes the database refuse writes.
	ReadOnly bool
	// Retries is how often the whole closure is run again after a failure for
	// which IsRetryable holds, with a growing random pause. What the closure
	// does outside the database then happens again too. At most 10.
	//
	// Defaults to 0.
	Retries int
	// Resolvable makes it possible to ask for the outcome when the answer to COMMIT is
	// lost; see CommitUnknownError.Resolve. Transaction does so itself, as long as ctx
	// allows and for five seconds at most: then a transaction that was committed returns
	// nil, and one that was not is ErrTxLost, for which IsRetryable holds.
	//
	// It costs one INSERT right before COMMIT, of a row in the table dbfleet_outcomes. The
	// table is made in the session's schema when it is first needed and missing; where the
	// account may not do that, the error tells the statement. Rows of transactions whose
	// outcome is known are deleted a hundred at a time, all others after a week. On SQLite
	// it costs nothing: no answer is lost within a process. A transaction that is ReadOnly
	// has no outcome to ask for, and does not take it.
	Resolvable bool
}

const maxRetries = 10

// Transaction runs fn in a transaction on one connection; "" is the default.
//
// The context that fn gets carries the transaction for that connection: models,
// queries, tables and raw methods that route to it take part; whatever routes
// elsewhere runs on its own. fn's nil commits; an error, a panic,
// runtime.Goexit and the end of ctx roll back. Inside a transaction on the same
// connection, Transaction makes a savepoint: its failure undoes only what it
// did, its success is released into the outer transaction; it takes no options.
//
// A failed statement aborts the whole transaction on PostgreSQL, and not on
// MySQL and SQLite: an fn that goes on after an error gets ErrTxLost from
// PostgreSQL's commit. A deadlock, a lock timeout on MySQL, or a lost
// connection ends it on every database: nothing later in it is sent. An error
// that is ErrCommitUnknown means that the answer to COMMIT was lost: it may
// have been done. It is a *CommitUnknownError, which can tell if the transaction is
// Resolvable.
//
// A statement that changes the schema ends a transaction on MySQL by itself.
func (r *Registry) Transaction(ctx context.Context, name string, fn func(ctx context.Context, tx *Tx) error, options ...TxOptions) error {
	return r.DB(name).Transaction(ctx, fn, options...)
}

// Transaction runs fn in a transaction on this connection; see
// Registry.Transaction.
func (db *DB) Transaction(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, options ...TxOptions) error {
	if err := db.begins(ctx, fn != nil); err != nil {
		return err
	}
	o, err := atMostOne(options)
	if err != nil {
		return errorf("connection %q: %w", db.name, err)
	}
	if o.Retries < 0 || o.Retries > maxRetries {
		return errorf("connection %q: TxOptions.Retries is %d, not 0 to %d", db.name, o.Retries, maxRetries)
	}
	if o.Resolvable && o.ReadOnly {
		return errorf("connection %q: TxOptions.Resolvable: a transaction that is ReadOnly has no outcome to ask for", db.name)
	}
	if db.read {
		return errorf("connection %q: a transaction begins on the primary's handle: %w", db.name, ErrReadHandle)
	}
	if tx := txOf(ctx, db.reg, db.name); tx != nil {
		return tx.nested(ctx, fn, o)
	}
	for attempt := 0; ; attempt++ {
		err := db.once(ctx, fn, o)
		if err == nil || attempt >= o.Retries || !IsRetryable(err) || ctx.Err() != nil {
			return err
		}
		if pause(ctx, attempt) != nil {
			return err
		}
	}
}

// begins returns what is missing for a transaction.
func (db *DB) begins(ctx context.Context, hasFn bool) error {
	if err := db.usable(); err != nil {
		return err
	}
	if err := checkContext(ctx, db.name); err != nil {
		return err
	}
	if !hasFn {
		return errorf("connection %q: Transaction: the function is nil", db.name)
	}
	return nil
}

// Transaction runs fn behind a savepoint of this transaction. It fails with
// ErrBusy while another savepoint of it is open that this one is not inside of:
// savepoints end in the reverse order of their beginnings.
func (tx *Tx) Transaction(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if err := tx.given(); err != nil {
		return err
	}
	name := tx.st.e.name
	if err := checkContext(ctx, name); err != nil {
		return err
	}
	if fn == nil {
		return errorf("connection %q: Transaction: the function is nil", name)
	}
	return tx.nested(ctx, fn, TxOptions{})
}

// pause waits before another attempt: about 5 ms, doubling up to half a
// second, each between half and all of that.
func pause(ctx context.Context, attempt int) error {
	d := min(5*time.Millisecond<<attempt, 500*time.Millisecond)
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Transaction runs fn in a transaction on the connection that the query routes
// to; see Registry.Transaction.
func (q *Query[T]) Transaction(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, options ...TxOptions) error {
	return (*query)(q).transaction(ctx, fn, options)
}

func (q *query) transaction(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, options []TxOptions) error {
	if err := q.usable(); err != nil {
		return err
	}
	if q.wish().tx != nil {
		return errors.New("dbfleet: a query that uses a transaction begins none; use Tx.Transaction")
	}
	if err := checkContext(ctx, ""); err != nil {
		return err
	}
	to, err := q.destination()
	if err != nil {
		return told(err)
	}
	if q.wish().read {
		return errorf("connection %q: a transaction begins on the primary's handle: %w", to.connection, ErrReadHandle)
	}
	return q.src.reg.Transaction(ctx, to.connection, fn, options...)
}

// Tx is a transaction, or a savepoint in one, while its closure runs. Its
// methods may be called by several goroutines; statements run one at a time.
// After its end every method fails with ErrTxDone, and so does what is run with
// the context that the closure got.
//
// A connection is in one savepoint at a time: a statement through the handle or
// the context of an outer one is undone with the innermost.
type Tx struct {
	st    *txState
	name  string // of the savepoint; "" is the transaction itself
	ended bool   // protected by st.mu

	undo  []func()    // protected by st.mu
	after []*afterEnd // protected by st.mu
}

// Connection is the name of the transaction's connection.
func (tx *Tx) Connection() string {
	must("Tx.Connection", tx.given())
	return tx.st.e.name
}

// String tells the connection.
func (tx *Tx) String() string {
	if tx.given() != nil {
		return "dbfleet.Tx(nil)"
	}
	return fmt.Sprintf("dbfleet.Tx(%q)", tx.st.e.name)
}

// Format writes String for every verb.
func (tx *Tx) Format(f fmt.State, _ rune) { fmt.Fprint(f, tx.String()) }

func (tx *Tx) usable() error {
	if err := tx.given(); err != nil {
		return err
	}
	tx.st.mu.Lock()
	defer tx.st.mu.Unlock()
	if tx.ended || tx.st.done {
		return tx.st.doneError()
	}
	return nil
}

type txKey struct{}

// txList is what a context knows of transactions, the innermost first. A nil
// tx hides all outer ones.
type txList struct {
	tx    *Tx
	outer *txList
}

func withTx(ctx context.Context, tx *Tx) context.Context {
	outer, _ := ctx.Value(txKey{}).(*txList)
	return context.WithValue(ctx, txKey{}, &txList{tx: tx, outer: outer})
}

// txOf returns the transaction, or the savepoint in it, that ctx carries for a
// connection. It may have ended.
func txOf(ctx context.Context, r *Registry, name string) *Tx {
	if ctx == nil {
		return nil // which is told on the way
	}
	l, _ := ctx.Value(txKey{}).(*txList)
	for ; l != nil && l.tx != nil; l = l.outer {
		if e := l.tx.st.e; e.name == name && e.reg == r {
			return l.tx
		}
	}
	return nil
}

// OutsideTx returns a context that carries no transaction: what runs with it
// is on its own, also inside a closure of Transaction.
func OutsideTx(ctx context.Context) context.Context {
	mustHave("OutsideTx", "context", ctx != nil)
	return context.WithValue(ctx, txKey{}, &txList{})
}

// once runs one attempt.
func (db *DB) once(ctx context.Context, fn func(context.Context, *Tx) error, o TxOptions) error {
	e, err := db.reg.use(db.name)
	if err != nil {
		return err
	}
	defer e.leave()
	st := &txState{held: held{e: e, node: e.primary()}}
	tx := &Tx{st: st}
	st.stack = []*Tx{tx}
	defer func() {
		if st.conn != nil {
			st.node.transactions.Add(-1)
			st.conn.Release()
		}
	}()
	returned := false
	defer func() {
		if !returned && st.conn != nil { // a panic, or runtime.Goexit, of fn or of a hook after BEGIN
			_ = st.rollback(ctx)
			tx.undone(nil, errPanicked)
			tx.tell(ctx, rolledBack, errPanicked)
		}
	}()
	if err := st.begin(ctx, o); err != nil {
		returned = true
		return err
	}
	err = fn(withTx(ctx, tx), tx)
	returned = true
	if err == nil && ctx.Err() != nil {
		err = errorf("transaction on connection %q rolled back: %w", e.name, ctx.Err())
	}
	how := committed
	if err != nil {
		_ = st.rollback(ctx) // its failure changes nothing: without a commit nothing persists
		how = rolledBack
	} else if err = st.commit(ctx); errors.Is(err, ErrCommitUnknown) {
		how = unknownOutcome
	} else if err != nil {
		how = rolledBack
	}
	if how == rolledBack {
		tx.undone(nil, err)
	}
	tx.tell(ctx, how, err)
	return err
}

// nested runs fn between a savepoint and its release.
func (tx *Tx) nested(ctx context.Context, fn func(context.Context, *Tx) error, o TxOptions) error {
	st := tx.st
	if o != (TxOptions{}) {
		return errorf("connection %q: a transaction inside another takes no options", st.e.name)
	}
	inner := &Tx{st: st}
	if err := tx.push(inner); err != nil {
		return err
	}
	defer inner.pop()
	if err := inner.savepoint(ctx, "savepoint", "SAVEPOINT "+inner.name); err != nil {
		return err
	}
	returned := false
	defer func() {
		if !returned {
			_ = inner.back(ctx)
			inner.undone(tx, errPanicked)
		}
	}()
	err := fn(withTx(ctx, inner), inner)
	returned = true
	if err == nil && ctx.Err() != nil {
		err = errorf("savepoint on connection %q rolled back: %w", st.e.name, ctx.Err())
	}
	if err != nil {
		backErr := inner.back(ctx)
		inner.undone(tx, err)
		if backErr != nil && !errors.Is(backErr, ErrTxDone) {
			return errors.Join(err, backErr)
		}
		return err
	}
	if err = inner.savepoint(ctx, "release", "RELEASE SAVEPOINT "+inner.name); err != nil {
		inner.undone(tx, err)
		return err
	}
	inner.released(tx)
	return nil
}

// savepointTimeout bounds the way back to a savepoint whose context has ended.
const savepointTimeout = time.Second

// back undoes what was done since the savepoint and forgets it.
func (tx *Tx) back(ctx context.Context) error {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), savepointTimeout)
		defer cancel()
	}
	if err := tx.savepoint(ctx, "rollback to", "ROLLBACK TO SAVEPOINT "+tx.name); err != nil {
		return err
	}
	return tx.savepoint(ctx, "release", "RELEASE SAVEPOINT "+tx.name)
}
