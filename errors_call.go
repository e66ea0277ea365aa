package dbfleet

import (
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// ColumnError tells which column and field a value did not fit, and why. Its text
// holds no value.
type ColumnError struct {
	// Model is the struct type, such as "shop.User"; without one, or for a value that
	// a query gives, the table or "".
	Model string
	// Table is the table, as far as it is known.
	Table string
	// Column is the column's name in the database.
	Column string
	// Field is the Go field, such as "Address.City"; "" outside structs.
	Field string
	// Err is ErrNull, ErrRange, ErrType, ErrUnread, or what a Scanner or Valuer
	// returned.
	Err error
}

func (e *ColumnError) Error() string { return prefix + once((*rowmap.ColumnError)(e).Error()) }

// Unwrap returns the cause.
func (e *ColumnError) Unwrap() error { return e.Err }

// UnknownColumnError tells of a column that a model does not have, or that a query
// cannot resolve, and of what there is instead. The lists that say nothing about the
// column are nil.
type UnknownColumnError struct {
	Table  string
	Column string
	// Known are the columns that there are: of the table or, with OfRows, of the rows
	// that the query gives.
	Known []string
	// Selected are the names of the query's own select list.
	Selected []string
	// Tables are the tables that the query reads, as it calls them.
	Tables []string
	OfRows bool
}

func (e *UnknownColumnError) Error() string { return (*sqlgen.UnknownColumnError)(e).Error() }

// StatementError tells what was wrong with a statement before it was sent.
type StatementError struct {
	Table  string // "" where it is not about one
	Part   string // the clause, the column or the argument; "" is the whole
	Reason string
	Err    error // the cause; nil where Reason says all
}

func (e *StatementError) Error() string { return (*sqlgen.StatementError)(e).Error() }

// Unwrap returns the cause.
func (e *StatementError) Unwrap() error { return e.Err }

// AcquireTimeoutError carries the pool's figures when none of its connections
// became free in time. It matches ErrAcquireTimeout.
type AcquireTimeoutError struct {
	// Node is the server, as Route has it.
	Node string
	// Wait is how long was waited at most; 0 is until the context's end.
	Wait time.Duration
	// Stats is the pool's state at that moment.
	Stats sql.DBStats
	// Err is the context's error if its end came first, else nil. Hooks also see of a read
	// that it went to another replica, which had a connection free.
	Err error
	// Budget is TenantsConfig.MaxOpen if that was in the way, and 0 if it was the pool's own
	// bound.
	Budget int
}

func (e *AcquireTimeoutError) Error() string {
	return prefix + (*driver.AcquireTimeoutError)(e).Error()
}

// Unwrap returns Err.
func (e *AcquireTimeoutError) Unwrap() error { return e.Err }

// Is matches ErrAcquireTimeout.
func (e *AcquireTimeoutError) Is(target error) bool { return target == ErrAcquireTimeout }

// Timeout reports true, as a net.Error does.
func (e *AcquireTimeoutError) Timeout() bool { return true }

// UnknownConnectionError names a connection that is not in the registry.
type UnknownConnectionError struct {
	Name  string
	Known []string
}

func (e *UnknownConnectionError) Error() string { return "dbfleet: " + e.told() }

func (e *UnknownConnectionError) told() string {
	if e.Name == "" {
		return "no connection named and no default; known are " + quoteAll(e.Known)
	}
	return fmt.Sprintf("unknown connection %q; known are %s", e.Name, quoteAll(e.Known))
}

// UnknownReplicaError tells of a replica that OnReplica names and the connection does
// not have, and of those that it has.
type UnknownReplicaError struct {
	Connection string
	Name       string
	Known      []string // the whole names, as routes tell them
}

func (e *UnknownReplicaError) Error() string {
	if len(e.Known) == 0 {
		return fmt.Sprintf("dbfleet: connection %q has no replica %q; it has none at all", e.Connection, e.Name)
	}
	return fmt.Sprintf("dbfleet: connection %q has no replica %q; it has %s", e.Connection, e.Name, quoteAll(e.Known))
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

// RecordError tells which record of CreateMany, UpsertMany or Load, or which row of
// Query.Insert, was at fault.
type RecordError struct {
	Index int
	Err   error
}

func (e *RecordError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("dbfleet: record %d", e.Index)
	}
	return fmt.Sprintf("dbfleet: record %d: %s", e.Index, once(e.Err.Error()))
}

func (e *RecordError) Unwrap() error { return e.Err }

// SameRowError tells which two records of UpsertMany or SaveMany are the same row to the
// database.
type SameRowError struct {
	First, Second int // the records' indexes
}

func (e *SameRowError) Error() string { return prefix + (*table.SameRowError)(e).Error() }

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
		s += ": " + once(e.Err.Error())
	}
	return s
}

func (e *ModelError) Unwrap() error { return e.Err }

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
