package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

type (
	myInt    int32
	myString string
	myBool   bool
	myBytes  []byte
	myUUID   [16]byte
	myFloat  float64
)

// case1 reads v as a V and expects a value or the kind of error.
func case1[V any](t *testing.T, v driver.Value, want any) {
	t.Helper()
	got, err := read[V](v)
	if kind, bad := want.(error); bad {
		require.ErrorIs(t, err, kind, "%T(%v) into %T", v, v, got)
		var column *ColumnError
		require.ErrorAs(t, err, &column)
		require.Equal(t, "c", column.Column)
		return
	}
	require.NoError(t, err, "%T(%v) into %T", v, v, got)
	require.Equal(t, want, any(got), "%T(%v)", v, v)
}

func TestRead_IntegersAreExactOrRefused(t *testing.T) { // hazards 8, 10, 14
	t.Parallel()
	case1[int64](t, int64(math.MinInt64), int64(math.MinInt64))
	case1[int64](t, uint64(7), int64(7))
	case1[int64](t, uint64(math.MaxInt64)+1, ErrRange)
	case1[int64](t, []byte("42"), int64(42))
	case1[int64](t, "-42", int64(-42))
	case1[int64](t, "12.000", int64(12))
	case1[int64](t, "12.5", ErrRange)
	case1[int64](t, "12.", ErrType)
	case1[int64](t, ".0", ErrType)
	case1[int64](t, "9223372036854775808", ErrRange)
	case1[int64](t, "", ErrType)
	case1[int64](t, "1_000", ErrType)
	case1[int64](t, "0x10", ErrType)
	case1[int64](t, " 1", ErrType)
	case1[int64](t, "abc", ErrType)
	case1[int64](t, 3.0, int64(3))
	case1[int64](t, float64(1<<53), int64(1<<53))
	case1[int64](t, float64(1<<54), ErrRange)
	case1[int64](t, 9.223372036854775807e18, ErrRange)
	case1[int64](t, 3.5, ErrRange)
	case1[int64](t, math.NaN(), ErrRange)
	case1[int64](t, float32(8), int64(8))
	case1[int64](t, true, ErrType)
	case1[int64](t, time.Now(), ErrType)
	case1[int64](t, nil, ErrNull)
	case1[int64](t, []byte{1}, ErrType)
	case1[int8](t, int64(127), int8(127))
	case1[int8](t, int64(-128), int8(-128))
	case1[int8](t, int64(300), ErrRange)
	case1[int8](t, "300", ErrRange)
	case1[int16](t, int64(1<<15), ErrRange)
	case1[int32](t, int64(1<<31), ErrRange)
	case1[int](t, int64(5), 5)
	case1[myInt](t, int64(5), myInt(5))
	case1[myInt](t, int64(1<<40), ErrRange)
	case1[uint64](t, uint64(math.MaxUint64), uint64(math.MaxUint64))
	case1[uint64](t, []byte("18446744073709551615"), uint64(math.MaxUint64))
	case1[uint64](t, "18446744073709551616", ErrRange)
	case1[uint64](t, "-1", ErrRange)
	case1[uint64](t, "+1", uint64(1))
	case1[uint64](t, "7.00", uint64(7))
	case1[uint64](t, int64(-1), ErrRange)
	case1[uint64](t, -1.0, ErrRange)
	case1[uint64](t, 4.0, uint64(4))
	case1[uint8](t, int64(256), ErrRange)
	case1[uint8](t, int64(255), uint8(255))
	case1[uint16](t, int64(1<<16), ErrRange)
	case1[uint32](t, int64(1<<32), ErrRange)
	case1[uint](t, int64(9), uint(9))
	case1[uint](t, nil, ErrNull)
}

func TestRead_FloatsKeepWholeNumbers(t *testing.T) { // hazards 10, 11
	t.Parallel()
	case1[float64](t, 1.5, 1.5)
	case1[float64](t, "12.34", 12.34)
	case1[float64](t, []byte("-0.1"), -0.1)
	case1[float64](t, "9007199254740993", ErrRange)
	case1[float64](t, "-9007199254740993.5", ErrRange)
	case1[float64](t, "9007199254740992", 9007199254740992.0)
	case1[float64](t, "00000000000000000000001.5", 1.5)
	case1[float64](t, "123456789.123456789123456789", 123456789.123456789123456789)
	case1[float64](t, "1152921504606847000", ErrRange) // 2^60 is ...846976
	case1[float64](t, "1152921504606846976", 1152921504606846976.0)
	case1[float64](t, "1e300", 1e300)
	case1[float64](t, "1e400", ErrRange)
	nan, err := read[float64]("NaN")
	require.NoError(t, err)
	require.True(t, math.IsNaN(nan))
	case1[float64](t, "Infinity", math.Inf(1))
	case1[float64](t, "-Infinity", math.Inf(-1))
	case1[float64](t, "0x1p4", ErrType)
	case1[float64](t, "", ErrType)
	case1[float64](t, "x", ErrType)
	case1[float64](t, int64(1<<53), float64(1<<53))
	case1[float64](t, int64(1<<53+1), ErrRange)
	case1[float64](t, int64(math.MaxInt64), ErrRange)
	case1[float64](t, int64(math.MinInt64), float64(math.MinInt64))
	case1[float64](t, uint64(math.MaxUint64), ErrRange)
	case1[float64](t, uint64(1<<63), float64(1<<63))
	case1[float64](t, float32(3.3), 3.3)
	case1[float64](t, float32(16777216), 16777216.0)
	case1[float64](t, true, ErrType)
	case1[float64](t, nil, ErrNull)
	case1[float32](t, 0.1, float32(0.1))
	case1[float32](t, float32(3.3), float32(3.3))
	case1[float32](t, 1e300, ErrRange)
	case1[float32](t, math.Inf(1), float32(math.Inf(1)))
	case1[float32](t, "16777217", ErrRange)
	case1[float32](t, int64(16777217), ErrRange)
	case1[float32](t, "1.25", float32(1.25))
	case1[float32](t, "1e39", ErrRange)
	case1[myFloat](t, 2.5, myFloat(2.5))
}

