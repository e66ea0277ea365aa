package dbfleet_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// nullables holds each kind of column in each form that can be NULL.
type nullables struct {
	ID      int64
	IntPtr  *int32
	IntNull sql.Null[int16]
	Text    *string
	Str     sql.NullString
	Bool    *bool
	Flag    sql.NullBool
	Ratio   *float64
	Num     sql.NullFloat64
	Big     sql.NullInt64
	Amount  *string
	At      *time.Time
	Time    sql.NullTime
	Raw     []byte
	Own     reversed
	Deep    **int
	Free    any
}

const nullablesTable = `CREATE TABLE nullables (id {id}, int_ptr {int}, int_null {int}, text {text}, str {text}, bool {bool}, flag {bool},
	ratio {float}, num {float}, big {bigint}, amount {decimal}, at {time}, time {time}, raw {bytes}, own {text}, deep {int}, free {bigint})`

// reversed is a Scanner and Valuer: text stored backwards, "" is NULL.
type reversed string

func (r *reversed) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*r = ""
	case string:
		*r = reversed(backwards(v))
	case []byte:
		*r = reversed(backwards(string(v)))
	default:
		return fmt.Errorf("reversed from %T", src)
	}
	return nil
}

func (r reversed) Value() (driver.Value, error) {
	if r == "" {
		return nil, nil
	}
	return backwards(string(r)), nil
}

func backwards(s string) string {
	runes := []rune(s)
	for i, j := 0, len(runes)-1; i < j; i, j = i+1, j-1 {
		runes[i], runes[j] = runes[j], runes[i]
	}
	return string(runes)
}

func ptr[V any](v V) *V { return &v }

// hazard 2
func TestValues_NullAndValueInEveryNullableForm(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, nullablesTable)
		m := model[nullables](t, fl.Registry, dbfleet.ModelConfig{Table: "nullables"})

		at := time.Date(2024, 3, 10, 7, 8, 9, 123456000, time.UTC)
		full := nullables{
			IntPtr: ptr[int32](0), IntNull: sql.Null[int16]{V: -3, Valid: true}, Text: ptr(""), Str: sql.NullString{String: " padded ", Valid: true},
			Bool: ptr(false), Flag: sql.NullBool{Bool: true, Valid: true}, Ratio: ptr(0.1), Num: sql.NullFloat64{Float64: math.Copysign(0, -1), Valid: true},
			Big: sql.NullInt64{Int64: math.MinInt64, Valid: true}, Amount: ptr("1234567890123456.7891"), At: &at, Time: sql.NullTime{Time: at, Valid: true},
			Raw: []byte{0, 255, '\'', '\\'}, Own: "abc", Deep: ptr(ptr(5)), Free: int64(7),
		}
		records := []nullables{{}, full, {}, full}
		records[3].IntPtr, records[3].Text, records[3].At = ptr[int32](9), ptr("other"), ptr(at.Add(time.Hour))
		require.NoError(t, m.CreateMany(ctx, records))
		one := nullables{}
		require.NoError(t, m.Create(ctx, &one))

		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, append(records, one), got)
		for i := range records {
			found, err := m.Find(ctx, records[i].ID)
			require.NoError(t, err)
			require.Equal(t, records[i], found)
		}
		// A pointer of one row is not shared with another row's.
		*got[1].IntPtr, *got[1].Text, **got[1].Deep = 77, "changed", 77
		require.EqualValues(t, 9, *got[3].IntPtr)
		require.Equal(t, "other", *got[3].Text)
		require.Equal(t, 5, **got[3].Deep)

		i := 0
		for r, err := range m.OrderBy("id", dbfleet.Asc).Iter(ctx) {
			require.NoError(t, err)
			if i < len(records) {
				require.Equal(t, records[i], r)
			}
			i++
		}
		require.Equal(t, 5, i)

		// NULL is written over a value, and read by every reader.
		full.ID = records[1].ID
		blank := nullables{ID: full.ID}
		require.NoError(t, m.Save(ctx, &blank))
		found, err := m.Find(ctx, full.ID)
		require.NoError(t, err)
		require.Equal(t, blank, found)
		n, err := m.Query().WhereNull("text").WhereNull("at").WhereNull("raw").Where("own", "=", nil).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
		texts, err := dbfleet.Pluck[*string](ctx, m.OrderBy("id", dbfleet.Asc), "text")
		require.NoError(t, err)
		require.Equal(t, []*string{nil, nil, nil, ptr("other"), nil}, texts)
		plucked, err := m.OrderBy("id", dbfleet.Asc).Pluck(ctx, "text")
		require.NoError(t, err)
		require.Equal(t, []any{nil, nil, nil, "other", nil}, plucked)
		top, err := dbfleet.Max[sql.NullInt64](ctx, m.Query().WhereNull("big"), "big")
		require.NoError(t, err)
		require.False(t, top.Valid)
	})
}

