package dbfleet

import (
	"context"
	sqldriver "database/sql/driver"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Get returns the rows. None is an empty slice that is not nil.
func (q Query[T]) Get(ctx context.Context) ([]T, error) {
	r := &manyRows[T]{q: q}
	if err := r.q.c.get(ctx, nil, r.q.needs(), r); err != nil {
		return nil, err
	}
	return r.list, nil
}

// All is Get.
func (q Query[T]) All(ctx context.Context) ([]T, error) { return q.Get(ctx) }

// First returns the first row in the query's order, or ErrNotFound.
func (q Query[T]) First(ctx context.Context) (T, error) {
	r := &oneRow[T]{q: q}
	return r.get(ctx, nil)
}

// destination is what a query reads into: all in one place, so that it costs one
// allocation.
type destination interface {
	driver.Reader
	// from tells the connection and about how many rows to expect.
	from(e *entry, hint int)
	// load reads the relations of the rows.
	load(ctx context.Context) error
}

// manyRows are the rows of Get.
type manyRows[T any] struct {
	q    Query[T]
	e    *entry
	hint int
	list []T
}

func (r *manyRows[T]) from(e *entry, hint int) { r.e, r.hint = e, hint }

func (r *manyRows[T]) ReadRows(rows driver.Rows) (n int64, err error) {
	r.list, err = readAll[T](r.q.c.src, r.e, rows, r.hint)
	return int64(len(r.list)), err
}

func (r *manyRows[T]) load(ctx context.Context) error { return r.q.load(ctx, r.e, r.list) }

// oneRow is the row of First and Find.
type oneRow[T any] struct {
	q     Query[T]
	e     *entry
	found bool
	row   T
}

func (r *oneRow[T]) from(e *entry, _ int) { r.e = e }

func (r *oneRow[T]) ReadRows(rows driver.Rows) (n int64, err error) {
	var zero T
	r.row = zero // it may have been read in part before
	if r.found, err = readOne(r.q.c.src, r.e, rows, &r.row); r.found {
		n = 1
	}
	return n, err
}

func (r *oneRow[T]) load(ctx context.Context) error {
	if !r.found || r.q.with == nil {
		return nil
	}
	one := []T{r.row}
	err := r.q.load(ctx, r.e, one)
	r.row = one[0]
	return err
}

// get returns the first row, or the one with that key; see core.get.
func (r *oneRow[T]) get(ctx context.Context, key []any) (T, error) {
	r.q.c.one()
	err := r.q.c.get(ctx, key, r.q.needs(), r)
	if err == nil && !r.found {
		err = ErrNotFound
	}
	if err != nil {
		var zero T
		return zero, err
	}
	return r.row, nil
}

// needs are the relations to load, as the core sees them.
func (q *Query[T]) needs() []needer {
	if q.with == nil {
		return nil
	}
	list := make([]needer, len(*q.with))
	for i, r := range *q.with {
		list[i] = r
	}
	return list
}

// needer is a relation that needs a column of its parents.
type needer interface {
	needs() (column string, err error)
}

// get routes and renders the query, and reads its rows and their relations. A
// key asks for the row with that primary key, of a query that asks for nothing
// else.
func (q *core) get(ctx context.Context, key []any, relations []needer, into destination) error {
	var t target
	err := q.target(ctx, &t, false)
	if err != nil {
		return err
	}
	defer t.leave()
	if err := q.selectKeys(relations); err != nil {
		return err
	}
	var text string
	var args []any
	if key != nil {
		text, args, err = q.src.findText(key, t.e.dialect)
	} else {
		text, args, err = sqlgen.Select(&q.q, q.src.env(&t))
	}
	if err != nil {
		return err
	}
	into.from(t.e, max(int(min(q.q.Limit(), 1024)), 0))
	t.quick = q.src.quick
	if err := t.queryInto(ctx, "select", text, args, q.q.Lock() != sqlgen.NoLock, into); err != nil {
		return err
	}
	return into.load(ctx)
}

// one bounds the query to one row; a limit of none, or one that is refused,
// stays.
func (q *core) one() {
	if n := q.q.Limit(); n == -1 || n >= 1 {
		q.q = q.q.WithFixedLimit(1)
	}
}

// Find returns the row with that primary key (several values for a composite
// key, in the order of ModelConfig.PrimaryKey), or ErrNotFound. A table
// without a model is asked for its column "id".
func (q Query[T]) Find(ctx context.Context, key ...any) (T, error) {
	r := &oneRow[T]{q: q}
	if !r.q.c.findable(key) {
		if err := r.q.c.keyed(key); err != nil {
			return r.row, err
		}
		key = nil
	}
	return r.get(ctx, key)
}

// findable says that the key is all that the query has to ask for.
func (q *core) findable(key []any) bool {
	if q.src == nil || len(key) != 1 || len(q.src.key) != 1 || q.src.shard != nil || !q.q.Bare() {
		return false
	}
	switch key[0].(type) {
	case int, int64, string: // most of them; an interface is dearer to ask for
	case time.Time, Subquery, *sqlgen.Expr:
		return false
	}
	return true
}

// keyed adds the condition of the primary key to all others.
func (q *core) keyed(key []any) error {
	if q.src == nil {
		return errNoSource
	}
	names := q.src.keyNames()
	if len(key) != len(names) {
		return q.src.fail("the primary key has %d columns, %d values were given", len(names), len(key))
	}
	if q.q.Unites() {
		return q.src.fail("a key's condition would not hold for the other rows of a union")
	}
	q.q = q.q.Enclosed()
	for i, name := range names {
		if v, err := rowmap.Arg(key[i], nil); err == nil && v == nil {
			return q.src.nilKey(name)
		}
		q.where(sqlgen.Compare(name, sqlgen.Eq, key[i]))
	}
	return nil
}

func (s *source) nilKey(column string) error {
	return s.fail("the primary key's column %q is nil", column)
}

func (s *source) keyNames() []string {
	if len(s.key) == 0 {
		return []string{"id"}
	}
	names := make([]string, len(s.key))
	for i, f := range s.key {
		names[i] = s.plan.Field(f).Column
	}
	return names
}

// Iter reads the rows one at a time, in constant memory. The connection is
// given back when the loop ends, in whatever way. An error is the last pair of
// the sequence. Relations are not loaded.
//
//	for user, err := range users.Where("active", "=", true).Iter(ctx) {
//
// A query that fails after its first row is not asked again elsewhere. Inside
// a transaction, PostgreSQL and MySQL take no other statement of it until the
// loop has ended (ErrBusy).
func (q Query[T]) Iter(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		stopped := false
		var err error
		if q.with != nil && q.c.src != nil {
			err = q.c.src.fail("an iteration loads no relations; use Get")
		} else {
			err = q.c.each(ctx, func(e *entry, rows driver.Rows, started *bool) (int64, error) {
				return eachRow(q.c.src, e, rows, func(v T) bool {
					*started = true
					stopped = !yield(v, nil)
					return !stopped
				})
			})
		}
		if err != nil && !stopped { // a loop that has ended hears no more
			var zero T
			yield(zero, err)
		}
	}
}

