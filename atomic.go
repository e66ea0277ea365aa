package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/twophase"
)

// Atomic runs fn in a transaction on each of the named connections, and commits all of
// them or none, also when this process, a server or a connection is lost at any moment:
// what is then left is finished by Recover, in this or another process.
//
// The context that fn gets carries the transactions: models, queries and raw methods
// take part by the connection that they route to, and one that routes to a connection
// which is not named is an *AtomicConnectionError; OutsideTx escapes. fn's nil commits; an
// error, a panic, runtime.Goexit and the end of ctx roll everything back. Inside of fn,
// Transaction on a named connection, and Atomic of named ones, are savepoints.
//
// Where at most one connection was written to, its plain COMMIT decides. Otherwise the
// commit is one in two phases: PREPARE TRANSACTION on PostgreSQL, XA on MySQL and MariaDB.
// One connection, the first that was named or the one of SQLite, does not prepare: its
// COMMIT carries the decision, in the table dbfleet_ledger, which every named database
// gets when it is first needed. There may be one SQLite at most. What a database must
// have for this is checked then: max_prepared_transactions on PostgreSQL, the version on
// MySQL; the error says what to set. See docs/atomic.md.
//
// nil means that all are committed. A *AtomicError says that the outcome is another one
// than a rollback: ErrCommitPending is decided, and branches that it names will be
// committed; ErrCommitUnknown is all or none, and Resolve asks for it. Every other error
// means that nothing is committed, unless it is ErrTxCommitted or ErrOutcomeUnknown: then
// a statement of fn has committed the transaction that it stood in.
//
// It is atomic, not isolated: between the first COMMIT and the last others see some of
// the databases changed and some not.
//
// options hold for each of the transactions. Retries run the whole of fn again.
func (r *Registry) Atomic(ctx context.Context, connections []string, fn func(ctx context.Context) error, options ...TxOptions) error {
	if err := r.usable(); err != nil {
		return err
	}
	if err := checkContext(ctx, ""); err != nil {
		return errorf("Atomic: %w", err)
	}
	if fn == nil {
		return errorf("Atomic: the function is nil")
	}
	o, err := atMostOne(options)
	if err != nil {
		return errorf("Atomic: %w", err)
	}
	names := make([]string, len(connections))
	for i, name := range connections {
		names[i] = r.nameOr(name)
		if slices.Contains(names[:i], names[i]) {
			return errorf("Atomic: connection %q is named twice", names[i])
		}
	}
	if len(names) == 0 {
		return errorf("Atomic: no connection is named")
	}
	inside, err := r.insideAtomic(ctx, names)
	switch {
	case err != nil:
		return err
	case inside:
		return r.nestedAtomic(ctx, names, fn)
	case len(names) == 1:
		return r.Transaction(ctx, names[0], func(ctx context.Context, _ *Tx) error { return fn(ctx) }, o)
	}
	for _, name := range names {
		if g, _ := r.groupOf(name); g != nil {
			return errorf("Atomic: connection %q is another database for each tenant; it takes part in no Atomic of several connections", name)
		}
		if err := o.check(r.DB(name)); err != nil {
			return errorf("Atomic: %w", err)
		}
	}
	for attempt := 0; ; attempt++ {
		err := r.atomicOnce(ctx, names, fn, o)
		if err == nil || attempt >= o.Retries || !o.again(err) || !pause(ctx, attempt) {
			return err
		}
	}
}

// insideAtomic says whether ctx carries transactions on all of the connections. Some of
// them are an error: they could not end together with new ones.
func (r *Registry) insideAtomic(ctx context.Context, names []string) (bool, error) {
	var has, missing []string
	for _, name := range names {
		if txOf(ctx, r, name) != nil {
			has = append(has, name)
		} else {
			missing = append(missing, name)
		}
	}
	if len(has) > 0 && len(missing) > 0 {
		return false, errorf("Atomic: the context carries a transaction on %s and none on %s; what must end together begins together", quotedList(has), quotedList(missing))
	}
	_, err := txFor(ctx, r, names[0])
	return len(has) > 0, err
}

// nestedAtomic runs fn behind a savepoint on each connection.
func (r *Registry) nestedAtomic(ctx context.Context, names []string, fn func(ctx context.Context) error) error {
	if len(names) == 0 {
		return fn(ctx)
	}
	return r.Transaction(ctx, names[0], func(ctx context.Context, _ *Tx) error { return r.nestedAtomic(ctx, names[1:], fn) })
}

// AtomicConnectionError tells of an operation inside of Atomic that belongs to a
// connection which Atomic does not name.
type AtomicConnectionError struct {
	Connection string
	Named      []string
}

func (e *AtomicConnectionError) Error() string {
	return fmt.Sprintf("dbfleet: connection %q does not take part in the Atomic of the context, which names %s; OutsideTx escapes it", e.Connection, quotedList(e.Named))
}

