package readtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
	fleet "github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/value"
)

// fill makes the table t with a column for each type and a row for each value;
// the column that has fewer values is filled up with NULL.
func fill(t *testing.T, c *fleet.Conn, dialect string) {
	t.Helper()
	exec(t, c, prepare[dialect]...)
	list := columns[dialect]
	var declared []string
	rows := 0
	for i, col := range list {
		declared = append(declared, fmt.Sprintf("c%d %s", i, col.typ))
		rows = max(rows, len(col.values))
	}
	exec(t, c, "CREATE TABLE t (id INTEGER, "+strings.Join(declared, ", ")+")")
	for r := range rows + 1 { // the last row is NULL
		values := []string{fmt.Sprint(r)}
		for _, col := range list {
			v := "NULL"
			if r < len(col.values) {
				v = col.values[r]
			}
			values = append(values, v)
		}
		exec(t, c, "INSERT INTO t VALUES ("+strings.Join(values, ", ")+")")
	}
}

// each runs f for each column of each database.
func each(t *testing.T, f func(t *testing.T, p *fleet.Pool, c *fleet.Conn, text string)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, db)
		c := conn(t, p)
		fill(t, c, db.Dialect)
		for i, col := range columns[db.Dialect] {
			t.Run(col.typ, func(t *testing.T) {
				f(t, p, c, fmt.Sprintf("SELECT c%d FROM t ORDER BY id", i))
			})
		}
	})
}

func TestCells_AreWhatNextGives(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ *fleet.Pool, c *fleet.Conn, text string) {
		plain := query(t, c, text)
		want, err := drain(plainly(plain))
		require.ErrorIs(t, err, io.EOF)
		open := query(t, c, text)
		defer open.Close()
		rows, ok := open.(rowmap.Cells)
		if !ok {
			t.Skip("this driver's rows come as values")
		}
		row := make([]cell.Cell, 1)
		for n, w := range want {
			require.NoError(t, rows.NextCells(row))
			got := row[0].Value()
			require.IsType(t, w[0], got, "row %d", n)
			require.True(t, same(w[0], got), "row %d: %.200q and %.200q", n, fmt.Sprint(w[0]), fmt.Sprint(got))
		}
		require.ErrorIs(t, rows.NextCells(row), io.EOF)
		require.ErrorIs(t, rows.NextCells(row), io.EOF)
	})
}

type (
	myInt    int32
	myString string
	myTime   struct{ time.Time }
)

// kept is a Scanner that keeps what it is given: it may, since rowmap gives it
// bytes of its own. With database/sql it must not, and does as copied does.
type kept struct{ got driver.Value }

func (k *kept) Scan(v any) error { k.got = v; return nil }

type copied struct{ got driver.Value }

func (c *copied) Scan(v any) error {
	if b, ok := v.([]byte); ok {
		v = append([]byte{}, b...)
	}
	c.got = v
	return nil
}

// outcome is what reading a column gave: its values, or its error.
type outcome struct {
	values []any
	err    string
}

func read[V any](src rowmap.Source) outcome {
	values, err := rowmap.ReadColumn[V](src)
	if err != nil {
		return outcome{err: err.Error()}
	}
	var o outcome
	for _, v := range values {
		o.values = append(o.values, v)
	}
	return o
}

// one reads each row by itself, since a value that does not fit ends a read.
func one[V any](t *testing.T, c *fleet.Conn, text string, way func(fleet.Rows) rowmap.Source) []outcome {
	t.Helper()
	rows := query(t, c, text)
	defer rows.Close()
	src := oneRow(way(rows))
	var list []outcome
	for {
		var v V
		found, err := rowmap.ReadValue(src, &v)
		switch {
		case err != nil:
			list = append(list, outcome{err: err.Error()})
		case !found:
			return list
		default:
			list = append(list, outcome{values: []any{v}})
		}
	}
}

// oneRow is src for a read of one row, which leaves it open for the next.
func oneRow(src rowmap.Source) rowmap.Source {
	d := src.(dialected)
	if cells, ok := src.(rowmap.Cells); ok {
		return unclosedCells{cells, d}
	}
	return unclosed{src, d}
}

