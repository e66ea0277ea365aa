package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"unicode"

	"github.com/dbfleet/dbfleet/internal/driver"
)

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
	// (ErrInvalidValue) the column and mostly the table, PostgreSQL nothing. A name that
	// cannot be told for certain from what surrounds it is left out.
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
	b.WriteString(oneLine(once(text)))
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
	case ErrTxCommitted:
		return errors.Is(e.Err, driver.ErrImplicitCommit)
	case ErrConnectionRefused:
		var c *driver.ConnectError
		return e.class == driver.Connection && errors.As(e.Err, &c)
	case ErrAcquireTimeout, ErrTooManyConnections:
		var a *AcquireTimeoutError
		if errors.As(e.Err, &a) {
			return target == ErrAcquireTimeout
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