var (
	// ErrCommitPending says that an Atomic is decided to be committed, and that some of
	// its databases could not be reached to do so yet. Nothing is to be done again.
	// Recover finishes it.
	ErrCommitPending = errors.New("dbfleet: committed, but not on all databases yet")
	// ErrCommitMixed says that a part of an Atomic was finished contrary to its decision:
	// by somebody from outside, which InDoubt shows until Acknowledge is called, or by a
	// statement in it that has committed its own transaction, as a procedure may do on
	// MySQL.
	ErrCommitMixed = errors.New("dbfleet: a part of the atomic commit was finished contrary to its decision")
)

// AtomicError tells of an Atomic that is neither committed on all of its databases nor
// rolled back on all of them, as far as is known. It matches ErrCommitPending,
// ErrCommitUnknown (and with it ErrOutcomeUnknown) or ErrCommitMixed.
type AtomicError struct {
	// ID names the atomic commit in the databases and in InDoubt; "" where only one
	// connection was written to.
	ID string
	// Pending are the connections whose branches may still be prepared, and hold their
	// locks until they are finished.
	Pending []string
	// Err is what stood in the way.
	Err error

	is  error
	reg *Registry
}

func (e *AtomicError) Error() string {
	text := strings.TrimPrefix(e.kind().Error(), prefix)
	if e.ID != "" {
		text += ": " + e.ID
	}
	if len(e.Pending) > 0 {
		text += ": pending on " + quotedList(e.Pending)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return prefix + "atomic: " + text
}

func (e *AtomicError) kind() error {
	if e.is == nil {
		return ErrCommitUnknown
	}
	return e.is
}

// Unwrap returns the cause. What that says of the outcome of a single statement is not
// said of the whole.
func (e *AtomicError) Unwrap() error { return ofWhole(e.Err) }

// Is matches what has become of the commit.
func (e *AtomicError) Is(target error) bool {
	return target == e.kind() || target == ErrOutcomeUnknown && e.kind() == ErrCommitUnknown
}

// ofWhole is the cause of an outcome that is known, of which one statement's may not be:
// the answer to a COMMIT was lost, say, that has been made impossible since.
func ofWhole(err error) error {
	if !errors.Is(err, ErrOutcomeUnknown) {
		return err
	}
	return &knownOutcome{err}
}

type knownOutcome struct{ err error }

func (e *knownOutcome) Error() string { return e.err.Error() }

func (e *knownOutcome) Is(target error) bool {
	return target != ErrOutcomeUnknown && target != ErrCommitUnknown && errors.Is(e.err, target)
}

// As finds what the error wraps, but no QueryError: its class would be told of the whole.
func (e *knownOutcome) As(target any) bool {
	if _, ok := target.(**QueryError); ok {
		return false
	}
	return errors.As(e.err, target)
}

// Resolve asks what became of the commit; see Registry.ResolveAtomic.
func (e *AtomicError) Resolve(ctx context.Context) (committed bool, err error) {
	switch {
	case e == nil || e.reg == nil:
		return false, errorf("the AtomicError is nil, or not of this package")
	case e.ID == "":
		return false, errorf("atomic: only one connection was written to, and the answer to its COMMIT was lost: %w", ErrOutcomeUnknown)
	}
	return e.reg.ResolveAtomic(ctx, e.ID)
}

// ResolveAtomic asks what became of an atomic commit whose outcome is unknown, by the
// ID of its AtomicError, in the database that decides it. committed is exact if err is nil:
// where it is false, no part was or ever will be committed. An error that is
// ErrOutcomeUnknown says that it cannot be told now.
func (r *Registry) ResolveAtomic(ctx context.Context, id string) (committed bool, err error) {
	if err := r.usable(); err != nil {
		return false, err
	}
	if err := checkContext(ctx, ""); err != nil {
		return false, errorf("ResolveAtomic: %w", err)
	}
	parsed, ok := twophase.ParseID(id)
	if !ok {
		return false, errorf("ResolveAtomic: %q is not the ID of an atomic commit", id)
	}
	all, err := r.members(ctx)
	for _, m := range all.list {
		if m.LedgerID != parsed.Ledger() {
			continue
		}
		switch out, err := twophase.Ask(besideTx(ctx), m.Ledger, parsed); {
		case err != nil:
			return false, errorf("atomic %s, decided on connection %q: %w: %w", id, m.Name, ErrOutcomeUnknown, err)
		case out == twophase.Unknown:
			return false, errorf("atomic %s, decided on connection %q: its COMMIT may be under way: %w", id, m.Name, ErrOutcomeUnknown)
		case out == twophase.Mixed:
			return false, &AtomicError{ID: id, is: ErrCommitMixed, reg: r}
		default:
			return out != twophase.RolledBack, nil
		}
	}
	return false, errorf("atomic %s: none of the connections that answer decides it: %w", id, errors.Join(ErrOutcomeUnknown, err, all.unseen()))
}