func TestRead_BoolsAreZeroAndOneOnly(t *testing.T) { // hazards 48, 49, 50
	t.Parallel()
	for _, v := range []driver.Value{true, int64(1), uint64(1), "1", "t", "true", "TRUE", []byte("1"), []byte{1}} {
		case1[bool](t, v, true)
		case1[myBool](t, v, myBool(true))
	}
	for _, v := range []driver.Value{false, int64(0), "0", "f", "false", []byte{0}} {
		case1[bool](t, v, false)
	}
	case1[bool](t, int64(2), ErrRange)
	case1[bool](t, int64(-1), ErrRange)
	case1[bool](t, uint64(2), ErrRange)
	for _, v := range []driver.Value{"yes", "2", "", []byte{2}, []byte{0, 1}, []byte{}, 1.0, time.Now()} {
		case1[bool](t, v, ErrType)
	}
	case1[bool](t, nil, ErrNull)
}

func TestRead_BitColumnsAreNumbers(t *testing.T) { // hazard 50
	t.Parallel()
	bits := func(b ...byte) *memory { return typedOne("BIT", dialect.MySQL, b) }
	var n int64
	_, err := ReadValue(bits(0x31), &n) // the character 1, were it text
	require.NoError(t, err)
	require.Equal(t, int64(0x31), n)
	var u uint64
	_, err = ReadValue(bits(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), &u)
	require.NoError(t, err)
	require.Equal(t, uint64(math.MaxUint64), u)
	var b bool
	_, err = ReadValue(bits(1), &b)
	require.NoError(t, err)
	require.True(t, b)
	_, err = ReadValue(bits(2), &b)
	require.ErrorIs(t, err, ErrRange)
	var f float64
	_, err = ReadValue(bits(1, 0), &f)
	require.NoError(t, err)
	require.Equal(t, 256.0, f)
}

func TestRead_TextAndBytesAreCopied(t *testing.T) { // hazard 5
	t.Parallel()
	case1[string](t, "a\x00b\xff", "a\x00b\xff")
	case1[string](t, []byte("bytes"), "bytes")
	case1[string](t, []byte(nil), "")
	case1[string](t, int64(-5), "-5")
	case1[string](t, uint64(math.MaxUint64), "18446744073709551615")
	case1[string](t, 1e6, "1000000")
	case1[string](t, 1e300, "1e+300")
	case1[string](t, true, "true")
	case1[string](t, time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), "2024-01-02T03:04:05Z")
	case1[string](t, nil, ErrNull)
	case1[myString](t, "s", myString("s"))
	case1[[]byte](t, []byte("x"), []byte("x"))
	case1[[]byte](t, "x", []byte("x"))
	case1[[]byte](t, []byte{}, []byte{})
	case1[[]byte](t, []byte(nil), []byte{})
	case1[[]byte](t, "", []byte{})
	case1[[]byte](t, nil, []byte(nil))
	case1[[]byte](t, int64(12), []byte("12"))
	case1[myBytes](t, []byte("x"), myBytes("x"))
	case1[json.RawMessage](t, []byte(`{"a":1}`), json.RawMessage(`{"a":1}`))
	case1[json.RawMessage](t, "null", json.RawMessage("null")) // hazard 53
	case1[json.RawMessage](t, nil, json.RawMessage(nil))
	case1[*json.RawMessage](t, nil, (*json.RawMessage)(nil))

	got, err := ReadColumn[[]byte](column("c", []byte("one"), []byte("two"), []byte("six")))
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("one"), []byte("two"), []byte("six")}, got)
	texts, err := ReadColumn[string](column("c", []byte("one"), []byte("two"), []byte("six")))
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two", "six"}, texts)
}

