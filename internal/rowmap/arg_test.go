package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// money has a Value method with a value receiver: a nil *money must not reach it.
type money struct{ cents int64 }

func (m money) Value() (driver.Value, error) { return m.cents, nil }

func (m *money) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return errScan
	}
	m.cents = n
	return nil
}

// grams has its methods on the pointer only.
type grams struct{ n int }

func (g *grams) Value() (driver.Value, error) { return g.n, nil }

func (g *grams) Scan(v any) error { g.n = int(v.(int64)); return nil }

type (
	chained  struct{ next any }
	failing  struct{ reason any }
	endless  struct{}
	attrs    map[string]string
	writable struct{ N int }
)

func (c chained) Value() (driver.Value, error) { return c.next, nil }
func (chained) Scan(any) error                 { return nil }
func (endless) Value() (driver.Value, error)   { return endless{}, nil }
func (writable) Value() (driver.Value, error)  { return "w", nil }
func (a attrs) Value() (driver.Value, error)   { return json.Marshal(a) }
func (a *attrs) Scan(v any) error              { return json.Unmarshal([]byte(v.(string)), a) }
func (f *failing) Scan(v any) error            { f.reason = v; return nil }
func (f failing) Value() (driver.Value, error) {
	if err, ok := f.reason.(error); ok {
		return nil, err
	}
	panic(f.reason)
}

func TestArg_GivesDriverValues(t *testing.T) {
	t.Parallel()
	u := [16]byte{15: 1}
	uuid := "00000000-0000-0000-0000-000000000001"
	for _, d := range dialects {
		for _, c := range []struct{ in, want any }{
			{nil, nil}, {int(-1), int64(-1)}, {int8(-8), int64(-8)}, {int16(16), int64(16)}, {int32(32), int64(32)},
			{int64(64), int64(64)}, {uint(1), int64(1)}, {uint8(8), int64(8)}, {uint16(16), int64(16)}, {uint32(32), int64(32)},
			{uint64(math.MaxInt64), int64(math.MaxInt64)}, {float32(0.5), 0.5}, {0.25, 0.25}, {"s", "s"}, {"a\x00\xff", "a\x00\xff"},
			{[]byte("b"), []byte("b")}, {[]byte{}, []byte{}}, {[]byte(nil), nil}, {json.RawMessage(`{}`), "{}"},
			{json.RawMessage(nil), nil}, {u, uuid}, {myUUID(u), uuid}, {&u, uuid},
			{myInt(3), int64(3)}, {myString("m"), "m"}, {myBytes("x"), []byte("x")}, {myBytes(nil), nil}, {myFloat(1.5), 1.5},
			{new("p"), "p"}, {(*string)(nil), nil}, {new(int64(6)), int64(6)}, {(*int64)(nil), nil}, {new(5), int64(5)},
			{new(new(5)), int64(5)}, {(**int)(nil), nil}, {new((*int)(nil)), nil}, {(*time.Time)(nil), nil},
			{money{5}, int64(5)}, {&money{5}, int64(5)}, {(*money)(nil), nil}, {new((*money)(nil)), nil}, // hazard 60
			{grams{7}, int64(7)}, {&grams{7}, int64(7)}, {(*grams)(nil), nil},
			{chained{chained{money{9}}}, int64(9)}, {chained{(*money)(nil)}, nil}, {chained{myString("x")}, "x"}, {chained{nil}, nil},
			{attrs{"a": "b"}, []byte(`{"a":"b"}`)},
			{sql.NullString{String: "x", Valid: true}, "x"}, {sql.NullString{}, nil}, {sql.NullInt32{Int32: 4, Valid: true}, int64(4)},
			{sql.Null[uint16]{V: 4, Valid: true}, int64(4)}, {sql.Null[myString]{V: "v", Valid: true}, "v"},
		} {
			got, err := Arg(c.in, d)
			require.NoError(t, err, "%T on %s", c.in, d.Name)
			require.Equal(t, c.want, got, "%T on %s", c.in, d.Name)
		}
	}
}

