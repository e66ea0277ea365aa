package value

import (
	"cmp"
	"errors"
	"math"
	"strconv"
	"strings"
)

// ErrRange says that a value of the right kind does not fit: a number out of range
// or one that would lose digits, a date that does not exist.
var ErrRange = errors.New("dbfleet: value out of range")

// maxExponent bounds what an exponent may say: no database keeps a longer decimal
// number, and its digits are written out.
const maxExponent = 400

// Decimal is a decimal number without losses. The zero Decimal is none.
type Decimal struct {
	Negative bool
	// Digits are all digits, without zeros before the whole part and behind the
	// fraction; that of zero is "0".
	Digits string
	// Scale is how many of the digits stand behind the point.
	Scale int
}

// ParseDecimal reads digits with a sign, a point and an exponent. NaN, infinities,
// other bases and blanks are no decimals.
func ParseDecimal(s string) (d Decimal, ok bool) {
	mantissa, exponent, ok := cutDecimal(s)
	if !ok {
		return d, false
	}
	d.Negative = mantissa[0] == '-'
	mantissa = strings.TrimLeft(mantissa, "+-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	d.Digits, d.Scale = whole+fraction, len(fraction)-exponent
	for d.Scale > 0 && strings.HasSuffix(d.Digits, "0") {
		d.Digits, d.Scale = d.Digits[:len(d.Digits)-1], d.Scale-1
	}
	d.Digits = strings.TrimLeft(d.Digits, "0")
	if d.Digits == "" {
		return Decimal{Digits: "0"}, true
	}
	if d.Scale < 0 {
		d.Digits, d.Scale = d.Digits+strings.Repeat("0", -d.Scale), 0
	}
	return d, true
}

// IsDecimal says whether [ParseDecimal] takes s.
func IsDecimal(s string) bool {
	_, _, ok := cutDecimal(s)
	return ok
}

// cutDecimal splits a decimal's text at its exponent.
func cutDecimal(s string) (mantissa string, exponent int, ok bool) {
	at, digits, point := 0, 0, false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		at = 1
	}
scan:
	for ; at < len(s); at++ {
		switch c := s[at]; {
		case '0' <= c && c <= '9':
			digits++
			continue
		case c == '.' && !point:
			point = true
			continue
		}
		break scan
	}
	if digits == 0 {
		return "", 0, false
	}
	mantissa = s[:at]
	if at == len(s) {
		return mantissa, 0, true
	}
	if s[at] != 'e' && s[at] != 'E' || at+1 == len(s) || s[len(s)-1] < '0' {
		return "", 0, false
	}
	exponent, err := strconv.Atoi(s[at+1:])
	return mantissa, exponent, err == nil && -maxExponent <= exponent && exponent <= maxExponent
}

// Whole is how many digits stand before the point.
func (d Decimal) Whole() int { return max(len(d.Digits)-d.Scale, 0) }

// Compare is less than 0, 0 or more than 0 as d is less than e, equal to it or greater.
func (d Decimal) Compare(e Decimal) int {
	if d.Negative != e.Negative {
		if d.Negative {
			return -1
		}
		return 1
	}
	scale := max(d.Scale, e.Scale)
	a := strings.TrimLeft(d.Digits+strings.Repeat("0", scale-d.Scale), "0")
	b := strings.TrimLeft(e.Digits+strings.Repeat("0", scale-e.Scale), "0")
	n := cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	if d.Negative {
		n = -n
	}
	return n
}

// String is the number without an exponent, a plus, or zeros that say nothing.
func (d Decimal) String() string { return string(d.Append(nil)) }

// Append appends [Decimal.String]: digits, with a sign and a point at most.
func (d Decimal) Append(b []byte) []byte {
	if d.Negative {
		b = append(b, '-')
	}
	whole := d.Whole()
	if whole == 0 {
		b = append(b, '0')
	}
	b = append(b, d.Digits[:whole]...)
	if d.Scale == 0 {
		return b
	}
	b = append(b, '.')
	for range d.Scale - (len(d.Digits) - whole) {
		b = append(b, '0')
	}
	return append(b, d.Digits[whole:]...)
}

// DecimalFloat is the shortest decimal that stands for f. ok is false for one that
// is too large or too small for the decimals of databases, and for what is no
// number.
func DecimalFloat(f float64) (text string, ok bool) {
	if a := math.Abs(f); f != 0 && !(1e-20 <= a && a < 1e35) {
		return "", false
	}
	return strconv.FormatFloat(f, 'f', -1, 64), true
}
