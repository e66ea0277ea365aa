package dbfleet

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// What a caller decides on. Use errors.Is; the class of a database's error is
// told by its code, never by its text, on all databases alike.
var (
	// ErrNotFound says that no row matched. It matches sql.ErrNoRows. The text of an
	// error that is ErrNotFound tells the table, and the key's columns if it was looked
	// for by them; never a value.
	ErrNotFound error = notFound{}

	// ErrUnique is a violated unique or primary key.
	ErrUnique = errors.New("dbfleet: unique constraint violated")
	// ErrForeignKey is a violated foreign key.
	ErrForeignKey = errors.New("dbfleet: foreign key violated")
	// ErrNotNull is NULL for a column that refuses it.
	ErrNotNull = errors.New("dbfleet: not-null constraint violated")
	// ErrCheck is a violated check constraint.
	ErrCheck = errors.New("dbfleet: check constraint violated")
	// ErrInvalidValue is a value that the database refuses: too long, out of
	// range, wrongly encoded or of the wrong type.
	ErrInvalidValue = errors.New("dbfleet: value refused by the database")

	// ErrDeadlock is a deadlock that the database broke; the transaction is
	// rolled back and may be run again.
	ErrDeadlock = errors.New("dbfleet: deadlock")
	// ErrSerialization is a conflict of isolation; the transaction may be run
	// again.
	ErrSerialization = errors.New("dbfleet: serialization failure")
	// ErrLockTimeout is a lock that was not had in time, also SQLite's "busy".
	ErrLockTimeout = errors.New("dbfleet: lock not acquired in time")

	// ErrReadOnly is a write refused by a read-only server, session or
	// transaction.
	ErrReadOnly = errors.New("dbfleet: read-only")
	// ErrConnection is a connection that could not be made or was lost.
	ErrConnection = errors.New("dbfleet: connection failed")
	// ErrConnectionRefused is a server that could not be reached: nothing was
	// sent. It comes with ErrConnection.
	ErrConnectionRefused = errors.New("dbfleet: server not reachable")
	// ErrAuthentication is a server that refuses the account or the password.
	ErrAuthentication = errors.New("dbfleet: authentication failed")
	// ErrTooManyConnections is a server that takes no more connections.
	ErrTooManyConnections = errors.New("dbfleet: the server has too many connections")
	// ErrPoolTimeout is a pool in which no connection became free within
	// PoolConfig.AcquireTimeout. The error is an *AcquireTimeoutError.
	ErrPoolTimeout = errors.New("dbfleet: no free connection in time")
	// ErrTimeout is a statement that ran longer than the server or
	// StatementTimeout allows. A context's end is context.DeadlineExceeded
	// instead.
	ErrTimeout = errors.New("dbfleet: statement timeout")
	// ErrUndefined is a table, column, function or database that does not exist.
	// SQLite has no code for it: its error there is a *QueryError of no class.
	ErrUndefined = errors.New("dbfleet: no such object in the database")

	// ErrOutcomeUnknown says that a write was sent and no answer came: the
	// database may or may not have done it.
	ErrOutcomeUnknown = errors.New("dbfleet: outcome unknown")
	// ErrWritten says that a write succeeded, but not as asked: a trigger or a rule
	// left rows out, changed them or put them elsewhere, or what the database made
	// could not be read. What was written stays, so it is not to be sent again; in a
	// transaction it ends with that.
	ErrWritten = errors.New("dbfleet: written, but not as asked")
	// ErrCommitUnknown says that COMMIT was sent and no answer came. It is
	// never retried. It comes with ErrOutcomeUnknown.
	ErrCommitUnknown = errors.New("dbfleet: outcome of the commit unknown")
	// ErrTxLost says that the server has ended the transaction; nothing of it
	// persists and nothing more can be done in it but roll back. It comes with
	// the class of its cause, such as ErrDeadlock.
	ErrTxLost = errors.New("dbfleet: transaction lost")
	// ErrTxDone says that the transaction or savepoint has ended. It is
	// sql.ErrTxDone.
	ErrTxDone = sql.ErrTxDone
	// ErrBusy says that the connection of a transaction still has rows open, or
	// is in another savepoint.
	ErrBusy = errors.New("dbfleet: the transaction's connection is in use")

	// ErrClosed says that the registry, or the connection in it, was closed.
	ErrClosed = errors.New("dbfleet: closed")
	// ErrMissingWhere refuses an Update or Delete without conditions.
	ErrMissingWhere = sqlgen.ErrMissingWhere
	// ErrMissingShardKey refuses an operation on a sharded model whose key is
	// neither given nor found in conditions or record.
	ErrMissingShardKey = errors.New("dbfleet: no shard key")
	// ErrReadHandle refuses a write on a handle for reads.
	ErrReadHandle = errors.New("dbfleet: a handle for reads does not write")
	// ErrTooManyArgs refuses a statement with more arguments than the database
	// takes.
	ErrTooManyArgs = sqlgen.ErrTooManyArgs

	// ErrNull is NULL read for a field that cannot hold it.
	ErrNull = rowmap.ErrNull
	// ErrRange is a number or time that does not fit.
	ErrRange = rowmap.ErrRange
	// ErrType is a value of a type that does not fit.
	ErrType = rowmap.ErrType
	// ErrUnread refuses to write a text field that was never read nor set, since the
	// query of its record left the column out.
	ErrUnread = rowmap.ErrUnread
)

