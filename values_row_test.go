package dbfleet_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

const kindsTable = `CREATE TABLE kinds (id {id}, small SMALLINT, i {int}, big {bigint}, f {float}, f4 REAL, d {decimal}, s {text}, c CHAR(3), l {long},
	b {bytes}, t {time}, day {date}, u {uuid}, yes {bool}, empty {text})`

// kindsRow is a row of it, as it is given.
func kindsRow(at time.Time) dbfleet.Row {
	return dbfleet.Row{
		"small": int8(-5), "i": 7, "big": int64(math.MaxInt64), "f": 0.1, "f4": float32(1.5), "d": "12345678901234.5600", "s": "text é😀", "c": "abc", "l": "",
		"b": []byte{0, 255}, "t": at, "day": dbfleet.DateOf(at), "u": "0192fe00-1020-7040-8050-6070ff610001", "yes": true, "empty": nil,
	}
}

// Row maps have the same Go types on all databases, by every way of reading.
func TestRows_HaveTheSameTypesOnAllDatabases(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, kindsTable)
		table := fl.DB("main").Table("kinds")
		at := time.Date(2024, 3, 10, 7, 8, 9, 120000000, time.UTC)
		res, err := table.Insert(ctx, kindsRow(at))
		require.NoError(t, err)
		require.Equal(t, dbfleet.Result{LastInsertID: 1, RowsAffected: 1}, res)
		want := dbfleet.Row{
			"id": int64(1), "small": int64(-5), "i": int64(7), "big": int64(math.MaxInt64), "f": 0.1, "f4": 1.5, "d": "12345678901234.5600", "s": "text é😀", "c": "abc", "l": "",
			"b": []byte{0, 255}, "t": at, "day": time.Date(2024, 3, 10, 0, 0, 0, 0, time.UTC), "u": "0192fe00-1020-7040-8050-6070ff610001", "yes": any(int64(1)), "empty": nil,
		}
		if fl.db.Dialect == "postgres" {
			want["yes"] = true
		}
		for range 3 { // as text at first, prepared when it comes again
			for name, read := range map[string]func() (dbfleet.Row, error){
				"get":   func() (dbfleet.Row, error) { rows, err := table.Get(ctx); return rows[0], err },
				"first": func() (dbfleet.Row, error) { return table.First(ctx) },
				"find":  func() (dbfleet.Row, error) { return table.Find(ctx, 1) },
				"where": func() (dbfleet.Row, error) { return table.Where("s", "=", "text é😀").First(ctx) },
				"columns": func() (dbfleet.Row, error) {
					return table.Select("id", "small", "i", "big", "f", "f4", "d", "s", "c", "l", "b", "t", "day", "u", "yes", "empty").First(ctx)
				},
				"iter": func() (dbfleet.Row, error) {
					for row, err := range table.Iter(ctx) {
						return row, err
					}
					return nil, sql.ErrNoRows
				},
				"in a transaction": func() (row dbfleet.Row, err error) {
					err = fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
						row, err = tx.Table("kinds").First(ctx)
						return err
					})
					return row, err
				},
			} {
				row, err := read()
				require.NoError(t, err, name)
				require.Equal(t, want, row, name)
			}
			for column, v := range want {
				got, err := table.Pluck(ctx, column)
				require.NoError(t, err, column)
				require.Equal(t, []any{v}, got, column)
			}
		}
		// Fields of type any hold the same.
		type loose struct {
			ID    int64
			Int   any `db:"i"`
			Dec   any `db:"d"`
			Str   any `db:"s"`
			Bin   any `db:"b"`
			At    any `db:"t"`
			F4    any
			Empty any
		}
		l, err := dbfleet.Table[loose](fl.DB("main"), "kinds").First(ctx)
		require.NoError(t, err)
		require.Equal(t, loose{ID: 1, Int: want["i"], Dec: want["d"], Str: want["s"], Bin: want["b"], At: want["t"], F4: want["f4"]}, l)

		// Through the pool itself, into any: numbers and times are what they are.
		for _, query := range []string{"SELECT big, f, t, yes FROM kinds", "SELECT big, f, t, yes FROM kinds WHERE id = " + map[bool]string{true: "$1", false: "?"}[fl.db.Dialect == "postgres"]} {
			var args []any
			if query[len(query)-1] != 's' {
				args = []any{1}
			}
			for range 3 {
				var big, f, tm, yes any
				require.NoError(t, fl.DB("main").QueryRowContext(ctx, query, args...).Scan(&big, &f, &tm, &yes))
				require.Equal(t, []any{want["big"], want["f"], want["t"], want["yes"]}, []any{big, f, tm, yes})
			}
		}
		// A FLOAT shows the digits that it was given, by both protocols.
		single := map[string]string{"sqlite": "REAL", "postgres": "REAL", "mysql": "FLOAT"}[fl.db.Dialect]
		fl.create(t, "CREATE TABLE singles (id {id}, f "+single+")", "INSERT INTO singles (f) VALUES (3.3)")
		for range 3 {
			row, err := fl.DB("main").Table("singles").First(ctx)
			require.NoError(t, err)
			require.Equal(t, 3.3, row["f"])
			row, err = fl.DB("main").Table("singles").Select("f").Find(ctx, 1)
			require.NoError(t, err)
			require.Equal(t, dbfleet.Row{"f": 3.3}, row)
			n, err := fl.DB("main").Table("singles").Where("f", "=", float32(3.3)).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, map[string]int{"sqlite": 0, "postgres": 1, "mysql": 1}[fl.db.Dialect], n, "a float32 is what its column keeps; SQLite keeps more")
		}
		// Bytes of a row are its own.
		rows, err := table.Get(ctx)
		require.NoError(t, err)
		rows[0]["b"].([]byte)[0] = 9
		again, err := table.First(ctx)
		require.NoError(t, err)
		require.Equal(t, want["b"], again["b"])

		// Two columns of one name would lose one.
		_, err = table.SelectRaw("id AS x, i AS x").Get(ctx)
		require.ErrorContains(t, err, `"x"`)
	})
}

