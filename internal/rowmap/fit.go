package rowmap

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
)

// Fit turns a value that the column of field i is compared with, or set to,
// into one of the field's kind. Databases would compare any two kinds, each in
// its own way: MySQL finds 'abc' equal to 0. What changes is the type, never
// the meaning: numbers for a text field become text, text that is a number
// becomes one, 0 and 1 become bools, text becomes a time or a UUID. Everything
// else is ErrType. Fields of a kind of their own (Scanner, arrays, any) take
// every value; a time for a Scanner that takes it becomes what that would
// write, so that a column of dates is compared with the time's own day.
func (p *Plan) Fit(i int, v any) (any, error) {
	f := &p.fields[i]
	if fits(f.codec.kind, v) {
		return v, nil
	}
	fit, err := f.codec.fit(v)
	if err != nil {
		return nil, p.failure(f, err)
	}
	return fit, nil
}

// FitList is Fit for each element of a list.
func (p *Plan) FitList(i int, list any) (any, error) {
	f := &p.fields[i]
	switch list.(type) {
	case []int64, []int, []int32:
		if f.codec.kind == Int || f.codec.kind == Uint {
			return list, nil
		}
	case []string:
		if f.codec.kind == String {
			return list, nil
		}
	}
	elements, err := listOf(list)
	if err != nil {
		return nil, p.failure(f, err)
	}
	out := make([]any, elements.Len())
	for at := range out {
		v := elements.Index(at).Interface()
		if !fits(f.codec.kind, v) {
			if v, err = f.codec.fit(v); err != nil {
				return nil, p.failure(f, fmt.Errorf("element %d: %w", at, err))
			}
		}
		out[at] = v
	}
	return out, nil
}

// fits is the fast yes for what most conditions hold.
func fits(k Kind, v any) bool {
	switch v.(type) {
	case nil:
		return true
	case string:
		return k == String
	case int, int64, int32:
		return k == Int || k == Uint
	case bool:
		return k == Bool
	case time.Time:
		return k == Time
	case float64:
		return k == Float
	}
	return false
}

func (c *codec) fit(v any) (any, error) {
	k := c.kind
	if t, ok := timeIn(v); ok {
		switch k {
		case Encrypted, BlindIndex:
			return nil, misfit(k, v)
		case Time:
			return t, nil
		case Any, Array:
			return v, nil
		case Custom:
			return c.fitTime(t), nil
		}
		return nil, misfit(k, v)
	}
	if k == Encrypted {
		return nil, fmt.Errorf("%w: it is compared with nothing and set to nothing but NULL; its plaintext is written with a record, and read of one", ErrEncrypted)
	}
	if k == BlindIndex {
		if _, ok := v.(MAC); ok {
			return v, nil
		}
		return nil, fmt.Errorf("%w: it is a blind index; name the encrypted column instead, in conditions and in writes", ErrEncrypted)
	}
	if k == Custom && v != nil && isUUID(c.typ) {
		return c.fitUUID(v), nil
	}
	if k == Array || k == Custom || k == Any {
		return v, nil
	}
	x, err := Arg(v, nil)
	if err != nil || x == nil {
		return v, err
	}
	if k == Bytes {
		return c.fitBytes(x)
	}
	if b, ok := x.([]byte); ok {
		if k == UUID && len(b) == 16 {
			return [16]byte(b), nil
		}
		x = string(b)
	}
	switch k {
	case Int, Uint:
		return fitInt(k, x)
	case Float:
		if f, ok := x.(float64); ok && bare(reflect.TypeOf(v)).Kind() == reflect.Float32 {
			return float32(f), nil // what it stands for differs by database
		}
		return fitFloat(x)
	case String:
		return fitString(x)
	case Bool:
		return fitBool(x)
	case Time:
		return convertTo[time.Time](x)
	case UUID:
		return convertTo[[16]byte](x)
	}
	return v, nil
}

func misfit(k Kind, v any) error {
	return fmt.Errorf("%w: a %T does not fit a column of kind %s", ErrType, v, k)
}

var kindNames = [...]string{
	Bool: "bool", Int: "integer", Uint: "unsigned integer", Float: "float", String: "text", Bytes: "bytes",
	Time: "time", UUID: "uuid", Array: "array", Custom: "custom", Any: "any", Encrypted: "encrypted", BlindIndex: "blind index",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return strconv.Itoa(int(k))
}