// each feeds an iteration, which sets started with its first row.
func (q *core) each(ctx context.Context, read func(e *entry, rows driver.Rows, started *bool) (int64, error)) error {
	var t target
	err := q.target(ctx, &t, false)
	if err != nil {
		return err
	}
	defer t.leave()
	text, args, err := sqlgen.Select(&q.q, q.src.env(&t))
	if err != nil {
		return err
	}
	e, started := t.e, false
	write := q.q.Lock() != sqlgen.NoLock
	again := false
	for {
		err := t.stream(ctx, "select", text, args, write, driver.ReaderFunc(func(rows driver.Rows) (int64, error) {
			return read(e, rows, &started)
		}))
		if err == nil || started || write || !t.failover(ctx, err, &again) {
			return err
		}
	}
}

// readAll maps all rows.
func readAll[T any](s *source, e *entry, rows driver.Rows, hint int) ([]T, error) {
	if s.plan != nil {
		return rowmap.ReadAll[T](s.plan, rows, hint)
	}
	return readMaps[T](e, rows)
}

func readMaps[T any](e *entry, rows driver.Rows) ([]T, error) {
	list, err := readRows(e, rows)
	if err != nil {
		return nil, err
	}
	return any(list).([]T), nil
}

func readRows(e *entry, rows driver.Rows) ([]Row, error) {
	maps, err := rowmap.ReadRows(rows, e.dialect)
	if err != nil {
		return nil, err
	}
	list := make([]Row, len(maps))
	for i, m := range maps {
		list[i] = m
	}
	return list, nil
}