// hazards 48, 49, 50
func TestValues_Bools(t *testing.T) {
	t.Parallel()
	type flags struct {
		ID  int64
		B   bool
		P   *bool
		N   sql.NullBool
		Any any `db:"free"`
	}
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		bit := map[string]string{"sqlite": "BOOLEAN", "postgres": "BOOLEAN", "mysql": "BIT(1)"}[fl.db.Dialect]
		fl.create(t, `CREATE TABLE flags (id {id}, b {bool}, p `+bit+`, n `+bit+`, free {bool})`)
		m := model[flags](t, fl.Registry, dbfleet.ModelConfig{Table: "flags"})
		records := []flags{{B: true, P: ptr(true), N: sql.NullBool{Bool: true, Valid: true}}, {P: ptr(false), N: sql.NullBool{Valid: true}}, {}}
		require.NoError(t, m.CreateMany(ctx, records))
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, records, got)
		for _, column := range []string{"b", "p", "n"} {
			for name, v := range map[string]any{"bool": true, "one": 1, "text": "true", "int8": int8(1), "uint": uint(1), "pointer": ptr(true)} {
				one, err := m.Where(column, "=", v).Get(ctx)
				require.NoError(t, err, name)
				require.Equal(t, records[:1], one, "%s as %s", column, name)
			}
			for _, v := range []any{2, -1, "yes", "2", 0.5, time.Now(), []byte("x")} {
				_, err := m.Where(column, "=", v).Get(ctx)
				require.ErrorIs(t, err, dbfleet.ErrType, "%v", v)
				_, err = m.Query().AllRows().Update(ctx, dbfleet.Row{column: v})
				require.ErrorIs(t, err, dbfleet.ErrType, "%v", v)
				require.ErrorContains(t, err, `"`+column+`"`)
			}
			n, err := m.WhereIn(column, []bool{true, false}).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, map[string]int{"b": 3, "p": 2, "n": 2}[column], n)
			all, err := dbfleet.Pluck[*bool](ctx, m.OrderBy("id", dbfleet.Asc), column)
			require.NoError(t, err)
			require.True(t, *all[0])
			require.False(t, *all[1])
		}
		if fl.db.Dialect == "postgres" {
			return
		}
		// Numbers that are no bool, on every path.
		fl.create(t, `INSERT INTO flags (id, b, free) VALUES (50, 2, 2)`)
		_, err = m.Find(ctx, 50)
		require.ErrorIs(t, err, dbfleet.ErrRange)
		require.ErrorContains(t, err, `"b"`)
		_, err = dbfleet.Pluck[bool](ctx, m.Where("id", "=", 50), "b")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		_, err = m.Query().Max(ctx, "b")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		row, err := fl.DB("main").Table("flags").Select("b").Find(ctx, 50)
		require.NoError(t, err)
		require.Equal(t, dbfleet.Row{"b": int64(2)}, row)
		if fl.db.Dialect == "mysql" {
			row, err := fl.DB("main").Table("flags").Select("p").Find(ctx, records[0].ID)
			require.NoError(t, err)
			require.Equal(t, dbfleet.Row{"p": int64(1)}, row)
			fl.create(t, `CREATE TABLE bits (id {id}, b BIT(64))`, `INSERT INTO bits VALUES (1, b'1000000000000000000000000000000000000000000000000000000000000001')`)
			type bits struct {
				ID int64
				B  uint64
			}
			b, err := dbfleet.Table[bits](fl.DB("main"), "bits").First(ctx)
			require.NoError(t, err)
			require.Equal(t, uint64(1)<<63+1, b.B)
			return
		}
		fl.create(t, `INSERT INTO flags (id, b) VALUES (51, 'yes')`)
		_, err = m.Find(ctx, 51)
		require.ErrorIs(t, err, dbfleet.ErrType)
		require.ErrorContains(t, err, `"b"`)
	})
}

