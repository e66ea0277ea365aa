package rowmap

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

func setFloat64(p unsafe.Pointer, v driver.Value, c *origin) error {
	f, ok := v.(float64)
	if !ok {
		var err error
		if f, err = toFloat[float64](v, c, 64); err != nil {
			return err
		}
	}
	*(*float64)(p) = f
	return nil
}

// setFloat32 rounds a float64, since a float is an approximation on both
// sides. Exact numbers must fit.
func setFloat32(p unsafe.Pointer, v driver.Value, c *origin) error {
	f, ok := v.(float64)
	if !ok {
		var err error
		if f, err = toFloat[float32](v, c, 32); err != nil {
			return err
		}
	}
	if math.IsInf(float64(float32(f)), 0) && !math.IsInf(f, 0) {
		return outOfRange[float32](v)
	}
	*(*float32)(p) = float32(f)
	if ok {
		return backFloat32(c, f)
	}
	return nil
}

// toFloat converts numbers of any form to a float of the given size. A whole
// number, and the whole part of a decimal text, must be kept exactly; decimal
// fractions are rounded as every float rounds them.
func toFloat[T float32 | float64](v driver.Value, c *origin, bits int) (float64, error) {
	switch v := v.(type) {
	case float64:
		return v, nil
	case float32:
		return value.Widen(v), nil
	case int64:
		if v >= maxExact || v <= -maxExact {
			if err := backLarge[T](c); err != nil {
				return 0, err
			}
		}
		f := float64(T(v))
		// 2^63 itself is what the largest numbers are rounded up to.
		if f >= math.MaxInt64 || int64(f) != v {
			return 0, outOfRange[T](v)
		}
		return f, backSize(c, f, bits)
	case uint64:
		if v >= maxExact {
			if err := backLarge[T](c); err != nil {
				return 0, err
			}
		}
		f := float64(T(v))
		if f >= math.MaxUint64 || uint64(f) != v {
			return 0, outOfRange[T](v)
		}
		return f, backSize(c, f, bits)
	case string:
		return parseFloat[T](v, bits, c)
	case []byte:
		if n, ok := bitColumn(v, c); ok {
			if c.strict() {
				return 0, c.noWayBack("bits", reflect.TypeFor[T]())
			}
			return toFloat[T](n, nil, bits)
		}
		if c.isBlob() {
			return 0, noText[T]()
		}
		return parseFloat[T](stringOf(v), bits, c)
	}
	return 0, mismatch[T](v)
}

func parseFloat[T float32 | float64](s string, bits int, c *origin) (float64, error) {
	f, err := strconv.ParseFloat(s, bits)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, outOfRange[T](s)
	case err != nil || strings.ContainsAny(s, "xX_"):
		return 0, mismatch[T](s)
	}
	if !keepsWholePart(s, f) {
		return 0, outOfRange[T](s)
	}
	return f, backFloat[T](c, s, f)
}

// keepsWholePart says whether f has all the digits before the point of the
// decimal text s. A text with an exponent comes from an approximate number and
// is not looked at.
func keepsWholePart(s string, f float64) bool {
	if len(s) <= 7 || math.IsInf(f, 0) || math.IsNaN(f) {
		return true // seven digits fit even a float32
	}
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	whole, _, _ := strings.Cut(s, ".")
	if !onlyDigits(whole) {
		return true
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) <= 6 {
		return true
	}
	var buf [32]byte
	return string(strconv.AppendFloat(buf[:0], math.Trunc(math.Abs(f)), 'f', 0, 64)) == whole
}

func argFloat64(p unsafe.Pointer, d *dialect.Dialect) (any, error) {
	return floatArg(*(*float64)(p), d)
}

func argFloat32(p unsafe.Pointer, d *dialect.Dialect) (any, error) {
	return floatArg(widened32(*(*float32)(p), d), d)
}

// widened32 is the number that a float32 stands for: the decimal of the fewest digits
// that are the same float32, so that 0.1 is found in columns of decimals and of
// doubles. MySQL compares a FLOAT with the number that the float32 is.
func widened32(f float32, d *dialect.Dialect) float64 {
	if d == dialect.MySQL || d == nil {
		return float64(f)
	}
	return value.Widen(f)
}

// floatArg refuses NaN and the infinities where the database has none: SQLite
// would store NULL, MySQL something else.
func floatArg(f float64, d *dialect.Dialect) (any, error) {
	if (math.IsNaN(f) || math.IsInf(f, 0)) && (d == dialect.MySQL || d == dialect.SQLite) {
		return nil, fmt.Errorf("%w: %s has no NaN and no infinity", ErrRange, d.Name)
	}
	return f, nil
}