// fitTime gives a Scanner the time as a database would, and returns what it
// would write for it; the time itself if it does not take one.
func (c *codec) fitTime(t time.Time) any {
	fresh := reflect.New(c.typ).UnsafePointer()
	if err := c.set(fresh, t, nil); err != nil {
		return t
	}
	x, err := c.arg(fresh, nil)
	if err != nil || x == nil {
		return t
	}
	return x
}

// fitBytes makes bytes of text, or for JSON text of everything: as bytes MySQL
// would take it for binary.
func (c *codec) fitBytes(x any) (any, error) {
	if c.rawJSON() {
		if b, ok := x.([]byte); ok {
			return string(b), nil
		}
		return fitString(x)
	}
	switch x := x.(type) {
	case []byte:
		return x, nil
	case string:
		return []byte(x), nil
	}
	return nil, misfit(Bytes, x)
}

// rawJSON says whether c is for a json.RawMessage, pointers and sql.Null taken
// off.
func (c *codec) rawJSON() bool {
	t := c.typ
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Struct && t.NumField() == 2 {
		if t.Kind() == reflect.Struct {
			t = t.Field(0).Type
		} else {
			t = t.Elem()
		}
	}
	return t == rawJSONType
}

func fitInt(k Kind, x any) (any, error) {
	switch x := x.(type) {
	case int64, uint64:
		return x, nil
	case float64:
		if n := int64(x); float64(n) == x && n != 1<<63-1 {
			return n, nil
		}
	case string:
		if n, err := strconv.ParseInt(x, 10, 64); err == nil {
			return n, nil
		}
		if n, err := strconv.ParseUint(x, 10, 64); err == nil {
			return n, nil
		}
	}
	return nil, misfit(k, x)
}

func fitFloat(x any) (any, error) {
	switch x := x.(type) {
	case float64, int64, uint64:
		return x, nil
	case string:
		f, err := convertTo[float64](x)
		if n, ok := f.(float64); err != nil || ok && isNumber(n) {
			return f, err
		}
	}
	return nil, misfit(Float, x)
}

func fitString(x any) (any, error) {
	switch x := x.(type) {
	case string:
		return x, nil
	case int64:
		return strconv.FormatInt(x, 10), nil
	case uint64:
		return strconv.FormatUint(x, 10), nil
	case float64:
		if err := wholeDigits(x); err != nil {
			return nil, err
		}
		return string(appendFloat(nil, x, 64)), nil
	}
	return nil, misfit(String, x)
}

// wholeDigits refuses to make a text of a float that may have lost digits of a
// whole number: what came of 9007199254740993 is not what was meant.
func wholeDigits(f float64) error {
	if f == math.Trunc(f) && math.Abs(f) > maxExact && !math.IsInf(f, 0) {
		return fmt.Errorf("%w: a float64 above 2^53 as text, whose last digits may be lost; give a json.Number or a string", ErrRange)
	}
	return nil
}

func fitBool(x any) (any, error) {
	switch x := x.(type) {
	case bool:
		return x, nil
	case int64:
		if x == 0 || x == 1 {
			return x == 1, nil
		}
	case string:
		if b, err := strconv.ParseBool(x); err == nil {
			return b, nil
		}
	}
	return nil, misfit(Bool, x)
}

func convertTo[V any](x any) (any, error) {
	var v V
	if err := Convert(&v, x); err != nil {
		return nil, err
	}
	return v, nil
}

// Convert stores a Go value in dst, converted as a value of the database is.
func Convert[V any](dst *V, v any) error {
	c, err := codecOf(reflect.TypeFor[V]())
	if err != nil {
		return err
	}
	return c.assign(reflect.ValueOf(dst), v)
}

// Elements returns the elements of a slice or array as they are, without those
// that are nil.
func Elements(v any) (elements []any, hasNull bool, err error) {
	list, err := listOf(v)
	if err != nil {
		return nil, false, err
	}
	for i := range list.Len() {
		x := list.Index(i).Interface()
		if a, argErr := Arg(x, nil); argErr == nil && a == nil {
			hasNull = true
			continue
		} else if argErr != nil {
			err = errors.Join(err, argErr)
		}
		elements = append(elements, x)
	}
	return elements, hasNull, err
}
