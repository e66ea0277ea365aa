package dbfleet

import (
	"context"
	sqldriver "database/sql/driver"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Count returns how many rows Get would return, whatever limit, DISTINCT,
// groups or unions the query has.
func (q *Query[T]) Count(ctx context.Context) (int64, error) { return (*query)(q).count(ctx) }

// Exists says whether there is a row.
func (q *Query[T]) Exists(ctx context.Context) (bool, error) { return (*query)(q).any(ctx) }

// Sum adds up a column as a float64; over no rows it is 0. A sum that a
// float64 cannot hold exactly is ErrRange: use dbfleet.Sum with int64, or
// string for exact decimals.
func (q *Query[T]) Sum(ctx context.Context, column string) (float64, error) {
	return (*query)(q).sum(ctx, column)
}

// Avg is the mean of a column's values that are not NULL; without any it is
// ErrNotFound.
func (q *Query[T]) Avg(ctx context.Context, column string) (float64, error) {
	return (*query)(q).avg(ctx, column)
}

// Min is the smallest value of a column, of the type of the model's field (of
// a Row's value without a model); without any it is ErrNotFound.
func (q *Query[T]) Min(ctx context.Context, column string) (any, error) {
	return (*query)(q).extreme(ctx, "MIN", column)
}

// Max is the largest value of a column; see Min.
func (q *Query[T]) Max(ctx context.Context, column string) (any, error) {
	return (*query)(q).extreme(ctx, "MAX", column)
}

// Pluck returns one column's values as Row has them, in the query's order.
// dbfleet.Pluck gives them a type.
func (q *Query[T]) Pluck(ctx context.Context, column string) ([]any, error) {
	return (*query)(q).pluckAny(ctx, column)
}

// Pluck returns one column's values as V, in the query's order.
//
//	names, err := dbfleet.Pluck[string](ctx, users.OrderBy("id", dbfleet.Asc), "name")
func Pluck[V any](ctx context.Context, from Queryable, column string) ([]V, error) {
	out := []V{}
	err := from.base().pluck(ctx, column, func(rows driver.Rows, _ *dialect.Dialect) (n int, err error) {
		out, err = rowmap.ReadColumn[V](rows)
		return len(out), err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Sum adds up a column as V. Over no rows the database's NULL is ErrNull,
// unless V is a pointer. A sum that does not fit V exactly is ErrRange.
func Sum[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return aggregate[V](ctx, from.base(), "SUM", column)
}

// Avg is the mean of a column as V; see Sum.
func Avg[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return aggregate[V](ctx, from.base(), "AVG", column)
}

// Min is the smallest value of a column as V; see Sum.
func Min[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return aggregate[V](ctx, from.base(), "MIN", column)
}

// Max is the largest value of a column as V; see Sum.
func Max[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return aggregate[V](ctx, from.base(), "MAX", column)
}

// summary is the verb of aggregates, of Exists and of Pluck: a SELECT that is made
// of the query's own.
type summary struct {
	trip
	made  func(q *sqlgen.Query) sqlgen.Query
	locks bool
	take  func(rows driver.Rows, d *dialect.Dialect) (int, error)
}

func (v *summary) writes() bool { return v.q.q.Lock() != sqlgen.NoLock }

func (v *summary) render(p *place, s *statement) (err error) {
	q := v.made(&v.q.q)
	env := v.q.env(p)
	s.op = "select"
	s.text, s.args, err = sqlgen.Select(&q, env)
	s.write = v.locks && v.writes() || env.MayWrite
	return err
}

func (v *summary) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *summary) read(rows driver.Rows) (int64, error) {
	n, err := v.take(rows, v.place.e.dialect)
	return int64(n), err
}

// aggregate asks for one value.
func aggregate[V any](ctx context.Context, q *query, function, column string) (v V, err error) {
	err = q.summarize(ctx, function, column, func(rows driver.Rows, _ *dialect.Dialect) (int, error) {
		_, err := rowmap.ReadValue(rows, &v)
		return 1, err
	})
	return v, err
}

func (q *query) summarize(ctx context.Context, function, column string, take func(driver.Rows, *dialect.Dialect) (int, error)) error {
	if function != "COUNT" {
		if err := single(function, column); err != nil {
			return err
		}
	}
	v := &summary{trip: trip{q: q}, take: take, made: func(q *sqlgen.Query) sqlgen.Query { return q.Aggregated(function, column) }}
	_, err := v.run(ctx, v)
	return err
}

// single refuses what names no column, or all of them.
func single(part, column string) error {
	if column == "" || column == "*" || strings.HasSuffix(column, ".*") {
		return &StatementError{Part: part, Reason: "takes the name of one column, not " + quoted(column)}
	}
	return nil
}

//go:noinline
func (q *query) count(ctx context.Context) (int64, error) {
	return aggregate[int64](ctx, q, "COUNT", "")
}

func (q *query) sum(ctx context.Context, column string) (float64, error) {
	v, err := aggregate[*float64](ctx, q, "SUM", column)
	if v == nil {
		return 0, err
	}
	return *v, err
}

func (q *query) avg(ctx context.Context, column string) (float64, error) {
	v, err := aggregate[*float64](ctx, q, "AVG", column)
	if err == nil && v == nil {
		err = ErrNotFound
	}
	if err != nil {
		return 0, err
	}
	return *v, nil
}

func (q *query) extreme(ctx context.Context, function, column string) (any, error) {
	v, err := aggregate[any](ctx, q, function, column)
	if err == nil && v == nil {
		err = ErrNotFound
	}
	if err != nil || q.src.table.Plan == nil {
		return v, err
	}
	i, ok := q.src.table.Field(column)
	if !ok {
		return v, nil
	}
	plan := q.src.table.Plan
	rec := plan.New()
	if err := plan.Set(i, rec, v); err != nil {
		return nil, err
	}
	return plan.Value(i, rec), nil
}

// any says whether the query has rows.
func (q *query) any(ctx context.Context) (bool, error) {
	found := false
	v := &summary{trip: trip{q: q.bounded()}, made: func(q *sqlgen.Query) sqlgen.Query { return q.ForExistence() }}
	v.take = func(rows driver.Rows, _ *dialect.Dialect) (int, error) {
		list, err := rowmap.ReadColumn[any](rows)
		found = len(list) > 0
		return len(list), err
	}
	_, err := v.run(ctx, v)
	return found, err
}

// pluck gives the rows of one column to read.
func (q *query) pluck(ctx context.Context, column string, read func(rows driver.Rows, d *dialect.Dialect) (int, error)) error {
	if err := single("Pluck", column); err != nil {
		return err
	}
	name := ""
	v := &summary{trip: trip{q: q}, locks: true}
	v.made = func(q *sqlgen.Query) (out sqlgen.Query) {
		out, name = q.Plucked(column)
		return out
	}
	v.take = func(rows driver.Rows, d *dialect.Dialect) (int, error) {
		rows, err := only(rows, name)
		if err != nil {
			return 0, err
		}
		return read(rows, d)
	}
	_, err := v.run(ctx, v)
	return err
}

func (q *query) pluckAny(ctx context.Context, column string) ([]any, error) {
	var out []any
	err := q.pluck(ctx, column, func(rows driver.Rows, d *dialect.Dialect) (int, error) {
		key := rows.Columns()[0]
		list, err := rowmap.ReadRows(rows, d)
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
