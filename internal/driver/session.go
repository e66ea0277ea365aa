package driver

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"

	"github.com/dbfleet/dbfleet/internal/cell"
)

// Result is what a statement without rows did.
type Result struct {
	RowsAffected int64
	// LastInsertID is the generated key as the driver tells it; 0 on PostgreSQL.
	LastInsertID int64
	// IDStep is the distance between the ids of one statement's rows:
	// auto_increment_increment on MySQL, otherwise 1.
	IDStep int64
}

// TxOptions say how a transaction begins.
type TxOptions struct {
	Isolation sql.IsolationLevel
	ReadOnly  bool
}

// A session is one physical connection in its database's own driver. It is used
// by one goroutine at a time. Its errors are the driver's own; conn decides
// what they mean with verdict.
type session interface {
	exec(ctx context.Context, query string, args []sqldriver.NamedValue) (Result, error)
	query(ctx context.Context, query string, args []sqldriver.NamedValue) (rowSource, error)
	// prepare checks the statement on the server and keeps it if statements are
	// kept. inputs is -1 when the number of placeholders is not known.
	prepare(ctx context.Context, query string) (inputs int, err error)

	begin(ctx context.Context, o TxOptions) error
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
	// txStatus is what the server last said, without asking it.
	txStatus() txStatus

	// explain is err, or what is known about its cause if the driver does not
	// tell it.
	explain(err error) error
	// verdict says what an error of a method above means for the connection.
	verdict(err error) verdict
	// convert makes a caller's argument one that exec and query take.
	convert(nv *sqldriver.NamedValue) error
	// asIs is the kinds of values, without names, that convert leaves as they are.
	asIs() kinds
	// manyCursors says that statements may run while rows are open.
	manyCursors() bool

	ping(ctx context.Context) error
	// usable reports whether the driver itself still takes statements. It looks
	// at memory only.
	usable() bool
	// alive reports, without waiting, whether an idle connection still seems to
	// be there. It may cost a system call.
	alive() bool
	close() error
}

// rowSource is what a session gives for a query. Next fills dest and returns
// io.EOF at the end; Close may be called more than once.
type rowSource interface {
	Columns() []string
	TypeName(i int) string
	Next(dest []sqldriver.Value) error
	Close() error
}

// cellSource is a rowSource that also gives its rows as cells, whose Value is
// what Next gives.
type cellSource interface {
	rowSource
	NextCells(row []cell.Cell) error
}

// moreResults is a rowSource that may have further sets of rows.
type moreResults interface {
	HasNextResultSet() bool
	NextResultSet() error
}

// txStatus is the server's view of the transaction.
type txStatus uint8

const (
	txUnknown txStatus = iota // the session cannot tell
	txNone
	txOpen
	txAborted // refuses everything but ROLLBACK and ROLLBACK TO
)

// verdict is the meaning of an error.
type verdict struct {
	// answered: the server itself said it.
	answered bool
	// notSent: nothing of the statement reached the server.
	notSent bool
	// broken: the connection cannot be used any more.
	broken bool
	// txLost: the server has rolled the transaction back.
	txLost bool
	// txDoubtful: the transaction goes on, but what it did is not what the
	// caller thinks; ROLLBACK TO makes it good.
	txDoubtful bool
	// commitUnknown: as an answer to COMMIT it leaves the outcome open.
	commitUnknown bool
}

// stripBadConn removes driver.ErrBadConn from err, so that database/sql does
// not execute the statement again.
func stripBadConn(err error) error {
	if err == nil || !errors.Is(err, sqldriver.ErrBadConn) {
		return err
	}
	return &ConnLostError{}
}

// unsupportedIsolation is the error for an isolation level that a database does
// not have.
type unsupportedIsolation struct{ level, database string }

func (e *unsupportedIsolation) Error() string {
	return e.database + " has no isolation level " + e.level
}
