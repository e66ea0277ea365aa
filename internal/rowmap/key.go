package rowmap

import (
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/dbfleet/dbfleet/internal/value"
)

// Instant is the key of a time: equal for equal instants in all locations.
type Instant struct {
	seconds int64
	nanos   int
}

// nan is the key of NaN, which PostgreSQL holds for equal to itself.
type nan struct{}

// Key returns a comparable value that is equal for values that are one key in
// a database, whatever the Go types that hold them: whole numbers of all sizes
// are int64 (uint64 above), []byte and types made of string are strings, a
// [16]byte is the lower-case text of the UUID, times are instants; pointers
// and Valuers are followed. ok is false for NULL and for what cannot
// be a key.
func Key(v any) (key any, ok bool) {
	if t, isTime := timeIn(v); isTime {
		return instantOf(t), true
	}
	x, err := Arg(v, nil)
	if err != nil {
		return nil, false
	}
	switch x := x.(type) {
	case int64, uint64, bool, string:
		return x, true
	case []byte:
		return string(x), true
	case float64:
		if math.IsNaN(x) {
			return nan{}, true
		}
		return x, true
	case time.Time:
		return instantOf(x), true
	}
	return nil, false
}

// Whole is the whole number that a value of another type stands for: a decimal
// without a fraction, given as text or by a Valuer, or a bool. It is nil for others.
func Whole(v any) any {
	switch x, _ := Arg(v, nil); x := x.(type) {
	case bool:
		if x {
			return int64(1)
		}
		return int64(0)
	case string:
		if d, ok := value.ParseDecimal(x); ok && d.Scale == 0 {
			if n, err := strconv.ParseInt(d.String(), 10, 64); err == nil {
				return n
			}
		}
	}
	return nil
}

// IsNull says whether a value is NULL to a database.
func IsNull(v any) bool {
	x, err := Arg(v, nil)
	return err == nil && x == nil
}

func instantOf(t time.Time) Instant {
	return Instant{seconds: t.Unix(), nanos: t.Nanosecond() / int(time.Microsecond) * int(time.Microsecond)}
}

// FieldKey is the [Key] of the field of column i. It panics if rec is not a *T.
func (p *Plan) FieldKey(i int, rec any) (key any, ok bool) { return Key(p.Value(i, rec)) }

// IntKey is FieldKey for fields of the plain integer types, without making an
// any of the value. ok is false for every other field.
func (p *Plan) IntKey(i int, rec any) (key int64, ok bool) {
	f := &p.fields[i]
	if f.codec.kind != Int {
		return 0, false
	}
	at := f.at(p.mustRecord(rec), false)
	if at == nil {
		return 0, false
	}
	switch f.codec.typ.Kind() {
	case reflect.Int64:
		return *(*int64)(at), true
	case reflect.Int:
		return int64(*(*int)(at)), true
	case reflect.Int32:
		return int64(*(*int32)(at)), true
	}
	return 0, false
}
