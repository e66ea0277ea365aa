package rowmap

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answers is a database/sql driver that answers every query with one value.
type answers struct{ v driver.Value }

func (a *answers) Connect(context.Context) (driver.Conn, error) { return a, nil }
func (a *answers) Driver() driver.Driver                        { return nil }
func (a *answers) Prepare(string) (driver.Stmt, error)          { return nil, driver.ErrSkip }
func (a *answers) Begin() (driver.Tx, error)                    { return nil, driver.ErrSkip }
func (a *answers) Close() error                                 { return nil }
func (a *answers) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &answer{one(a.v)}, nil
}

type answer struct{ *memory }

func scanWith[V any](t *testing.T, db *sql.DB) (V, error) {
	t.Helper()
	var out V
	err := db.QueryRowContext(t.Context(), "q").Scan(&out)
	return out, err
}

// compare reads v both ways. Where both succeed the results must be equal.
func compare[V any](t *testing.T, v driver.Value) (ours, theirs error) {
	t.Helper()
	db := sql.OpenDB(&answers{v})
	defer func() { _ = db.Close() }()
	want, theirs := scanWith[V](t, db)
	got, ours := read[V](v)
	if ours == nil && theirs == nil {
		require.True(t, same(want, got) || sameNumber(v, got), "%T(%v) into %T: Rows.Scan gives %#v, we %#v", v, v, got, want, got)
	}
	return ours, theirs
}

// sameNumber says whether got is the text of the number v: ours has no exponent where
// theirs has one.
func sameNumber(v driver.Value, got any) bool {
	f, ok := v.(float64)
	rv := reflect.Indirect(reflect.ValueOf(got))
	if s, null := rv.Interface().(sql.NullString); null {
		rv = reflect.ValueOf(s.String)
	}
	text := ""
	switch {
	case rv.Kind() == reflect.String:
		text = rv.String()
	case rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.Uint8:
		text = string(rv.Bytes())
	}
	g, err := strconv.ParseFloat(text, 64)
	return ok && err == nil && f == g
}

// same is equality with NaN equal to itself, instants instead of locations,
// and our empty []byte equal to the nil one that SQLite's driver gives.
func same(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if !x.IsValid() || !y.IsValid() || x.Type() != y.Type() {
		return false
	}
	switch x.Kind() {
	case reflect.Pointer:
		return !x.IsNil() && !y.IsNil() && same(x.Elem().Interface(), y.Elem().Interface())
	case reflect.Slice:
		return x.Len() == 0 && y.Len() == 0 && !y.IsNil()
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

var differentialValues = []driver.Value{
	nil, int64(0), int64(1), int64(-1), int64(127), int64(128), int64(300), int64(1 << 24), int64(1<<24 + 1), int64(1 << 53), int64(math.MaxInt64),
	int64(math.MinInt64), uint64(math.MaxUint64), uint64(5), 0.0, 1.0, 1.5, -2.5, 0.1, 1e6, 1e21, 1e300, math.Inf(1), math.NaN(), float32(3.3), float32(2), true, false,
	"", "0", "1", "-1", "300", "1.5", "12.00", "true", "t", "yes", "abc", "1e3", "NaN", "18446744073709551615", "9007199254740993", "12345678.9",
	[]byte(nil), []byte{}, []byte("1"), []byte("abc"), []byte("1.25"), []byte{0}, []byte{1}, []byte("2024-01-02 03:04:05"),
	time.Date(2024, 2, 29, 1, 2, 3, 456789000, time.UTC), "2024-01-02T03:04:05Z", "a\x00b",
}

func TestRead_AgreesWithRowsScan(t *testing.T) {
	t.Parallel()
	agreed := 0
	check := func(ours, theirs error) {
		if ours == nil && theirs == nil {
			agreed++
		}
	}
	for _, v := range differentialValues {
		check(compare[bool](t, v))
		check(compare[int](t, v))
		check(compare[int8](t, v))
		check(compare[int16](t, v))
		check(compare[int32](t, v))
		check(compare[int64](t, v))
		check(compare[uint](t, v))
		check(compare[uint8](t, v))
		check(compare[uint16](t, v))
		check(compare[uint32](t, v))
		check(compare[uint64](t, v))
		check(compare[float32](t, v))
		check(compare[float64](t, v))
		check(compare[string](t, v))
		check(compare[[]byte](t, v))
		check(compare[json.RawMessage](t, v))
		check(compare[time.Time](t, v))
		if _, wide := v.(uint64); !wide && v != driver.Value(float32(3.3)) && v != driver.Value(float32(2)) {
			check(compare[any](t, v)) // one Go type per kind of column, see ReadRows
		}
		check(compare[myInt](t, v))
		check(compare[myString](t, v))
		check(compare[myBool](t, v))
		check(compare[myFloat](t, v))
		check(compare[*int64](t, v))
		check(compare[*string](t, v))
		check(compare[*bool](t, v))
		check(compare[*time.Time](t, v))
		check(compare[**float64](t, v))
		check(compare[sql.NullString](t, v))
		check(compare[sql.NullInt64](t, v))
		check(compare[sql.NullFloat64](t, v))
		check(compare[sql.NullBool](t, v))
		check(compare[sql.NullTime](t, v))
		check(compare[sql.Null[int32]](t, v))
		check(compare[scanned](t, v))
	}
	require.Greater(t, agreed, 600)
}

// What Rows.Scan refuses and we take, or the reverse, is known: this pins it
// for values of the very type that a driver gives for a column.
func TestRead_TakesWhatRowsScanTakes(t *testing.T) {
	t.Parallel()
	for _, v := range differentialValues {
		_, lossy := v.(float64) // a float64 into an int: ours is stricter in range, laxer in form
		ours, theirs := compare[string](t, v)
		require.Equal(t, theirs == nil, ours == nil, "%T(%v) into string", v, v)
		ours, theirs = compare[[]byte](t, v)
		require.Equal(t, theirs == nil, ours == nil, "%T(%v) into []byte", v, v)
		if ours, theirs = compare[int64](t, v); theirs == nil && !lossy {
			require.NoError(t, ours, "%T(%v) into int64", v, v)
		}
		if ours, theirs = compare[uint8](t, v); theirs == nil {
			require.NoError(t, ours, "%T(%v) into uint8", v, v)
		}
		if ours, theirs = compare[bool](t, v); theirs == nil {
			require.NoError(t, ours, "%T(%v) into bool", v, v)
		}
		if ours, theirs = compare[time.Time](t, v); theirs == nil {
			require.NoError(t, ours, "%T(%v) into time.Time", v, v)
		}
	}
}
