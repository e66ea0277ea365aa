package dbfleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/lex"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Queryer is where Select, SelectOne and SelectIter send SQL: a *DB, also one of Read
// or Primary, a *Tx, or a *Model or *Query of any type, also one of DB, Shard or Using.
// It is sealed.
type Queryer interface {
	base() *query
}

// Select reads the rows of a statement that the caller wrote, in the database's own
// SQL. None is an empty slice that is not nil.
//
//	type total struct {
//		City string
//		N    int
//	}
//	totals, err := dbfleet.Select[total](ctx, db, "SELECT city, COUNT(*) AS n FROM people WHERE age > ? GROUP BY city", 30)
//
// T is a struct, which may be declared in a function or have no name, whose fields
// are columns as those of a model; or Row; or, for a result of one column, whatever a
// field may be: a number, string, bool, time.Time, []byte, JSON, a pointer or
// sql.Null for what may be NULL, any, a type with a Scan method. Columns and fields
// must be the same: one without the other is a *ColumnError that lists both. With a
// star the result may have more columns than T, and also on a query on which
// DiscardUnknownColumns was called.
//
// Arguments are as the database has them, ? or $1; or all of them are made by Named.
//
// The statement runs in the transaction of on or of ctx, else on the primary, or on a
// replica if on is a handle of DB.Read, which refuses what is known to change rows
// with ErrReadHandle. A model or query gives its connection; a sharded one needs a key
// by Shard, else the error is ErrMissingShardKey. A query that asks for anything
// else, conditions or an order, is refused, since that would be lost. The statement
// is sent once; only what is known to be a plain read is sent again, elsewhere, when
// its connection was lost.
//
// INSERT, UPDATE and DELETE need RETURNING, or are refused before they are sent. Of
// another statement that turns out to return no rows the error says so, and is
// ErrWritten where it may have changed something; so is the error of rows that a
// statement has written and that T cannot hold. Statements that begin or end a
// transaction are refused, and several statements in one text.
func Select[T any](ctx context.Context, on Queryer, sql string, args ...any) ([]T, error) {
	var rows []T
	err := selectAll(ctx, on, shapeOf[T](), &rows, sql, args)
	return rows, err
}

// SelectOne is Select for a statement that gives one row: none is ErrNotFound, several
// are ErrManyRows.
//
//	n, err := dbfleet.SelectOne[int64](ctx, db, "SELECT COUNT(*) FROM people")
func SelectOne[T any](ctx context.Context, on Queryer, sql string, args ...any) (T, error) {
	var row T
	err := selectOne(ctx, on, shapeOf[T](), &row, sql, args)
	return row, err
}

// SelectIter is Select that reads the rows one at a time; see Query.Iter.
//
//	for row, err := range dbfleet.SelectIter[dbfleet.Row](ctx, db, "SELECT * FROM people") {
func SelectIter[T any](ctx context.Context, on Queryer, sql string, args ...any) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var row, zero T
		err, broken := selectEach(ctx, on, shapeOf[T](), &row, sql, args, func() bool { return yield(row, nil) })
		if err != nil && !broken { // a loop that has ended hears no more
			yield(zero, err)
		}
	}
}

// Named gives an argument of Select, SelectOne and SelectIter a name: the text has
// :name for it, on every database, any number of times. sql.Named does the same.
//
//	dbfleet.Select[Person](ctx, db, "SELECT * FROM people WHERE city = :city OR boss_id IN (:bosses)",
//		dbfleet.Named("city", "oslo"), dbfleet.Named("bosses", []int64{1, 2}))
//
// A list as a member of IN (…) stands for its elements; an empty one that is the only
// member matches nothing, and behind NOT IN everything, and beside other members it is
// refused; nil among the elements is refused. Elsewhere a list is one value, an array of
// PostgreSQL. An argument that the text lacks, a name without an
// argument, one given twice, and arguments without a name beside others are errors
// that tell the name. Colons in quotes and comments, of casts (x::int), assignments
// (:=) and slices (a[1:n]) are none of a name. Names are told by their case.
//
// The methods of DB and Tx do not read names: what database/sql does with a sql.Named
// there is the driver's affair.
func Named(name string, value any) sql.NamedArg { return sql.Named(name, value) }

// ErrManyRows says that there are several rows where SelectOne wants one.
var ErrManyRows = errors.New("dbfleet: more than one row")

// base is a query that has a route, and no table.
func (db *DB) base() *query {
	if db == nil || db.reg == nil {
		return &query{src: &source{err: &StatementError{Reason: "the *DB is nil or the zero value; Registry.DB gives one"}}}
	}
	q := tableQuery(db, "", nil, nil)
	q.src.err = nil
	return q
}

func (tx *Tx) base() *query {
	if tx == nil || tx.st == nil {
		return &query{src: &source{err: &StatementError{Reason: "the *Tx is nil or the zero value; Transaction gives one"}}}
	}
	q := tx.st.e.reg.DB(tx.st.e.name).base()
	q.at = &wish{tx: tx}
	return q
}

