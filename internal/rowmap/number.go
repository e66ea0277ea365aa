package rowmap

import (
	"database/sql/driver"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

type signed interface {
	int | int8 | int16 | int32 | int64
}

type unsigned interface {
	uint | uint8 | uint16 | uint32 | uint64
}

// maxExact is the largest whole number up to which every whole number is a
// float64. A larger one in a float64 may have been rounded.
const maxExact = 1 << 53

func intAccess(k reflect.Kind) (setter, arger) {
	switch k {
	case reflect.Int8:
		return setInt[int8], argInt[int8]
	case reflect.Int16:
		return setInt[int16], argInt[int16]
	case reflect.Int32:
		return setInt[int32], argInt[int32]
	case reflect.Int64:
		return setInt[int64], argInt[int64]
	}
	return setInt[int], argInt[int]
}

func uintAccess(k reflect.Kind) (setter, arger) {
	switch k {
	case reflect.Uint8:
		return setUint[uint8], argUint[uint8]
	case reflect.Uint16:
		return setUint[uint16], argUint[uint16]
	case reflect.Uint32:
		return setUint[uint32], argUint[uint32]
	case reflect.Uint64:
		return setUint[uint64], argUint[uint64]
	}
	return setUint[uint], argUint[uint]
}

func setInt[T signed](p unsafe.Pointer, v driver.Value, c *origin) error {
	n, ok := v.(int64)
	if !ok {
		var err error
		if n, err = toInt64[T](v, c); err != nil {
			return err
		}
	}
	if int64(T(n)) != n {
		return outOfRange[T](v)
	}
	*(*T)(p) = T(n)
	return nil
}

func setUint[T unsigned](p unsafe.Pointer, v driver.Value, c *origin) error {
	n, err := toUint64[T](v, c)
	if err != nil {
		return err
	}
	if uint64(T(n)) != n {
		return outOfRange[T](v)
	}
	*(*T)(p) = T(n)
	return nil
}

// toInt64 converts whole numbers of any form. T is for the error only.
func toInt64[T any](v driver.Value, c *origin) (int64, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case uint64:
		if v > math.MaxInt64 {
			return 0, outOfRange[T](v)
		}
		return int64(v), nil
	case float64:
		return floatToInt64[T](v, c)
	case float32:
		return floatToInt64[T](float64(v), c)
	case string:
		return parseInt64[T](v, c)
	case []byte:
		if bits, ok := bitColumn(v, c); ok {
			return toInt64[T](bits, nil)
		}
		if c.isBlob() {
			return 0, noText[T]()
		}
		return parseInt64[T](stringOf(v), c)
	}
	return 0, mismatch[T](v)
}

func toUint64[T any](v driver.Value, c *origin) (uint64, error) {
	switch v := v.(type) {
	case int64:
		if v < 0 {
			return 0, outOfRange[T](v)
		}
		return uint64(v), nil
	case uint64:
		return v, nil
	case string:
		return parseUint64[T](v, c)
	case []byte:
		if bits, ok := bitColumn(v, c); ok {
			return bits, nil
		}
		if c.isBlob() {
			return 0, noText[T]()
		}
		return parseUint64[T](stringOf(v), c)
	}
	n, err := toInt64[T](v, c)
	if err != nil {
		return 0, err
	}
	return toUint64[T](n, nil)
}

func floatToInt64[T any](f float64, c *origin) (int64, error) {
	if f != math.Trunc(f) || math.Abs(f) > maxExact {
		return 0, outOfRange[T](f)
	}
	return int64(f), backWhole[T](c, f)
}

func parseInt64[T any](s string, c *origin) (int64, error) {
	n, err := strconv.ParseInt(wholePart(s), 10, 64)
	if err == nil && c.mattersAsText() {
		return n, backText[T](c, s, strconv.FormatInt(n, 10))
	}
	return n, parseFailure[T](s, err)
}

func parseUint64[T any](s string, c *origin) (uint64, error) {
	whole := wholePart(s)
	n, err := strconv.ParseUint(whole, 10, 64)
	if err == nil && c.mattersAsText() {
		return n, backText[T](c, s, strconv.FormatUint(n, 10))
	}
	if err != nil {
		// A sign is allowed as long as the number is none below zero.
		if i, ierr := parseInt64[T](whole, c); ierr == nil {
			return toUint64[T](i, nil)
		}
	}
	return n, parseFailure[T](s, err)
}

// wholePart cuts a fraction of only zeros off a decimal text, as in 12.00.
func wholePart(s string) string {
	whole, fraction, found := strings.Cut(s, ".")
	if found && whole != "" && fraction != "" && strings.Trim(fraction, "0") == "" {
		return whole
	}
	return s
}

// parseFailure turns an error of strconv, which quotes its input, into ours.
func parseFailure[T any](s string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strconv.ErrRange), isDecimal(s):
		return outOfRange[T](s)
	}
	return mismatch[T](s)
}

// isDecimal says whether s is digits with a sign and a fraction at most.
func isDecimal(s string) bool {
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	whole, fraction, found := strings.Cut(s, ".")
	return onlyDigits(whole) && whole != "" && onlyDigits(fraction) && (!found || fraction != "")
}

func onlyDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// bitColumn reads MySQL's BIT(n), which arrives as up to eight raw bytes, most
// significant first. (PostgreSQL's bit arrives as text.)
func bitColumn(b []byte, c *origin) (uint64, bool) {
	if len(b) == 0 || len(b) > 8 || c.typeName() != "BIT" {
		return 0, false
	}
	return bitsOf(b), true
}

func bitsOf(b []byte) uint64 {
	var n uint64
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}

func argInt[T signed](p unsafe.Pointer, _ *dialect.Dialect) (any, error) {
	return int64(*(*T)(p)), nil
}

func argUint[T unsigned](p unsafe.Pointer, d *dialect.Dialect) (any, error) {
	return uintArg(uint64(*(*T)(p)), d)
}

// uintArg gives int64 as far as it reaches. Above, PostgreSQL (numeric) and
// MySQL (BIGINT UNSIGNED) can hold the number; SQLite would round it.
func uintArg(n uint64, d *dialect.Dialect) (any, error) {
	if n <= math.MaxInt64 {
		return int64(n), nil
	}
	if d == dialect.SQLite {
		return nil, outOfRange[int64](n)
	}
	return n, nil
}
