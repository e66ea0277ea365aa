package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// Env is what rendering needs to know beside the statement.
type Env struct {
	Dialect *dialect.Dialect
	Values  Values
	// Connection is the name of the connection that the statement goes to.
	Connection string
	// Table knows the columns of the statement's own table; nil accepts any.
	Table Table
	// Key are the columns of the table's primary key, nil where it is not known.
	Key []string
	// Untyped changes an argument that is compared with a column that no table
	// knows; nil leaves it as it is.
	Untyped func(a any, d *dialect.Dialect) any
	// Models tells what the models of other tables know; nil knows of none.
	Models Models
	// Implicit tells the implicit conditions of a query that stands inside of the
	// statement; nil knows of none.
	Implicit func(Subquery) ([]Cond, error)
	// Owned tells whose rows of a table the statement may see, nil for those of all; a nil
	// function knows of no owners.
	Owned func(table string) (*Owner, error)
	// Far is what other databases have told; nil is nothing yet.
	Far *Far
	// ByDigits says that the rows which are read are those of a write, which compares a whole
	// number with a column of texts by its digits; see digits.
	ByDigits bool
	// Numbers says that the server is known to take what WithEachOf asks where Numbered is
	// set.
	Numbers bool
	// Numbered is set by rendering: these are all rows of all keys, whatever limit and offset
	// say, the number of each is its place in the query's order, and behind them comes one
	// more of number 0 and NULLs. Where that is missing, so may be others: there are too many.
	Numbered bool
	// MayWrite is set by rendering: a part that the caller wrote is not known to be
	// a plain read.
	MayWrite bool
}

// Values turns Go values into what the driver takes.
type Values interface {
	// Arg returns the argument for a value that is written.
	Arg(v any, d *dialect.Dialect) (any, error)
	// Other is the argument of v in another form than arg, in which a column may
	// hold it too; nil if there is none. Others has those of a list's elements, each
	// in the place of its argument, and is nil if there are none.
	Other(v, arg any, d *dialect.Dialect) any
	Others(list any, args []any, d *dialect.Dialect) []any
	// Amount returns the argument for a number that is added to a column, of floats
	// or of another kind: one that the database adds without losses. On MySQL a
	// decimal is text that a DECIMAL can hold.
	Amount(v any, floats bool, d *dialect.Dialect) (any, error)
	// IsList says whether AppendList would take v.
	IsList(v any) bool
	// AppendList appends the arguments for the elements of a slice. array is
	// the whole list as one argument instead, if arrays allows it and the
	// elements do, else nil. hasNull tells of nil elements, which are left out
	// of both.
	AppendList(args []any, v any, d *dialect.Dialect, arrays bool) (all []any, array any, hasNull bool, err error)
}

// Models are the models of tables that a query may join.
type Models interface {
	// Have says whether a model of the table on that connection has the column, and
	// whether there is such a model.
	Have(connection, table, column string) (has, known bool)
	// Key are the columns of the table's primary key by the first model of it on that
	// connection, nil without one. Where a model of beside is sharded, the connection may be
	// one of its shards, which has a copy of the table: there any model of it tells the key.
	Key(connection, beside, table string) []string
	// Encrypted says whether it is encrypted by a model of the table.
	Encrypted(connection, table, column string) bool
	// Elsewhere is another connection, of a model of the table, if there are some but none
	// on this one, where there is a model of beside; "" otherwise.
	Elsewhere(connection, beside, table string) string
}

// Table is what a model knows of its table.
type Table interface {
	// Columns are the columns to select when the query names none, SelectList
	// the same as SQL of the dialect.
	Columns() []string
	SelectList(d *dialect.Dialect) (string, error)
	// Modelled says that the columns are those of a model; others are what is read,
	// by whatever table they come.
	Modelled() bool
	// DeletedMark is the column that is not NULL in a row that was deleted, "" without
	// one.
	DeletedMark() string
	// Known says whether the table has the column, Quoted its name as SQL of
	// the dialect, "" for one that the table does not have or cannot have.
	Known(column string) bool
	Quoted(column string, d *dialect.Dialect) string
	// Field is the number of a column, which may be named after the table; the
	// values of those that have none are taken as they are.
	Field(column string) (i int, ok bool)
	// Fit turns a value that is assigned to a column into one of the column's
	// kind, or fails.
	Fit(i int, v any) (any, error)
	// Document says whether the column holds JSON documents. Stored is an argument of
	// Values.Arg as the column stores it, or the error that it is no document.
	Document(i int) bool
	Stored(i int, arg any) (any, error)
	// FitList does the same for a list of values that a column is compared with.
	FitList(i int, list any) (any, error)
	// Operand is Values.Arg for a value that is made to fit the column.
	Operand(i int, v any, d *dialect.Dialect) (any, error)
	// Other and Others are those of Values for values of the column.
	Other(i int, v, arg any, d *dialect.Dialect) any
	Others(i int, list any, args []any, d *dialect.Dialect) []any
	// Textual says whether the column's values are text to Go.
	Textual(i int) bool
	// Encrypted says whether the database has the column's ciphertext only. The column may
	// be named after the table.
	Encrypted(column string) bool
	// Blind are the column by whose values rows are found that have v in an encrypted
	// column, or with list one of its elements, and those values: one, or a list. index is ""
	// for a column without one. Blinded says whether there is one at all.
	Blind(column string, v any, list bool) (index string, values any, err error)
	Blinded(column string) bool
	// Whole says whether they are whole numbers or bools to Go.
	Whole(i int) bool
}
