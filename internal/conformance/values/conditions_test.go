package values

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazard 25: a value is converted to the column's kind, or refused, and never
// compared as the database likes.
func TestValues_ConditionsFitTheColumn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE items (id {id}, name {text}, kind {text}, n {int}, u {int}, f {float}, blob_ {bytes}, at {time})`)
		type stored struct {
			ID   int64
			Name string
			Kind color
			N    int
			U    uint8
			F    float64
			Blob []byte `db:"blob_"`
			At   time.Time
		}
		m := conformance.Model[stored](t, fl.Registry, dbfleet.ModelConfig{Table: "items"})
		at := time.Date(2024, 3, 10, 7, 8, 9, 0, time.UTC)
		for _, name := range []string{"abc", "0", "1", "", "1abc", " 1", "1.0", "true"} {
			require.NoError(t, m.Create(ctx, &stored{Name: name, Kind: color(name), N: 1, U: 1, F: 1.5, Blob: []byte(name), At: at}))
		}
		names := func(q *dbfleet.Query[stored]) []string {
			got, err := dbfleet.Pluck[string](ctx, q.OrderBy("id", dbfleet.Asc), "name")
			require.NoError(t, err)
			return got
		}
		// A number for a text column finds that text.
		for _, column := range []string{"name", "kind", "items.name"} {
			require.Equal(t, []string{"0"}, names(m.Where(column, "=", 0)))
			require.Equal(t, []string{"1"}, names(m.Where(column, "=", int8(1))))
			require.Equal(t, []string{"1"}, names(m.Where(column, "=", 1.0)))
			require.Equal(t, []string{"0", "1"}, names(m.WhereIn(column, []int{0, 1})))
			require.Equal(t, []string{"1"}, names(m.WhereIn(column, []any{"x", 1})))
			require.Len(t, names(m.Where(column, "<>", 0)), 7)
			require.Len(t, names(m.Query().WhereNotIn(column, []int64{0, 1})), 6)
			require.Equal(t, []string{"1"}, names(m.Query().WhereGroup(func(q *dbfleet.Query[stored]) *dbfleet.Query[stored] { return q.Where(column, "=", 1) })))
			require.Equal(t, []string{"1"}, names(m.Query().WhereBetween(column, 1, 1)))
		}
		n, err := m.Where("name", "=", 0).Update(ctx, dbfleet.Row{"kind": 42})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = m.Where("kind", "=", "42").Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		// Text that is a number, for a column of numbers.
		for column, v := range map[string]any{"n": "1", "u": "1", "f": "1.5", "at": "2024-03-10 07:08:09", "blob_": "abc"} {
			require.NotEmpty(t, names(m.Where(column, "=", v)), column)
			require.NotEmpty(t, names(m.WhereIn(column, []any{v})), column)
		}
		require.NotEmpty(t, names(m.Where("at", "=", "2024-03-10T08:08:09+01:00")))
		require.NotEmpty(t, names(m.Where("n", "=", 1.0)))
		// Everything else is an error that names the column, before it is sent.
		for column, values := range map[string][]any{
			"name": {true, at, []int{1}, []byte(nil)}, "n": {"abc", "", "1abc", " 1", "1.5", 1.5, true, at, []byte("x"), "0x1", "1e0", math.NaN()}, "u": {"x", true, at},
			"f": {"abc", "", true, at, "NaN", "Inf", "0x1p1"}, "at": {"abc", "", 5, 1.5, true, "2024-02-30", "yesterday"}, "blob_": {5, true, 1.5, at},
		} {
			for _, v := range values {
				if b, ok := v.([]byte); ok && b == nil {
					continue // NULL
				}
				for name, err := range map[string]error{
					"where":  func() error { _, err := m.Where(column, "=", v).Get(ctx); return err }(),
					"not":    func() error { _, err := m.Where(column, "<>", v).Get(ctx); return err }(),
					"in":     func() error { _, err := m.WhereIn(column, []any{v}).Get(ctx); return err }(),
					"delete": func() error { _, err := m.Where(column, "=", v).Delete(ctx); return err }(),
					"update": func() error { _, err := m.Query().AllRows().Update(ctx, dbfleet.Row{column: v}); return err }(),
					"insert": func() error { _, err := m.Query().Insert(ctx, dbfleet.Row{column: v}); return err }(),
				} {
					require.Error(t, err, "%s %s %#v", name, column, v)
					require.True(t, isValueError(err), "%s %s %#v: %v", name, column, v, err)
					require.ErrorContains(t, err, `"`+column+`"`)
				}
			}
		}
		count, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 7, count)
	})
}

func isValueError(err error) bool {
	for _, target := range []error{dbfleet.ErrType, dbfleet.ErrRange} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// hazard 25: the same where no model knows the column.
func TestRows_ConditionsOfNumbersMatchNoOtherText(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE items (id {id}, name {text}, n {int}, big {bigint}, f {float}, d DECIMAL(30,4), yes {bool}, day {date})`)
		table := fl.DB("main").Table("items")
		for i, name := range []string{"abc", "0", "1", "", "1abc", " 1", "1.0", "true"} {
			_, err := table.Insert(ctx, dbfleet.Row{"name": name, "n": i, "big": int64(1)<<53 + int64(i), "f": float64(i) / 10, "d": fmt.Sprintf("%d.5", int64(1)<<53+int64(i)), "yes": i == 1,
				"day": dbfleet.Date{Year: 2024, Month: 1, Day: i + 1}})
			require.NoError(t, err)
		}
		names := func(q *dbfleet.Query[dbfleet.Row]) []string {
			got, err := dbfleet.Pluck[string](ctx, q.OrderBy("id", dbfleet.Asc), "name")
			require.NoError(t, err)
			return got
		}
		// Numbers for text: refused, or that very text.
		for name, q := range map[string]*dbfleet.Query[dbfleet.Row]{
			"zero": table.Where("name", "=", 0), "false": table.Where("name", "=", false), "float": table.Where("name", "=", 0.0), "in": table.WhereIn("name", []any{0}), "ints": table.WhereIn("name", []int{0, 0}),
			"between": table.WhereBetween("name", 0, 0), "named": table.Where("items.name", "=", 0), "typed": table.Filter(dbfleet.Col[int]("name").Eq(0)), "is": table.Where("name", "IS", 0),
		} {
			got, err := q.Get(ctx)
			if fl.Database.Dialect == "postgres" {
				if err == nil {
					continue // = ANY of a text[]
				}
				require.ErrorIs(t, err, dbfleet.ErrInvalidValue, name)
				continue
			}
			require.NoError(t, err, name)
			require.LessOrEqual(t, len(got), 1, name)
			for _, row := range got {
				require.Equal(t, "0", row["name"], name)
			}
			if fl.Database.Dialect == "mysql" {
				n, err := q.Update(ctx, dbfleet.Row{"name": "0"})
				require.NoError(t, err)
				require.EqualValues(t, 1, n, name)
			}
		}
		// Numbers for numbers are what they were, in every kind of column.
		for name, q := range map[string]*dbfleet.Query[dbfleet.Row]{
			"int": table.Where("n", "=", 1), "in": table.WhereIn("n", []int{1}), "list": table.WhereIn("n", []any{int8(1), 100}), "between": table.WhereBetween("n", 1, 1),
			"big": table.Where("big", "=", int64(1)<<53+1), "bigs": table.WhereIn("big", []int64{1<<53 + 1, 5}), "float": table.Where("f", "=", 0.1),
			"floats": table.WhereIn("f", []float64{0.1, 7}), "is": table.Where("n", "IS", 1), "range": table.Where("n", ">", 0).Where("n", "<", 2), "true": table.Where("yes", "=", true),
			"decimal": table.Where("d", "<", int64(1)<<53+2).Where("d", ">", int64(1)<<53+1), "day": table.Where("day", "=", "2024-01-02"),
		} {
			if name == "decimal" && fl.Database.Dialect == "sqlite" {
				continue // keeps no such decimals
			}
			require.Equal(t, []string{"0"}, names(q), name)
		}
		require.Equal(t, []string{"1", "", "1abc", " 1", "1.0", "true"}, names(table.Where("n", ">", 1)), "not as texts")
		for name, q := range map[string]*dbfleet.Query[dbfleet.Row]{
			"fraction": table.Where("n", "<", 0.5), "fractions": table.WhereIn("n", []float64{0, 0.5}), "raw": table.WhereRaw("n < ?", 0.5),
		} {
			got, err := q.Get(ctx)
			if fl.Database.Dialect == "postgres" { // whose driver would cut it to 0
				require.ErrorIs(t, err, dbfleet.ErrInvalidValue, name)
				continue
			}
			require.NoError(t, err, name)
			require.Len(t, got, 1, name)
		}
		if fl.Database.Dialect == "postgres" {
			for _, f := range []float64{1.9, math.NaN(), math.Inf(1), 1e300} {
				_, err := table.Insert(ctx, dbfleet.Row{"n": f})
				require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
				_, err = fl.DB("main").Pool().ExecContext(ctx, "UPDATE items SET big = $1", f)
				require.Error(t, err)
			}
			_, err := fl.DB("main").Pool().ExecContext(ctx, "UPDATE items SET n = $1 WHERE id = 1", 0.0)
			require.NoError(t, err)
		}
		groups, err := table.Select("yes").SelectRaw("COUNT(*) AS c").GroupBy("yes").HavingRaw("COUNT(*) > ?", 5).Get(ctx)
		require.NoError(t, err)
		require.Len(t, groups, 1)
		if fl.Database.Dialect == "mysql" {
			groups, err := table.Select("yes").SelectRaw("COUNT(*) AS c").GroupBy("yes").Having("c", ">", 5).Get(ctx)
			require.NoError(t, err)
			require.Len(t, groups, 1)
			fl.Create(t, `CREATE TABLE odd (id {id}, b BIT(8), y YEAR, u BIGINT UNSIGNED, e ENUM('7','0'), s SET('a','b'), t TIME, j JSON)`, `INSERT INTO odd VALUES (1, b'101', 2024, 18446744073709551615, '7', 'a', '00:00:05', '5')`)
			odd := fl.DB("main").Table("odd")
			for column, v := range map[string]any{"b": 5, "y": 2024, "u": uint64(math.MaxUint64), "e": 7, "t": "00:00:05", "j": 5} {
				n, err := odd.Where(column, "=", v).Count(ctx)
				require.NoError(t, err)
				require.EqualValues(t, 1, n, column)
			}
		}
	})
}

