package dbfleet

import (
	"context"
	"database/sql"
	"errors"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// ErrorClass is the kind of an error: one word of a short list, the same for all
// databases, fit for a metric's label or a log's field. Hooks get it with their
// event, ClassOf tells it of any error. Where there is a sentinel for the class,
// such as ErrUnique, errors.Is and ClassOf agree.
type ErrorClass string

// The classes. "" is no error.
const (
	ClassNotFound           ErrorClass = "not_found"            // ErrNotFound, sql.ErrNoRows
	ClassUnique             ErrorClass = "unique"               // ErrUnique
	ClassForeignKey         ErrorClass = "foreign_key"          // ErrForeignKey
	ClassNotNull            ErrorClass = "not_null"             // ErrNotNull
	ClassCheck              ErrorClass = "check"                // ErrCheck
	ClassInvalidValue       ErrorClass = "invalid_value"        // ErrInvalidValue
	ClassUnfit              ErrorClass = "unfit"                // a value that does not fit its field: a *ColumnError
	ClassDeadlock           ErrorClass = "deadlock"             // ErrDeadlock
	ClassSerialization      ErrorClass = "serialization"        // ErrSerialization
	ClassLockTimeout        ErrorClass = "lock_timeout"         // ErrLockTimeout
	ClassTimeout            ErrorClass = "timeout"              // ErrTimeout, or a deadline of the context
	ClassCanceled           ErrorClass = "canceled"             // the context was cancelled: nobody waits for the answer
	ClassKilled             ErrorClass = "killed"               // somebody on the server cancelled it
	ClassReadOnly           ErrorClass = "read_only"            // ErrReadOnly
	ClassConnection         ErrorClass = "connection"           // ErrConnection, also ErrConnectionRefused
	ClassAuthentication     ErrorClass = "authentication"       // ErrAuthentication
	ClassTooManyConnections ErrorClass = "too_many_connections" // ErrTooManyConnections, of the server
	ClassAcquireTimeout     ErrorClass = "acquire_timeout"      // ErrAcquireTimeout
	ClassUndefined          ErrorClass = "undefined"            // ErrUndefined
	ClassSyntax             ErrorClass = "syntax"               // a text that the database does not understand
	ClassResources          ErrorClass = "resources"            // disk, memory or the like of the server is used up
	ClassTxLost             ErrorClass = "tx_lost"              // ErrTxLost, ErrTxDone
	ClassCommitUnknown      ErrorClass = "commit_unknown"       // ErrCommitUnknown
	ClassBusy               ErrorClass = "busy"                 // ErrBusy
	ClassClosed             ErrorClass = "closed"               // ErrClosed
	ClassPanic              ErrorClass = "panic"                // a statement whose hook, Scanner, Valuer or loop panicked
	ClassOther              ErrorClass = "other"                // anything else: SQLite's errors of a text are here, for which it has no code
)

// Expected says that the answer is one which a program without faults gets, too:
// not_found, unique, foreign_key and check, which the data decide, and canceled,
// which the caller does.
func (c ErrorClass) Expected() bool {
	switch c {
	case ClassNotFound, ClassUnique, ClassForeignKey, ClassCheck, ClassCanceled:
		return true
	}
	return false
}

// classesOfDriver are the classes by what the driver calls them.
var classesOfDriver = [...]ErrorClass{
	driver.Unknown:            ClassOther,
	driver.Unique:             ClassUnique,
	driver.ForeignKey:         ClassForeignKey,
	driver.NotNull:            ClassNotNull,
	driver.Check:              ClassCheck,
	driver.InvalidValue:       ClassInvalidValue,
	driver.Deadlock:           ClassDeadlock,
	driver.Serialization:      ClassSerialization,
	driver.LockTimeout:        ClassLockTimeout,
	driver.Timeout:            ClassTimeout,
	driver.Canceled:           ClassKilled, // unless the context says so
	driver.ReadOnly:           ClassReadOnly,
	driver.Connection:         ClassConnection,
	driver.Auth:               ClassAuthentication,
	driver.TooManyConnections: ClassTooManyConnections,
	driver.UndefinedObject:    ClassUndefined,
	driver.Syntax:             ClassSyntax,
	driver.Full:               ClassResources,
	driver.TxLost:             ClassTxLost,
	driver.CommitUnknown:      ClassCommitUnknown,
	driver.Busy:               ClassBusy,
	driver.Closed:             ClassClosed,
}

// ClassOf tells the class of an error: of the database, of the way to it, or of
// this package; "" for nil.
func ClassOf(err error) ErrorClass {
	if err == nil {
		return ""
	}
	var known *QueryError
	if !errors.As(err, &known) {
		return classOfOther(err)
	}
	switch known.class {
	case driver.Canceled:
		if errors.Is(known.Err, context.Canceled) {
			return ClassCanceled
		}
	case driver.TooManyConnections:
		var a *AcquireTimeoutError
		if errors.As(known.Err, &a) {
			return ClassAcquireTimeout
		}
	case driver.Unknown: // not made here, or of the program's own code
		return classOfOther(known.Err)
	}
	return classesOfDriver[known.class]
}

// classOfOther is the class of an error that no QueryError is around.
func classOfOther(err error) ErrorClass {
	var column *ColumnError
	var acquire *AcquireTimeoutError
	switch {
	case err == nil:
		return ClassOther
	case errors.Is(err, sql.ErrNoRows):
		return ClassNotFound
	case errors.As(err, &column):
		return ClassUnfit
	case errors.Is(err, errPanicked):
		return ClassPanic
	case errors.Is(err, context.Canceled):
		return ClassCanceled
	case errors.Is(err, ErrClosed):
		return ClassClosed
	case errors.Is(err, ErrBusy):
		return ClassBusy
	case errors.As(err, &acquire) && acquire.Err == nil:
		return ClassAcquireTimeout
	}
	return classesOfDriver[driver.Classify(err).Class]
}