// bad input: NULL for a field that cannot hold it
func TestValues_NullForAFieldThatCannotHoldItNamesTheField(t *testing.T) {
	t.Parallel()
	type plain struct {
		ID   int64
		I    int
		S    string
		B    bool
		F    float64
		At   time.Time
		U    [16]byte
		Uint uint
	}
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE plain (id {id}, i {int}, s {text}, b {bool}, f {float}, at {time}, u {uuid}, uint {int})`,
			`INSERT INTO plain (id) VALUES (1)`)
		m := model[plain](t, fl.Registry, dbfleet.ModelConfig{Table: "plain"})
		for column, field := range map[string]string{"i": "I", "s": "S", "b": "B", "f": "F", "at": "At", "u": "U", "uint": "Uint"} {
			q := m.Select("id", column)
			for name, read := range map[string]func() error{
				"get":   func() error { _, err := q.Get(ctx); return err },
				"first": func() error { _, err := q.First(ctx); return err },
				"find":  func() error { _, err := q.Find(ctx, 1); return err },
				"iter": func() error {
					for _, err := range q.Iter(ctx) {
						return err
					}
					return nil
				},
			} {
				err := read()
				require.ErrorIs(t, err, dbfleet.ErrNull, "%s of %s", name, column)
				var ce *dbfleet.ColumnError
				require.ErrorAs(t, err, &ce)
				require.Equal(t, column, ce.Column)
				require.Equal(t, field, ce.Field)
			}
		}
		_, err := dbfleet.Pluck[string](ctx, m, "s")
		require.ErrorIs(t, err, dbfleet.ErrNull)
		_, err = dbfleet.Max[int](ctx, m, "i")
		require.ErrorIs(t, err, dbfleet.ErrNull)
		_, err = m.Query().Max(ctx, "i")
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		_, err = m.Query().Avg(ctx, "i")
		require.ErrorIs(t, err, dbfleet.ErrNotFound)
		sum, err := m.Query().Sum(ctx, "i")
		require.NoError(t, err)
		require.Zero(t, sum)
		// The other way: NULL for a column that refuses it.
		fl.create(t, `CREATE TABLE strict_one (id {id}, s {text} NOT NULL)`)
		_, err = fl.DB("main").Table("strict_one").Insert(ctx, dbfleet.Row{"s": nil})
		require.ErrorIs(t, err, dbfleet.ErrNotNull)
		var qe *dbfleet.QueryError
		require.ErrorAs(t, err, &qe)
		require.Equal(t, "s", qe.Column)
	})
}

// hazard 5
func TestValues_EmptyAndNilBytesStayApart(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE files (id {id}, body {bytes}, ptr {bytes}, null_ {bytes})`)
		type named struct {
			ID   int64
			Body []byte
			Ptr  *[]byte
			Null sql.Null[[]byte] `db:"null_"`
		}
		m := model[named](t, fl.Registry, dbfleet.ModelConfig{Table: "files"})
		records := []named{
			{},
			{Body: []byte{}, Ptr: &[]byte{}, Null: sql.Null[[]byte]{V: []byte{}, Valid: true}},
			{Body: []byte("x"), Ptr: ptr([]byte{0}), Null: sql.Null[[]byte]{V: []byte("é\xff"), Valid: true}},
		}
		require.NoError(t, m.CreateMany(ctx, records))
		single := named{Body: []byte{}, Ptr: &[]byte{}, Null: sql.Null[[]byte]{V: []byte{}, Valid: true}}
		require.NoError(t, m.Create(ctx, &single))
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, append(records, single), got)

		// Each reader: bytes of rows, of a column, of database/sql.
		q := m.OrderBy("id", dbfleet.Asc)
		rows, err := fl.DB("main").Table("files").OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Nil(t, rows[0]["body"])
		require.Equal(t, []byte{}, rows[1]["body"])
		require.Equal(t, []byte("x"), rows[2]["body"])
		plucked, err := dbfleet.Pluck[[]byte](ctx, q, "body")
		require.NoError(t, err)
		require.Equal(t, [][]byte{nil, {}, []byte("x"), {}}, plucked)
		raw, err := fl.DB("main").Primary().QueryContext(ctx, "SELECT body FROM files ORDER BY id")
		require.NoError(t, err)
		defer raw.Close()
		for i := range records {
			require.True(t, raw.Next())
			var b []byte
			require.NoError(t, raw.Scan(&b))
			require.Equal(t, records[i].Body == nil, b == nil, "row %d", i)
			require.Len(t, b, len(records[i].Body))
		}
		require.NoError(t, raw.Close())
		// Written by Update and by conditions.
		n, err := m.Where("id", "=", records[0].ID).Update(ctx, dbfleet.Row{"body": []byte{}})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = m.Where("body", "=", []byte{}).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		n, err = m.Where("body", "=", "x").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, err = m.Where("id", "=", records[0].ID).Update(ctx, dbfleet.Row{"body": []byte(nil)})
		require.NoError(t, err)
		n, err = m.Query().WhereNull("body").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE small (id {id}, i8 {bigint}, u8 {bigint}, i32 {bigint}, f32 {float}, i {text}, u {bigint}, b {bigint})`,
			`INSERT INTO small VALUES (1, 127, 255, 2147483647, 1.5, '12', 9223372036854775807, 1)`,
			`INSERT INTO small VALUES (2, 128, 256, 2147483648, 1e300, '9223372036854775808', -1, 2)`,
			`INSERT INTO small VALUES (3, -129, -1, -2147483649, -1e300, 'abc', -9223372036854775807, -1)`)
		m := model[small](t, fl.Registry, dbfleet.ModelConfig{Table: "small"})
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
		fl.create(t, `INSERT INTO small SELECT 4, i8, u8, i32, f32, i, u, b FROM small WHERE id = 1`)
		_, err = dbfleet.Sum[int64](ctx, m.WhereIn("id", []int{1, 4}), "u")
		require.Error(t, err)
		if fl.db.Dialect != "sqlite" { // which says "integer overflow" without a code for it
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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		switch fl.db.Dialect {
		case "sqlite": // has no such types
			fl.create(t, `CREATE TABLE tight (id {id}, n INTEGER CHECK (n BETWEEN -32768 AND 32767), s TEXT CHECK (length(s) <= 5), d TEXT)`)
		default:
			fl.create(t, `CREATE TABLE tight (id {id}, n SMALLINT, s VARCHAR(5), d DECIMAL(5,2))`)
		}
		m := model[tight](t, fl.Registry, dbfleet.ModelConfig{Table: "tight"})
		require.NoError(t, m.Create(ctx, &tight{N: -32768, S: "ééééé", D: "123.45"}))
		refused := dbfleet.ErrInvalidValue
		if fl.db.Dialect == "sqlite" {
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
		if fl.db.Dialect != "sqlite" {
			require.ErrorIs(t, m.Create(ctx, &tight{D: "1234.5"}), dbfleet.ErrInvalidValue)
			require.ErrorIs(t, m.Create(ctx, &tight{D: "abc"}), dbfleet.ErrInvalidValue)
			_, err := fl.DB("main").Primary().ExecContext(ctx, "INSERT INTO tight (n) VALUES (70000)")
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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, map[string]string{
			"sqlite":   `CREATE TABLE big (id {id}, u INTEGER, i INTEGER)`,
			"postgres": `CREATE TABLE big (id {id}, u NUMERIC(20), i BIGINT)`,
			"mysql":    `CREATE TABLE big (id {id}, u BIGINT UNSIGNED, i BIGINT)`,
		}[fl.db.Dialect])
		m := model[big](t, fl.Registry, dbfleet.ModelConfig{Table: "big"})
		const huge = uint64(1<<63 + 5)
		err := m.Create(ctx, &big{ID: 1, U: huge, I: math.MinInt64})
		if fl.db.Dialect == "sqlite" {
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
		if fl.db.Dialect != "mysql" {
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
				require.NoError(t, db.Primary().QueryRowContext(ctx, query, args...).Scan(&v))
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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE prices (id {id}, amount {decimal} NOT NULL, maybe {decimal})`)
		m := model[price](t, fl.Registry, dbfleet.ModelConfig{Table: "prices"})
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
		if fl.db.Dialect != "sqlite" { // keeps text
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
		f := model[rounded](t, fl.Registry, dbfleet.ModelConfig{Table: "prices"})
		_, err = f.Find(ctx, 1)
		require.ErrorIs(t, err, dbfleet.ErrRange)
		ok, err := f.Find(ctx, 4)
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
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE measures (id {id}, f {float}, n {decimal})`)
		m := model[measure](t, fl.Registry, dbfleet.ModelConfig{Table: "measures"})
		nan, inf := math.NaN(), math.Inf(1)
		if fl.db.Dialect != "postgres" {
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
			_, err = fl.DB("main").Primary().ExecContext(ctx, "INSERT INTO measures (f) VALUES (?)", nan)
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
		fl.create(t, `INSERT INTO measures (f, n) VALUES (1, 'NaN')`)
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
	onEach(t, func(t *testing.T, fl fleet) {
		var got string
		require.NoError(t, fl.DB("main").QueryRowContext(t.Context(), "SELECT 7/2").Scan(&got))
		require.Equal(t, map[string]string{"sqlite": "3", "postgres": "3", "mysql": "3.5000"}[fl.db.Dialect], got)
	})
}

type note struct {
	ID   int64
	Body string
}

// hazards 19, 20, 22, 23, 28
func TestValues_Texts(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE notes (id {id}, body {long} NOT NULL)`)
		m := model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"})
		texts := []string{
			"", " ", "trailing  ", "\tx\r\n", "it's", `back\slash`, `"quoted"`, "`tick`", "%_", "?", "$1", "?? :name @x", "-- no comment", "/* c */", ";",
			"😀👩‍👩‍👧‍👦🇩🇪", "日本語", "e\u0301", "\u00e9", "\u202eabc", "\ufeffbom", "\ufffd", "NULL", "null", "0", "0x41", "1e3", "{}", "{a,b}", "\\x41", strings.Repeat("ä", 70_000),
		}
		for _, text := range texts {
			n := note{Body: text}
			require.NoError(t, m.Create(ctx, &n))
			got, err := m.Find(ctx, n.ID)
			require.NoError(t, err)
			require.Equal(t, text, got.Body)
			raw := ""
			require.NoError(t, fl.DB("main").QueryRowContext(ctx, ddl(fl.db.Dialect, "SELECT body FROM notes WHERE id = "+fmt.Sprint(n.ID))).Scan(&raw))
			require.Equal(t, text, raw)
			found, err := m.Where("body", "=", text).Where("id", "=", n.ID).Get(ctx)
			require.NoError(t, err)
			require.Len(t, found, 1)
			if text != "" && len(text) < 1000 { // SQLite bounds patterns
				found, err = m.Where("body", "LIKE", "%"+dbfleet.EscapeLike(text)+"%").Where("id", "=", n.ID).Get(ctx)
				require.NoError(t, err)
				require.Len(t, found, 1, "%q", text)
			}
		}
		plucked, err := dbfleet.Pluck[string](ctx, m.OrderBy("id", dbfleet.Asc), "body")
		require.NoError(t, err)
		require.Equal(t, texts, plucked)

		// Not text, or not everywhere: stored whole or refused, never cut or changed.
		for _, text := range []string{"a\x00b", "\x00", "\xff\xfe", "a\xc3", "\xed\xa0\x80", "ok\x80ok"} {
			n := note{Body: text}
			err := m.Create(ctx, &n)
			mayStore := fl.db.Dialect == "sqlite" || fl.db.Dialect == "mysql" && (strings.Contains(text, "\x00") || text == "\xed\xa0\x80")
			if !mayStore {
				require.ErrorIs(t, err, dbfleet.ErrInvalidValue, "%q", text)
				require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
					return m.CreateMany(ctx, []note{{Body: "before"}, {Body: text}})
				}), dbfleet.ErrInvalidValue)
				continue
			}
			require.NoError(t, err)
			got, err := m.Where("body", "=", text).Where("id", "=", n.ID).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, []note{n}, got)
		}
		count, err := m.Where("body", "=", "before").Count(ctx)
		require.NoError(t, err)
		require.Zero(t, count)
	})
}

