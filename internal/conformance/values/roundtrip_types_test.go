package values

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet"
)

// Types of users.
type (
	label   string
	count   int32
	blob    []byte
	moment  time.Time
	verdict bool
	ratio   float64
	// textual writes and reads itself as text, as a decimal does.
	textual struct{ s string }
	// guid writes itself as text and reads both forms, as most libraries' UUIDs do.
	guid [16]byte
	// rawID writes itself as bytes.
	rawID [16]byte
	doc   struct {
		A json.Number `json:"a"`
	}
)

func (x textual) Value() (driver.Value, error) { return x.s, nil }

func (x *textual) Scan(v any) error {
	switch v := v.(type) {
	case string:
		x.s = v
	case []byte:
		x.s = string(v)
	case int64:
		x.s = fmt.Sprint(v)
	default:
		return fmt.Errorf("a textual from a %T", v)
	}
	return nil
}

func (g guid) Value() (driver.Value, error) {
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[:4], g[4:6], g[6:8], g[8:10], g[10:]), nil
}

func (g *guid) Scan(v any) error {
	switch v := v.(type) {
	case string:
		s := strings.ReplaceAll(v, "-", "")
		if n, err := fmt.Sscanf(s, "%32x", new([]byte)); err != nil || n != 1 || len(s) != 32 {
			return fmt.Errorf("no guid")
		}
		var b []byte
		_, err := fmt.Sscanf(s, "%x", &b)
		copy(g[:], b)
		return err
	case []byte:
		if len(v) == 16 {
			copy(g[:], v)
			return nil
		}
		return g.Scan(string(v))
	}
	return fmt.Errorf("a guid from a %T", v)
}

func (g rawID) Value() (driver.Value, error) { return g[:], nil }

func (g *rawID) Scan(v any) error {
	b, ok := v.([]byte)
	if !ok || len(b) != 16 {
		return fmt.Errorf("a rawID from a %T", v)
	}
	copy(g[:], b)
	return nil
}

var (
	instant = time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC)
	whole   = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	day     = time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)
	zoned   = instant.In(time.FixedZone("", 2*3600))
	someID  = [16]byte{0x01, 0x92, 0xfe, 0, 0x10, 0x20, 0x70, 0x40, 0x80, 0x50, 0x60, 0x70, 0xff, 0x61, 0, 1}
)

