package session

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// LoadTarget says where a load goes.
type LoadTarget struct {
	// Table and Columns are SQL: names that are quoted where they need it.
	Table   string
	Columns []string
	// Insert is the text of an INSERT of so many rows into Columns, row by row. It
	// serves where the database has no other way.
	Insert func(rows int) (string, error)
}

// CopySession is a session whose database takes rows as a stream.
type CopySession interface {
	// CopyInto prepares a stream that begins with a row like first. It returns
	// nil when the rows are better inserted, and nothing has been sent then that
	// matters.
	CopyInto(ctx context.Context, into *LoadTarget, first []any) (Copier, error)
}

// Copier is one stream of rows into a table.
type Copier interface {
	// Head and Tail are what the stream begins and ends with.
	Head(buf []byte) []byte
	Tail(buf []byte) []byte
	// Row appends a row. Its error leaves what it has appended to be cut off.
	Row(buf []byte, row []any) ([]byte, error)
	// Send runs the statement that takes the stream, and returns how many rows
	// there were. It calls asked before it reads.
	Send(ctx context.Context, stream io.Reader, asked func()) (rows int64, err error)
	// After is called when Send has returned. sent is how many rows the stream
	// had, -1 when it was cut off; err is what Send returned.
	After(ctx context.Context, sent int64, err error) error
	// RowOf is the number of the row, from 0, that the server's error names, or -1.
	RowOf(err error) int64
}

// ErrCopyCut is what a stream ends with that was given up.
var ErrCopyCut = errors.New("the load was given up")

// KeyedInsert is an INSERT of several rows whose keys the database makes. The
// texts have the same table and columns.
type KeyedInsert struct {
	// Text inserts all rows. On SQLite it returns nothing. On PostgreSQL it returns
	// the keys, and is sent where no statement can be made of One; it may be "",
	// and then nothing is sent there.
	Text string
	// One inserts a single row and returns its key. PostgreSQL makes its statement
	// of it.
	One string
	// Table and Key are SQL, for SQLite: names that are quoted where they need it.
	// The key is one integer column.
	Table, Key string
	Rows       int
}

// Keyed is what came of a KeyedInsert.
type Keyed struct {
	// Keys are those of the rows, in their order.
	Keys []int64
	// OK is false if the keys could not be had for certain. Nothing was inserted
	// then.
	OK bool
	// Never says that it will be so for other rows too.
	Never bool
	// Undone says, of an error, that nothing was inserted, whatever the error is.
	Undone bool
	// Sent is the text that was sent for the rows, "" if none was. It is told with
	// an error as well, and when OK is false.
	Sent string
}

// KeyedInserter is a session that can insert several rows outside of a
// transaction, all of them or none, and tell their keys, in less than the
// statements of a transaction with INSERT … RETURNING.
type KeyedInserter interface {
	// InsertKeyed leaves nothing behind unless Keyed.OK, or an error without
	// Keyed.Undone: then the commit was sent and its outcome is unknown.
	InsertKeyed(ctx context.Context, in *KeyedInsert, args []sqldriver.NamedValue) (Keyed, error)
}

// A ToldInsert is an INSERT of records whose key the database is to make, a whole
// number in one column.
type ToldInsert struct {
	Text string // without RETURNING
	// Table and Key are names as the model has them, not quoted. Key is "" if only
	// LastInsertID is wanted.
	Table, Key string
	// QuotedTable and QuotedKey are the same as SQL, for SQLite.
	QuotedTable, QuotedKey string
}

// IDTeller is a session whose LastInsertID may be the key of a row: where the key
// is known to be the database's own counter. Elsewhere it is the value of another
// column, or of an earlier insert.
type IDTeller interface {
	// InsertTold runs an INSERT and tells LastInsertID if that is the value of the
	// key's column for certain. Otherwise told is false, and nothing was sent. If
	// only the outcome shows that it is not, the error is an *UntoldError.
	//
	// Without a key it always runs, and LastInsertID is 0 unless it is of a row of
	// this INSERT.
	InsertTold(ctx context.Context, in *ToldInsert, args []sqldriver.NamedValue) (res Result, told bool, err error)
	// Returns says whether the server knows INSERT … RETURNING, where the dialect does
	// not say it.
	Returns() bool
	// Changes counts the rows that the session has changed, by triggers too: how many
	// more these are than an INSERT's own tells whether RETURNING told what later
	// triggers changed. It is -1 where that cannot be told, and always 0 where
	// triggers cannot change the row any more.
	Changes() int64
}

// Numberer is a session that knows whether its server takes the statement by which rows of
// many keys are numbered at once, with a window function and a bound for what it examines.
// Others do not take it.
type Numberer interface {
	Numbers() bool
}

// An UntoldError says that an INSERT has succeeded and that the key of its row is
// not known.
type UntoldError struct{}

func (*UntoldError) Error() string {
	return "the row's key is not the one that the database made for it: a trigger or another definition of the table changed it"
}

// RowInserter is a session that has a shorter way for an INSERT of many rows.
type RowInserter interface {
	// InsertRows does what an INSERT of several rows does. one is the text of the
	// same INSERT of one row. sent is the text that was sent, also with an error.
	// It returns no rows and no error when the INSERT is to be sent as it is;
	// nothing was sent then that matters.
	InsertRows(ctx context.Context, one string, args []sqldriver.NamedValue) (src RowSource, sent string, err error)
}

// A RowsError says that an INSERT would have inserted another number of rows
// than it was given. Nothing was inserted.
type RowsError struct{ Rows, Given int64 }

func (e *RowsError) Error() string {
	return fmt.Sprintf("%d rows were inserted for %d", e.Rows, e.Given)
}

// A PartlyError says that a statement failed and left rows that it had changed before;
// a transaction may still undo them.
type PartlyError struct {
	Rows int64
	Err  error
}

func (e *PartlyError) Error() string { return e.Err.Error() }
func (e *PartlyError) Unwrap() error { return e.Err }

// NotUndoneError says that a session has begun a transaction that it could not
// roll back.
type NotUndoneError struct{ Err error }

func (e *NotUndoneError) Error() string { return e.Err.Error() }
func (e *NotUndoneError) Unwrap() error { return e.Err }