// hazard 21: SQL with a NUL byte is not cut at it.
func TestValues_NoNULInSQL(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE notes (id {id}, body {text})`)
		m := model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"})
		_, err := fl.DB("main").ExecContext(ctx, "DELETE FROM notes WHERE 1 = 1 \x00 AND id = 5")
		require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
		_, err = fl.DB("main").Primary().ExecContext(ctx, "DELETE FROM notes \x00 WHERE id = 5")
		require.Error(t, err)
		_, err = fl.DB("main").Primary().PrepareContext(ctx, "DELETE FROM notes \x00 WHERE id = 5")
		require.Error(t, err)
		var se *dbfleet.StatementError
		_, err = m.Query().WhereRaw("id = 1 \x00 OR 1 = 1").Get(ctx)
		require.ErrorAs(t, err, &se)
		_, err = m.Query().OrderByRaw("id\x00").Get(ctx)
		require.ErrorAs(t, err, &se)
		_, err = fl.DB("main").Table("notes\x00").Get(ctx)
		require.Error(t, err)
		_, err = fl.DB("main").Table("notes").Where("body\x00", "=", 1).Get(ctx)
		require.Error(t, err)
		_, err = fl.DB("main").Table("notes").Insert(ctx, dbfleet.Row{"body\x00": 1})
		require.Error(t, err)
	})
}

// hazard 28
func TestValues_UniqueTextsByTheDatabasesOwnRule(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE tags (id {id}, name {text}, CONSTRAINT tags_name_key UNIQUE (name))`)
		insert := func(name string) error {
			_, err := fl.DB("main").Table("tags").Insert(ctx, dbfleet.Row{"name": name})
			return err
		}
		require.NoError(t, insert("q"))
		for _, same := range []string{"Q", "q "} {
			err := insert(same)
			if fl.db.Dialect == "mysql" {
				require.ErrorIs(t, err, dbfleet.ErrUnique)
				var qe *dbfleet.QueryError
				require.ErrorAs(t, err, &qe)
				require.Equal(t, "tags_name_key", qe.Constraint)
			} else {
				require.NoError(t, err)
			}
		}
		require.ErrorIs(t, insert("q"), dbfleet.ErrUnique)
	})
}

