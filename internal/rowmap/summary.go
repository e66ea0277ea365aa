package rowmap

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"github.com/dbfleet/dbfleet/internal/value"
)

// Summary is how one value is made of a result.
type Summary uint8

// The summaries.
const (
	// First is the result's first value.
	First Summary = iota
	// FirstOfRow is the second column of the result's first row.
	FirstOfRow
	// Total is a sum, in a result of one value.
	Total
	// TotalOfNumbers is a sum, beside the largest value. Where that tells that there are
	// values which are no numbers, and the sum would be that of what the database takes
	// for them, the error is ErrNoNumber.
	TotalOfNumbers
	// TotalOfAll is the sum of all values of a result.
	TotalOfAll
	// Mean is the mean of values whose sum, number and mean are a result's columns.
	// The quotient of an exact sum is better than what databases make of it.
	Mean
	// MeanOfNumbers is Mean beside the largest value; see TotalOfNumbers.
	MeanOfNumbers
	// MeanOfAll is the mean of all values of a result.
	MeanOfAll
)

// ErrNoNumber says that a sum or mean is not to be had of the database, since some of
// the values are no numbers.
var ErrNoNumber = errors.New("some of the values are no numbers")

// MeanDigits is how many digits behind the point a mean as text has at most.
const MeanDigits = 30

// KindOf is the kind of a V, 0 if no column can be one.
func KindOf[V any]() Kind {
	c, err := codecOf(reflect.TypeFor[V]())
	if err != nil {
		return 0
	}
	return c.kind
}

// ReadSummary makes a V of src and closes it. found is false if there are no values
// and V cannot hold NULL; a sum is 0 then and found.
func ReadSummary[V any](src Source, s Summary, dst *V) (found bool, err error) {
	defer closeSource(src, &found, &err)
	c, err := codecOf(reflect.TypeFor[V]())
	if err != nil {
		return false, err
	}
	return readSummary(src, s, c, unsafe.Pointer(dst))
}

func readSummary(src Source, s Summary, c *codec, p unsafe.Pointer) (found bool, err error) {
	columns := src.Columns()
	if want := [...]int{First: 1, FirstOfRow: 2, Total: 1, TotalOfNumbers: 2, TotalOfAll: 1, Mean: 3, MeanOfNumbers: 4, MeanOfAll: 1}[s]; len(columns) != want {
		return false, fmt.Errorf("%w: a result of %d columns where %d are needed", ErrColumn, len(columns), want)
	}
	from := &origin{of: &reading{src: src}}
	v, err := summarize(src, s, c.kind, make([]driver.Value, len(columns)), from)
	if err == nil {
		err = c.set(p, v, from)
		switch {
		case err == nil || v != nil:
		case s == Total || s == TotalOfNumbers || s == TotalOfAll:
			err = c.set(p, int64(0), nil)
		default: // it is NULL
			return false, nil
		}
	}
	if err != nil {
		return false, &ColumnError{Column: columns[0], Err: err}
	}
	return true, nil
}

// summarize reads what a summary is made of.
func summarize(src Source, s Summary, k Kind, dest []driver.Value, from *origin) (driver.Value, error) {
	if s == TotalOfAll || s == MeanOfAll {
		return addAll(src, dest, k, s == MeanOfAll)
	}
	if err := src.Next(dest); err != nil || dest[0] == nil {
		return nil, atEnd(err)
	}
	switch s {
	case FirstOfRow:
		from.index = 1
		return dest[1], nil
	case TotalOfNumbers, MeanOfNumbers:
		if _, float := dest[0].(float64); float && !numeric(dest[len(dest)-1]) {
			return nil, ErrNoNumber
		}
	}
	switch s {
	case First, Total, TotalOfNumbers:
		return dest[0], nil
	}
	if sum, ok := exact(dest[0]); ok {
		return meanOf(sum, dest[1], k)
	}
	from.index = 2
	return dest[2], nil
}

// numeric says whether a driver gives numbers as such a value.
func numeric(v driver.Value) bool {
	switch v.(type) {
	case int64, uint64, float64, float32:
		return true
	}
	return false
}

// exact is the number that a sum is, if it is no float.
func exact(v driver.Value) (*big.Rat, bool) {
	switch v := v.(type) {
	case int64:
		return new(big.Rat).SetInt64(v), true
	case uint64:
		return new(big.Rat).SetInt(new(big.Int).SetUint64(v)), true
	case string:
		return ratOf(v)
	case []byte:
		return ratOf(string(v))
	}
	return nil, false
}

