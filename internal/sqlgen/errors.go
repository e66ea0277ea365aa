package sqlgen

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// UnknownColumnError tells of a column that the model does not have, or that a
// query cannot resolve. Known are the columns that there are, Selected the names of
// the query's own select list, and Tables the tables that the query reads, as it
// calls them. Those that say nothing about the column are nil.
type UnknownColumnError struct {
	Table    string
	Column   string
	Known    []string
	Selected []string
	Tables   []string
	OfRows   bool // Known are the columns of the query's rows
}

func (e *UnknownColumnError) Error() string {
	if why := Fault(e.Column); why != "" {
		return "dbfleet: " + why
	}
	var have []string
	if len(e.Known) > 0 {
		have = append(have, "it has "+strings.Join(e.Known, ", "))
	}
	if len(e.Selected) > 0 {
		have = append(have, "the select list gives "+strings.Join(e.Selected, ", "))
	}
	if len(e.Tables) > 0 {
		have = append(have, "the query reads "+strings.Join(e.Tables, ", "))
	}
	whose := fmt.Sprintf("table %q has no column %q known to the model", e.Table, e.Column)
	if e.OfRows {
		whose = fmt.Sprintf("the rows of the query on table %q have no column %q", e.Table, e.Column)
	}
	return "dbfleet: " + whose + "; " + strings.Join(have, "; ")
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
		s += strings.ReplaceAll(e.Err.Error(), "dbfleet: ", "")
	}
	return s
}

func (e *StatementError) Unwrap() error { return e.Err }

// ErrTooManyArgs tells of a statement with more arguments than the database
// takes.
var ErrTooManyArgs = errors.New("dbfleet: more arguments than one statement of this database takes")

// ErrMissingWhere tells of an UPDATE or DELETE without conditions.
var ErrMissingWhere = errors.New("dbfleet: no condition; AllRows() lets the statement change every row")