func TestArg_DiffersWhereDatabasesDo(t *testing.T) { // hazards 11, 12, 13, 14
	t.Parallel()
	big := uint64(math.MaxUint64)
	for _, v := range []any{true, myBool(true), new(true), sql.NullBool{Bool: true, Valid: true}} {
		got, err := Arg(v, dialect.Postgres)
		require.NoError(t, err)
		require.Equal(t, true, got)
		for _, d := range []*dialect.Dialect{dialect.MySQL, dialect.SQLite} {
			got, err := Arg(v, d)
			require.NoError(t, err)
			require.Equal(t, int64(1), got)
		}
	}
	for _, v := range []any{big, new(big), uint(big)} {
		for _, d := range []*dialect.Dialect{dialect.MySQL, dialect.Postgres} {
			got, err := Arg(v, d)
			require.NoError(t, err)
			require.Equal(t, big, got)
		}
		_, err := Arg(v, dialect.SQLite)
		require.ErrorIs(t, err, ErrRange)
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, v := range []any{f, float32(f), myFloat(f), &f, sql.NullFloat64{Float64: f, Valid: true}} {
			_, err := Arg(v, dialect.Postgres)
			require.NoError(t, err)
			_, err = Arg(v, dialect.MySQL)
			require.ErrorIs(t, err, ErrRange)
			_, err = Arg(v, dialect.SQLite)
			require.ErrorIs(t, err, ErrRange)
		}
	}
}

func TestArg_RefusesWhatNoDatabaseTakes(t *testing.T) {
	t.Parallel()
	var loop selfPointer
	loop = &loop
	for _, d := range dialects {
		for _, v := range []any{
			struct{ X int }{}, map[string]any{}, func() {}, make(chan int), complex(1, 2), [3]int{}, []any{1}, []user{}, user{}, &user{},
			[][]byte{}, uintptr(1), loop, endless{}, [][]string{}, errors.New, json.Number("1").String,
		} {
			_, err := Arg(v, d)
			require.ErrorIs(t, err, ErrType, "%T on %s", v, d.Name)
		}
	}
	_, err := Arg([]string{"a"}, dialect.MySQL)
	require.ErrorIs(t, err, ErrType)
	_, err = Arg(failing{errScan}, dialect.MySQL)
	require.ErrorIs(t, err, errScan)
	_, err = Arg(failing{"boom"}, dialect.MySQL)
	require.ErrorContains(t, err, "Value of rowmap.failing panicked: boom")
}

type writes struct {
	ID     int64
	Flag   bool
	Big    uint64
	F      float32
	Raw    json.RawMessage
	Bin    []byte
	Cost   *money
	Weight grams
	Bad    failing
	At     time.Time
	Maybe  sql.NullTime
	Key    [16]byte
	Extra  any
	*Nested
	Tags []string `db:"tags"`
}

type Nested struct{ Note *string }

func TestPlanArg_ReadsTheField(t *testing.T) {
	t.Parallel()
	p := mustPlan[writes](t)
	arg := func(column string, w *writes, d *dialect.Dialect) (any, error) {
		i, ok := p.Column(column)
		require.True(t, ok, column)
		return p.Arg(i, w, d)
	}
	w := &writes{
		ID: 5, Flag: true, Big: math.MaxUint64, F: 0.5, Raw: json.RawMessage("[]"), Bin: []byte{}, Cost: &money{3}, Weight: grams{4},
		At: time.Date(2024, 1, 2, 3, 4, 5, 6007, time.UTC), Key: [16]byte{1}, Extra: int8(3), Nested: &Nested{Note: new("n")},
		Tags: []string{`a"b`, `c\d`, "", "NULL", "e,f"},
	}
	want := map[string]any{
		"id": int64(5), "flag": true, "big": uint64(math.MaxUint64), "f": 0.5, "raw": "[]", "bin": []byte{}, "cost": int64(3),
		"weight": int64(4), "at": time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC), "maybe": nil, "key": "01000000-0000-0000-0000-000000000000",
		"extra": int64(3), "note": "n", "tags": `{"a\"b","c\\d","","NULL","e,f"}`,
	}
	for column, value := range want {
		got, err := arg(column, w, dialect.Postgres)
		require.NoError(t, err, column)
		require.Equal(t, value, got, column)
	}
	for column := range want {
		if column == "id" || column == "flag" || column == "f" || column == "big" || column == "weight" || column == "key" {
			continue
		}
		got, err := arg(column, &writes{}, dialect.MySQL)
		if column == "tags" {
			require.ErrorIs(t, err, ErrType)
			continue
		}
		require.NoError(t, err, column)
		require.Nil(t, got, column)
	}
	got, err := arg("flag", w, dialect.SQLite)
	require.NoError(t, err)
	require.Equal(t, int64(1), got)
	_, err = arg("big", w, dialect.SQLite)
	require.ErrorIs(t, err, ErrRange)

	for _, reason := range []any{"boom", errScan} { // hazard 60
		_, err = arg("bad", &writes{Bad: failing{reason}}, dialect.SQLite)
		var column *ColumnError
		require.ErrorAs(t, err, &column)
		require.Equal(t, "Bad", column.Field)
	}

	i, _ := p.Column("id")
	_, err = p.Arg(i, writes{}, dialect.SQLite)
	require.ErrorIs(t, err, ErrType)
	_, err = p.Arg(i, (*writes)(nil), dialect.SQLite)
	require.ErrorIs(t, err, ErrType)
	_, err = p.Arg(i, nil, dialect.SQLite)
	require.ErrorIs(t, err, ErrType)

	args, _, err := p.ArgPlan(0, 1).Args(w, dialect.MySQL)
	require.NoError(t, err)
	require.Equal(t, []any{int64(5), int64(1)}, args)
}