// hazard 23: a column of another character set refuses what it cannot hold.
func TestValues_NarrowCharacterSets(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		if fl.db.Dialect != "mysql" {
			return // no such columns
		}
		ctx := t.Context()
		fl.create(t, `CREATE TABLE narrow (id {id}, body VARCHAR(50) CHARACTER SET utf8mb3, latin VARCHAR(50) CHARACTER SET latin1)`)
		type narrow struct {
			ID          int64
			Body, Latin string
		}
		m := model[narrow](t, fl.Registry, dbfleet.ModelConfig{Table: "narrow"})
		require.ErrorIs(t, m.Create(ctx, &narrow{Body: "😀"}), dbfleet.ErrInvalidValue)
		require.ErrorIs(t, m.Create(ctx, &narrow{Latin: "日"}), dbfleet.ErrInvalidValue)
		n := narrow{Body: "é日", Latin: "é"}
		require.NoError(t, m.Create(ctx, &n))
		got, err := m.Find(ctx, n.ID)
		require.NoError(t, err)
		require.Equal(t, n, got)
		rows, err := fl.DB("main").Table("narrow").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Row{{"id": n.ID, "body": "é日", "latin": "é"}}, rows)
	})
}

var errNoValue = errors.New("no value today")

// Valuers that misbehave.
type (
	failing   struct{ N int }
	panicking struct{ N int }
	pointless struct{ n int } // Value on the value receiver
	circular  struct{}
	strange   struct{}
)

