package session

import (
	"errors"
	"fmt"
	"time"
)

// ErrTxAborted is the cause of a *TxLostError when COMMIT found a
// transaction that the server had already aborted.
var ErrTxAborted = errors.New("the server had aborted the transaction")

// A TxLostError says that the transaction was broken on the server. Err is the
// first cause. Nothing is sent any more until it is rolled back; Rollback still
// works.
type TxLostError struct{ Err error }

func (e *TxLostError) Error() string {
	return "the transaction is lost: " + e.Err.Error()
}

func (e *TxLostError) Unwrap() error { return e.Err }

// A NotSentError says that a statement failed before anything of it was sent.
type NotSentError struct{ Err error }

func (e *NotSentError) Error() string { return e.Err.Error() }

func (e *NotSentError) Unwrap() error { return e.Err }

// A HungUpError says that the server has closed the connection, and not why.
type HungUpError struct{}

func (*HungUpError) Error() string { return "the server has closed the connection" }

// A SilenceError says that the server sent nothing for as long as
// Options.StatementTimeout, or took no data for as long.
type SilenceError struct{ After time.Duration }

func (e *SilenceError) Error() string { return "the server was silent for " + e.After.String() }

// Timeout reports true.
func (e *SilenceError) Timeout() bool { return true }

// An ArgumentError says that an argument cannot be sent. It never shows the
// argument's value.
type ArgumentError struct {
	// Ordinal counts from 1; 0 is the statement's text.
	Ordinal int
	Reason  string
}

func (e *ArgumentError) Error() string {
	if e.Ordinal == 0 {
		return e.Reason
	}
	return fmt.Sprintf("argument %d %s", e.Ordinal, e.Reason)
}

// An OptionError says that an option cannot be used.
type OptionError struct {
	Node   string
	Option string
	Reason string
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("%s: option %s %s", e.Node, e.Option, e.Reason)
}

// A NotLinkedError says that the program was built without a driver.
type NotLinkedError struct{ Driver, Tag string }

func (e *NotLinkedError) Error() string {
	return fmt.Sprintf("the %s driver is not linked: the program was built with -tags %s", e.Driver, e.Tag)
}

// UnsupportedIsolationError says that a database has no such isolation level.
type UnsupportedIsolationError struct{ Level, Database string }

func (e *UnsupportedIsolationError) Error() string {
	return e.Database + " has no isolation level " + e.Level
}

// A SchemaChangedError says that a prepared statement was refused, before anything
// was executed, because the schema is another one than when it was prepared. It is
// forgotten now: the transaction that it has broken may be run again.
type SchemaChangedError struct{ Err error }

func (e *SchemaChangedError) Error() string {
	return "the schema has changed since the statement was prepared: run the transaction again: " + e.Err.Error()
}

func (e *SchemaChangedError) Unwrap() error { return e.Err }
