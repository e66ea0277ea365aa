package dbfleet

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/lex"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Get returns the rows. None is an empty slice that is not nil.
func (q *Query[T]) Get(ctx context.Context) ([]T, error) {
	var rows []T
	err := (*query)(q).get(ctx, &rows)
	return rows, err
}

// First returns the first row in the query's order, or ErrNotFound.
func (q *Query[T]) First(ctx context.Context) (T, error) {
	var row T
	err := (*query)(q).first(ctx, &row)
	return row, err
}

// Find returns the row with that primary key (several values for a composite
// key, in the order of ModelConfig.PrimaryKey), or ErrNotFound. A table
// without a model is asked for its column "id".
func (q *Query[T]) Find(ctx context.Context, key ...any) (T, error) {
	var row T
	err := (*query)(q).find(ctx, &row, key)
	return row, err
}

// Iter reads the rows one at a time, in constant memory (of SQLite's ":memory:" all
// at once, so that the loop can write: there no other connection can commit while
// rows are read). The connection is given back when the loop ends, in whatever way.
// An error is the last pair of the sequence.
//
// With relations the rows come by statements of 500 rows each, with the relations of
// those, as Chunk reads them: what that refuses is refused, and rows that others write
// meanwhile may be among them. No connection is held while the loop runs.
//
//	for user, err := range users.Where("active", "=", true).Iter(ctx) {
//
// A query that fails after its first row is not asked again elsewhere. Inside
// a transaction, PostgreSQL and MySQL take no other statement of it until the
// loop has ended (ErrBusy).
func (q *Query[T]) Iter(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var row, zero T
		err, broken := (*query)(q).each(ctx, &row, func() bool { return yield(row, nil) })
		if err != nil && !broken { // a loop that has ended hears no more
			yield(zero, err)
		}
	}
}

// selection is the verb of Get, First and Find, and of whole statements.
type selection struct {
	trip
	into  any // a *[]T, or a *T for one row
	one   bool
	key   []string // the columns of the key that it is looked for by; nil for other conditions
	found bool
	stmt  *wholeStatement // in place of the query's own; nil for none

	changes  bool  // the whole statement is known to change rows
	numbered bool  // sqlgen.Env.Numbered
	fault    error // of rows that a statement has written and that cannot be read; of AfterFind in a loop
}

func (v *selection) writes() bool {
	if v.stmt != nil {
		return v.stmt.writes
	}
	return v.q.q.Lock() != sqlgen.NoLock
}

func (v *selection) render(p *place, s *statement) (err error) {
	s.op = "select"
	env := v.q.env(p)
	if v.stmt != nil {
		s.text, s.args, err = v.stmt.text(env)
		if v.changes, _ = lex.Changes(s.text, p.e.dialect); v.changes && v.q.shape != nil {
			return v.q.src.table.Fail(intoReads)
		}
	} else {
		var q *sqlgen.Query
		if q, err = v.q.withKeysOfRelations(); err == nil {
			if v.q.src.table.Encrypts() {
				if err := v.foreseen(q, p.e.dialect); err != nil {
					return err
				}
			}
			if q.Selects() {
				q = q.WithZeroSums(v.q.takesNull)
			}
			env.Numbers = p.e.numbersRows()
			s.text, s.args, err = sqlgen.Select(q, env)
			v.numbered = env.Numbered
		}
	}
	s.write = v.writes() || env.MayWrite
	return err
}

func (v *selection) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *selection) read(rows driver.Rows) (n int64, err error) {
	return v.kept(v.rows(rows))
}

// kept keeps the error of a value for finish, if the statement itself has succeeded
// and changed rows.
func (v *selection) kept(n int64, err error) (int64, error) {
	if err == nil || !v.changes {
		return n, err
	}
	var column *rowmap.ColumnError
	if errors.As(err, &column) || errors.Is(err, rowmap.ErrColumn) {
		v.fault, err = err, nil
	}
	return n, err
}

