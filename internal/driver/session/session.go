// Package session is the contract between package driver, which keeps the rules
// of a connection, and the packages of the databases below it, each of which
// speaks with one third-party driver: what a session can do, what its errors
// mean, what opens it.
//
// It stands on a floor of its own because both sides import it: driver lists the
// databases in a table, so an interface that was declared in driver could not be
// named by them, and one that was declared in each of them would be written three
// times. It holds declarations and pure functions, no connection.
package session

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"

	"github.com/dbfleet/dbfleet/internal/cell"
)

// Result is what a statement without rows did.
type Result struct {
	RowsAffected int64
	// LastInsertID is the generated key as the driver tells it; 0 on PostgreSQL.
	// Whose it is, only an IDTeller knows.
	LastInsertID int64
	// IDStep is the distance between the ids of one statement's rows:
	// auto_increment_increment on MySQL, otherwise 1.
	IDStep int64
	// Elsewhere says that triggers changed rows that are not among RowsAffected, as
	// far as the database tells.
	Elsewhere bool
}

// TxOptions say how a transaction begins.
type TxOptions struct {
	Isolation  sql.IsolationLevel
	ReadOnly   bool
	Deferrable bool // PostgreSQL only
}

// A Session is one physical connection in its database's own driver. It is used
// by one goroutine at a time. Its errors are the driver's own; Verdict
// says what they mean.
type Session interface {
	Exec(ctx context.Context, query string, args []sqldriver.NamedValue) (Result, error)
	Query(ctx context.Context, query string, args []sqldriver.NamedValue) (RowSource, error)
	// Prepare checks the statement on the server and keeps it if statements are
	// kept. inputs is -1 when the number of placeholders is not known.
	Prepare(ctx context.Context, query string) (inputs int, err error)

	Begin(ctx context.Context, o TxOptions) error
	Commit(ctx context.Context) error
	Rollback(ctx context.Context) error
	// TxStatus is what the server last said, without asking it.
	TxStatus() TxStatus

	// Explain is err, or what is known about its cause if the driver does not
	// tell it.
	Explain(err error) error
	// Verdict says what an error of a method above means for the connection.
	Verdict(err error) Verdict
	// Convert makes a caller's argument one that Exec and Query take.
	Convert(nv *sqldriver.NamedValue) error
	// AsIs is the kinds of values, without names, that Convert leaves as they are.
	AsIs() Kinds
	// ManyCursors says that statements may run while rows are open.
	ManyCursors() bool

	Ping(ctx context.Context) error
	// DriverConn is the third-party driver's own connection.
	DriverConn() any
	// Pins are the settings that the library's promises rest on, as "name = value",
	// in an order that is always the same. Its error says that the session is not as
	// a new one is, as when a transaction was left open.
	Pins(ctx context.Context) ([]string, error)
	// Usable reports whether the driver itself still takes statements. It looks
	// at memory only.
	Usable() bool
	// Alive reports, without waiting, whether an idle connection still seems to
	// be there. It may cost a system call.
	Alive() bool
	Close() error
}

// ReadOnlyTeller is a Session that can ask the server whether it takes writes in this
// session, as a standby does not, and a server, a database or an account that is
// read-only.
type ReadOnlyTeller interface {
	ReadOnly(ctx context.Context) (bool, error)
}

// An IsolationTeller is a Session that can tell the isolation level of the transaction
// that it is in.
type IsolationTeller interface {
	Isolation(ctx context.Context) (sql.IsolationLevel, error)
}

// RowSource is what a session gives for a query. Next fills dest and returns
// io.EOF at the end; Close may be called more than once.
type RowSource interface {
	Columns() []string
	TypeName(i int) string
	Next(dest []sqldriver.Value) error
	Close() error
}

// CellSource is a RowSource that also gives its rows as cells, whose Value is
// what Next gives.
type CellSource interface {
	RowSource
	NextCells(row []cell.Cell) error
}

// MoreResults is a RowSource that may have further sets of rows.
type MoreResults interface {
	HasNextResultSet() bool
	NextResultSet() error
}

// An Asker is a Session whose errors do not carry the state of the transaction.
type Asker interface {
	// Ask asks the server for it after an error that it answered with, unless that is
	// known to leave the transaction as it is. TxStatus then tells.
	Ask(ctx context.Context, err error) error
}

// A Watcher is a Session whose TxStatus does not tell when one statement has ended the
// transaction and begun another.
type Watcher interface {
	// Watch sets a mark in the transaction.
	Watch(ctx context.Context) error
	// Watched takes it off and says whether it was still there.
	Watched(ctx context.Context) (still bool, err error)
}

// A Strayer is a Session that knows, without asking, of some changes that others would
// meet.
type Strayer interface {
	// Strayed says that the session is not as it was when this was called first.
	Strayed() bool
}

// A Stater is a Session that can tell what others would meet in it.
type Stater interface {
	// State is that as a text to compare. The server is asked.
	State(ctx context.Context) (string, error)
}

// A Forgetter is a Session that keeps what it has prepared.
type Forgetter interface {
	// Forget drops it: names may mean something else now.
	Forget()
}

// A LateBeginner is a Session that begins a transaction with the first statement in it, in
// one round trip.
type LateBeginner interface {
	// BeginLate is Begin, but sends nothing: what is sent next begins the transaction, and
	// is not done where that is refused. The error is then that of what was sent. Commit
	// and Rollback of a transaction of which nothing was sent send nothing. ok is false
	// where the session does not do that; Begin is to be called then. A Brancher's branch
	// is begun as any transaction.
	BeginLate(o TxOptions) (ok bool, err error)
	// BeginNow sends what BeginLate did not, by itself; nothing if it was sent.
	BeginNow(ctx context.Context) error
	// Unbegun says that the server is not known to have begun the transaction of
	// BeginLate, nor to have refused it. It asks nobody.
	Unbegun() bool
}

// TxStatus is the server's view of the transaction.
type TxStatus uint8

// The states.
const (
	TxUnknown TxStatus = iota // the session cannot tell
	TxNone
	TxOpen
	TxAborted    // refuses everything but ROLLBACK and ROLLBACK TO
	TxCommitted  // none, or another one: that of Begin was committed, not by Commit
	TxRolledBack // none, or another one: that of Begin was rolled back, not by Rollback
)

// Over says that the transaction of Begin is not there any more.
func (s TxStatus) Over() bool { return s == TxNone || s == TxCommitted || s == TxRolledBack }

// Verdict is the meaning of an error.
type Verdict struct {
	// Answered: the server itself said it.
	Answered bool
	// NotSent: nothing of the statement reached the server.
	NotSent bool
	// Broken: the connection cannot be used any more.
	Broken bool
	// TxLost: the server has rolled the transaction back.
	TxLost bool
	// TxDoubtful: the transaction goes on, but what it did is not what the
	// caller thinks; ROLLBACK TO makes it good.
	TxDoubtful bool
	// CommitUnknown: as an answer to COMMIT it leaves the outcome open.
	CommitUnknown bool
}
