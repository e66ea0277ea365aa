package driver

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/lex"
)

// The sentinels of this package. Each is matched with errors.Is.
var (
	// ErrBusy says that a statement was refused because rows are still open on
	// the connection. Nothing was sent.
	ErrBusy       = errors.New("connection is busy: the rows of an earlier statement are still open")
	errLent error = lentError{}

	// ErrOutcomeUnknown says that a write was sent and no answer came. It and
	// ErrCommitUnknown are those of package dbfleet, by which also what a *sql.DB or a
	// *sql.Stmt of a pool returns is known.
	ErrOutcomeUnknown = errors.New("dbfleet: outcome unknown")
	// ErrCommitUnknown says that COMMIT was sent and no answer came: the
	// transaction may have been committed or rolled back.
	ErrCommitUnknown = errors.New("dbfleet: outcome of the commit unknown")
	// ErrPoolClosed says that the pool was closed.
	ErrPoolClosed = errors.New("the connection pool is closed")
	// ErrImplicitCommit is the cause of a *TxLostError when a statement has committed
	// the transaction.
	ErrImplicitCommit = errors.New("the statement has committed the transaction: what came before it is written")
	// ErrTxRolledBack is the cause when it has rolled it back.
	ErrTxRolledBack = errors.New("the statement has rolled the transaction back")
	// ErrTxEnded is the cause when the server is no longer in the transaction, and does
	// not say how it ended.
	ErrTxEnded = errors.New("the statement has ended the transaction: what came before it may be written")
)

// lentError is ErrBusy on a connection that a function has the driver's own of.
type lentError struct{}

func (lentError) Error() string        { return "connection is busy: the function of Raw still has it" }
func (lentError) Is(target error) bool { return target == ErrBusy }

// A CommitUnknownError is what Commit returns when its answer was lost. It
// matches ErrCommitUnknown and ErrOutcomeUnknown; Err is why no answer came.
type CommitUnknownError struct{ Err error }

func (e *CommitUnknownError) Error() string {
	return "the outcome of COMMIT is unknown: " + e.Err.Error()
}

func (e *CommitUnknownError) Unwrap() error { return e.Err }

// Is reports whether target is ErrCommitUnknown or ErrOutcomeUnknown.
func (e *CommitUnknownError) Is(target error) bool {
	return target == ErrCommitUnknown || target == ErrOutcomeUnknown
}

// An AcquireTimeoutError says that no connection of the pool became free in
// time. Stats is the pool's state at that moment.
type AcquireTimeoutError struct {
	Node  string
	Wait  time.Duration
	Stats sql.DBStats
	// Err is the context's error when the context ended the wait, ErrRoom when another
	// server has a connection free; nil when the acquire timeout did.
	Err error
	// Budget is the bound of several pools together, if that was in the way; 0 is the
	// pool's own.
	Budget int
}

func (e *AcquireTimeoutError) Error() string {
	s := fmt.Sprintf("no connection to %s became free", e.Node)
	if e.Wait > 0 && e.Err == nil {
		s += " within " + e.Wait.String()
	}
	if e.Budget > 0 {
		s += fmt.Sprintf(": the budget of %d connections for all tenants is in use (%d open here, %d in use)", e.Budget, e.Stats.OpenConnections, e.Stats.InUse)
	} else {
		s += fmt.Sprintf(" (%d open, %d in use, at most %d)", e.Stats.OpenConnections, e.Stats.InUse, e.Stats.MaxOpenConnections)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *AcquireTimeoutError) Unwrap() error { return e.Err }

// Timeout reports true.
func (e *AcquireTimeoutError) Timeout() bool { return true }

// A ConnectError says that a connection could not be opened. Its text has no
// password in it.
type ConnectError struct {
	Node string
	Err  error
	text string
}

func (e *ConnectError) Error() string { return "connect to " + e.Node + ": " + e.text }

func (e *ConnectError) Unwrap() error { return e.Err }

// newConnectError makes one whose text shows neither a password nor a line
// break.
func newConnectError(node string, err error, passwords []string) *ConnectError {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	return &ConnectError{Node: node, Err: err, text: redact(text, passwords)}
}

// An UnansweredError says that a statement was sent and no answer came, so that
// the outcome of a write is unknown. Err is why.
type UnansweredError struct {
	Err error
	// Write says that the statement came through database/sql, outside of a transaction,
	// and is not known to be a plain read: the error matches ErrOutcomeUnknown.
	Write bool
}

func (e *UnansweredError) Error() string {
	return "the statement was sent but not answered: " + e.Err.Error()
}

func (e *UnansweredError) Unwrap() error { return e.Err }

// Is reports whether target is ErrOutcomeUnknown, and the outcome is.
func (e *UnansweredError) Is(target error) bool { return target == ErrOutcomeUnknown && e.Write }

// tellWrite completes the error of a statement that was not answered. Who holds a Conn
// knows better than its text tells what a statement is.
func (c *conn) tellWrite(query string, err error) {
	if u, ok := err.(*UnansweredError); ok && !c.tx.active && !c.held.Load() { //nolint:errorlint // as failed returns it
		u.Write = c.pool.dialect == nil || !lex.PlainRead(query, c.pool.dialect)
	}
}

// interruptedError is the end of a context that interrupted a statement. Who looks for
// a type of the driver's errors, as pgconn.Timeout does, finds it.
type interruptedError struct{ context, driver error }

func (e *interruptedError) Error() string      { return e.context.Error() }
func (e *interruptedError) Unwrap() error      { return e.context }
func (e *interruptedError) As(target any) bool { return errors.As(e.driver, target) }

// An UndoneError says that the connection was lost, or given up because the
// context ended, before a commit was sent: nothing was changed. Err is why.
type UndoneError struct{ Err error }

func (e *UndoneError) Error() string {
	return "the statement was undone before its commit: " + e.Err.Error()
}

func (e *UndoneError) Unwrap() error { return e.Err }

// A ConnLostError says that the connection was found broken. It stands in for
// the driver's own word for that, which database/sql would take as leave to
// execute the statement again.
type ConnLostError struct{ Err error }

func (e *ConnLostError) Error() string {
	if e.Err == nil {
		return "the connection is lost"
	}
	return "the connection is lost: " + e.Err.Error()
}

func (e *ConnLostError) Unwrap() error { return e.Err }

// EndedUnasked says that an error is that of a transaction which a statement has
// ended, so that something of it is committed or may be.
func EndedUnasked(err error) bool {
	return errors.Is(err, ErrImplicitCommit) || errors.Is(err, ErrTxEnded)
}

// endedError is a statement that has ended the transaction, and failed.
type endedError struct{ how, err error }

func (e *endedError) Error() string   { return e.how.Error() + ": " + e.err.Error() }
func (e *endedError) Unwrap() []error { return []error{e.how, e.err} }

// A CommitsError refuses a statement in a transaction that MySQL would commit before it
// runs the statement. The transaction goes on.
type CommitsError struct{ Statement string }

func (e *CommitsError) Error() string {
	return e.Statement + " commits the transaction that it runs in: run it outside of the transaction (it was not sent, and the transaction goes on)"
}