type dialected interface{ Dialect() *dialect.Dialect }

type unclosed struct {
	rowmap.Source
	dialected
}

func (unclosed) Close() error { return nil }

type unclosedCells struct {
	rowmap.Cells
	dialected
}

func (unclosedCells) Close() error { return nil }

func asCells(rows fleet.Rows) rowmap.Source { return rows }

// compare reads a column into V in all ways and returns how many values
// database/sql agreed on.
func compare[V any](t *testing.T, p *fleet.Pool, c *fleet.Conn, text string) (agreed int) {
	t.Helper()
	all, plain := read[V](query(t, c, text)), read[V](plainly(query(t, c, text)))
	var v V
	require.Equal(t, plain.err, all.err, "%T", v)
	require.True(t, same(plain.values, all.values), "%T: %.200q and %.200q", v, fmt.Sprint(plain.values), fmt.Sprint(all.values))

	direct, values := one[V](t, c, text, asCells), one[V](t, c, text, plainly)
	require.Len(t, direct, len(values))
	rows, err := p.DB().QueryContext(t.Context(), text)
	require.NoError(t, err)
	defer rows.Close()
	for n := range values {
		require.Equal(t, values[n].err, direct[n].err, "%T, row %d", v, n)
		require.True(t, same(values[n].values, direct[n].values), "%T, row %d: %.200q and %.200q", v, n, fmt.Sprint(values[n].values), fmt.Sprint(direct[n].values))
		require.True(t, rows.Next())
		var theirs V
		if err := rows.Scan(&theirs); err != nil || direct[n].err != "" {
			continue
		}
		agreed++
		require.True(t, same(theirs, direct[n].values[0]), "%T, row %d: Rows.Scan gives %.200q, we %.200q", v, n, fmt.Sprint(theirs), fmt.Sprint(direct[n].values[0]))
	}
	require.False(t, rows.Next())
	return agreed
}

// compareOurs is compare without database/sql, for types of which it has
// another idea: see rowmap's documentation.
func compareOurs[V any](t *testing.T, c *fleet.Conn, text string) {
	t.Helper()
	direct, values := one[V](t, c, text, asCells), one[V](t, c, text, plainly)
	require.Len(t, direct, len(values))
	for n := range values {
		require.Equal(t, values[n].err, direct[n].err, "row %d", n)
		require.True(t, same(values[n].values, direct[n].values), "row %d: %.200q and %.200q", n, fmt.Sprint(values[n].values), fmt.Sprint(direct[n].values))
	}
}

func TestRead_IsTheSameInAllWays(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *fleet.Pool, c *fleet.Conn, text string) {
		agreed := compare[string](t, p, c, text) + compare[*string](t, p, c, text) + compare[sql.NullString](t, p, c, text)
		require.Positive(t, agreed)
		compare[bool](t, p, c, text)
		compare[sql.NullBool](t, p, c, text)
		compare[int8](t, p, c, text)
		compare[int](t, p, c, text)
		compare[int64](t, p, c, text)
		compare[*int64](t, p, c, text)
		compare[uint16](t, p, c, text)
		compare[uint64](t, p, c, text)
		compare[float32](t, p, c, text)
		compare[float64](t, p, c, text)
		compare[**float64](t, p, c, text)
		compare[[]byte](t, p, c, text)
		compare[json.RawMessage](t, p, c, text)
		compare[time.Time](t, p, c, text)
		compare[*time.Time](t, p, c, text)
		compare[sql.NullTime](t, p, c, text)
		compare[sql.Null[int32]](t, p, c, text)
		compare[sql.Null[sql.NullString]](t, p, c, text)
		compare[copied](t, p, c, text)
		compare[*copied](t, p, c, text)
		compareOurs[kept](t, c, text)
		compareOurs[any](t, c, text)
		compareOurs[[16]byte](t, c, text)
		compareOurs[myInt](t, c, text)
		compareOurs[myString](t, c, text)
		compareOurs[myTime](t, c, text)
		compareOurs[[]int64](t, c, text)
		compareOurs[[]*string](t, c, text)
	})
}