func readOne[T any](s *source, e *entry, rows driver.Rows, dst *T) (bool, error) {
	if s.plan != nil {
		return rowmap.ReadOne(s.plan, rows, dst)
	}
	list, err := readMaps[T](e, rows)
	if err != nil || len(list) == 0 {
		return false, err
	}
	*dst = list[0]
	return true, nil
}

// eachRow maps rows one by one until yield returns false.
func eachRow[T any](s *source, e *entry, rows driver.Rows, yield func(T) bool) (n int64, err error) {
	if s.plan == nil {
		return rowmap.EachRow(rows, e.dialect, func(row map[string]any) bool { return yield(any(Row(row)).(T)) })
	}
	return rowmap.Each(s.plan, rows, func(row *T) bool { return yield(*row) })
}

// Count returns how many rows Get would return, whatever limit, DISTINCT,
// groups or unions the query has.
func (q Query[T]) Count(ctx context.Context) (int64, error) {
	return aggregate[int64](ctx, &q.c, "COUNT", "")
}

// Exists says whether there is a row.
func (q Query[T]) Exists(ctx context.Context) (bool, error) { return q.c.exists(ctx) }

func (q *core) exists(ctx context.Context) (bool, error) {
	var t target
	err := q.target(ctx, &t, false)
	if err != nil {
		return false, err
	}
	defer t.leave()
	q.one()
	q.q = q.q.ForExistence()
	text, args, err := sqlgen.Select(&q.q, q.src.env(&t))
	if err != nil {
		return false, err
	}
	t.quick = true
	var found []any
	err = t.query(ctx, "select", text, args, false, func(rows driver.Rows) (n int64, err error) {
		found, err = rowmap.ReadColumn[any](rows)
		return int64(len(found)), err
	})
	return len(found) > 0, err
}

// Sum adds up a column as a float64; over no rows it is 0. A sum that a
// float64 cannot hold exactly is ErrRange: use dbfleet.Sum with int64, or
// string for exact decimals.
func (q Query[T]) Sum(ctx context.Context, column string) (float64, error) {
	v, err := aggregate[*float64](ctx, &q.c, "SUM", column)
	if v == nil {
		return 0, err
	}
	return *v, err
}

