package dbfleet

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
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

// Sum adds up a column of the rows that Get would return, by its name there if the
// select list has it, as a float64; without values it is 0. A sum whose whole part a
// float64 cannot hold exactly is ErrRange: use dbfleet.Sum with int64, or string for
// exact decimals. dbfleet.Sum with a pointer tells no values from 0.
func (q *Query[T]) Sum(ctx context.Context, column string) (float64, error) {
	return (*query)(q).sum(ctx, column)
}

// Avg is the mean of a column's values that are not NULL; without any it is
// ErrNotFound. See dbfleet.Avg.
func (q *Query[T]) Avg(ctx context.Context, column string) (float64, error) {
	return (*query)(q).avg(ctx, column)
}

// Min is the smallest value of a column, of the type of the model's field (of
// a Row's value without a model, or if the name is an alias of the select list);
// without any it is ErrNotFound.
func (q *Query[T]) Min(ctx context.Context, column string) (any, error) {
	return (*query)(q).extreme(ctx, "MIN", column)
}

// Max is the largest value of a column; see Min.
func (q *Query[T]) Max(ctx context.Context, column string) (any, error) {
	return (*query)(q).extreme(ctx, "MAX", column)
}

// Pluck returns one column's values as Row has them, in the query's order; with
// Distinct and no select list, each value once.
// dbfleet.Pluck gives them a type.
func (q *Query[T]) Pluck(ctx context.Context, column string) ([]any, error) {
	return (*query)(q).pluckAny(ctx, column)
}

