package dbfleet

import (
	"context"
	"errors"
	"fmt"
)

// Transaction runs fn in a transaction on one connection; "" is the default.
//
// The context that fn gets carries the transaction for that connection: models,
// queries, tables and raw methods that route to it take part; whatever routes
// elsewhere runs on its own. fn's nil commits; an error, a panic,
// runtime.Goexit and the end of ctx roll back. Inside a transaction on the same
// connection, Transaction makes a savepoint: its failure undoes only what it
// did, its success is released into the outer transaction. What its options ask for
// the outer one must give; see TxOptions.
//
// When a transaction or savepoint is undone, each attempt of Retries among them, the
// records that Create, Save, SaveColumns, Delete, Upsert, CreateMany and UpsertMany were
// given in it get back what their columns held before each call: ids, times, and what
// callbacks have changed. It is the records at the addresses that were given, once fn
// has returned: not copies, nor what reads and CreateFrom return. What is no column
// stays, a column that the program has set since stays, and a record whose key is
// another by then stays whole. Nothing is restored if the outcome is unknown. Until its
// end a transaction keeps what it would restore: an allocation for each record that was
// changed, one for all records of CreateMany or UpsertMany, with the old and the new
// values of the columns that changed and of the key. No other goroutine may use the
// records when fn returns.
//
// A failed statement aborts the whole transaction on PostgreSQL, and not on
// MySQL and SQLite: an fn that goes on after an error gets ErrTxLost from
// PostgreSQL's commit. A deadlock, a lock timeout on MySQL, or a lost
// connection ends it on every database: nothing later in it is sent. An error
// that is ErrCommitUnknown means that the answer to COMMIT was lost: it may
// have been done. It is a *CommitUnknownError, which can tell if the transaction is
// Resolvable.
//
// PostgreSQL gets BEGIN with the first statement: together with it if that is a plain read, in
// one round trip, else just before it. What refuses BEGIN, as a standby refuses a serializable
// transaction, is the error of that statement, whose time is the transaction's now(); without a
// statement nothing is sent, not even COMMIT. Should the connection be lost before the server
// has answered BEGIN, that, and a plain read with it, goes to another one.
//
// A statement that MySQL is known to commit by itself, as one that changes the schema,
// is refused there before it is sent, and the transaction goes on. What its words do not
// tell (CALL of a procedure with COMMIT, EXECUTE IMMEDIATE) is noticed at once: the
// error is ErrTxLost with ErrOutcomeUnknown or ErrTxCommitted, nothing later is sent,
// Retries do not run fn again, and an error of fn's own comes back with that one. Such
// statements cost two round trips more.
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
	if err := o.check(db); err != nil {
		return err
	}
	if db.read {
		return errorf("connection %q: a transaction begins on the primary's handle: %w", db.name, ErrReadHandle)
	}
	tx, err := txFor(ctx, db.reg, db.name)
	if err != nil {
		return err
	}
	if tx != nil {
		return tx.nestedWith(ctx, fn, o)
	}
	return db.attempts(ctx, fn, o)
}

// framed is Transaction for a verb that needs its statements to be undone together.
func (db *DB) framed(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	if err := db.begins(ctx, fn != nil); err != nil {
		return err
	}
	tx, err := txFor(ctx, db.reg, db.name)
	if err != nil {
		return err
	}
	if tx != nil {
		return tx.hidden(ctx, fn)
	}
	return db.attempts(ctx, fn, TxOptions{})
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
	return tx.nested(ctx, &Tx{st: tx.st}, fn)
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
	st   *txState
	name string // of the savepoint; "" is the transaction itself
	lent lent   // of raw methods

	// over is closed when a savepoint has ended that a verb has made for itself; nil for
	// all others. Nobody else's statements run while it is open.
	over chan struct{}

	// The following are protected by st.mu.
	ended bool
	undo  []undoer
	after []*afterEnd
	into  *Tx   // that it was released into
	fate  error // that it was undone for

	wentBack bool // or was released: what is sent now stands in what is around it
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

// isOver says that the handle takes no statement any more.
func (tx *Tx) isOver() bool { return tx.usable() != nil }

type txKey struct{}

// txList is what a context knows of transactions, the innermost first. A nil
// tx hides all outer ones.
type txList struct {
	tx     *Tx
	outer  *txList    // of a nil tx, those that it hides
	atomic *atomicRun // of the Atomic that it is in, nil without one
	asked  *asked     // what the context asks for beside, nil for nothing
	inside bool       // of a nil tx: whoever asks with the context is waited for by the function of one that it hides
}

func withTx(ctx context.Context, tx *Tx) context.Context {
	outer := txsOf(ctx)
	inner := &txContext{ctx, txList{tx: tx, outer: outer}}
	if outer != nil {
		inner.list.atomic, inner.list.asked = outer.atomic, outer.asked
	}
	return inner
}

// any says that the context carries a transaction, or hides one; l may be nil.
func (l *txList) any() bool { return l != nil && (l.tx != nil || l.outer.any()) }

// txContext is a context with its transactions: context.WithValue in one allocation.
type txContext struct {
	context.Context
	list txList
}

// Value implements context.Context.
func (c *txContext) Value(key any) any {
	if _, ok := key.(txKey); ok {
		return &c.list
	}
	return c.Context.Value(key)
}

// txOf returns the transaction, or the savepoint in it, that ctx carries for a
// connection. It may have ended.
func txOf(ctx context.Context, r *Registry, name string) *Tx {
	tx, _ := txFor(ctx, r, name)
	return tx
}

// txFor is txOf. Without a transaction it is an error to be inside of an Atomic of the
// registry, which does not name the connection.
func txFor(ctx context.Context, r *Registry, name string) (*Tx, error) {
	if ctx == nil {
		return nil, nil // which is told on the way
	}
	list := txsOf(ctx)
	name, err := r.connectionFor(list.wants(), name)
	if err != nil {
		return nil, err
	}
	return list.txFor(r, name)
}

// txFor is txFor of the list's context; l may be nil.
func (l *txList) txFor(r *Registry, name string) (*Tx, error) {
	if l == nil || l.tx == nil {
		return nil, nil
	}
	for in := l; in != nil && in.tx != nil; in = in.outer {
		if e := in.tx.st.e; e.reg == r && e.serves(l.wants(), name) {
			return in.tx, nil
		}
	}
	if l.atomic != nil && l.atomic.reg == r {
		return nil, &AtomicConnectionError{Connection: name, Named: l.atomic.names}
	}
	return nil, nil
}

// OutsideTx returns a context that carries no transaction: what runs with it
// is on its own, also inside a closure of Transaction. It takes a connection of its
// own: in the closure of a transaction that has the only one of its pool, or of
// all tenants (TenantsConfig.MaxOpen), it is
// ErrBusy at once; in another goroutine it waits for the end of the transaction.
func OutsideTx(ctx context.Context) context.Context {
	mustHave("OutsideTx", "context", ctx != nil)
	return outsideTx(ctx, false)
}

func outsideTx(ctx context.Context, inside bool) context.Context {
	hidden := txsOf(ctx)
	list := &txList{outer: hidden, inside: inside}
	if hidden != nil {
		list.asked = hidden.asked
	}
	return context.WithValue(ctx, txKey{}, list)
}

// besideTx is OutsideTx for what a method of this package does on goroutines of its own,
// and waits for: in the function of a transaction that has the only connection of a pool,
// it is ErrBusy on all of them.
func besideTx(ctx context.Context) context.Context {
	return outsideTx(ctx, txsOf(ctx) != nil && insideClosure())
}