func (v *selection) rows(rows driver.Rows) (n int64, err error) {
	plan := v.q.plan()
	if plan == nil {
		return v.readMaps(rows)
	}
	if err := v.fits(plan, rows); err != nil {
		return 0, err
	}
	if v.one {
		if v.found, err = v.reads(plan, rows).ReadFirst(rows, v.into); v.found {
			n = 1
		}
		return n, err
	}
	count, err := v.reads(plan, rows).ReadAll(rows, v.into, max(int(min(v.q.q.Limit(), 1024)), 0))
	return int64(count), err
}

// ofTable says that the select list was made of the fields: the columns are those that
// the records are written to.
func (v *selection) ofTable() bool { return !v.q.q.Selects() && v.stmt == nil }

// reads is how rows are read into the plan's records, which may remember what of them is
// the column of their own table that it is called like.
func (v *selection) reads(plan *rowmap.Plan, rows rowmap.Source) rowmap.Rows {
	r := plan.Rows(v.ofTable())
	if !plan.Remembers() {
		return r
	}
	env := v.q.env(&v.place)
	q := &v.q.q
	if v.stmt != nil {
		made := sqlgen.OfText(v.statement.text, env.Dialect)
		q, env.Table = &made, nil
	} else if keyed, err := v.q.withKeysOfRelations(); err == nil {
		q = keyed
	}
	return r.From(q.Sources(rows.Columns(), env, func(of sqlgen.Table, name string) bool {
		t, ok := of.(*table.Table)
		switch {
		case ok && t.HasModel() && t.Plan != plan:
			return false
		case v.q.shape == nil && v.q.src.table.HasModel():
			return name == v.q.src.table.Name
		}
		return true
	}))
}

// fits refuses rows whose columns are not those of the struct. Where the caller wrote
// the select list, what it names must have a field, and fields that it does not name
// stay zero. A list with a star names all there is: it may have more columns, as a
// table to which one was added, but no field stays without one.
// Rows of another shape than the model's records have a column for each field.
func (v *selection) fits(plan *rowmap.Plan, rows rowmap.Source) error {
	if v.ofTable() || plan.IsScalar() {
		return nil // the list was made of the fields, or there are none
	}
	q := &v.q.q
	m, err := plan.Misfit(rows)
	switch {
	case err != nil || m.None():
		return err
	case v.q.shape != nil: // which was made for these columns
		if err := m.Missing(); err != nil || v.selectsAll() || q.DiscardsUnknown() {
			return err
		}
		return m.Unknown()
	case v.selectsAll():
		return m.Missing()
	case q.DiscardsUnknown():
		return nil
	}
	return m.Unknown()
}

// foreseen refuses a select list whose names do not fit T before anything is sent, as
// far as they are known.
func (v *selection) foreseen(q *sqlgen.Query, d *dialect.Dialect) error {
	plan := v.q.plan()
	if plan == nil || !q.Selects() {
		return nil
	}
	columns, all := q.ResultColumns(d, v.q.src.table)
	if !all {
		return nil
	}
	return v.fits(plan, rowmap.NoRows(columns))
}

// selectsAll says whether the select list has a star.
func (v *selection) selectsAll() bool {
	d := v.place.e.dialect
	if v.stmt != nil {
		return lex.HasStar(v.statement.text, d)
	}
	return v.q.q.SelectsAll(d)
}

// readMaps reads rows without a struct.
func (v *selection) readMaps(rows driver.Rows) (int64, error) {
	maps, err := rowmap.ReadRows(rows, v.place.e.dialect)
	if err != nil {
		return 0, err
	}
	if v.one {
		v.found = len(maps) > 0
		if v.found {
			*v.into.(*Row) = maps[0]
		}
		return int64(min(len(maps), 1)), nil
	}
	list := make([]Row, len(maps))
	for i, m := range maps {
		list[i] = m
	}
	*v.into.(*[]Row) = list
	return int64(len(list)), nil
}

// finish loads the relations of the rows. What goes wrong once a statement has written
// is told as that.
func (v *selection) finish(ctx context.Context, p *place, _ driver.Result) error {
	err := v.fault
	switch {
	case err != nil:
	case v.one && !v.found:
		return v.q.notFound(v.key)
	default:
		err = v.q.loadRelations(ctx, p, v.into, v.one)
	}
	if err != nil && v.changes {
		err = written(p, nil, err)
	}
	return err
}

