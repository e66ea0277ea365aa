package sqlgen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// UnknownColumnError tells of a column that the model does not have.
type UnknownColumnError struct {
	Table  string
	Column string
	Known  []string
}

func (e *UnknownColumnError) Error() string {
	return fmt.Sprintf("dbfleet: table %q has no column %q known to the model; it has %s", e.Table, e.Column, strings.Join(e.Known, ", "))
}

// StatementError tells what is wrong with a statement before it is sent.
type StatementError struct {
	Table  string
	Part   string // the clause or column
	Reason string
	Err    error
}

func (e *StatementError) Error() string {
	s := "dbfleet: "
	if e.Table != "" {
		s += "table " + strconv.Quote(e.Table) + ": "
	}
	if e.Part != "" {
		s += e.Part + ": "
	}
	if e.Reason != "" {
		s += e.Reason
		if e.Err != nil {
			s += ": "
		}
	}
	if e.Err != nil {
		s += strings.TrimPrefix(e.Err.Error(), "dbfleet: ")
	}
	return s
}

func (e *StatementError) Unwrap() error { return e.Err }

// ErrTooManyArgs tells of a statement with more arguments than the database
// takes.
var ErrTooManyArgs = errors.New("more arguments than one statement of this database takes")

// ErrMissingWhere tells of an UPDATE or DELETE without conditions.
var ErrMissingWhere = errors.New("dbfleet: no condition; AllRows() lets the statement change every row")
