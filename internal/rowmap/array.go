package rowmap

import (
	"database/sql/driver"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// arrayCodec is the codec of a slice that holds a one-dimensional PostgreSQL
// array. NULL is a nil slice; an empty array is empty but not nil.
func arrayCodec(t reflect.Type, depth int) (*codec, error) {
	elem, err := newCodec(t.Elem(), depth-1)
	if err != nil {
		return nil, fmt.Errorf("%w: no column can be a %s", ErrType, t)
	}
	switch elem.kind {
	case Array, Any, Bytes:
		return nil, fmt.Errorf("%w: no column can be a %s", ErrType, t)
	}
	set := func(p unsafe.Pointer, v driver.Value, c *origin) error {
		dst := reflect.NewAt(t, p).Elem()
		var text string
		switch v := v.(type) {
		case nil:
			dst.SetZero()
			return nil
		case string:
			text = v
		case []byte:
			text = string(v)
		default:
			return typeMismatch(v, t)
		}
		if d := c.dialect(); d != nil && d != dialect.Postgres {
			return noArrays(t, d)
		}
		elems, ok := parseArray(text)
		if !ok {
			return typeMismatch(v, t)
		}
		if elem.kind == String && c.strict() && c.typeName() == "_BYTEA" {
			return c.noWayBack("bytes", t)
		}
		made := reflect.MakeSlice(t, len(elems), len(elems))
		for i, e := range elems {
			var value driver.Value
			if !e.null {
				value = e.text
			}
			if err := elem.set(made.Index(i).Addr().UnsafePointer(), value, nil); err != nil {
				return fmt.Errorf("element %d: %w", i, err)
			}
		}
		dst.Set(made)
		return nil
	}
	arg := func(p unsafe.Pointer, d *dialect.Dialect) (any, error) {
		switch d {
		case dialect.Postgres:
		case nil:
			return nil, unsupported(t)
		default:
			return nil, noArrays(t, d)
		}
		list := reflect.NewAt(t, p).Elem()
		if list.IsNil() {
			return nil, nil
		}
		return formatArray(list, elem)
	}
	return &codec{typ: t, kind: Array, set: set, arg: arg, elem: elem}, nil
}

func noArrays(t reflect.Type, d *dialect.Dialect) error {
	return fmt.Errorf("%w: %s has no arrays for a %s; IN and WhereIn take a list", ErrType, d.Name, t)
}

// formatArray writes an array as text, which PostgreSQL takes for arrays of
// every element type, enums and domains among them.
func formatArray(list reflect.Value, elem *codec) (any, error) {
	b := []byte{'{'}
	for i := range list.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		x, err := elem.arg(list.Index(i).Addr().UnsafePointer(), dialect.Postgres)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		if b, err = appendElement(b, x); err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return string(append(b, '}')), nil
}

func appendElement(b []byte, x any) ([]byte, error) {
	switch x := x.(type) {
	case nil:
		return append(b, "NULL"...), nil
	case int64:
		return strconv.AppendInt(b, x, 10), nil
	case uint64:
		return strconv.AppendUint(b, x, 10), nil
	case bool:
		return strconv.AppendBool(b, x), nil
	case float64:
		switch {
		case math.IsInf(x, 1):
			return append(b, "Infinity"...), nil
		case math.IsInf(x, -1):
			return append(b, "-Infinity"...), nil
		}
		return strconv.AppendFloat(b, x, 'g', -1, 64), nil
	case time.Time:
		b = append(b, '"')
		return append(x.UTC().AppendFormat(b, time.RFC3339Nano), '"'), nil
	case string:
		b = append(b, '"')
		for i := range len(x) {
			if x[i] == '"' || x[i] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, x[i])
		}
		return append(b, '"'), nil
	}
	return b, fmt.Errorf("%w: a %T in an array", ErrType, x)
}

// element is one element of an array, without its quotes.
type element struct {
	text string
	null bool
}

// parseArray reads PostgreSQL's text of a one-dimensional array, with bounds
// in front or without. Nested arrays are refused.
func parseArray(s string) (elems []element, ok bool) {
	if strings.HasPrefix(s, "[") {
		bounds, rest, found := strings.Cut(s, "=")
		if !found || !isBounds(bounds) {
			return nil, false
		}
		s = rest
	}
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return nil, false
	}
	s = s[1 : len(s)-1]
	if strings.TrimSpace(s) == "" {
		return []element{}, true
	}
	for {
		var e element
		e, s, ok = parseElement(s)
		if !ok {
			return nil, false
		}
		elems = append(elems, e)
		if s == "" {
			return elems, true
		}
		if s[0] != ',' {
			return nil, false
		}
		s = s[1:]
	}
}

// isBounds accepts the [l:u] of one dimension.
func isBounds(s string) bool {
	lower, upper, found := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), ":")
	if !found || !strings.HasSuffix(s, "]") {
		return false
	}
	_, err1 := strconv.Atoi(lower)
	_, err2 := strconv.Atoi(upper)
	return err1 == nil && err2 == nil
}

// parseElement reads one element and returns what follows it.
func parseElement(s string) (e element, rest string, ok bool) {
	s = strings.TrimLeft(s, arraySpace)
	if !strings.HasPrefix(s, `"`) {
		return parseBare(s)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
			if i == len(s) {
				return e, "", false
			}
			b.WriteByte(s[i])
		case '"':
			return element{text: b.String()}, strings.TrimLeft(s[i+1:], arraySpace), true
		default:
			b.WriteByte(s[i])
		}
	}
	return e, "", false
}

const arraySpace = " \t\n\r\v\f"

// parseBare reads an element without quotes. What would need an escape is
// always quoted by PostgreSQL.
func parseBare(s string) (e element, rest string, ok bool) {
	end := strings.IndexAny(s, ",\"{}\\")
	if end < 0 {
		end = len(s)
	} else if s[end] != ',' {
		return e, "", false
	}
	text := strings.TrimRight(s[:end], arraySpace)
	return element{text: text, null: strings.EqualFold(text, "NULL")}, s[end:], text != ""
}
