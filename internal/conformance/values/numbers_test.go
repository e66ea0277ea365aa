package values

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// bad input: a number that does not fit
func TestValues_NumbersThatDoNotFitAreErrors(t *testing.T) {
	t.Parallel()
	type small struct {
		ID  int64
		I8  int8
		U8  uint8
		I32 int32
		F32 float32
		I   int
		U   uint64
		B   bool
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE small (id {id}, i8 {bigint}, u8 {bigint}, i32 {bigint}, f32 {float}, i {text}, u {bigint}, b {bigint})`,
			`INSERT INTO small VALUES (1, 127, 255, 2147483647, 1.5, '12', 9223372036854775807, 1)`,
			`INSERT INTO small VALUES (2, 128, 256, 2147483648, 1e300, '9223372036854775808', -1, 2)`,
			`INSERT INTO small VALUES (3, -129, -1, -2147483649, -1e300, 'abc', -9223372036854775807, -1)`)
		m := conformance.Model[small](t, fl.Registry, dbfleet.ModelConfig{Table: "small"})
		fit, err := m.Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, small{1, 127, 255, math.MaxInt32, 1.5, 12, math.MaxInt64, true}, fit)
		for _, column := range []string{"i8", "u8", "i32", "f32", "i", "u", "b"} {
			for id := 2; id <= 3; id++ {
				_, err := m.Select(column).Find(ctx, id)
				want := dbfleet.ErrRange
				if column == "i" && id == 3 {
					want = dbfleet.ErrType
				}
				require.ErrorIs(t, err, want, "%s of %d", column, id)
				var ce *dbfleet.ColumnError
				require.ErrorAs(t, err, &ce)
				require.Equal(t, column, ce.Column)
				require.NotContains(t, err.Error(), "922337", "no values in errors")
			}
		}
		_, err = dbfleet.Max[int8](ctx, m, "i32")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		_, err = dbfleet.Pluck[int8](ctx, m, "i32")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		// hazard 14: no rounded integer, also from sums.
		_, err = dbfleet.Sum[int64](ctx, m.Where("id", "<=", 2).Where("id", "<>", 2), "u")
		require.NoError(t, err)
		fl.Create(t, `INSERT INTO small SELECT 4, i8, u8, i32, f32, i, u, b FROM small WHERE id = 1`)
		_, err = dbfleet.Sum[int64](ctx, m.WhereIn("id", []int{1, 4}), "u")
		require.Error(t, err)
		if fl.Database.Dialect != "sqlite" { // which says "integer overflow" without a code for it
			require.ErrorIs(t, err, dbfleet.ErrRange)
			exact, err := dbfleet.Sum[string](ctx, m.WhereIn("id", []int{1, 4}), "u")
			require.NoError(t, err)
			require.Equal(t, "18446744073709551614", exact)
			unsigned, err := dbfleet.Sum[uint64](ctx, m.WhereIn("id", []int{1, 4}), "u")
			require.NoError(t, err)
			require.EqualValues(t, uint64(18446744073709551614), unsigned)
		}
		_, err = m.Where("id", "=", 1).Sum(ctx, "u")
		require.ErrorIs(t, err, dbfleet.ErrRange, "no float64 is that number")
		one, err := dbfleet.Sum[int64](ctx, m.Where("id", "=", 1), "u")
		require.NoError(t, err)
		require.EqualValues(t, int64(math.MaxInt64), one)
	})
}

// hazard 24: what the server would cut or clip is refused.
func TestValues_StrictMode(t *testing.T) {
	t.Parallel()
	type tight struct {
		ID int64
		N  int64
		S  string
		D  string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		switch fl.Database.Dialect {
		case "sqlite": // has no such types
			fl.Create(t, `CREATE TABLE tight (id {id}, n INTEGER CHECK (n BETWEEN -32768 AND 32767), s TEXT CHECK (length(s) <= 5), d TEXT)`)
		default:
			fl.Create(t, `CREATE TABLE tight (id {id}, n SMALLINT, s VARCHAR(5), d DECIMAL(5,2))`)
		}
		m := conformance.Model[tight](t, fl.Registry, dbfleet.ModelConfig{Table: "tight"})
		require.NoError(t, m.Create(ctx, &tight{N: -32768, S: "ééééé", D: "123.45"}))
		refused := dbfleet.ErrInvalidValue
		if fl.Database.Dialect == "sqlite" {
			refused = dbfleet.ErrCheck
		}
		for _, bad := range []tight{{N: 32768, S: "a", D: "1"}, {N: -32769, S: "a", D: "1"}, {N: 1 << 40, S: "a", D: "1"}, {S: "abcdef", D: "1"}} {
			require.ErrorIs(t, m.Create(ctx, &bad), refused)
			require.ErrorIs(t, m.CreateMany(ctx, []tight{{S: "ok", D: "1"}, bad}), refused)
			_, err := m.Query().AllRows().Update(ctx, dbfleet.Row{"n": bad.N, "s": bad.S})
			require.ErrorIs(t, err, refused)
			_, err = fl.DB("main").Table("tight").Insert(ctx, dbfleet.Row{"n": bad.N, "s": bad.S})
			require.ErrorIs(t, err, refused)
		}
		if fl.Database.Dialect != "sqlite" {
			require.ErrorIs(t, m.Create(ctx, &tight{D: "1234.5"}), dbfleet.ErrInvalidValue)
			require.ErrorIs(t, m.Create(ctx, &tight{D: "abc"}), dbfleet.ErrInvalidValue)
			_, err := fl.DB("main").Pool().ExecContext(ctx, "INSERT INTO tight (n) VALUES (70000)")
			require.Error(t, err, "also through the pool itself")
			_, err = fl.DB("main").ExecContext(ctx, "INSERT INTO tight (s) VALUES ('abcdef')")
			require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
		}
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "nothing has changed")
	})
}

// hazards 8, 14
func TestValues_UnsignedAndLargeIntegers(t *testing.T) {
	t.Parallel()
	type big struct {
		ID int64
		U  uint64
		I  int64
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, map[string]string{
			"sqlite":   `CREATE TABLE big (id {id}, u INTEGER, i INTEGER)`,
			"postgres": `CREATE TABLE big (id {id}, u NUMERIC(20), i BIGINT)`,
			"mysql":    `CREATE TABLE big (id {id}, u BIGINT UNSIGNED, i BIGINT)`,
		}[fl.Database.Dialect])
		m := conformance.Model[big](t, fl.Registry, dbfleet.ModelConfig{Table: "big"})
		const huge = uint64(1<<63 + 5)
		err := m.Create(ctx, &big{ID: 1, U: huge, I: math.MinInt64})
		if fl.Database.Dialect == "sqlite" {
			require.ErrorIs(t, err, dbfleet.ErrRange)
			var ce *dbfleet.ColumnError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, "u", ce.Column)
			_, err = m.Where("u", "=", huge).Count(ctx)
			require.ErrorIs(t, err, dbfleet.ErrRange)
			_, err = fl.DB("main").ExecContext(ctx, "INSERT INTO big (u) VALUES (?)", huge)
			require.Error(t, err)
			n, err := m.Count(ctx)
			require.NoError(t, err)
			require.Zero(t, n)
			return
		}
		require.NoError(t, err)
		require.NoError(t, m.Create(ctx, &big{ID: 2, U: 7, I: math.MaxInt64}))
		got, err := m.Find(ctx, 1)
		require.NoError(t, err)
		require.Equal(t, big{1, huge, math.MinInt64}, got)
		for _, q := range []*dbfleet.Query[big]{
			m.Where("u", "=", huge), m.WhereIn("u", []uint64{huge, huge + 1}), m.Where("u", ">", uint64(1<<63)), m.Query().WhereBetween("u", huge, uint64(math.MaxUint64)),
			m.Where("i", "=", int64(math.MinInt64)), m.Where("i", "<", int64(math.MinInt64+1)), m.Filter(dbfleet.Col[uint64]("u").In(huge, 9)),
		} {
			n, err := q.Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
		}
		top, err := m.Query().Max(ctx, "u")
		require.NoError(t, err)
		require.Equal(t, huge, top)
		typed, err := dbfleet.Max[uint64](ctx, m, "u")
		require.NoError(t, err)
		require.Equal(t, huge, typed)
		_, err = dbfleet.Max[int64](ctx, m, "u")
		require.ErrorIs(t, err, dbfleet.ErrRange)

		// The same Go type from text and from prepared statements.
		db := fl.DB("main")
		if fl.Database.Dialect != "mysql" {
			return
		}
		for _, query := range []string{"SELECT u FROM big WHERE id = 1", "SELECT u FROM big WHERE id = ?"} {
			var args []any
			if strings.Contains(query, "?") {
				args = []any{1}
			}
			for range 4 { // sent as text first, prepared when repeated
				var v any
				require.NoError(t, db.QueryRowContext(ctx, query, args...).Scan(&v))
				require.Equal(t, huge, v)
				require.NoError(t, db.Pool().QueryRowContext(ctx, query, args...).Scan(&v))
				require.Equal(t, huge, v)
			}
		}
	})
}

// hazard 10
func TestValues_DecimalsLoseNoDigit(t *testing.T) {
	t.Parallel()
	type price struct {
		ID     int64
		Amount string
		Maybe  *string
	}
	type rounded struct {
		ID     int64
		Amount float64
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE prices (id {id}, amount {decimal} NOT NULL, maybe {decimal})`)
		m := conformance.Model[price](t, fl.Registry, dbfleet.ModelConfig{Table: "prices"})
		for i, amount := range []string{"9007199254740993.0000", "-0.0001", "1234567890123456.7891", "0.1000"} {
			p := price{Amount: amount, Maybe: &amount}
			require.NoError(t, m.Create(ctx, &p))
			got, err := m.Find(ctx, p.ID)
			require.NoError(t, err)
			require.Equal(t, p, got)
			rows, err := fl.DB("main").Table("prices").Where("id", "=", p.ID).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, amount, rows[0]["amount"], "%d", i)
		}
		n, err := m.Where("amount", "=", "9007199254740993.0000").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		if fl.Database.Dialect != "sqlite" { // keeps text
			n, err := m.Where("amount", "=", 0.1).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n, "0.1 is written as 0.1")
			sum, err := dbfleet.Sum[string](ctx, m.Where("amount", ">", "1"), "amount")
			require.NoError(t, err)
			require.Equal(t, "10241767144864449.7891", sum)
			top, err := m.Query().Max(ctx, "amount")
			require.NoError(t, err)
			require.Equal(t, "9007199254740993.0000", top)
		}
		// A float64 cannot hold it: an error, not the next number.
		f := conformance.Model[rounded](t, fl.Registry, dbfleet.ModelConfig{Table: "prices"})
		_, err = f.Find(ctx, 1)
		require.ErrorIs(t, err, dbfleet.ErrRange)
		ok, err := f.Find(ctx, 4)
		if fl.Database.Dialect == "sqlite" { // a text, which 0.1 is not equal to
			require.ErrorIs(t, err, dbfleet.ErrRange)
			return
		}
		require.NoError(t, err)
		require.Equal(t, 0.1, ok.Amount)
	})
}