// hazard 25: a value is converted to the column's kind, or refused, and never
// compared as the database likes.
func TestValues_ConditionsFitTheColumn(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE items (id {id}, name {text}, kind {text}, n {int}, u {int}, f {float}, blob_ {bytes}, at {time})`)
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
		m := model[stored](t, fl.Registry, dbfleet.ModelConfig{Table: "items"})
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

// Aggregates keep the column's type, and their generic forms the one asked for.
func TestAggregates_HaveTheColumnsType(t *testing.T) {
	t.Parallel()
	type sale struct {
		ID     int64
		N      int32
		Big    int64
		F      float64
		Amount string
		Name   string
		Color  *color
		At     time.Time
		Yes    bool
	}
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE sales (id {id}, n {int}, big {bigint}, f {float}, amount {decimal}, name {text}, color {text}, at {time}, yes {bool})`)
		m := model[sale](t, fl.Registry, dbfleet.ModelConfig{Table: "sales"})
		at := time.Date(2024, 3, 10, 7, 8, 9, 0, time.UTC)
		require.NoError(t, m.CreateMany(ctx, []sale{
			{N: 1, Big: 1 << 53, F: 0.5, Amount: "1.5000", Name: "a", Color: ptr(color("red")), At: at, Yes: true},
			{N: 2, Big: 1<<53 + 1, F: 0.25, Amount: "2.2500", Name: "b", At: at.Add(time.Hour)},
		}))
		for column, want := range map[string]any{
			"n": int32(2), "big": int64(1<<53 + 1), "f": 0.5, "amount": "2.2500", "name": "b", "color": ptr(color("red")), "at": at.Add(time.Hour), "id": int64(2),
		} {
			got, err := m.Query().Max(ctx, column)
			require.NoError(t, err, column)
			require.Equal(t, want, got, column)
		}
		low, err := m.Query().Min(ctx, "n")
		require.NoError(t, err)
		require.Equal(t, int32(1), low)
		sum, err := m.Query().Sum(ctx, "n")
		require.NoError(t, err)
		require.Equal(t, 3.0, sum)
		sum, err = m.Query().Sum(ctx, "f")
		require.NoError(t, err)
		require.Equal(t, 0.75, sum)
		exact, err := dbfleet.Sum[int64](ctx, m, "big")
		require.NoError(t, err)
		require.EqualValues(t, int64(1<<54+1), exact)
		_, err = m.Query().Sum(ctx, "big")
		require.ErrorIs(t, err, dbfleet.ErrRange, "a float64 does not have that number")
		avg, err := m.Query().Avg(ctx, "n")
		require.NoError(t, err)
		require.Equal(t, 1.5, avg)
		avg, err = dbfleet.Avg[float64](ctx, m, "f")
		require.NoError(t, err)
		require.Equal(t, 0.375, avg)
		none, err := dbfleet.Avg[*float64](ctx, m.Where("id", "=", 0), "f")
		require.NoError(t, err)
		require.Nil(t, none)
		count, err := dbfleet.Sum[int](ctx, m.Where("n", ">", 1), "n")
		require.NoError(t, err)
		require.Equal(t, 2, count)
		_, err = dbfleet.Sum[int64](ctx, m, "f")
		require.ErrorIs(t, err, dbfleet.ErrRange, "0.75 is no integer")
		colors, err := dbfleet.Pluck[sql.Null[color]](ctx, m.OrderBy("id", dbfleet.Asc), "color")
		require.NoError(t, err)
		require.Equal(t, []sql.Null[color]{{V: "red", Valid: true}, {}}, colors)
		_, err = dbfleet.Pluck[chan int](ctx, m, "n")
		require.ErrorIs(t, err, dbfleet.ErrType)
		_, err = dbfleet.Max[struct{ X int }](ctx, m, "n")
		require.ErrorIs(t, err, dbfleet.ErrType)
		var unknown *dbfleet.UnknownColumnError
		for name, err := range map[string]error{
			"max": func() error { _, err := m.Query().Max(ctx, "no"); return err }(), "sum": func() error { _, err := m.Query().Sum(ctx, "no"); return err }(),
			"pluck": func() error { _, err := dbfleet.Pluck[int](ctx, m, "no"); return err }(), "typed": func() error { _, err := dbfleet.Avg[int](ctx, m, "no"); return err }(),
		} {
			require.ErrorAs(t, err, &unknown, name)
			require.Equal(t, "no", unknown.Column)
		}
	})
}