// rawSelection is the verb of Select: a statement of the caller's.
type rawSelection struct {
	iteration
	args []any
}

// newRawSelection checks on what, and as what, a statement is sent.
func newRawSelection(on Queryer, as *shape, into any, text string, args []any) (*rawSelection, error) {
	if on == nil {
		return nil, &StatementError{Part: "Select", Reason: "where to send the SQL is nil; give a *DB, *Tx, *Model or *Query"}
	}
	q := on.base()
	if err := q.usable(); err != nil {
		return nil, err
	}
	if !q.q.Unasked() || len(q.relations) > 0 {
		return nil, q.src.table.Fail("Select sends the SQL that it is given; what else the query asks for would be lost")
	}
	if q = q.next(); !q.wish().read {
		q = q.primary()
	}
	q.shape = as
	return &rawSelection{iteration{selection: selection{trip: trip{q: q}, into: into, stmt: &wholeStatement{raw: text}}}, args}, nil
}

// writes is not known before the database is: the handle chooses the node.
func (v *rawSelection) writes() bool { return false }

// to asks for the shard that only the call can name.
func (v *rawSelection) to() (destination, error) {
	q := v.q
	if q.src.shard != nil && !q.wish().placed() {
		return destination{}, q.src.missingKey("SQL is sent to the shard that Shard names")
	}
	return q.src.destination(q.wish(), nil, false)
}

func (v *rawSelection) render(p *place, s *statement) (err error) {
	d, text := p.e.dialect, v.stmt.raw
	if err := refuseControl(text, d); err != nil {
		return err
	}
	changes, silent := lex.Changes(text, d)
	what, plain := notPlainOn(text, d)
	statements := lex.New(text, d)
	_, _, one := statements.Statement()
	_, _, more := statements.Statement()
	switch {
	case !one:
		return &StatementError{Part: "Select", Reason: "the SQL is empty"}
	case more:
		return &StatementError{Part: "Select", Reason: "the text has several statements, of which each has its own rows; send them one by one"}
	case changes && v.q.wish().read:
		return errorf("connection %q: Select of a statement that changes rows: %w", p.e.name, ErrReadHandle)
	case v.q.wish().read && !plain:
		return notPlain(p.e.name, what)
	case silent:
		return &StatementError{Part: "Select", Reason: "the statement returns no rows; give it RETURNING, or use ExecContext"}
	}
	p.guarded = v.q.wish().read
	s.op, s.raw = "query", true
	v.changes, s.write = changes, changes || !plain
	s.text, s.args, err = sqlgen.Named(text, v.args, v.q.env(p))
	s.args = rowmap.RawArgs(s.args, p.e.dialect) // also the values of names
	return err
}

func (v *rawSelection) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *rawSelection) read(rows driver.Rows) (int64, error) {
	if len(rows.Columns()) == 0 {
		return 0, v.noRows()
	}
	if v.yield == nil {
		return v.selection.read(rows)
	}
	return v.kept(v.iteration.read(rows))
}

// noRows is the error of a statement that returned none, which may have done something.
func (v *rawSelection) noRows() error {
	err := &StatementError{Reason: "the statement returns no rows; use ExecContext"}
	if v.statement.write {
		err.Err = ErrWritten
	}
	return err
}

func (v *rawSelection) finish(_ context.Context, p *place, _ driver.Result) error {
	if v.fault != nil {
		return written(p, nil, v.fault)
	}
	return nil
}

func selectAll(ctx context.Context, on Queryer, as *shape, list any, text string, args []any) error {
	v, err := newRawSelection(on, as, list, text, args)
	if err != nil {
		return err
	}
	if _, err = v.run(ctx, v); err != nil {
		rowmap.Clear(list)
	}
	return err
}

func selectOne(ctx context.Context, on Queryer, as *shape, row any, text string, args []any) error {
	v, err := newRawSelection(on, as, row, text, args)
	if err != nil {
		return err
	}
	n := 0
	v.yield = func() bool {
		n++
		return n < 2
	}
	_, err = v.run(ctx, v)
	switch {
	case err != nil:
	case n == 0:
		err = v.q.notFound(nil)
	case n > 1:
		err = fmt.Errorf("%w: %s", ErrManyRows, v.q.place())
		if v.changes {
			err = written(&v.place, nil, err)
		}
	default:
		return nil
	}
	rowmap.Clear(row)
	return err
}

func selectEach(ctx context.Context, on Queryer, as *shape, row any, text string, args []any, yield func() bool) (err error, broken bool) { //nolint:revive // two results, of which one is the loop's
	v, err := newRawSelection(on, as, row, text, args)
	if err != nil {
		return err, false
	}
	v.yield, v.statement.stream = yield, true
	_, err = v.run(ctx, v)
	return err, v.broken
}