// same is equality with NaN equal to itself, instants instead of locations, and
// an empty []byte equal to a nil one.
func same(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if !x.IsValid() || !y.IsValid() || x.Type() != y.Type() {
		return false
	}
	if x.Kind() == reflect.String || x.Kind() == reflect.Slice && x.Type().Elem().Kind() == reflect.Uint8 {
		// What comes as values is a time, whose text is ours; cells have what is stored.
		at, ok := value.ParseTime(fmt.Sprintf("%s", a))
		other, also := value.ParseTime(fmt.Sprintf("%s", b))
		if ok && also && value.CutToMicro(at).Equal(value.CutToMicro(other)) {
			return true
		}
		// Ours has no exponent where all digits are known.
		f, err := strconv.ParseFloat(fmt.Sprintf("%s", a), 64)
		g, otherErr := strconv.ParseFloat(fmt.Sprintf("%s", b), 64)
		if err == nil && otherErr == nil && f == g {
			return true
		}
	}
	switch x.Kind() {
	case reflect.Pointer:
		return !x.IsNil() && !y.IsNil() && same(x.Elem().Interface(), y.Elem().Interface())
	case reflect.Slice:
		if x.Len() != y.Len() {
			return false
		}
		for i := range x.Len() {
			if !same(x.Index(i).Interface(), y.Index(i).Interface()) {
				return false
			}
		}
		return true
	case reflect.Float32, reflect.Float64:
		return math.IsNaN(x.Float()) && math.IsNaN(y.Float())
	case reflect.Struct:
		if at, ok := a.(time.Time); ok {
			return at.Equal(b.(time.Time))
		}
		for i := range x.NumField() {
			if !x.Type().Field(i).IsExported() || !same(x.Field(i).Interface(), y.Field(i).Interface()) {
				return fmt.Sprint(a) == fmt.Sprint(b)
			}
		}
		return true
	}
	return false
}

// What was read stays what it was when the driver's buffers are used again.
func TestRead_KeepsNothingOfTheDrivers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ *fleet.Pool, c *fleet.Conn, text string) {
		check := func(read func(src rowmap.Source) any) {
			t.Helper()
			want, got := read(plainly(query(t, c, text))), read(query(t, c, text))
			for range 3 {
				_, err := rowmap.ReadColumn[string](query(t, c, "SELECT 'overwritten, overwritten, overwritten, overwritten' UNION ALL SELECT 'again and again'"))
				require.NoError(t, err)
				_, err = drain(query(t, c, text+" LIMIT 2"))
				require.ErrorIs(t, err, io.EOF)
			}
			require.True(t, same(want, got), "%.200q and %.200q", fmt.Sprint(want), fmt.Sprint(got))
		}
		check(func(src rowmap.Source) any { v, _ := rowmap.ReadColumn[*string](src); return deref(v) })
		check(func(src rowmap.Source) any { v, _ := rowmap.ReadColumn[[]byte](src); return v })
		check(func(src rowmap.Source) any { v, _ := rowmap.ReadColumn[json.RawMessage](src); return v })
		check(func(src rowmap.Source) any { v, _ := rowmap.ReadColumn[kept](src); return fmt.Sprintf("%v", v) })
		check(func(src rowmap.Source) any { v, _ := rowmap.ReadColumn[any](src); return v })
	})
}

// The databases' own drivers, with database/sql alone, give the same.
func TestRead_AgreesWithTheDriversAlone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		c := conn(t, open(t, db))
		fill(t, c, db.Dialect)
		alone := db.SQL(t)
		alone.SetMaxIdleConns(1)
		defer alone.SetMaxIdleConns(0)
		for i, col := range columns[db.Dialect] {
			text := fmt.Sprintf("SELECT c%d FROM t ORDER BY id", i)
			t.Run(col.typ, func(t *testing.T) {
				agreed := agree[int64](t, alone, c, text) + agree[uint64](t, alone, c, text) +
					agree[bool](t, alone, c, text) + agree[*time.Time](t, alone, c, text)
				if col.typ != "real" { // pgx widens 0.1 to 0.10000000149011612
					agreed += agree[float64](t, alone, c, text)
				}
				// Nor is the text of a time the same: ours is what is stored.
				// Of a number beyond some digits, theirs has an exponent.
				word, _, _ := strings.Cut(strings.ToUpper(col.typ), " ")
				word, _, _ = strings.Cut(word, "(")
				isTime := db.Dialect != "postgres" && slices.Contains([]string{"DATE", "DATETIME", "TIMESTAMP"}, word)
				isFloat := slices.Contains([]string{"REAL", "DOUBLE", "FLOAT"}, word)
				if !isFloat && !isTime {
					agreed += agree[[]byte](t, alone, c, text)
				}
				require.Positive(t, agreed)
			})
		}
	})
}