// goTypes are the types of fields.
var goTypes = []goType{
	typeOf("bool", false, true),
	typeOf[verdict]("named bool", true),
	typeOf[int]("int", 0, 1, -1, math.MaxInt, math.MaxInt>>10+2),
	typeOf[int8]("int8", 0, math.MinInt8, math.MaxInt8),
	typeOf[int16]("int16", math.MinInt16, math.MaxInt16),
	typeOf[int32]("int32", math.MinInt32, math.MaxInt32),
	typeOf[int64]("int64", 0, 1, math.MinInt64, math.MaxInt64, math.MaxInt64-1, 1<<53+1),
	typeOf[count]("named int32", 7),
	typeOf[uint]("uint", 0, 1, math.MaxUint),
	typeOf[uint8]("uint8", 0, math.MaxUint8),
	typeOf[uint16]("uint16", math.MaxUint16),
	typeOf[uint32]("uint32", math.MaxUint32),
	typeOf[uint64]("uint64", 0, math.MaxUint64, math.MaxUint64-1, math.MaxInt64+1),
	typeOf[float32]("float32", 0, 1.5, 0.1, 3.3, 16777216, float32(math.Inf(1))),
	typeOf[float64]("float64", 0, 1.5, 0.1, 3.3, 1e300, 1<<53, math.Inf(-1)),
	typeOf[ratio]("named float64", 0.5),
	typeOf("string", "", "a", "A", "a ", "1", "1abc", "2; x", "1.50", "0.1", "9007199254740993", "2024-05-06", "2024-05-06 07:08:09", "ä€😀", "{\"a\":1}", "sad", "true"),
	typeOf[label]("named string", "a", "ok", "12"),
	typeOf("[]byte", []byte{}, []byte("a"), []byte{0xff, 0}, someID[:]),
	typeOf("named []byte", blob("a"), blob{0}),
	typeOf("[16]byte", someID, [16]byte{}, [16]byte([]byte("abcdefghijklmnop"))),
	typeOf("named [16]byte", uid(someID)),
	typeOf("*[16]byte", &someID),
	typeOf("UUID type (text)", guid(someID)),
	typeOf("UUID type (bytes)", rawID(someID)),
	typeOf("dbfleet.BinaryUUID", dbfleet.BinaryUUID(someID), dbfleet.BinaryUUID{}),
	typeOf("json.RawMessage", json.RawMessage(`{"a": 1}`), json.RawMessage(`null`), json.RawMessage(`1`)),
	typeOf("dbfleet.JSON", dbfleet.JSONOf(doc{"1"}), dbfleet.JSONOf(doc{"12345678901234567890"})),
	typeOf("time.Time", instant, whole, day, zoned),
	typeOf("named time.Time", moment(whole)),
	typeOf("dbfleet.Date", dbfleet.Date{Year: 2024, Month: 5, Day: 6}, dbfleet.Date{Year: 1, Month: 1, Day: 1}),
	typeOf("*int64", new(int64(7)), nil),
	typeOf("*string", new("a"), nil),
	typeOf("*time.Time", &whole, nil),
	typeOf("*float64", new(0.1)),
	typeOf("sql.NullInt64", sql.NullInt64{Int64: 5, Valid: true}, sql.NullInt64{}),
	typeOf("sql.NullString", sql.NullString{String: "x", Valid: true}, sql.NullString{}),
	typeOf("sql.NullTime", sql.NullTime{Time: whole, Valid: true}),
	typeOf("sql.NullBool", sql.NullBool{Bool: true, Valid: true}),
	typeOf("sql.NullFloat64", sql.NullFloat64{Float64: 0.1, Valid: true}),
	typeOf("sql.Null[uint64]", sql.Null[uint64]{V: math.MaxUint64, Valid: true}),
	typeOf("sql.Null[[16]byte]", sql.Null[[16]byte]{V: someID, Valid: true}),
	typeOf("Scanner and Valuer", textual{"1.50"}, textual{"a"}),
	typeOf[any]("any", int64(1), "a", "1", 1.5, []byte{1}, whole, true, nil),
	typeOf("[]int64", []int64{}, []int64{1, math.MaxInt64}),
	typeOf("[]string", []string{"a", `b,"`}, []string{}),
	typeOf("[]time.Time", []time.Time{whole}),
	typeOf("[][16]byte", [][16]byte{someID}),
}

// same says whether two values of a field are one value: times are their instants.
func same(a, b any) bool {
	switch x := a.(type) {
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Truncate(time.Microsecond).Equal(y)
	case []byte:
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	case sql.NullTime:
		y := b.(sql.NullTime)
		return x.Valid == y.Valid && x.Time.Equal(y.Time)
	case dbfleet.BinaryUUID:
		return x == b
	case moment:
		return time.Time(x).Equal(time.Time(b.(moment)))
	case []time.Time:
		y := b.([]time.Time)
		return len(x) == len(y) && (len(x) == 0 || x[0].Equal(y[0]))
	}
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	if x.Kind() == reflect.Pointer && y.Kind() == reflect.Pointer && !x.IsNil() && !y.IsNil() {
		return same(x.Elem().Interface(), y.Elem().Interface())
	}
	if f, ok := a.(float64); ok && math.IsNaN(f) {
		g, ok := b.(float64)
		return ok && math.IsNaN(g)
	}
	if text := fmt.Sprintf("%#v", a); strings.Contains(text, "NaN") {
		return text == fmt.Sprintf("%#v", b) // which is not equal to itself
	}
	return reflect.DeepEqual(a, b)
}
