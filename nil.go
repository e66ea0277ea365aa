package dbfleet

import (
	"context"

	"github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// What is nil, or the zero value of a handle, is told by its name where it is given:
// by the error of what returns one, by the query when it runs, else by a panic with
// words. See "Mistakes" in the package's comment.

// must panics with words where there is no error to return.
//
//go:noinline
func must(method string, err error) {
	if err != nil {
		panic(errorf("%s: %w", method, err).Error())
	}
}

// mustHave is must for an argument.
//
//go:noinline
func mustHave(method, argument string, has bool) {
	if !has {
		panic(prefix + method + ": the " + argument + " is nil")
	}
}

// noContext is the error of a nil context, on a connection if its name is known.
func noContext(connection string) error {
	if connection == "" {
		return errorf("the context is nil")
	}
	return errorf("connection %q: the context is nil", connection)
}

// usable returns what is wrong with the handle itself.
func (r *Registry) usable() error {
	switch {
	case r == nil:
		return errorf("the registry is nil; Open makes one")
	case r.ended == nil:
		return errorf("the registry is the zero value; Open makes one")
	}
	return nil
}

// usable returns what is wrong with the handle itself.
func (db *DB) usable() error {
	switch {
	case db == nil:
		return errorf("the DB is nil; Registry.DB gives one")
	case *db == DB{}:
		return errorf("the DB is the zero value; Registry.DB gives one")
	}
	return db.reg.usable()
}

// given returns what is wrong with the handle itself, whether it has ended or not.
func (tx *Tx) given() error {
	switch {
	case tx == nil:
		return errorf("the Tx is nil; Transaction gives one to its function")
	case tx.st == nil:
		return errorf("the Tx is the zero value; Transaction gives one to its function")
	}
	return nil
}

// given returns what is wrong with the handle itself, whether it has ended or not.
func (c *Conn) given() error {
	switch {
	case c == nil:
		return errorf("the Conn is nil; DB.Conn gives one to its function")
	case c.place.e == nil:
		return errorf("the Conn is the zero value; DB.Conn gives one to its function")
	}
	return nil
}

// without is the query that fails because an argument of a builder's method is
// missing. What was wrong before stays.
//
//go:noinline
func (q *query) without(method, reason string) *query {
	if q.usable() != nil {
		return q.next()
	}
	return q.broken(&StatementError{Table: q.src.table.Name, Part: method, Reason: reason})
}

// baseOf is a query given as an argument; nil for nil.
func baseOf(from Queryable) *query {
	if from == nil {
		return nil
	}
	return from.base()
}

// noFunction stands for the query of a function that is nil.
var noFunction query

// of is the query that a builder's function makes of q.
func of[T any](q *query, f func(*Query[T]) *Query[T]) *query {
	if f == nil {
		return &noFunction
	}
	return (*query)(f((*Query[T])(q)))
}

// unmade says why a function has made no query, "" if it has.
func unmade(made *query) string {
	switch made {
	case &noFunction:
		return "the function is nil"
	case nil:
		return "the function returned nil"
	}
	return ""
}

// missingSqlizer is the fault of what squirrel should render and is nil.
func missingSqlizer(method string, s squirrel.Sqlizer) error {
	if rowmap.IsNil(s) {
		return &sqlgen.StatementError{Part: method, Reason: "what squirrel should render is nil"}
	}
	return nil
}

// checkContext is noContext for a call that has not come to its connection yet.
func checkContext(ctx context.Context, connection string) error {
	if ctx == nil {
		return noContext(connection)
	}
	return nil
}