// notFound is ErrNotFound, and with where also what says where no row was found.
type notFound struct{ where string }

func (e notFound) Error() string {
	if e.where == "" {
		return "dbfleet: no row found"
	}
	return "dbfleet: no row found: " + e.where
}

func (e notFound) Is(target error) bool { return target == sql.ErrNoRows || target == ErrNotFound }

// notFound is the error of a query without a row, which was looked for by the columns
// of a key, none for other conditions.
func (q *query) notFound(key []string) error {
	where := q.place()
	if len(key) > 0 {
		where += ", key " + quotedList(key)
	}
	return notFound{where}
}

// place names what the query asks, for messages: its table, or without one its
// connection.
func (q *query) place() string {
	if name := q.src.table.Name; name != "" {
		return "table " + quoted(name)
	}
	return "connection " + quoted(q.src.connection)
}

// ColumnError tells which column and field a value did not fit, and why: Err
// is ErrNull, ErrRange, ErrType, ErrUnread or what a Scanner or Valuer returned.
type ColumnError = rowmap.ColumnError

// UnknownColumnError tells of a column that a model does not have, or that a query
// cannot resolve, and of what there is instead.
type UnknownColumnError = sqlgen.UnknownColumnError

// StatementError tells what was wrong with a statement before it was sent.
type StatementError = sqlgen.StatementError

// AcquireTimeoutError carries the pool's figures when none of its connections
// became free in time. It matches ErrPoolTimeout.
type AcquireTimeoutError = driver.AcquireTimeoutError

// UnknownConnectionError names a connection that is not in the registry.
type UnknownConnectionError struct {
	Name  string
	Known []string
}

func (e *UnknownConnectionError) Error() string {
	if e.Name == "" {
		return "dbfleet: no connection named and no default; known are " + quoteAll(e.Known)
	}
	return fmt.Sprintf("dbfleet: unknown connection %q; known are %s", e.Name, quoteAll(e.Known))
}

// TxConnectionError tells of a transaction handle used for another connection
// than its own.
type TxConnectionError struct {
	Tx   string // the transaction's connection
	Want string // where the operation routes
}

func (e *TxConnectionError) Error() string {
	return fmt.Sprintf("dbfleet: the transaction is on connection %q, the operation belongs to %q", e.Tx, e.Want)
}

// OperatorError names an operator that is not known, or a direction of order.
type OperatorError struct {
	Column   string
	Operator string
	Known    []string
}

func (e *OperatorError) Error() string {
	return fmt.Sprintf("dbfleet: column %q: %q is not one of %s", e.Column, e.Operator, strings.Join(e.Known, ", "))
}

// NotFillableError names a column that mass assignment may not set.
type NotFillableError struct {
	Model    string
	Column   string
	Fillable []string
}

func (e *NotFillableError) Error() string {
	return fmt.Sprintf("dbfleet: model %s: column %q is not fillable; fillable are %s", e.Model, e.Column, quoteAll(e.Fillable))
}

// RecordError tells which record of CreateMany, UpsertMany or Load was at fault.
type RecordError struct {
	Index int
	Err   error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("dbfleet: record %d: %s", e.Index, strings.TrimPrefix(e.Err.Error(), "dbfleet: "))
}

func (e *RecordError) Unwrap() error { return e.Err }

// SameRowError tells which two records of UpsertMany are the same row to the
// database.
type SameRowError = table.SameRowError

// ModelError reports one fault of a model's type or configuration.
type ModelError struct {
	Model  string // the Go type
	Key    string // the ModelConfig key or column at fault
	Reason string
	Err    error
}