func ratOf(text string) (*big.Rat, bool) {
	d, ok := value.ParseDecimal(text)
	if !ok {
		return nil, false
	}
	return new(big.Rat).SetString(d.String())
}

// meanOf divides a sum by how many values there are, which a driver tells.
func meanOf(sum *big.Rat, count driver.Value, k Kind) (driver.Value, error) {
	n, err := toInt64[int64](count, nil)
	if err != nil || n == 0 {
		return nil, err
	}
	return quotient(sum, n, k), nil
}

// quotient is a mean as a driver would give it for a V of that kind: a float64 if no
// digit of its whole part is lost, else a decimal's text.
func quotient(sum *big.Rat, n int64, k Kind) driver.Value {
	mean := new(big.Rat).Quo(sum, new(big.Rat).SetInt64(n))
	if k == Float {
		if f, _ := mean.Float64(); math.Abs(f) < 1<<23 {
			return f
		}
	}
	text := mean.FloatString(MeanDigits)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// adder adds values up without losses.
type adder struct {
	n      int64
	sum    big.Int // of the exact values, without the point
	part   int64   // what belongs to sum and is not in it yet
	scale  int     // how many of their digits stand behind the point
	zeros  int     // how many digits behind the point the longest text has
	floats float64
	float  bool // there are floats, which were asked for
}

// addAll adds up the only column of src, or takes the mean.
func addAll(src Source, dest []driver.Value, k Kind, mean bool) (driver.Value, error) {
	var a adder
	for {
		if err := src.Next(dest); err != nil {
			if err = atEnd(err); err != nil || a.n == 0 {
				return nil, err
			}
			return a.result(k, mean), nil
		}
		if err := a.add(dest[0], k); err != nil {
			return nil, err
		}
	}
}

func (a *adder) add(v driver.Value, k Kind) error {
	text := ""
	switch v := v.(type) {
	case nil:
		return nil
	case int64:
		a.n++
		if a.scale == 0 {
			a.addPart(v)
		} else {
			a.addDigits(big.NewInt(v), 0)
		}
		return nil
	case float64:
		if k == Float {
			a.n++
			a.floats += v
			a.float = true
			return nil
		}
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		text = v
	case []byte:
		text = string(v)
	}
	d, ok := value.ParseDecimal(text)
	if !ok {
		return fmt.Errorf("%w: a %T that is no number cannot be added", ErrType, v)
	}
	a.n++
	if _, fraction, ok := strings.Cut(text, "."); ok && onlyDigits(fraction) {
		a.zeros = max(a.zeros, len(fraction))
	}
	if more := a.scale - d.Scale; more >= 0 && len(d.Digits)+more < len(powersOfTen) {
		n, err := strconv.ParseInt(d.Digits, 10, 64)
		if d.Negative {
			n = -n
		}
		a.addPart(n * powersOfTen[more])
		return err
	}
	digits, _ := new(big.Int).SetString(d.Digits, 10)
	if d.Negative {
		digits.Neg(digits)
	}
	a.addDigits(digits, d.Scale)
	return nil
}

// powersOfTen are those of which an int64 holds any multiple of as many digits less.
var powersOfTen = [...]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// addPart adds a number of the sum's own scale.
func (a *adder) addPart(n int64) {
	sum := a.part + n
	if (sum > a.part) != (n > 0) && n != 0 {
		a.sum.Add(&a.sum, big.NewInt(a.part))
		sum = n
	}
	a.part = sum
}

func (a *adder) addDigits(digits *big.Int, scale int) {
	a.sum.Add(&a.sum, big.NewInt(a.part))
	a.part = 0
	switch {
	case scale > a.scale:
		a.sum.Mul(&a.sum, powerOfTen(scale-a.scale))
		a.scale = scale
	case scale < a.scale:
		digits.Mul(digits, powerOfTen(a.scale-scale))
	}
	a.sum.Add(&a.sum, digits)
}

func powerOfTen(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func (a *adder) result(k Kind, mean bool) driver.Value {
	a.addDigits(new(big.Int), a.scale)
	sum := new(big.Rat).SetFrac(&a.sum, powerOfTen(a.scale))
	if a.float {
		f, _ := sum.Float64()
		f += a.floats
		if mean {
			f /= float64(a.n)
		}
		return f
	}
	if mean {
		return quotient(sum, a.n, k)
	}
	if a.sum.IsInt64() && a.scale == 0 && a.zeros == 0 {
		return a.sum.Int64()
	}
	return sum.FloatString(max(a.scale, a.zeros))
}