func TestRead_UUIDsFromBytesAndText(t *testing.T) { // hazard 52
	t.Parallel()
	u := [16]byte{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	for _, v := range []driver.Value{
		u[:], "6ba7b810-9dad-11d1-80b4-00c04fd430c8", []byte("6BA7B810-9DAD-11D1-80B4-00C04FD430C8"),
		"6ba7b8109dad11d180b400c04fd430c8", u,
	} {
		case1[[16]byte](t, v, u)
		case1[myUUID](t, v, myUUID(u))
	}
	for _, v := range []driver.Value{
		"6ba7b810-9dad-11d1-80b4-00c04fd430c", "6ba7b810-9dad-11d1-80b4x00c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430cg",
		"0123456789abcdef", []byte{1, 2}, int64(1), "",
	} {
		case1[[16]byte](t, v, ErrType)
	}
	case1[[16]byte](t, nil, ErrNull)
	require.Equal(t, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", value.FormatUUID(u))
}

func TestRead_NullableTypesTakeNullAndValue(t *testing.T) { // hazard 2
	t.Parallel()
	at := time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC)
	case1[*int64](t, nil, (*int64)(nil))
	case1[*int64](t, int64(3), new(int64(3)))
	case1[**string](t, "x", new(new("x")))
	case1[**string](t, nil, (**string)(nil))
	case1[*time.Time](t, at, &at)
	case1[*bool](t, int64(2), ErrRange)
	case1[sql.NullString](t, nil, sql.NullString{})
	case1[sql.NullString](t, "x", sql.NullString{String: "x", Valid: true})
	case1[sql.NullInt64](t, int64(3), sql.NullInt64{Int64: 3, Valid: true})
	case1[sql.NullInt16](t, int64(1<<20), ErrRange)
	case1[sql.NullByte](t, int64(255), sql.NullByte{Byte: 255, Valid: true})
	case1[sql.NullBool](t, []byte{1}, sql.NullBool{Bool: true, Valid: true})
	case1[sql.NullBool](t, int64(2), ErrRange)
	case1[sql.NullFloat64](t, "9007199254740993", ErrRange)
	case1[sql.NullTime](t, "2024-02-29 01:02:03.000004", sql.NullTime{Time: at, Valid: true}) // hazard 44
	case1[sql.NullTime](t, nil, sql.NullTime{})
	case1[sql.Null[string]](t, nil, sql.Null[string]{})
	case1[sql.Null[myInt]](t, int64(4), sql.Null[myInt]{V: 4, Valid: true})
	case1[sql.Null[time.Time]](t, at, sql.Null[time.Time]{V: at, Valid: true})
	case1[sql.Null[*string]](t, "x", sql.Null[*string]{V: new("x"), Valid: true})
	case1[*sql.NullString](t, "x", &sql.NullString{String: "x", Valid: true})
	case1[any](t, nil, nil)
	case1[any](t, []byte("x"), []byte("x"))
	case1[any](t, at.In(time.FixedZone("", 3600)), at)
}

func TestRead_PointersOfRowsAreApart(t *testing.T) { // hazard 2
	t.Parallel()
	var values []driver.Value
	for i := range 300 {
		values = append(values, int64(i), nil)
	}
	ptrs, err := ReadColumn[*int](column("c", values...))
	require.NoError(t, err)
	for i, p := range ptrs {
		if i%2 == 1 {
			require.Nil(t, p)
			continue
		}
		require.Equal(t, i/2, *p)
	}
	*ptrs[0] = -1
	require.Equal(t, 1, *ptrs[2])
	doubles, err := ReadColumn[sql.Null[**int]](column("c", int64(1), int64(2), nil))
	require.NoError(t, err)
	require.Equal(t, 1, **doubles[0].V)
	require.Equal(t, 2, **doubles[1].V)
	require.False(t, doubles[2].Valid)
}

type scanned struct {
	got driver.Value
}

func (s *scanned) Scan(v any) error {
	if b, ok := v.([]byte); ok && string(b) == "panic" {
		panic("scan")
	}
	if b, ok := v.([]byte); ok && string(b) == "fail" {
		return errScan
	}
	s.got = v
	return nil
}

var errScan = fmt.Errorf("scan failed")

func TestRead_ScannersGetTheDriversValue(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	for _, v := range []driver.Value{nil, int64(1), 1.5, true, "s", []byte("b"), at} {
		case1[scanned](t, v, scanned{got: v})
	}
	case1[scanned](t, []byte("fail"), errScan)
	case1[*scanned](t, nil, (*scanned)(nil))
	case1[*scanned](t, int64(1), &scanned{got: int64(1)})
	_, err := read[scanned]([]byte("panic"))
	require.ErrorContains(t, err, "Scan of rowmap.scanned panicked: scan")

	kept, err := ReadColumn[scanned](column("c", []byte("one"), []byte("two")))
	require.NoError(t, err)
	require.Equal(t, []byte("one"), kept[0].got)
}
