package session

import "context"

// A Namer is a Session of a database whose errors name less than its schema has.
type Namer interface {
	// Names asks the schema which table and columns an error is about that a statement
	// ended in; "" is what is not certain. failure says that the question failed.
	Names(ctx context.Context, err error, query string) (table, column string, failure error)
}

// A NamesError is an error of the database with the names that its schema gave.
type NamesError struct {
	Err           error
	Table, Column string
}

func (e *NamesError) Error() string { return e.Err.Error() }

func (e *NamesError) Unwrap() error { return e.Err }
