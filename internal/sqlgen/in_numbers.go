package sqlgen

import (
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// MySQL compares a column with a constant text exactly: as a decimal with a
// DECIMAL, as an integer with a BIGINT, as text with text. In IN and BETWEEN it
// looks at all elements together and takes doubles as soon as a DECIMAL column meets
// a text, so that 1 is found for 1.000000000000000001. What kind of column it is,
// the renderer does not know. So lists with numbers that are written as text are
// compared one by one.

// mysqlExact is an argument of a comparison in the form in which MySQL compares it
// exactly with every kind of column: of a float the shortest decimal, which a DOUBLE
// column takes for the same number. Compared with a float, a DECIMAL column becomes
// one.
func mysqlExact(a any) any {
	if f, ok := a.(float64); ok {
		if text, ok := value.DecimalFloat(f); ok {
			return text
		}
	}
	return a
}

// decimalOf is the number that an argument stands for where MySQL compares one.
func decimalOf(a any) (value.Decimal, bool) {
	switch a := a.(type) {
	case int64:
		return value.ParseDecimal(strconv.FormatInt(a, 10))
	case uint64:
		return value.ParseDecimal(strconv.FormatUint(a, 10))
	case string:
		return value.ParseDecimal(strings.TrimSpace(a))
	}
	return value.Decimal{}, false
}

// needsEach says whether MySQL would not compare a column exactly with all of the
// arguments at once: numbers that are written as text are among them, or texts
// beside numbers.
func needsEach(args []any) bool {
	texts, numbers := false, false
	for _, a := range args {
		switch a := a.(type) {
		case string:
			if value.IsDecimal(strings.TrimSpace(a)) {
				return len(args) > 1
			}
			texts = true
		case int64, uint64:
			numbers = true
		}
	}
	return texts && numbers
}

// few is how many numbers are compared one by one. With more of them the database
// would look at each number for each row: a list of a thousand took three seconds for
// 100,000 rows without an index, and takes 25 ms by inNumbers.
const few = 4

// inEach writes column [NOT] IN (list) for the elements from r.args[first:], which it
// takes over, in a form that is exact for every kind of column; see needsEach.
func (r *renderer) inEach(column string, not bool, first int) {
	var texts, numbers []any
	for _, a := range r.args[first:] {
		if _, ok := decimalOf(a); ok {
			numbers = append(numbers, a)
		} else {
			texts = append(texts, a)
		}
	}
	clear(r.args[first:])
	r.args = r.args[:first]
	r.str("(")
	if len(texts) > 0 {
		r.column(column)
		r.str([2]string{" IN (", " NOT IN ("}[index(not)])
		r.elements(texts, r.isLong(len(texts)+len(numbers)))
		r.str(")")
		r.str([2]string{" OR ", " AND "}[index(not)])
	}
	if scale, ok := commonScale(numbers); ok && len(numbers) > few {
		r.inNumbers(column, not, numbers, scale)
	} else {
		for i, a := range r.padding(numbers) {
			if i > 0 {
				r.str([2]string{" OR ", " AND "}[index(not)])
			}
			r.column(column)
			r.str([2]string{" = ", " <> "}[index(not)])
			r.ready(a)
		}
	}
	r.str(")")
}

func index(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// inNumbers writes column [NOT] IN (numbers) as three lists, each of which the
// database searches at once. The first finds too much in a DECIMAL column and is
// right in others, and an index serves it. The others leave out what is neither the
// same text nor the same decimal number: a text column has the same text, a DECIMAL
// the same number, a DOUBLE a number that is equal as doubles are. (The value of an
// ENUM beside a number would be its position; a YEAR is found by its four digits.)
func (r *renderer) inNumbers(column string, not bool, numbers []any, scale int) {
	long := r.isLong(3 * len(numbers))
	if !long {
		numbers = r.padding(numbers)
	}
	texts := make([]any, len(numbers))
	for i, a := range numbers {
		texts[i] = a
		if _, ok := a.(string); !ok {
			d, _ := decimalOf(a)
			texts[i] = d.String()
		}
	}
	if not {
		r.str("NOT ")
	}
	r.str("(")
	r.column(column)
	r.str(" IN (")
	r.elements(texts, long)
	r.str(") AND (CAST(")
	r.column(column)
	r.str(" AS CHAR) IN (")
	r.elements(texts, long)
	r.str(") OR ")
	r.column(column)
	r.str(" IN (")
	for i, a := range numbers {
		if i > 0 {
			r.str(", ")
		}
		d, _ := decimalOf(a)
		if long {
			r.buf = d.Append(r.buf)
		} else {
			r.decimal(d.String(), scale)
		}
	}
	r.str(")))")
}

// elements writes arguments with commas between them, those of long lists as
// literals.
func (r *renderer) elements(list []any, long bool) {
	if long {
		for _, a := range list {
			if _, ok := a.(string); !ok {
				long = false
			}
		}
	}
	if long {
		r.literals(list)
		return
	}
	for i, a := range r.padding(list) {
		if i > 0 {
			r.str(", ")
		}
		r.ready(a)
	}
}

// padding repeats the last element as pad does.
func (r *renderer) padding(list []any) []any {
	if r.exact || paddedSize(len(list)) <= len(list) {
		return list
	}
	r.padded = true
	return padded(list)
}

// The longest decimals of MySQL, and the most digits behind the point of MySQL's and
// of MariaDB's.
const (
	maxDigits  = 65
	mysqlScale = 30
	maxScale   = 38
)

// commonScale is how many digits behind the point a decimal type needs for all of
// the numbers, rounded up so that many lists are few texts. ok is false when there
// is none.
func commonScale(numbers []any) (scale int, ok bool) {
	whole := 0
	for _, a := range numbers {
		d, _ := decimalOf(a)
		scale, whole = max(scale, d.Scale), max(whole, d.Whole())
	}
	for _, s := range [...]int{0, 2, 4, 8, 18, mysqlScale, maxScale} {
		if s >= scale && whole+s <= maxDigits {
			return s, true
		}
	}
	return scale, scale <= maxScale && whole+scale <= maxDigits
}

// IsDecimal says whether one of MySQL's DECIMAL types can hold the number.
func IsDecimal(d value.Decimal) bool { return d.Scale <= maxScale && d.Whole()+d.Scale <= maxDigits }

// decimal writes a placeholder for a number that is given as text, with the type of
// exact numbers.
func (r *renderer) decimal(text string, scale int) {
	r.str("CAST(")
	r.ready(text)
	switch r.d {
	case dialect.MySQL:
		r.str(" AS DECIMAL(65,")
		r.buf = strconv.AppendInt(r.buf, int64(scale), 10)
		r.str("))")
	default:
		r.str(" AS NUMERIC)")
	}
}

// decimalBytes says whether an argument is a number that is written as bytes.
func decimalBytes(a any) bool {
	b, ok := a.([]byte)
	return ok && value.IsDecimal(string(b))
}