func (failing) Value() (driver.Value, error)   { return nil, errNoValue }
func (*failing) Scan(any) error                { return errNoValue }
func (panicking) Value() (driver.Value, error) { panic("value panics") }
func (*panicking) Scan(any) error              { panic("scan panics") }
func (p pointless) Value() (driver.Value, error) {
	return int64(p.n), nil
}
func (p *pointless) Scan(src any) error {
	n, ok := src.(int64)
	if !ok {
		return fmt.Errorf("pointless from %T", src)
	}
	p.n = int(n)
	return nil
}
func (c circular) Value() (driver.Value, error) { return c, nil }
func (strange) Value() (driver.Value, error)    { return make(chan int), nil }

// hazard 60
func TestValues_ValuersThatFailLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	type odd struct {
		ID int64
		A  *failing
		B  *panicking
		C  *pointless
		D  any
	}
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE odd (id {id}, a {int}, b {int}, c {int}, d {int})`)
		m := model[odd](t, fl.Registry, dbfleet.ModelConfig{Table: "odd"})
		fine := odd{ID: 1, D: int64(3)} // nil pointers: Value is not called
		require.NoError(t, m.Create(ctx, &fine))
		with := odd{ID: 2, C: &pointless{7}}
		require.NoError(t, m.Create(ctx, &with))
		got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []odd{fine, with}, got)

		for column, bad := range map[string]odd{
			"a": {A: &failing{}}, "b": {B: &panicking{}}, "d": {D: circular{}},
		} {
			for _, err := range []error{m.Create(ctx, &bad), m.CreateMany(ctx, []odd{{}, bad}), func() error { bad.ID = 1; return m.Save(ctx, &bad) }()} {
				var ce *dbfleet.ColumnError
				require.ErrorAs(t, err, &ce)
				require.Equal(t, column, ce.Column)
				require.Equal(t, strings.ToUpper(column), ce.Field)
				if column == "a" {
					require.ErrorIs(t, err, errNoValue)
				}
			}
		}
		_, err = m.Where("a", "=", failing{}).Get(ctx)
		require.ErrorIs(t, err, errNoValue)
		require.ErrorContains(t, err, `"a"`)
		_, err = m.Where("b", "=", panicking{}).Get(ctx)
		require.ErrorContains(t, err, `"b"`)
		_, err = m.Where("c", "=", (*pointless)(nil)).Get(ctx)
		require.NoError(t, err)
		n, err := m.Where("c", "=", &pointless{7}).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		_, err = m.Query().AllRows().Update(ctx, dbfleet.Row{"a": failing{}})
		require.ErrorIs(t, err, errNoValue)

		// Scanners that fail name the field, and the connection lives on.
		fl.create(t, `UPDATE odd SET a = 1, b = 1 WHERE id = 1`)
		_, err = m.Select("a").Find(ctx, 1)
		require.ErrorIs(t, err, errNoValue)
		require.ErrorContains(t, err, "odd.A")
		_, err = m.Select("b").Find(ctx, 1)
		require.ErrorContains(t, err, "odd.B")
		require.ErrorContains(t, err, "panic")
		count, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, count)
		require.Zero(t, fl.DB("main").Primary().Stats().InUse)
	})
}

// bad input: a value that no driver takes
func TestValues_WhatNoDriverTakesIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	type loose struct {
		ID int64
		V  any
		S  string
		N  int
	}
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE loose (id {id}, v {text}, s {text}, n {int})`)
		m := model[loose](t, fl.Registry, dbfleet.ModelConfig{Table: "loose", Fillable: []string{"s", "n"}})
		table := fl.DB("main").Table("loose")
		sent := 0
		fl.DB("main").OnBeforeQuery(func(context.Context, dbfleet.QueryEvent) { sent++ })
		var nilFunc func()
		for _, v := range []any{
			make(chan int), nilFunc, func() {}, complex(1, 2), struct{ A int }{1}, map[string]any{"$gt": 0}, map[string]int{}, []any{map[string]int{}},
			[2]int{1, 2}, &struct{ A int }{}, strange{}, circular{}, [][]int{{1}}, uintptr(3),
		} {
			for name, err := range map[string]error{
				"create": m.Create(ctx, &loose{V: v}),
				"where":  func() error { _, err := m.Where("s", "=", v).Get(ctx); return err }(),
				"any":    func() error { _, err := m.Where("v", "=", v).Get(ctx); return err }(),
				"in":     func() error { _, err := m.WhereIn("n", []any{1, v}).Get(ctx); return err }(),
				"update": func() error { _, err := m.Query().AllRows().Update(ctx, dbfleet.Row{"n": v}); return err }(),
				"table":  func() error { _, err := table.Where("s", "=", v).Get(ctx); return err }(),
				"insert": func() error { _, err := table.Insert(ctx, dbfleet.Row{"s": v}); return err }(),
				"having": func() error { _, err := table.GroupBy("s").Having("s", "=", v).Get(ctx); return err }(),
				"fill":   m.Fill(&loose{}, dbfleet.Row{"s": v}),
				"find":   func() error { _, err := m.Find(ctx, v); return err }(),
			} {
				require.ErrorIs(t, err, dbfleet.ErrType, "%s of %T", name, v)
				column := map[string]string{"create": "v", "any": "v", "in": "n", "update": "n", "find": "id"}[name]
				if column == "" {
					column = "s"
				}
				require.ErrorContains(t, err, `"`+column+`"`, "%s of %T", name, v)
			}
			_, err := m.Query().WhereRaw("s = ?", v).Get(ctx)
			require.ErrorIs(t, err, dbfleet.ErrType, "raw of %T", v)
		}
		require.Zero(t, sent)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}
