package rowmap

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// List turns the elements of a slice or array into what the drivers take, for
// an IN list. hasNull says that elements were NULL; they are left out, since
// no IN list finds a NULL. What is one value and no list is an error: []byte,
// [16]byte, json.RawMessage, a driver.Valuer, and everything that is neither
// slice nor array. A nil slice is an empty list.
func List(v any, d *dialect.Dialect) (values []any, hasNull bool, err error) {
	list, err := listOf(v)
	if err != nil {
		return nil, false, err
	}
	values = make([]any, 0, list.Len())
	for i := range list.Len() {
		x, err := Arg(list.Index(i).Interface(), d)
		if err != nil {
			return nil, false, fmt.Errorf("element %d: %w", i, err)
		}
		if x == nil {
			hasNull = true
			continue
		}
		values = append(values, x)
	}
	return values, hasNull, nil
}

// IsList says whether [List] would take v.
func IsList(v any) bool {
	_, err := listOf(v)
	return err == nil
}

func listOf(v any) (reflect.Value, error) {
	rv := reflect.ValueOf(v)
	switch v.(type) {
	case nil, driver.Valuer, json.RawMessage:
		return rv, fmt.Errorf("%w: a list of values is needed, not one %T", ErrType, v)
	}
	for rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	switch rv.Kind() {
	case reflect.Slice, reflect.Array:
		if rv.Type().Elem().Kind() != reflect.Uint8 {
			return rv, nil
		}
	}
	return rv, fmt.Errorf("%w: a list of values is needed, not one %T", ErrType, v)
}

// Slice is [List] for PostgreSQL's column = ANY($1): the list as one typed
// slice, which the driver fits to the column's type (a []string serves uuid
// and enum columns as well). ok is false if the elements are of several kinds;
// they must then be sent one by one. An empty list is an empty []string.
func Slice(v any) (slice any, hasNull, ok bool, err error) {
	switch x := v.(type) {
	case []int64:
		if x != nil {
			return x, false, true, nil
		}
	case []string:
		if x != nil {
			return x, false, true, nil
		}
	case []int:
		return widened(x), false, true, nil
	case []int32:
		return widened(x), false, true, nil
	}
	values, hasNull, err := List(v, dialect.Postgres)
	if err != nil {
		return nil, false, false, err
	}
	slice, ok = sliceOf(values)
	return slice, hasNull, ok, nil
}

func widened[T int | int32](list []T) []int64 {
	wide := make([]int64, len(list))
	for i, x := range list {
		wide[i] = int64(x)
	}
	return wide
}

// sliceOf gives values of one type a slice of that type.
func sliceOf(values []any) (any, bool) {
	if len(values) == 0 {
		return []string{}, true
	}
	switch values[0].(type) {
	case int64:
		return typedSlice[int64](values)
	case string:
		return typedSlice[string](values)
	case float64:
		return typedSlice[float64](values)
	case bool:
		return typedSlice[bool](values)
	case time.Time:
		return typedSlice[time.Time](values)
	case []byte:
		return typedSlice[[]byte](values)
	}
	return nil, false
}

func typedSlice[T any](values []any) (any, bool) {
	list := make([]T, len(values))
	for i, v := range values {
		x, ok := v.(T)
		if !ok {
			return nil, false
		}
		list[i] = x
	}
	return list, true
}