// truth 505
// MySQL compares text with a number as doubles: two texts that begin with the
// same digits would be equal to it.
func TestTable_ANumberIsComparedWithATextWhole(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"sqlite", "mysql"} { // PostgreSQL does not compare them
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t, dialect)
			fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
			fl.Create(t, `CREATE TABLE codes (id {id}, code {text}, n {bigint})`, `INSERT INTO codes (code, n) VALUES
				('0', 0), ('x', 1), ('9007199254740992', 9007199254740992), ('9007199254740992x', 9007199254740993),
				('-9007199254740992', -9007199254740992), ('-9007199254740992x', -9007199254740993), ('1.5', 2), ('1.5x', 3), ('9007199254740993', 4)`)
			found := func(column string, value any) int64 {
				n, err := fl.DB("main").Table("codes").Where(column, "=", value).Count(t.Context())
				require.NoError(t, err)
				return n
			}
			for _, whole := range []any{0, int64(1 << 53), int64(1<<53 + 1), int64(-1 << 53), 1.5} {
				require.EqualValues(t, 1, found("code", whole), "%v", whole)
			}
			for _, n := range []int64{0, 1 << 53, 1<<53 + 1, -1 << 53, -1<<53 - 1} {
				require.EqualValues(t, 1, found("n", n), "%d", n)
			}
		})
	}
}