func (e *ModelError) Error() string {
	s := "dbfleet: model " + e.Model
	if e.Key != "" {
		s += ": " + e.Key
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	if e.Err != nil {
		s += ": " + strings.TrimPrefix(e.Err.Error(), "dbfleet: ")
	}
	return s
}

func (e *ModelError) Unwrap() error { return e.Err }

// QueryError wraps an error of the database or of the way to it, once. It
// tells where the statement went. errors.Is matches the class (ErrUnique,
// ErrConnection, …), errors.As the driver's own error.
//
// It never shows argument values: where the database's message may quote one,
// as in MySQL's "Duplicate entry 'x' for key", the text has the class, the code
// and the names of constraint and column instead.
type QueryError struct {
	Op         string // "select", "insert", "update", "delete", "exec", "begin", "commit", …
	Connection string
	Node       string
	Role       Role
	SQL        string
	// Code is the database's own code, such as "23505" or "1062".
	Code string
	// Constraint, Table and Column are what the database names, "" for what it does
	// not; several columns have ", " between them, in the key's order. Of a violated
	// unique key all databases tell the table and all columns, PostgreSQL and MySQL the
	// constraint too, which on MySQL is the index. Of a foreign key PostgreSQL and MySQL
	// name the table and the columns that refer, SQLite nothing; of a check its
	// constraint; of NULL table and column; of a value that is refused
	// (ErrInvalidValue) the column and mostly the table, PostgreSQL nothing. A name that cannot be told for
	// certain from what surrounds it is left out.
	//
	// MySQL itself tells the key's name or the column's only. Its schema is asked for
	// the rest, once for each such error, on the statement's own connection, which a
	// transaction survives; hooks are not told. Nothing is told so for a table with
	// triggers, which may have met another one, for a key of an expression, and for
	// QueryContext, QueryRowContext and prepared statements outside of a transaction.
	Constraint, Table, Column string
	// Err is the driver's error, whose own text may show values.
	Err error `json:"-"`

	class   driver.Class
	cause   driver.Class // of a lost transaction, or of a commit without an answer
	unknown bool         // a write without an answer
	text    string
}

func (e *QueryError) Error() string {
	var b strings.Builder
	b.WriteString("dbfleet: ")
	b.WriteString(e.Op)
	b.WriteString(" on ")
	b.WriteString(strconv.Quote(cmp.Or(e.Node, e.Connection)))
	if e.unknown {
		b.WriteString(": outcome unknown")
	}
	text := e.text
	if text == "" && e.Err != nil { // not made here
		text = e.Err.Error()
	}
	b.WriteString(": ")
	b.WriteString(oneLine(strings.TrimPrefix(text, "dbfleet: ")))
	return b.String()
}

// oneLine escapes control characters, which databases repeat from names: in a
// log they would make lines of their own.
func oneLine(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Unwrap returns the driver's error. Its own text may show values.
func (e *QueryError) Unwrap() error { return e.Err }

// Is matches the error's class.
func (e *QueryError) Is(target error) bool {
	if target == ErrOutcomeUnknown {
		return e.unknown
	}
	switch target {
	case ErrConnectionRefused:
		var c *driver.ConnectError
		return e.class == driver.Connection && errors.As(e.Err, &c)
	case ErrPoolTimeout, ErrTooManyConnections:
		var a *AcquireTimeoutError
		if errors.As(e.Err, &a) {
			return target == ErrPoolTimeout
		}
	case ErrTimeout:
		if errors.Is(e.Err, context.DeadlineExceeded) {
			return false
		}
	}
	class, ok := classes[target]
	return ok && (class == e.class || class == e.cause)
}

var classes = map[error]driver.Class{
	ErrUnique:             driver.Unique,
	ErrForeignKey:         driver.ForeignKey,
	ErrNotNull:            driver.NotNull,
	ErrCheck:              driver.Check,
	ErrInvalidValue:       driver.InvalidValue,
	ErrDeadlock:           driver.Deadlock,
	ErrSerialization:      driver.Serialization,
	ErrLockTimeout:        driver.LockTimeout,
	ErrReadOnly:           driver.ReadOnly,
	ErrConnection:         driver.Connection,
	ErrAuthentication:     driver.Auth,
	ErrTooManyConnections: driver.TooManyConnections,
	ErrTimeout:            driver.Timeout,
	ErrUndefined:          driver.UndefinedObject,
	ErrTxLost:             driver.TxLost,
	ErrCommitUnknown:      driver.CommitUnknown,
	ErrBusy:               driver.Busy,
	ErrClosed:             driver.Closed,
}

// IsRetryable says whether a whole transaction that failed with err may be run
// again: the database undid it because of others (a deadlock, a serialization
// failure, a lock not had in time). It is never true when the outcome is
// unknown.
func IsRetryable(err error) bool {
	if errors.Is(err, ErrOutcomeUnknown) {
		return false
	}
	return errors.Is(err, ErrDeadlock) || errors.Is(err, ErrSerialization) || errors.Is(err, ErrLockTimeout)
}

func quoteAll(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return quotedList(slices.Sorted(slices.Values(names)))
}

// quotedList names columns in their order.
func quotedList(names []string) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = strconv.Quote(n)
	}
	return strings.Join(list, ", ")
}