func (q *query) get(ctx context.Context, list any) error {
	v := &selection{trip: trip{q: q}, into: list}
	_, err := v.run(ctx, v)
	if err != nil {
		rowmap.Clear(list) // nothing of a read that failed
	}
	return err
}

func (q *query) first(ctx context.Context, row any) error { return q.bounded().one(ctx, row) }

// one reads the only row of a query.
func (q *query) one(ctx context.Context, row any) error {
	v := &selection{trip: trip{q: q}, into: row, one: true}
	return v.runOne(ctx, v)
}

// runOne runs a verb that is, or has, this selection of one row.
func (v *selection) runOne(ctx context.Context, self verb) error {
	_, err := v.run(ctx, self)
	if err != nil {
		rowmap.Clear(v.into)
	}
	return err
}

// bounded is the query for one row; a limit of none, or one that is refused,
// stays.
func (q *query) bounded() *query {
	next := q.next()
	next.bound()
	return next
}

// bound bounds a query that nobody else has yet.
func (q *query) bound() {
	if n := q.q.Limit(); n == -1 || n > 1 {
		q.q = q.q.WithFixedLimit(1)
	}
}

// keyed adds the condition of the primary key to all others.
func (q *query) keyed(key []any) (*query, error) {
	if err := q.usable(); err != nil {
		return nil, err
	}
	t := q.src.table
	names := t.KeyNames()
	if len(key) != len(names) {
		return nil, t.Fail("Find takes a value for each column of the primary key (%s), not %d values", strings.Join(names, ", "), len(key))
	}
	if q.q.Unites() {
		return nil, t.Fail("a key's condition would not hold for the other rows of a union")
	}
	next := q.next()
	next.q = next.q.Enclosed()
	for i, name := range names {
		value := operand(key[i])
		if isNil(value) {
			return nil, t.NilKey(name)
		}
		next.q.AddCompare(false, name, sqlgen.Eq, value)
	}
	return next, nil
}

// isNil says whether a value is NULL in the database.
func isNil(v any) bool {
	switch v.(type) {
	case int, int64, string:
		return false
	}
	a, err := rowmap.Arg(v, nil)
	return err == nil && a == nil
}

// each reads the rows into *row, one after the other. broken says that yield has
// ended the loop.
func (q *query) each(ctx context.Context, row any, yield func() bool) (err error, broken bool) { //nolint:revive // two results, of which one is the loop's
	v := &iteration{selection: selection{trip: trip{q: q}, into: row}, ctx: ctx, yield: yield}
	if q != nil && q.src != nil && len(q.relations) > 0 {
		return q.eachChunk(ctx, row, yield)
	}
	_, err = v.run(ctx, v)
	return err, v.broken
}

// iteration is the verb of Iter.
type iteration struct {
	selection
	ctx             context.Context // of AfterFind
	yield           func() bool
	started, broken bool
}

func (v *iteration) render(p *place, s *statement) error {
	s.stream = true
	return v.selection.render(p, s)
}

func (v *iteration) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

// begun says that rows were given to the loop: the query is not asked again.
func (v *iteration) begun() bool { return v.started }

func (v *iteration) read(rows driver.Rows) (int64, error) {
	next := func() bool {
		v.started = true
		if v.fault = v.q.foundOf(v.ctx, rowmap.One(v.into)); v.fault != nil {
			return false
		}
		v.broken = !v.yield()
		return !v.broken
	}
	if plan := v.q.plan(); plan != nil {
		if err := v.fits(plan, rows); err != nil {
			return 0, err
		}
		return v.reads(plan, rows).ReadEach(rows, v.into, next)
	}
	return rowmap.EachRow(rows, v.place.e.dialect, func(row map[string]any) bool {
		*v.into.(*Row) = row
		return next()
	})
}

func (v *iteration) finish(context.Context, *place, driver.Result) error { return v.fault }
