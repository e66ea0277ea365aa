package rowmap

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// RawArgs are the arguments of SQL that the caller wrote. Like everywhere, the zero
// time.Time is NULL, a json.RawMessage is text, and a float32 is the decimal that it
// stands for. The text that a Value method writes is a text for PostgreSQL, whose driver
// would read it as a value of the parameter's type: the array {{1,2},{3,4}} would be
// {1,2,3,4}. What else there is, the drivers take as they do.
func RawArgs(args []any, d *dialect.Dialect) []any {
	cloned := false
	for i, v := range args {
		x, other := rawArg(v, d)
		if !other {
			continue
		}
		if !cloned {
			args, cloned = slices.Clone(args), true
		}
		args[i] = x
	}
	return args
}

// rawArg is what a driver gets instead of v. other is false for v itself.
func rawArg(v any, d *dialect.Dialect) (x any, other bool) {
	switch v := v.(type) {
	case json.RawMessage:
		return rawJSONArg(v), true
	case float32:
		return widened32(v, d), true
	}
	if isZeroTime(v) {
		return nil, true
	}
	if valuer, ok := v.(driver.Valuer); ok && d == dialect.Postgres && !isNilPointer(v) {
		if x, err := callValue(valuer); err == nil { // else the driver tells it
			text, ok := x.(string)
			return text, ok
		}
	}
	return rawFloat(v, d)
}

// rawFloat is a float of another type than float64, or the one behind a pointer: the
// drivers would cut it off for a column of whole numbers.
func rawFloat(v any, d *dialect.Dialect) (x any, other bool) {
	switch v.(type) {
	case nil, string, int, int64, float64, bool, []byte, time.Time, driver.Valuer:
		return nil, false
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Slice && rv.Type().Elem().Kind() == reflect.Uint8 { // no list of numbers
		return bytesArg(rv.Bytes()), true
	}
	if rv.Kind() == reflect.Struct && rv.Type().ConvertibleTo(timeType) {
		t := rv.Convert(timeType).Interface().(time.Time)
		if t.IsZero() {
			return nil, true
		}
		return t, true
	}
	if rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	switch rv.Kind() {
	case reflect.Float64:
		return rv.Float(), true
	case reflect.Float32:
		return widened32(float32(rv.Float()), d), true
	}
	return nil, false
}

func isZeroTime(v any) bool {
	switch t := v.(type) {
	case time.Time:
		return t.IsZero()
	case *time.Time:
		return t != nil && t.IsZero()
	case sql.NullTime:
		return t.Time.IsZero()
	case sql.Null[time.Time]:
		return t.V.IsZero()
	}
	return false
}
