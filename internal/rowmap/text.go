package rowmap

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

func setBool(p unsafe.Pointer, v driver.Value, c *origin) error {
	b, err := toBool(v, c)
	if err != nil {
		return err
	}
	*(*bool)(p) = b
	return nil
}

// toBool takes a bool, the numbers 0 and 1, BIT(1), and the texts that
// strconv.ParseBool takes. Any other number is an error and not true.
func toBool(v driver.Value, c *origin) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case int64:
		if v == 0 || v == 1 {
			return v == 1, nil
		}
		return false, outOfRange[bool](v)
	case uint64:
		if v <= 1 {
			return v == 1, nil
		}
		return false, outOfRange[bool](v)
	case string:
		return parseBool(v, c)
	case []byte:
		if n, ok := bitColumn(v, c); ok {
			return toBool(n, nil)
		}
		if c.isBlob() {
			return false, noText[bool]()
		}
		if len(v) == 1 && v[0] <= 1 && !c.strict() {
			return v[0] == 1, nil
		}
		return parseBool(stringOf(v), c)
	}
	return false, mismatch[bool](v)
}

func parseBool(s string, c *origin) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, mismatch[bool](s)
	}
	if c.mattersAsText() {
		return b, backText[bool](c, s, boolText(b, c.dialect()))
	}
	return b, nil
}

func argBool(p unsafe.Pointer, d *dialect.Dialect) (any, error) {
	return boolArg(*(*bool)(p), d), nil
}

// boolArg gives 0 or 1 where the database has no boolean type.
func boolArg(b bool, d *dialect.Dialect) any {
	if d == dialect.MySQL || d == dialect.SQLite {
		if b {
			return int64(1)
		}
		return int64(0)
	}
	return b
}

func setString(p unsafe.Pointer, v driver.Value, c *origin) error {
	switch v := v.(type) {
	case string:
		*(*string)(p) = v
		return nil
	case []byte:
		if err := c.textual(v); err != nil {
			return err
		}
		*(*string)(p) = c.string(v)
		return nil
	}
	var buf [64]byte
	text, ok := appendText(buf[:0], v, c.dialect())
	if !ok {
		return mismatch[string](v)
	}
	*(*string)(p) = string(text)
	if err := c.backSingleText(v, stringType); err != nil {
		return err
	}
	return c.backDigits(stringType)
}

// textual refuses bytes that the database holds for no text.
func (c *origin) textual(b []byte) error {
	switch {
	case c.isBlob():
		return noText[string]()
	case len(b) <= 8 && c.isBit():
		return fmt.Errorf("%w: MySQL's BIT is a number, use uint64 or bool", ErrType)
	}
	return nil
}

func argString(p unsafe.Pointer, _ *dialect.Dialect) (any, error) {
	s := *(*string)(p)
	if isUnread(s) {
		return nil, ErrUnread
	}
	return s, nil
}

// setRawJSON is setBytes for JSON, which is text.
func setRawJSON(p unsafe.Pointer, v driver.Value, c *origin) error {
	switch v.(type) {
	case nil, string:
	case []byte:
		if c.strict() && c.isBlob() {
			return noText[json.RawMessage]()
		}
	default:
		if err := c.backDigits(rawJSONType); err != nil {
			return err
		}
	}
	return readBytes(p, v, c)
}

// setBytes copies. NULL is nil, and an empty value is empty but not nil.
func setBytes(p unsafe.Pointer, v driver.Value, c *origin) error {
	if _, blob := v.([]byte); !blob && v != nil && c.strict() && c.isBlob() {
		return noBytes()
	}
	return readBytes(p, v, c)
}

func readBytes(p unsafe.Pointer, v driver.Value, c *origin) error {
	switch v := v.(type) {
	case []byte:
		if len(v) <= 8 && c.isBit() {
			return c.textual(v)
		}
		*(*[]byte)(p) = cloneBytes(v)
		return nil
	case string:
		*(*[]byte)(p) = append([]byte{}, v...)
		return nil
	case nil:
		*(*[]byte)(p) = nil
		return nil
	}
	text, ok := appendText([]byte{}, v, c.dialect())
	if !ok {
		return mismatch[[]byte](v)
	}
	*(*[]byte)(p) = text
	return c.backSingleText(v, reflect.TypeFor[[]byte]())
}

// cloneBytes copies b and never returns nil.
func cloneBytes(b []byte) []byte {
	c := make([]byte, len(b))
	copy(c, b)
	return c
}

func argBytes(p unsafe.Pointer, _ *dialect.Dialect) (any, error) {
	return bytesArg(*(*[]byte)(p)), nil
}

// bytesArg keeps nil, which is NULL, apart from empty.
func bytesArg(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// argRawJSON gives JSON as text: as bytes MySQL would take it for binary.
func argRawJSON(p unsafe.Pointer, _ *dialect.Dialect) (any, error) {
	return rawJSONArg(*(*[]byte)(p)), nil
}

func rawJSONArg(b []byte) any {
	if b == nil {
		return nil
	}
	return string(b)
}

// appendText writes a value that is no text as a text that the database takes for
// the same value: numbers by their digits, times in UTC. d is nil if it is not
// known.
func appendText(b []byte, v driver.Value, d *dialect.Dialect) ([]byte, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.AppendInt(b, v, 10), true
	case uint64:
		return strconv.AppendUint(b, v, 10), true
	case float64:
		return appendFloat(b, v, 64), true
	case float32:
		return appendFloat(b, float64(v), 32), true
	case bool:
		return strconv.AppendBool(b, v), true
	case time.Time:
		if d == dialect.MySQL || d == dialect.SQLite { // which take no zone, or keep the text
			return value.AppendTime(b, v), true
		}
		return v.UTC().AppendFormat(b, time.RFC3339Nano), true
	}
	return b, false
}

// appendFloat writes a float with the fewest digits that are the same float,
// without an exponent as long as all of them are known.
func appendFloat(b []byte, f float64, bits int) []byte {
	if a := math.Abs(f); a <= maxExact && (a >= 1e-6 || a == 0) {
		return strconv.AppendFloat(b, f, 'f', -1, bits)
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits)
}

// setAny stores what ReadRows would put into a map.
func setAny(p unsafe.Pointer, v driver.Value, c *origin) error {
	x, err := plainValue(v, c.typeName(), c.dialect())
	if err != nil {
		return err
	}
	*(*any)(p) = x
	switch t := x.(type) {
	case time.Time:
		return backTime(c, t)
	case int64:
		if t == 0 && c.strict() && c.typeName() == "YEAR" {
			return c.noWayBack("the year 0000", reflect.TypeFor[int64]())
		}
	}
	return nil
}

func argAny(p unsafe.Pointer, d *dialect.Dialect) (any, error) { return Arg(*(*any)(p), d) }