// Pluck returns one column's values as V, in the query's order; with Distinct and no
// select list, each value once.
//
//	names, err := dbfleet.Pluck[string](ctx, users.OrderBy("id", dbfleet.Asc), "name")
func Pluck[V any](ctx context.Context, from Queryable, column string) ([]V, error) {
	out := []V{}
	err := baseOf(from).pluck(ctx, column, func(rows driver.Rows, _ *dialect.Dialect) (n int, err error) {
		out, err = rowmap.ReadColumn[V](rows)
		return len(out), err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Sum adds up a column's values as V. What does not fit V exactly is ErrRange, on every
// database: take int64 for whole numbers, string or a decimal type for decimals. NULL is
// no value, and without values the sum is 0. A text that is no number is ErrType;
// PostgreSQL has no sum of texts at all, which is ErrUndefined. SelectSum and SQL of
// one's own are as the database has them: MySQL and SQLite take such a text for 0, and
// a sum of SQLite's beyond int64 is ErrInvalidValue.
//
// The methods and the functions Sum, Avg, Min and Max have one rule for rows without
// values, and for no rows: a sum is 0, there is no mean, no smallest and no largest
// value, which is ErrNotFound; but a V that can be NULL, such as a pointer or
// sql.Null, is NULL for all of them:
//
//	total, err := dbfleet.Sum[*int64](ctx, orders, "amount") // nil: there are none
//
// SelectSum, SelectAvg, SelectMin and SelectMax have the same rule for the field of each
// row, but that a field which cannot be NULL is ErrNull in place of ErrNotFound.
//
// SQLite has no decimals. What is kept there as text or as floats is added up as the
// decimals that it reads as, if V is no number of Go's: all values are read for that.
// They are read too, on SQLite and MySQL, where some are texts, and on SQLite where the
// sum leaves int64 on the way.
func Sum[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return aggregate[V](ctx, baseOf(from), "SUM", column)
}

// Avg is the mean of a column's values as V; without values it is ErrNotFound, see
// Sum. The mean of whole numbers and decimals is divided from their exact sum: a
// float64 is the one that is nearest to it (ErrRange where it has no room for the
// whole part), an integer is exact or ErrRange, a string or decimal type has at most
// 30 digits after the point, the last of them rounded.
func Avg[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return aggregate[V](ctx, baseOf(from), "AVG", column)
}

// Min is the smallest value of a column as V; without values it is ErrNotFound, see
// Sum. Decimals that SQLite keeps as text are compared as text.
func Min[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return aggregate[V](ctx, baseOf(from), "MIN", column)
}

// Max is the largest value of a column as V; without values it is ErrNotFound, see
// Sum. Decimals that SQLite keeps as text are compared as text.
func Max[V any](ctx context.Context, from Queryable, column string) (V, error) {
	return aggregate[V](ctx, baseOf(from), "MAX", column)
}

// summary is the verb of aggregates, of Exists and of Pluck: a SELECT that is made
// of the query's own.
type summary struct {
	trip
	made  func(q *sqlgen.Query, d *dialect.Dialect) sqlgen.Query
	locks bool
	take  func(rows driver.Rows, d *dialect.Dialect) (int, error)
}

func (v *summary) writes() bool { return v.q.q.Lock() != sqlgen.NoLock }

func (v *summary) render(p *place, s *statement) (err error) {
	q := v.made(&v.q.q, p.e.dialect)
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
	kind, found := rowmap.KindOf[V](), false
	err = q.summarize(ctx, function, column, kind, func(rows driver.Rows, how rowmap.Summary) (err error) {
		found, err = rowmap.ReadSummary(rows, how, &v)
		var fault *rowmap.ColumnError
		if errors.As(err, &fault) {
			fault.Column = column // not what the statement calls it
		}
		return err
	})
	if err == nil && !found {
		err = q.valueless(function, column)
	}
	return v, err
}

// valueless is the error of an aggregate over no values.
func (q *query) valueless(function, column string) error {
	return errorf("%w: table %q has no values for %s of column %q", ErrNotFound, q.src.table.Name, function, column)
}

// summarize asks for an aggregate that is read as a value of that kind.
func (q *query) summarize(ctx context.Context, function, column string, kind rowmap.Kind, take func(driver.Rows, rowmap.Summary) error) error {
	if function != "COUNT" {
		if err := single(function, column); err != nil {
			return err
		}
	}
	d, err := q.summarizeBy(ctx, column, take, func(d *dialect.Dialect) (string, []string, rowmap.Summary) {
		return summaryOn(d, function, kind)
	})
	if wantsAll(err, function, d) {
		_, err = q.summarizeBy(ctx, column, take, func(*dialect.Dialect) (string, []string, rowmap.Summary) {
			return ofAll(function)
		})
	}
	return q.ofColumn(err, column)
}

// summarizeBy asks in one of the ways in which the database can be. It tells which that is.
func (q *query) summarizeBy(ctx context.Context, column string, take func(driver.Rows, rowmap.Summary) error,
	by func(*dialect.Dialect) (ask string, more []string, how rowmap.Summary),
) (d *dialect.Dialect, err error) {
	how := rowmap.First
	v := &summary{trip: trip{q: q}}
	v.made = func(q *sqlgen.Query, on *dialect.Dialect) sqlgen.Query {
		ask, more, read := by(on)
		d, how = on, read
		return q.Aggregated(ask, column, more...)
	}
	v.take = func(rows driver.Rows, _ *dialect.Dialect) (int, error) { return 1, take(rows, how) }
	_, err = v.run(ctx, v)
	return d, err
}

// wantsAll says whether a sum or mean failed that all values, read one by one, have or
// tell the fault of: where some are texts, which a database takes for 0 in silence, and
// where a sum of SQLite's leaves int64 on the way.
func wantsAll(err error, function string, d *dialect.Dialect) bool {
	return errors.Is(err, rowmap.ErrNoNumber) || function == "SUM" && d == dialect.SQLite && errors.Is(err, ErrInvalidValue)
}

// ofAll is how all values are asked for.
func ofAll(function string) (ask string, more []string, how rowmap.Summary) {
	if function == "AVG" {
		return sqlgen.AllValues, nil, rowmap.MeanOfAll
	}
	return sqlgen.AllValues, nil, rowmap.TotalOfAll
}

// ofColumn is the error of an aggregate with the column's name in place of the one
// that its value has in the statement.
func (q *query) ofColumn(err error, column string) error {
	const inside = "aggregate"
	var value *ColumnError
	if errors.As(err, &value) && value.Column == inside && value.Model == "" {
		value.Model, value.Column = q.src.table.Name, column
	}
	var unknown *UnknownColumnError
	if errors.As(err, &unknown) && len(unknown.Selected) > 0 && !slices.ContainsFunc(unknown.Selected, func(name string) bool { return !strings.HasPrefix(name, inside) }) {
		unknown.Selected = nil
	}
	return err
}

// summaryOn is what is asked for an aggregate, and how it is read. SQLite adds up and
// divides as floats do: where that would lose digits, all values are asked for. It
// also has no type but the column's for a time or a decimal: beside the largest value
// it is asked for the column of its row. SQLite and MySQL add texts up as 0: the largest
// value tells that there are some.
func summaryOn(d *dialect.Dialect, function string, kind rowmap.Kind) (ask string, more []string, how rowmap.Summary) {
	sqlite := d == dialect.SQLite
	switch {
	case function == "AVG" && sqlite:
		return ofAll(function)
	case function == "AVG" && d == dialect.MySQL:
		return "SUM", []string{"COUNT", "AVG", "MAX"}, rowmap.MeanOfNumbers
	case function == "AVG":
		return "SUM", []string{"COUNT", "AVG"}, rowmap.Mean
	case function == "SUM" && sqlite && kind != rowmap.Int && kind != rowmap.Uint && kind != rowmap.Float:
		return ofAll(function)
	case function == "SUM" && d != dialect.Postgres:
		return function, []string{"MAX"}, rowmap.TotalOfNumbers
	case function == "SUM":
		return function, nil, rowmap.Total
	case function != "COUNT" && sqlite && kind == rowmap.Any:
		return function, []string{sqlgen.AllValues}, rowmap.FirstOfRow
	}
	return function, nil, rowmap.First
}

// single refuses what names no column, or all of them.
func single(part, column string) error {
	if column == "" || column == "*" || strings.HasSuffix(column, ".*") {
		return &StatementError{Part: part, Reason: "takes the name of one column, not " + quoted(column)}
	}
	return nil
}

//go:noinline
func (q *query) count(ctx context.Context) (n int64, err error) {
	err = q.summarize(ctx, "COUNT", "", rowmap.Int, func(rows driver.Rows, _ rowmap.Summary) error {
		_, err := rowmap.ReadValue(rows, &n)
		return err
	})
	return n, err
}

func (q *query) sum(ctx context.Context, column string) (float64, error) {
	return aggregate[float64](ctx, q, "SUM", column)
}

func (q *query) avg(ctx context.Context, column string) (float64, error) {
	return aggregate[float64](ctx, q, "AVG", column)
}

func (q *query) extreme(ctx context.Context, function, column string) (any, error) {
	v, err := aggregate[any](ctx, q, function, column)
	if err == nil && v == nil {
		err = q.valueless(function, column)
	}
	if err != nil || q.src.table.Plan == nil || q.q.Computes(column) {
		return v, err
	}
	i, ok := q.src.table.Field(column)
	if !ok {
		return v, nil
	}
	plan := q.src.table.Plan
	rec := plan.New()
	if err := plan.Set(i, rec, v); err != nil {
		return nil, told(err)
	}
	return plan.Value(i, rec), nil
}

// any says whether the query has rows.
func (q *query) any(ctx context.Context) (bool, error) {
	found := false
	v := &summary{trip: trip{q: q.bounded()}, made: func(q *sqlgen.Query, _ *dialect.Dialect) sqlgen.Query { return q.ForExistence() }}
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
	if q.usable() == nil && q.src.table.Encrypted(column) {
		return &StatementError{Table: q.src.table.Name, Part: "Pluck", Err: errorf("%w: column %s opens with the columns that it is bound to; read records, by Select", ErrEncrypted, quoted(column))}
	}
	name := ""
	v := &summary{trip: trip{q: q}, locks: true}
	v.made = func(q *sqlgen.Query, _ *dialect.Dialect) (out sqlgen.Query) {
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
	if at < 0 { // PostgreSQL has an alias without quotes in small letters
		at = slices.IndexFunc(columns, func(c string) bool { return strings.EqualFold(c, name) })
	}
	switch {
	case at < 0:
		return nil, &UnknownColumnError{Column: name, Known: slices.Clone(columns)}
	case slices.Contains(columns[at+1:], columns[at]):
		return nil, &StatementError{Part: "Pluck", Reason: "the rows have more than one column " + quoted(name) + "; give one an alias"}
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
