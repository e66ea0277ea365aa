package session

import (
	"context"
	"io"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// A Database is one kind of database as package driver knows it. Each package of
// a database has one variable of this type, which is never changed.
type Database struct {
	Dialect *dialect.Dialect
	// NotLinked says that the program was built without the driver, nil that it
	// was not. The functions are nil then.
	NotLinked error

	// Open checks the options and makes what opens the sessions of one pool. It
	// dials nothing. Its error is an *OptionError, or several joined.
	Open func(Options) (Backend, error)
	// Classify knows the errors of the database's own driver; ok is false for
	// every other.
	Classify func(error) (p Problem, ok bool)
	// Message is the server's message in an error, and what of it may be shown to
	// people who may not see the program's data.
	Message func(error) (raw, shown string, ok bool)

	// Fallback tells why sessions do without what the driver does not export, "" if
	// they do not; see package driver's Fallback. nil is never.
	Fallback func() string

	// ImplicitCommits says that the server ends transactions by itself, NoInsertID
	// that it knows no LastInsertId, Remote that there is a network in between.
	ImplicitCommits, NoInsertID, Remote bool
}

// LeftOut is the Database of a program that was built without the driver.
func LeftOut(d *dialect.Dialect, driver, tag string) Database {
	return Database{
		Dialect: d, NotLinked: &NotLinkedError{Driver: driver, Tag: tag},
		Classify: func(error) (Problem, bool) { return Problem{}, false },
		Message:  func(error) (raw, shown string, ok bool) { return "", "", false },
	}
}

// A Backend opens sessions of one node. Open may be called by several goroutines
// at once, each with the password that its session authenticates with; Close once,
// after the pool has closed; it waits for what the sessions have left behind.
type Backend interface {
	Open(ctx context.Context, password string) (Session, error)
	io.Closer
}