// agree compares what both accept, and counts it.
func agree[V any](t *testing.T, alone *sql.DB, c *fleet.Conn, text string) (agreed int) {
	t.Helper()
	ours := one[V](t, c, text, asCells)
	rows, err := alone.QueryContext(t.Context(), text)
	require.NoError(t, err)
	defer rows.Close()
	for n := 0; rows.Next(); n++ {
		var theirs V
		if err := rows.Scan(&theirs); err != nil || ours[n].err != "" {
			continue
		}
		agreed++
		require.True(t, same(theirs, ours[n].values[0]), "%T, row %d: alone %.200q, ours %.200q", theirs, n, fmt.Sprint(theirs), fmt.Sprint(ours[n].values[0]))
	}
	return agreed
}

func deref(list []*string) []string {
	var out []string
	for _, s := range list {
		if s != nil {
			out = append(out, *s)
		}
	}
	return out
}

// The statements fail at their third row.
var failing = map[string]string{
	"postgres": "SELECT 10 / (3 - i) FROM generate_series(1, 5) i",
	"mysql":    "SELECT (SELECT x FROM (SELECT 1 x UNION ALL SELECT 2) u WHERE t.i = 3 OR u.x = 1) FROM (SELECT 1 i UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) t",
	"sqlite":   "SELECT abs(CASE i WHEN 3 THEN -9223372036854775807 - 1 ELSE i END) FROM (SELECT 1 i UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4)",
}

func TestRead_EndsTheSameAtAnErrorAmongTheRows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		c := conn(t, open(t, db))
		attempt := func(way func(fleet.Rows) rowmap.Source) error {
			rows, err := c.Query(t.Context(), failing[db.Dialect], nil)
			if err != nil {
				return err // the server may say so before the first row
			}
			values, err := rowmap.ReadColumn[int64](way(rows))
			require.Empty(t, values)
			return err
		}
		direct, plain := attempt(asCells), attempt(plainly)
		require.Error(t, direct)
		require.Equal(t, plain.Error(), direct.Error())
		require.Equal(t, fleet.Classify(plain), fleet.Classify(direct))
		values, err := rowmap.ReadColumn[int64](query(t, c, "SELECT 1"))
		require.NoError(t, err)
		require.Equal(t, []int64{1}, values)
	})
}

func TestRead_EndsTheSameWhenTheContextDoes(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, db)
		for _, way := range []func(fleet.Rows) rowmap.Source{asCells, plainly} {
			c, err := p.Acquire(t.Context(), time.Second)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			rows, err := c.Query(ctx, many(100), nil)
			require.NoError(t, err)
			src := way(rows)
			next := func() error { return src.Next(make([]driver.Value, 2)) }
			if cells, ok := src.(rowmap.Cells); ok {
				next = func() error { return cells.NextCells(make([]cell.Cell, 2)) }
			}
			require.NoError(t, next())
			cancel()
			require.ErrorIs(t, next(), context.Canceled)
			require.ErrorIs(t, next(), context.Canceled)
			_ = rows.Close()
			c.Release()
		}
	})
}

// many is a statement of so many rows, a power of ten: a number and a text.
func many(n int) string {
	const digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
	var from, sum []string
	for power := 1; power < n; power *= 10 {
		name := fmt.Sprintf("d%d", power)
		from = append(from, digits+" AS "+name)
		sum = append(sum, fmt.Sprintf("%d * %s.d", power, name))
	}
	return fmt.Sprintf("SELECT %s AS id, 'the text of a row that is not quite short' AS name FROM %s", strings.Join(sum, " + "), strings.Join(from, ", "))
}