// Avg is the mean of a column's values that are not NULL; without any it is
// ErrNotFound.
func (q Query[T]) Avg(ctx context.Context, column string) (float64, error) {
	v, err := aggregate[*float64](ctx, &q.c, "AVG", column)
	if err == nil && v == nil {
		err = ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	return *v, nil
}

// Min is the smallest value of a column, of the type of the model's field (of
// a Row's value without a model); without any it is ErrNotFound.
func (q Query[T]) Min(ctx context.Context, column string) (any, error) {
	return q.c.extreme(ctx, "MIN", column)
}

// Max is the largest value of a column; see Min.
func (q Query[T]) Max(ctx context.Context, column string) (any, error) {
	return q.c.extreme(ctx, "MAX", column)
}

func (q *core) extreme(ctx context.Context, function, column string) (any, error) {
	if q.src == nil {
		return nil, errNoSource
	}
	v, err := aggregate[any](ctx, q, function, column)
	if err == nil && v == nil {
		err = ErrNotFound
	}
	if err != nil || q.src.plan == nil {
		return v, err
	}
	i, ok := q.src.Field(column)
	if !ok {
		return v, nil
	}
	rec := q.src.plan.New()
	if err := q.src.plan.Set(i, rec, v); err != nil {
		return nil, err
	}
	return q.src.plan.Value(i, rec), nil
}

// Queryable is a Query or a Model. It is sealed.
type Queryable interface {
	base() core
}

// base returns the query without its type, for what reads single columns.
func (q Query[T]) base() core { return q.c }

// Pluck returns one column's values as V, in the query's order.
//
//	names, err := dbfleet.Pluck[string](ctx, users.OrderBy("id", dbfleet.Asc), "name")
func Pluck[V any](ctx context.Context, from Queryable, column string) ([]V, error) {
	q := from.base()
	var out []V
	err := q.pluck(ctx, column, func(_ *entry, rows driver.Rows) (n int, err error) {
		out, err = rowmap.ReadColumn[V](rows)
		return len(out), err
	})
	if err == nil && out == nil {
		out = []V{}
	}
	return out, err
}

// pluck gives the rows of one column to read.
func (q *core) pluck(ctx context.Context, column string, read func(e *entry, rows driver.Rows) (int, error)) error {
	if err := single("Pluck", column); err != nil {
		return err
	}
	var t target
	err := q.target(ctx, &t, false)
	if err != nil {
		return err
	}
	defer t.leave()
	var name string
	q.q, name = q.q.Plucked(column)
	text, args, err := sqlgen.Select(&q.q, q.src.env(&t))
	if err != nil {
		return err
	}
	e := t.e
	return t.query(ctx, "select", text, args, q.q.Lock() != sqlgen.NoLock, func(rows driver.Rows) (int64, error) {
		rows, err := only(rows, name)
		if err != nil {
			return 0, err
		}
		n, err := read(e, rows)
		return int64(n), err
	})
}

// Sum adds up a column as V. Over no rows the database's NULL is ErrNull,
// unless V is a pointer. A sum that does not fit V exactly is ErrRange.
func Sum[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return typedAggregate[V](ctx, from, "SUM", column)
}

// Avg is the mean of a column as V; see Sum.
func Avg[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return typedAggregate[V](ctx, from, "AVG", column)
}

// Min is the smallest value of a column as V; see Sum.
func Min[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return typedAggregate[V](ctx, from, "MIN", column)
}

// Max is the largest value of a column as V; see Sum.
func Max[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return typedAggregate[V](ctx, from, "MAX", column)
}

func typedAggregate[V any](ctx context.Context, from Queryable, function, column string) (V, error) {
	q := from.base()
	return aggregate[V](ctx, &q, function, column)
}

// single refuses what names no column, or all of them.
func single(part, column string) error {
	if column == "" || column == "*" || strings.HasSuffix(column, ".*") {
		return &StatementError{Part: part, Reason: "takes the name of one column, not " + quoted(column)}
	}
	return nil
}

// aggregate asks for one value.
func aggregate[V any](ctx context.Context, q *core, function, column string) (v V, err error) {
	err = q.aggregate(ctx, function, column, func(rows driver.Rows) (int64, error) {
		_, err := rowmap.ReadValue(rows, &v)
		return 1, err
	})
	return v, err
}

func (q *core) aggregate(ctx context.Context, function, column string, read func(rows driver.Rows) (int64, error)) error {
	if function != "COUNT" {
		if err := single(function, column); err != nil {
			return err
		}
	}
	var t target
	err := q.target(ctx, &t, false)
	if err != nil {
		return err
	}
	defer t.leave()
	agg := q.q.Aggregated(function, column)
	text, args, err := sqlgen.Select(&agg, q.src.env(&t))
	if err != nil {
		return err
	}
	return t.query(ctx, "select", text, args, false, read)
}

// Pluck returns one column's values as Row has them, in the query's order.
// dbfleet.Pluck gives them a type.
func (q Query[T]) Pluck(ctx context.Context, column string) ([]any, error) {
	return q.c.pluckAny(ctx, column)
}

func (q *core) pluckAny(ctx context.Context, column string) ([]any, error) {
	var out []any
	err := q.pluck(ctx, column, func(e *entry, rows driver.Rows) (int, error) {
		key := rows.Columns()[0]
		list, err := rowmap.ReadRows(rows, e.dialect)
		out = make([]any, len(list))
		for i, row := range list {
			out[i] = row[key]
		}
		return len(list), err
	})
	return out, err
}

// only returns rows without their columns but one; no name is the first.
func only(rows driver.Rows, name string) (driver.Rows, error) {
	columns := rows.Columns()
	if name == "" && len(columns) == 1 {
		return rows, nil
	}
	at := slices.Index(columns, name)
	if at < 0 {
		return nil, &UnknownColumnError{Column: name, Known: slices.Clone(columns)}
	}
	return &oneColumn{Rows: rows, at: at, row: make([]sqldriver.Value, len(columns))}, nil
}

// oneColumn is one column of a result.
type oneColumn struct {
	driver.Rows
	at  int
	row []sqldriver.Value
}

func (c *oneColumn) Columns() []string { return c.Rows.Columns()[c.at : c.at+1] }

func (c *oneColumn) TypeName(int) string { return c.Rows.TypeName(c.at) }

func (c *oneColumn) Next(dest []sqldriver.Value) error {
	err := c.Rows.Next(c.row)
	if err == nil {
		dest[0] = c.row[c.at]
	}
	return err
}

// Dialect passes on what the reader of rows asks for.
func (c *oneColumn) Dialect() *dialect.Dialect {
	if d, ok := c.Rows.(interface{ Dialect() *dialect.Dialect }); ok {
		return d.Dialect()
	}
	return nil
}