// hazard 59: placeholders whose type the database cannot infer.
func TestRaw_PlaceholdersWithoutAType(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE one (id {id}, n {int}, s {text}, at {time})`, `INSERT INTO one (n, s) VALUES (1, 'x')`)
		table := fl.DB("main").Table("one")
		at := time.Date(2024, 3, 10, 7, 8, 9, 0, time.UTC)
		for _, v := range []any{5, int8(-1), int64(math.MinInt64), 0.5, "text", "", []byte{0, 1}, nil, uint64(7)} {
			want := v
			switch x := v.(type) {
			case int:
				want = int64(x)
			case int8:
				want = int64(x)
			case uint64:
				want = int64(x)
			case []byte:
				if fl.Database.Dialect == "mysql" {
					want = string(x) // sent as text, which has no column to say that it is none
				}
			}
			for _, expression := range []string{"? AS v", "COALESCE(?, NULL) AS v", "COALESCE(?, ?) AS v", "CASE WHEN n = 1 THEN ? ELSE NULL END AS v", "CASE WHEN n = 2 THEN NULL ELSE ? END AS v"} {
				args := []any{v}
				if expression == "COALESCE(?, ?) AS v" {
					args = append(args, v)
				}
				row, err := table.SelectRaw(expression, args...).First(ctx)
				require.NoError(t, err, "%s with %T", expression, v)
				require.Equal(t, dbfleet.Row{"v": want}, row, "%s with %T", expression, v)
			}
		}
		type answer struct {
			V time.Time
			B bool
		}
		got, err := dbfleet.Table[answer](fl.DB("main"), "one").SelectRaw("? AS v, ? AS b", at, true).First(ctx)
		require.NoError(t, err)
		require.Equal(t, answer{at, true}, got)
		for _, v := range []any{nil, 5, "x", 0.5, at, true, (*int)(nil)} {
			n, err := table.WhereRaw("? IS NULL OR 1 = 1", v).Count(ctx)
			require.NoError(t, err, "%T", v)
			require.EqualValues(t, 1, n)
			n, err = table.WhereRaw("(? IS NOT NULL AND 1 = 0) OR n = ?", v, 1).Count(ctx)
			require.NoError(t, err, "%T", v)
			require.EqualValues(t, 1, n)
		}
		// The usual optional filter.
		for want, v := range map[int64]any{1: nil, 0: 2} {
			n, err := table.WhereRaw("? IS NULL OR n = ?", v, v).Count(ctx)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		// Where a type can be inferred it is left to the database.
		n, err := table.WhereRaw("n + ? = ? AND s = ? AND SUBSTR(s, ?, ?) = ?", 1, 2, "x", 1, 1, "x").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		row, err := table.SelectRaw("COALESCE(n, ?) AS n, ROUND(n * ?) AS m", 0, 2).First(ctx)
		require.NoError(t, err)
		require.EqualValues(t, int64(1), row["n"])
		require.Equal(t, "2", fmt.Sprint(row["m"]))
	})
}