// hazards 11, 12, 13
func TestValues_NotANumberAndInfinity(t *testing.T) {
	t.Parallel()
	type measure struct {
		ID int64
		F  float64
		N  *string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE measures (id {id}, f {float}, n {decimal})`)
		m := conformance.Model[measure](t, fl.Registry, dbfleet.ModelConfig{Table: "measures"})
		nan, inf := math.NaN(), math.Inf(1)
		if fl.Database.Dialect != "postgres" {
			for _, f := range []float64{nan, inf, -inf} {
				require.ErrorIs(t, m.Create(ctx, &measure{F: f}), dbfleet.ErrRange)
				require.ErrorIs(t, m.CreateMany(ctx, []measure{{}, {F: f}}), dbfleet.ErrRange)
				_, err := m.Where("f", "=", f).Get(ctx)
				require.ErrorIs(t, err, dbfleet.ErrRange)
				_, err = m.WhereIn("f", []float64{1, f}).Get(ctx)
				require.ErrorIs(t, err, dbfleet.ErrRange)
				_, err = m.Query().WhereBetween("f", 0, f).Get(ctx)
				require.ErrorIs(t, err, dbfleet.ErrRange)
				_, err = m.Query().AllRows().Update(ctx, dbfleet.Row{"f": f})
				require.ErrorIs(t, err, dbfleet.ErrRange)
				_, err = m.Query().AllRows().Increment(ctx, "f", f)
				require.ErrorIs(t, err, dbfleet.ErrRange)
				_, err = m.Query().WhereRaw("f = ?", f).Get(ctx)
				require.ErrorIs(t, err, dbfleet.ErrRange)
				_, err = fl.DB("main").Table("measures").Insert(ctx, dbfleet.Row{"f": f})
				require.ErrorIs(t, err, dbfleet.ErrRange)
			}
			_, err := fl.DB("main").ExecContext(ctx, "INSERT INTO measures (f) VALUES (?)", nan)
			require.Error(t, err)
			_, err = fl.DB("main").Pool().ExecContext(ctx, "INSERT INTO measures (f) VALUES (?)", nan)
			require.Error(t, err)
			n, err := m.Count(ctx)
			require.NoError(t, err)
			require.Zero(t, n)
			return
		}
		for _, f := range []float64{nan, inf, -inf} {
			r := measure{F: f}
			require.NoError(t, m.Create(ctx, &r))
			got, err := m.Find(ctx, r.ID)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(f), fmt.Sprint(got.F))
		}
		fl.Create(t, `INSERT INTO measures (f, n) VALUES (1, 'NaN')`)
		last, err := m.OrderBy("id", dbfleet.Desc).First(ctx)
		require.NoError(t, err)
		require.Equal(t, "NaN", *last.N)
		_, err = dbfleet.Max[int64](ctx, m, "n")
		require.ErrorIs(t, err, dbfleet.ErrType)
		_, err = dbfleet.Max[int64](ctx, m, "f")
		require.ErrorIs(t, err, dbfleet.ErrRange)
	})
}

// hazard 16
func TestValues_DivisionIsTheDatabasesOwn(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		var got string
		require.NoError(t, fl.DB("main").QueryRowContext(t.Context(), "SELECT 7/2").Scan(&got))
		require.Equal(t, map[string]string{"sqlite": "3", "postgres": "3", "mysql": "3.5000"}[fl.Database.Dialect], got)
	})
}
