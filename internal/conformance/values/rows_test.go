package values

import (
	"context"
	"database/sql"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, kindsTable)
		table := fl.DB("main").Table("kinds")
		at := time.Date(2024, 3, 10, 7, 8, 9, 120000000, time.UTC)
		res, err := table.Insert(ctx, kindsRow(at))
		require.NoError(t, err)
		require.Equal(t, dbfleet.Result{LastInsertID: 1, RowsAffected: 1}, res)
		want := dbfleet.Row{
			"id": int64(1), "small": int64(-5), "i": int64(7), "big": int64(math.MaxInt64), "f": 0.1, "f4": 1.5, "d": "12345678901234.5600", "s": "text é😀", "c": "abc", "l": "",
			"b": []byte{0, 255}, "t": at, "day": time.Date(2024, 3, 10, 0, 0, 0, 0, time.UTC), "u": "0192fe00-1020-7040-8050-6070ff610001", "yes": any(int64(1)), "empty": nil,
		}
		if fl.Database.Dialect == "postgres" {
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
		for _, query := range []string{"SELECT big, f, t, yes FROM kinds", "SELECT big, f, t, yes FROM kinds WHERE id = " + map[bool]string{true: "$1", false: "?"}[fl.Database.Dialect == "postgres"]} {
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
		single := map[string]string{"sqlite": "REAL", "postgres": "REAL", "mysql": "FLOAT"}[fl.Database.Dialect]
		fl.Create(t, "CREATE TABLE singles (id {id}, f "+single+")", "INSERT INTO singles (f) VALUES (3.3)")
		for range 3 {
			row, err := fl.DB("main").Table("singles").First(ctx)
			require.NoError(t, err)
			require.Equal(t, 3.3, row["f"])
			row, err = fl.DB("main").Table("singles").Select("f").Find(ctx, 1)
			require.NoError(t, err)
			require.Equal(t, dbfleet.Row{"f": 3.3}, row)
			n, err := fl.DB("main").Table("singles").Where("f", "=", float32(3.3)).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n, "a float32 is the number that it is written as")
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE sales (id {id}, n {int}, big {bigint}, f {float}, amount {decimal}, name {text}, color {text}, at {time}, yes {bool})`)
		m := conformance.Model[sale](t, fl.Registry, dbfleet.ModelConfig{Table: "sales"})
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE forms (id {id}, n {int}, u {int}, f {float}, b {bool}, s {text}, p {int}, at {time}, day {date}, conf {json}, raw {bytes}, null_ {int}, uuid {uuid}, color {text})`)
		m := conformance.Model[form](t, fl.Registry, dbfleet.ModelConfig{Table: "forms", Fillable: []string{"n", "u", "f", "b", "s", "p", "at", "day", "conf", "raw", "null", "uuid", "color"}})
		at := time.Date(2024, 3, 10, 7, 8, 9, 0, time.UTC)
		var f form
		require.NoError(t, m.Fill(&f, map[string]any{ // as decoded from JSON, or a form
			"n": 5.0, "u": "7", "f": 3, "b": 1, "s": "x", "p": int64(9), "at": "2024-03-10T07:08:09Z", "day": "2024-03-10", "conf": `{"theme":"dark"}`,
			"raw": "bytes", "null": 4, "uuid": "0192fe00-1020-7040-8050-6070ff610001", "color": "red",
		}))
		require.Equal(t, form{N: 5, U: 7, F: 3, B: true, S: "x", P: ptr(9), At: at, Day: dbfleet.Date{Year: 2024, Month: 3, Day: 10}, Conf: dbfleet.JSONOf(settings{Theme: "dark"}),
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
