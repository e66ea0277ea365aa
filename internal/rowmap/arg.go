package rowmap

import (
	"database/sql/driver"
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// maxValuers bounds how often a Value method may return another Valuer.
const maxValuers = 8

// Arg turns a Go value into what the drivers take for it: nil, int64, float64,
// bool (PostgreSQL only; elsewhere 0 or 1), string, []byte, time.Time
// (PostgreSQL and MySQL; SQLite gets text), uint64 (above the int64s, not for
// SQLite), and on PostgreSQL the text of an array for a slice.
//
// Pointers are followed and a nil pointer is NULL, its Value method is not
// called; a driver.Valuer is asked, repeatedly if need be. A nil []byte is
// NULL. A [16]byte is sent as the 36 characters of a UUID, json.RawMessage as
// text. A time is cut to microseconds and must lie in the years 1 to 9999; the
// zero time.Time is NULL, written or compared with. NaN and the infinities are
// for PostgreSQL only.
//
// With a nil dialect the value is not fitted to a database.
//
// The errors are [ErrRange], [ErrType] and what Value methods return or panic
// with.
func Arg(v any, d *dialect.Dialect) (any, error) {
	switch x := v.(type) {
	case nil, int64, string:
		return v, nil
	case int:
		return int64(x), nil
	case bool:
		return boolArg(x, d), nil
	case time.Time:
		return timeArg(x, d)
	case float64:
		if _, err := floatArg(x, d); err != nil {
			return nil, err
		}
		return v, nil
	case []byte:
		if x == nil {
			return nil, nil
		}
		return v, nil
	case int8:
		return int64(x), nil
	case int16:
		return int64(x), nil
	case int32:
		return int64(x), nil
	case uint8:
		return int64(x), nil
	case uint16:
		return int64(x), nil
	case uint32:
		return int64(x), nil
	case uint:
		return uintArg(uint64(x), d)
	case uint64:
		return uintArg(x, d)
	case float32:
		return floatArg(widened32(x, d), d)
	case json.RawMessage:
		return rawJSONArg(x), nil
	case [16]byte:
		return value.FormatUUID(x), nil
	case *string:
		if x == nil {
			return nil, nil
		}
		return *x, nil
	case *int64:
		if x == nil {
			return nil, nil
		}
		return *x, nil
	case *time.Time:
		if x == nil {
			return nil, nil
		}
		return timeArg(*x, d)
	case driver.Valuer:
		return valueOf(x, d)
	}
	return reflectArg(reflect.ValueOf(v), d)
}

// valueOf asks a Valuer, and what it returns if that is one too.
func valueOf(v driver.Valuer, d *dialect.Dialect) (any, error) {
	for range maxValuers {
		if isNilPointer(v) {
			return nil, nil
		}
		x, err := callValue(v)
		if err != nil {
			return nil, err
		}
		next, ok := x.(driver.Valuer)
		if !ok {
			return Arg(x, d)
		}
		v = next
	}
	return nil, fmt.Errorf("%w: the Value methods from %T on return Valuers without end", ErrType, v)
}

func callValue(v driver.Valuer) (x driver.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(fmt.Sprintf("Value of %T", v), r)
		}
	}()
	return v.Value()
}

func isNilPointer(v any) bool {
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

// reflectArg handles the types that have no case of their own: pointers, types
// made of others, arrays.
func reflectArg(v reflect.Value, d *dialect.Dialect) (any, error) {
	t := v.Type()
	if t.Kind() == reflect.Pointer {
		return pointerArg(v, d)
	}
	if reflect.PointerTo(t).Implements(valuerType) {
		return valueOf(addressable(v).Interface().(driver.Valuer), d)
	}
	switch t.Kind() {
	case reflect.Bool:
		return boolArg(v.Bool(), d), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintArg(v.Uint(), d)
	case reflect.Float32:
		return floatArg(widened32(float32(v.Float()), d), d)
	case reflect.Float64:
		return floatArg(v.Float(), d)
	case reflect.String:
		return v.String(), nil
	case reflect.Struct, reflect.Array, reflect.Map:
		if c, err := plainCodec(t, maxDepth); err == nil {
			return c.arg(addressable(v).UnsafePointer(), d)
		}
		if isMarshaled(t) {
			return marshaled(addressable(v).Interface().(encoding.TextMarshaler))
		}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return bytesArg(v.Bytes()), nil
		}
		c, err := codecOf(t)
		if err != nil {
			return nil, unsupported(t)
		}
		return c.arg(addressable(v).UnsafePointer(), d)
	}
	return nil, unsupported(t)
}

// pointerArg follows a pointer that is no Valuer.
func pointerArg(v reflect.Value, d *dialect.Dialect) (any, error) {
	t := v.Type()
	for range maxDepth {
		if v.IsNil() {
			return nil, nil
		}
		v = v.Elem()
		if v.Kind() != reflect.Pointer || v.Type().Implements(valuerType) {
			return Arg(v.Interface(), d)
		}
	}
	return nil, unsupported(t)
}

// addressable returns a pointer to a copy of v.
func addressable(v reflect.Value) reflect.Value {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p
}

func unsupported(t reflect.Type) error {
	if t.Kind() == reflect.Slice {
		return fmt.Errorf("%w: a %s is a list; IN and WhereIn take one", ErrType, t)
	}
	if t.Kind() == reflect.Map {
		return fmt.Errorf("%w: no database takes a %s; JSONOf makes a document of one", ErrType, t)
	}
	return fmt.Errorf("%w: no database takes a %s", ErrType, t)
}

// isNumber says whether f is neither NaN nor an infinity.
func isNumber(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// IsNil says whether v is nil: by itself, or as a nil pointer, map, slice, function
// or channel.
func IsNil(v any) bool {
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan:
		return rv.IsNil()
	}
	return false
}
