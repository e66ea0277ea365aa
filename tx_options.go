package dbfleet

import (
	"context"
	"database/sql"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// TxOptions say how a transaction runs. The zero value is the database's
// default isolation, for reading and writing, tried once.
//
// Inside a transaction on the same connection they say what its function needs: the
// savepoint that Transaction makes there is as the outer transaction is, and what that
// one does not give is an error, before anything is sent. See the fields. Without
// options a savepoint takes what there is.
type TxOptions struct {
	// Isolation is the isolation level. PostgreSQL has read uncommitted, which there is
	// read committed, read committed, repeatable read, for which snapshot is another
	// name, and serializable; MySQL has these but snapshot; on SQLite every transaction
	// is serializable. One that the database does not have is ErrInvalidValue, and nothing
	// is sent. The default is what the session's parameters, the account, the database or
	// the server say.
	//
	// Inside a transaction the outer one must be at least as strict. If that was begun
	// with the default, the server is asked for it, once and without hooks.
	Isolation sql.IsolationLevel
	// ReadOnly makes the database refuse writes, with ErrReadOnly: PostgreSQL and MySQL
	// by the transaction, SQLite by query_only for as long as it lasts. On SQLite it
	// waits for no writer.
	//
	// A transaction that is ReadOnly cannot be inside of one that writes, which would not
	// refuse writes, nor one whose options do not say ReadOnly inside of one that is:
	// that error is ErrReadOnly.
	ReadOnly bool
	// Deferrable lets the transaction wait at its first statement until it can run
	// without failing, or making others fail, by a serialization conflict: for long
	// reports. PostgreSQL only, and only with ReadOnly and sql.LevelSerializable; an
	// error otherwise. Inside a transaction the outer one must be Deferrable too.
	Deferrable bool
	// Retries is how often the whole closure is run again after a failure for
	// which IsRetryable holds, whoever of the closure returned it, with a growing random
	// pause of at most half a second. What the closure does outside the database then
	// happens again too. At most 10.
	//
	// Nothing is run again once ctx has ended, or would end within the pause, nor when
	// something may be committed: after an unknown outcome, or if a statement has
	// committed the transaction by itself, as on MySQL. Functions of AfterRollback are
	// called before the pause.
	//
	// Only a whole transaction can be run again: the Retries of one inside another are
	// not used. Its error is for the function of the outermost to return, which is run
	// again if it has Retries.
	//
	// Defaults to 0.
	Retries int
	// RetryStale lets Retries run the closure again after ErrStaleRecord as well: somebody
	// else has written a row that it had read. It is for closures that read the records
	// that they save, each time anew, and decide by what they read. One that saves a record
	// which was read outside fails at each attempt, with ErrStaleRecord in the end. Whoever has
	// shown a person what was read leaves it off, and asks again.
	//
	// It needs Retries. Defaults to false: a lost race is for the caller to decide.
	RetryStale bool
	// Resolvable makes it possible to ask for the outcome when the answer to COMMIT is
	// lost; see CommitUnknownError.Resolve. Transaction does so itself, as long as ctx
	// allows and for five seconds at most: then a transaction that was committed returns
	// nil, and one that was not is ErrTxLost, for which IsRetryable holds. Inside a
	// transaction the outer one must be Resolvable too. An Atomic needs no such option.
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

// check returns what is wrong with the options themselves.
func (o *TxOptions) check(db *DB) error {
	if o.Retries < 0 || o.Retries > maxRetries {
		return errorf("connection %q: TxOptions.Retries is %d, not 0 to %d", db.name, o.Retries, maxRetries)
	}
	if o.RetryStale && o.Retries == 0 {
		return errorf("connection %q: TxOptions.RetryStale says what Retries is for, which is 0", db.name)
	}
	if o.Resolvable && o.ReadOnly {
		return errorf("connection %q: TxOptions.Resolvable: a transaction that is ReadOnly has no outcome to ask for", db.name)
	}
	if o.Isolation == sql.LevelDefault && !o.Deferrable {
		return nil
	}
	e, err := db.reg.lookup(db.name)
	if err != nil {
		return err
	}
	if _, ok := e.dialect.Strictness(o.Isolation); !ok && o.Isolation != sql.LevelDefault {
		return errorf("connection %q: TxOptions.Isolation: %s has no isolation level %s: %w", db.name, e.dialect.Name, o.Isolation, ErrInvalidValue)
	}
	switch {
	case !o.Deferrable:
	case !e.dialect.Deferrable:
		return errorf("connection %q: TxOptions.Deferrable: %s has no deferrable transactions", db.name, e.dialect.Name)
	case !o.ReadOnly || o.Isolation != sql.LevelSerializable:
		return errorf("connection %q: TxOptions.Deferrable needs ReadOnly and sql.LevelSerializable", db.name)
	}
	return nil
}

// gives says why the transaction does not give what the options of one inside of it ask
// for.
func (st *txState) gives(ctx context.Context, o TxOptions) error {
	has, name := &st.options, st.e.name
	switch {
	case o == TxOptions{}:
		return nil
	case o.ReadOnly && !has.ReadOnly:
		return errorf("connection %q: a transaction that is ReadOnly cannot be inside one that writes: its writes would not be refused", name)
	case !o.ReadOnly && has.ReadOnly:
		return errorf("connection %q: a transaction that writes cannot be inside one that is ReadOnly: %w", name, ErrReadOnly)
	case o.Resolvable && !has.Resolvable:
		return errorf("connection %q: a transaction that is Resolvable cannot be inside one that is not", name)
	case o.Deferrable && !has.Deferrable:
		return errorf("connection %q: a transaction that is Deferrable cannot be inside one that is not", name)
	case o.Isolation == sql.LevelDefault || o.Isolation == has.Isolation:
		return nil
	}
	level, err := st.isolation(ctx)
	if err != nil {
		return err
	}
	if !atLeast(st.e.dialect, level, o.Isolation) {
		return errorf("connection %q: a transaction with the isolation level %s cannot be inside one with %s", name, o.Isolation, level)
	}
	return nil
}

// atLeast says that one isolation level is as strict as another.
func atLeast(d *dialect.Dialect, level, asked sql.IsolationLevel) bool {
	has, known := d.Strictness(level)
	wants, ok := d.Strictness(asked)
	return known && ok && has >= wants
}

// isolation is the transaction's level, which the server tells if no option did.
func (st *txState) isolation(ctx context.Context) (sql.IsolationLevel, error) {
	if st.options.Isolation != sql.LevelDefault {
		return st.options.Isolation, nil
	}
	level, err := st.askIsolation(ctx)
	var p place
	p.inTx(st.stack[0], "a transaction")
	return level, p.wrap(&statement{op: "isolation", turns: true}, err)
}

func (st *txState) askIsolation(ctx context.Context) (sql.IsolationLevel, error) {
	if err := st.lock(ctx); err != nil {
		return 0, err
	}
	defer st.gate.Unlock()
	if err := st.ready(); err != nil {
		return 0, err
	}
	if st.level != sql.LevelDefault {
		return st.level, nil
	}
	level, err := st.conn.Isolation(ctx)
	if err == nil {
		st.level = level
	}
	return level, err
}