// hazard 59: placeholders whose type the database cannot infer.
func TestRaw_PlaceholdersWithoutAType(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE one (id {id}, n {int}, s {text}, at {time})`, `INSERT INTO one (n, s) VALUES (1, 'x')`)
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
				if fl.db.Dialect == "mysql" {
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

// Mass assignment converts where nothing is lost.
func TestFill_ConvertsWithoutLoss(t *testing.T) {
	t.Parallel()
	type form struct {
		ID    int64
		N     int8
		U     uint16
		F     float64
		B     bool
		S     string
		P     *int
		At    time.Time
		Day   dbfleet.Date
		Conf  dbfleet.JSON[settings]
		Raw   []byte
		Null  sql.NullInt64
		UUID  [16]byte
		Color color
	}
	onEach(t, func(t *testing.T, fl fleet) {
		fl.create(t, `CREATE TABLE forms (id {id}, n {int}, u {int}, f {float}, b {bool}, s {text}, p {int}, at {time}, day {date}, conf {json}, raw {bytes}, null_ {int}, uuid {uuid}, color {text})`)
		m := model[form](t, fl.Registry, dbfleet.ModelConfig{Table: "forms", Fillable: []string{"n", "u", "f", "b", "s", "p", "at", "day", "conf", "raw", "null", "uuid", "color"}})
		at := time.Date(2024, 3, 10, 7, 8, 9, 0, time.UTC)
		var f form
		require.NoError(t, m.Fill(&f, map[string]any{ // as decoded from JSON, or a form
			"n": 5.0, "u": "7", "f": 3, "b": 1, "s": "x", "p": int64(9), "at": "2024-03-10T07:08:09Z", "day": "2024-03-10", "conf": `{"theme":"dark"}`,
			"raw": "bytes", "null": 4, "uuid": "0192fe00-1020-7040-8050-6070ff610001", "color": "red",
		}))
		require.Equal(t, form{N: 5, U: 7, F: 3, B: true, S: "x", P: ptr(9), At: at, Day: dbfleet.Date{2024, 3, 10}, Conf: dbfleet.JSONOf(settings{Theme: "dark"}),
			Raw: []byte("bytes"), Null: sql.NullInt64{Int64: 4, Valid: true}, UUID: [16]byte{1, 0x92, 0xfe, 0, 0x10, 0x20, 0x70, 0x40, 0x80, 0x50, 0x60, 0x70, 0xff, 0x61, 0, 1}, Color: "red"}, f)
		require.NoError(t, m.Fill(&f, map[string]any{"p": nil, "null": nil, "day": at, "at": at, "conf": dbfleet.JSONOf(settings{}), "color": color("blue")}))
		require.Nil(t, f.P)
		require.False(t, f.Null.Valid)
		before := f
		for column, v := range map[string]any{
			"n": 128, "u": -1, "f": "abc", "b": 2, "s": nil, "p": 1.5, "at": "soon", "day": "2024-02-30", "conf": "{", "uuid": "x", "null": "x", "color": []int{1},
		} {
			err := m.Fill(&f, map[string]any{"s": "changed", column: v})
			require.Error(t, err, column)
			require.ErrorContains(t, err, `"`+column+`"`)
			require.Equal(t, before, f, "nothing has been set")
		}
		var nf *dbfleet.NotFillableError
		require.ErrorAs(t, m.Fill(&f, map[string]any{"id": 5}), &nf)
		require.Equal(t, "id", nf.Column)
	})
}

// hazard 25: the same where no model knows the column.
func TestRows_ConditionsOfNumbersMatchNoOtherText(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE items (id {id}, name {text}, n {int}, big {bigint}, f {float}, d DECIMAL(30,4), yes {bool}, day {date})`)
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
			if fl.db.Dialect == "postgres" {
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
			if fl.db.Dialect == "mysql" {
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
			if name == "decimal" && fl.db.Dialect == "sqlite" {
				continue // keeps no such decimals
			}
			require.Equal(t, []string{"0"}, names(q), name)
		}
		require.Equal(t, []string{"1", "", "1abc", " 1", "1.0", "true"}, names(table.Where("n", ">", 1)), "not as texts")
		for name, q := range map[string]*dbfleet.Query[dbfleet.Row]{
			"fraction": table.Where("n", "<", 0.5), "fractions": table.WhereIn("n", []float64{0, 0.5}), "raw": table.WhereRaw("n < ?", 0.5),
		} {
			got, err := q.Get(ctx)
			if fl.db.Dialect == "postgres" { // whose driver would cut it to 0
				require.ErrorIs(t, err, dbfleet.ErrInvalidValue, name)
				continue
			}
			require.NoError(t, err, name)
			require.Len(t, got, 1, name)
		}
		if fl.db.Dialect == "postgres" {
			for _, f := range []float64{1.9, math.NaN(), math.Inf(1), 1e300} {
				_, err := table.Insert(ctx, dbfleet.Row{"n": f})
				require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
				_, err = fl.DB("main").Primary().ExecContext(ctx, "UPDATE items SET big = $1", f)
				require.Error(t, err)
			}
			_, err := fl.DB("main").Primary().ExecContext(ctx, "UPDATE items SET n = $1 WHERE id = 1", 0.0)
			require.NoError(t, err)
		}
		groups, err := table.Select("yes").SelectRaw("COUNT(*) AS c").GroupBy("yes").HavingRaw("COUNT(*) > ?", 5).Get(ctx)
		require.NoError(t, err)
		require.Len(t, groups, 1)
		if fl.db.Dialect == "mysql" {
			groups, err := table.Select("yes").SelectRaw("COUNT(*) AS c").GroupBy("yes").Having("c", ">", 5).Get(ctx)
			require.NoError(t, err)
			require.Len(t, groups, 1)
			fl.create(t, `CREATE TABLE odd (id {id}, b BIT(8), y YEAR, u BIGINT UNSIGNED, e ENUM('7','0'), s SET('a','b'), t TIME, j JSON)`, `INSERT INTO odd VALUES (1, b'101', 2024, 18446744073709551615, '7', 'a', '00:00:05', '5')`)
			odd := fl.DB("main").Table("odd")
			for column, v := range map[string]any{"b": 5, "y": 2024, "u": uint64(math.MaxUint64), "e": 7, "t": "00:00:05", "j": 5} {
				n, err := odd.Where(column, "=", v).Count(ctx)
				require.NoError(t, err)
				require.EqualValues(t, 1, n, column)
			}
		}
	})
}