func TestPlanIsZero_AndValue(t *testing.T) {
	t.Parallel()
	p := mustPlan[writes](t)
	zero, full := &writes{}, &writes{
		ID: 1, Flag: true, Big: 1, F: 1, Raw: json.RawMessage{}, Bin: []byte{}, Cost: &money{}, Weight: grams{1}, Bad: failing{1},
		At: time.Unix(0, 0), Maybe: sql.NullTime{Valid: true}, Key: [16]byte{1}, Extra: 1, Nested: &Nested{Note: new("")}, Tags: []string{},
	}
	for i, column := range p.Columns() {
		require.True(t, p.IsZero(i, zero), column)
		require.False(t, p.IsZero(i, full), column)
	}
	at, _ := p.Column("at")
	require.True(t, p.IsZero(at, &writes{At: time.Time{}.In(time.FixedZone("", 3600))}))
	require.Equal(t, int64(1), p.Value(0, full))
	note, _ := p.Column("note")
	require.Nil(t, p.Value(note, zero))
	require.Equal(t, full.Note, p.Value(note, full))
	require.Panics(t, func() { p.IsZero(0, user{}) })
}

func TestPlanSet_ConvertsLikeARead(t *testing.T) {
	t.Parallel()
	p := mustPlan[writes](t)
	w := &writes{}
	set := func(column string, v any) error {
		i, ok := p.Column(column)
		require.True(t, ok, column)
		return p.Set(i, w, v)
	}
	at := time.Date(2024, 1, 2, 3, 4, 5, 6007, time.FixedZone("", 3600))
	for column, v := range map[string]any{
		"id": 5, "flag": 1, "big": "18446744073709551615", "f": 0.5, "raw": "[]", "bin": "x", "cost": money{3}, "weight": int8(4),
		"at": at, "maybe": &at, "key": "01000000-0000-0000-0000-000000000000", "extra": 3, "note": "n", "tags": []any{"a", "b"},
	} {
		require.NoError(t, set(column, v), column)
	}
	require.Equal(t, &writes{
		ID: 5, Flag: true, Big: math.MaxUint64, F: 0.5, Raw: json.RawMessage("[]"), Bin: []byte("x"), Cost: &money{3}, Weight: grams{4},
		At: at, Maybe: sql.NullTime{Time: at.UTC(), Valid: true}, Key: [16]byte{1}, Extra: int64(3), Nested: &Nested{Note: new("n")},
		Tags: []string{"a", "b"},
	}, w)

	require.ErrorIs(t, set("id", nil), ErrNull)
	require.ErrorIs(t, set("id", 1.5), ErrRange)
	require.ErrorIs(t, set("id", "x"), ErrType)
	require.ErrorIs(t, set("id", []int{1}), ErrType)
	require.ErrorIs(t, set("id", map[string]any{}), ErrType)
	require.ErrorIs(t, set("tags", []any{"a", nil}), ErrNull)
	require.Equal(t, int64(5), w.ID)
	require.NoError(t, set("note", nil))
	require.Nil(t, w.Note)
	require.NoError(t, set("cost", nil))
	require.Nil(t, w.Cost)
	require.NoError(t, set("at", time.Time{}))
	require.True(t, w.At.IsZero())
}

func TestRead_RefusesToWriteWhatHasOnlyScan(t *testing.T) {
	t.Parallel()
	p := mustPlan[hasScanner](t)
	_, err := p.Arg(1, &hasScanner{}, dialect.SQLite)
	require.ErrorIs(t, err, ErrType)
	require.ErrorContains(t, err, "no Value method")
	type noScan struct {
		ID int
		W  writable
	}
	_, err = Of[noScan]()
	require.ErrorContains(t, err, "noScan.W")
}
