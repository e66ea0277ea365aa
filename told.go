package dbfleet

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// The packages below report faults by types of their own, since an arrow goes down
// only. What leaves this package, by a result or by a hook's event, has gone through
// told.

// told is an error as callers see it: the types that errors.As may ask for are those
// of this package. Its text, and what it matches otherwise, stay.
//
//go:noinline
func told(err error) error {
	if err == nil || err == ErrNotFound {
		return err
	}
	_, err = retell(err, "")
	return err
}

// toldOf is told of what happened on a table: the outermost ColumnError of a chain that
// names none gets it. That error is a copy, since a caller's may be shared.
//
//go:noinline
func toldOf(err error, name string) error {
	if err == nil || err == ErrNotFound {
		return err
	}
	_, err = retell(err, name)
	return err
}

// retell is toldOf, or told without a table, and says whether the error is another one
// now. Errors are not compared: those of callers may be slices.
func retell(err error, name string) (changed bool, is error) {
	switch e := err.(type) { //nolint:errorlint // the chain is walked by itself
	case *rowmap.ColumnError:
		_, is = retell((*ColumnError)(e), name)
		return true, is
	case *sqlgen.UnknownColumnError:
		return true, (*UnknownColumnError)(e)
	case *sqlgen.StatementError:
		_, is = retell((*StatementError)(e), name)
		return true, is
	case *table.SameRowError:
		return true, (*SameRowError)(e)
	case *driver.AcquireTimeoutError: // whose class is asked for later
		return true, &retold{err: e, as: (*AcquireTimeoutError)(e)}
	case *ColumnError:
		if e.Table == "" && name != "" {
			located := *e
			located.Table, located.Err = name, told(e.Err)
			return true, &located
		}
		return retellIn(e, "", func(e *ColumnError) *error { return &e.Err })
	case *StatementError:
		return retellIn(e, name, func(e *StatementError) *error { return &e.Err })
	case *QueryError:
		return retellIn(e, name, func(e *QueryError) *error { return &e.Err })
	case *RecordError:
		return retellIn(e, name, func(e *RecordError) *error { return &e.Err })
	case *ModelError:
		return retellIn(e, name, func(e *ModelError) *error { return &e.Err })
	case *writtenError:
		return retellIn(e, name, func(e *writtenError) *error { return &e.err })
	case *retold:
		if name == "" {
			return false, err
		}
		if changed, is = retell(e.as, name); changed {
			return true, &retold{err: e.err, as: is}
		}
	case interface{ Unwrap() error }:
		if changed, is = retell(e.Unwrap(), name); changed {
			return true, &retold{err: err, as: is}
		}
	case interface{ Unwrap() []error }:
		all := make([]error, len(e.Unwrap()))
		for i, inner := range e.Unwrap() {
			var other bool
			other, all[i] = retell(inner, name)
			changed = changed || other
		}
		switch joined := errors.Join(all...); {
		case changed && errors.Join(e.Unwrap()...).Error() == err.Error():
			return true, joined
		case changed:
			return true, &retold{err: err, as: joined}
		}
	}
	return false, err
}

// retellIn is retell for an error of this package that holds another.
func retellIn[E any, P interface {
	*E
	error
}](e P, name string, held func(P) *error) (bool, error) {
	changed, is := retell(*held(e), name)
	if !changed {
		return false, e
	}
	other := *e
	*held(&other) = is
	return true, P(&other)
}

// retold is an error in which others of the packages below are: as is what they are
// here.
type retold struct{ err, as error }

func (e *retold) Error() string { return prefix + once(e.err.Error()) }

func (e *retold) Unwrap() []error { return []error{e.as, e.err} }

// prefix begins the text of every error, once.
const prefix = "dbfleet: "

// once is what follows the prefix: a text without those inside it.
func once(text string) string { return strings.ReplaceAll(text, prefix, "") }

// errorf is fmt.Errorf of a text that the prefix stands before, once.
func errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &worded{prefix + once(err.Error()), err}
}

// worded is an error with another text.
type worded struct {
	text string
	err  error
}

func (e *worded) Error() string { return e.text }

func (e *worded) Unwrap() error { return e.err }
