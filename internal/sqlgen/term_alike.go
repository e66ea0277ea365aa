package sqlgen

import (
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// To PostgreSQL a value of Go among others has their type. MySQL makes texts of all of them
// if one is a text, which is what decimals and times are sent as, and a float of a decimal
// beside a float; SQLite takes a text for one, behind all numbers. So a value that may be a
// number, or is a time, is written as what stands beside it.

// isNumber says whether a term is a number whatever its columns are.
func isNumber(t Term) bool {
	switch t := t.(type) {
	case Arithmetic, Quotient, DecimalQuotient, Part:
		return true
	case TextCall:
		return t.Func == CharLength
	case JSONValue:
		return t.Kind == JSONWhole || t.Kind == JSONFloat
	case First:
		return slices.ContainsFunc(t, isNumber)
	case Choice:
		return t.Else != nil && isNumber(t.Else) || slices.ContainsFunc(t.Whens, func(w When) bool { return isNumber(w.Then) })
	case Aggregate:
		return t.Func != MinOf && t.Func != MaxOf || isNumber(t.Of)
	case Ranking:
		return t.Of == nil || isNumber(t.Of)
	case Over:
		return isNumber(t.Func)
	case computedColumn:
		return isNumber(t.of)
	}
	return false
}

// origins calls f with all that a term may have the value of.
func origins(t Term, f func(Term)) {
	switch t := t.(type) {
	case First, Choice:
		eachValue(t, func(one Term) { origins(one, f) })
	case Over:
		origins(t.Func, f)
	case Ranking:
		if t.Of != nil {
			origins(t.Of, f)
		}
	case Aggregate:
		if t.Func == MinOf || t.Func == MaxOf {
			origins(t.Of, f)
		}
	default:
		f(t)
	}
}

// asNumeral calls write, which writes numbers if they are.
func (r *renderer) asNumeral(are bool, write func()) {
	outer := r.numeral
	r.numeral = are
	write()
	r.numeral = outer
}

// byItself calls write, whose values are not those that stand around it.
func (r *renderer) byItself(write func()) {
	numeral, affinity, among := r.numeral, r.affinity, r.among
	r.numeral, r.affinity, r.among = false, unknown, nil
	write()
	r.numeral, r.affinity, r.among = numeral, affinity, among
}

// alike writes terms of one type, of which between writes what stands before each.
// Values of Go are typed if there are no other terms, here and around.
func (r *renderer) alike(terms []Term, between func(i int)) {
	typed := true
	for _, t := range r.among {
		eachValue(t, func(one Term) { typed = typed && isLiteral(one) })
	}
	r.asNumeral(r.numeral || slices.ContainsFunc(r.among, isNumber), func() {
		for i, t := range terms {
			between(i)
			if l, ok := t.(Literal); !ok || typed || !r.likeOthers(l) {
				r.term(t, typed)
			}
		}
	})
}

// likeOthers writes a value of Go as what the terms beside it are. ok is false for one that
// is so anyway, when nothing is written.
func (r *renderer) likeOthers(l Literal) (ok bool) {
	if _, number := l.V.(*Number); number || r.d.Numbered {
		return false
	}
	arg, err := r.values.Arg(l.V, r.d)
	if err != nil {
		return false // literal tells it
	}
	a := arg
	if r.d == dialect.MySQL {
		a = mysqlExact(arg)
	}
	text, ok := a.(string)
	if !ok {
		return false
	}
	d, ok := value.ParseDecimal(strings.TrimSpace(text))
	switch {
	case !ok:
		return false
	case r.d == dialect.SQLite:
		return r.likeAffinity(text, d)
	}
	if scale, plain := plainDecimal(text, d); plain {
		r.exactDecimal(text, scale)
		return true
	}
	switch _, float := arg.(float64); {
	case float:
		r.ready(arg)
		return true
	case r.numeral:
		if !IsDecimal(d) {
			r.fail(r.fault("expression", "a number for "+r.d.Name, errDigits))
		}
		r.exactDecimal(d.String(), d.Scale)
		return true
	}
	return false // see unlessNumbers
}

// plainDecimal says whether a DECIMAL of a scale is, as a text, that text itself. Beside
// texts it is one then.
func plainDecimal(text string, d value.Decimal) (scale int, ok bool) {
	bare := text
	_, fraction, point := strings.Cut(text, ".")
	if point {
		bare = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return len(fraction), d.String() == bare && (!point || fraction != "") && len(fraction) <= mysqlScale && d.Whole()+len(fraction) <= maxDigits
}

// exactDecimal writes a number that is given as text, with so many digits behind the point
// and few more before it than it has: so that many numbers are few texts.
func (r *renderer) exactDecimal(text string, scale int) {
	digits, _, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	whole := len(digits)
	for _, n := range [...]int{9, 18, maxDigits - mysqlScale} {
		if whole <= n && n+scale <= maxDigits {
			whole = n
			break
		}
	}
	r.str("CAST(")
	r.ready(text)
	r.str(" AS DECIMAL(")
	r.whole(whole + scale)
	r.str(",")
	r.whole(scale)
	r.str("))")
}

// oneType writes what write writes of the terms, of which each may be the value, here and of
// the terms around.
func (r *renderer) oneType(terms []Term, write func()) {
	outer := r.among
	r.among = append(slices.Clip(outer), terms...)
	defer func() { r.among = outer }()
	if r.d == dialect.SQLite {
		r.byAffinity(terms, write)
	} else {
		r.unlessNumbers(terms, write)
	}
}

// unlessNumbers writes what write writes of the terms. A text of digits that a number would
// not be written as is itself beside texts; beside numbers it would make texts of them, so
// there the server refuses it.
func (r *renderer) unlessNumbers(terms []Term, write func()) {
	text, ok := "", false
	var beside Term
	if r.d == dialect.MySQL && !r.numeral && !slices.ContainsFunc(r.among, isNumber) {
		for _, t := range terms {
			if l, is := t.(Literal); is && !ok {
				text, ok = r.otherDigits(l)
			}
		}
		beside = columnAmong(r.among...)
	}
	if !ok || beside == nil {
		write()
		return
	}
	r.str("CASE WHEN ")
	r.typeIsNumber(true, func() { r.term(beside, false) })
	r.str(" THEN 9223372036854775807 + LENGTH(")
	r.ready(text)
	r.str(") ELSE ")
	write()
	r.str(" END")
}

// columnAmong is the first of the values of terms that has a column's type, nil for none.
func columnAmong(terms ...Term) (column Term) {
	for _, t := range terms {
		eachValue(t, func(one Term) {
			if column == nil && ofColumns(one) {
				column = one
			}
		})
	}
	return column
}

// otherDigits is a text of digits that a number would not be written as.
func (r *renderer) otherDigits(l Literal) (text string, ok bool) {
	a, err := r.values.Arg(l.V, r.d)
	if err != nil {
		return "", false
	}
	if text, ok = a.(string); !ok {
		return "", false
	}
	d, ok := value.ParseDecimal(strings.TrimSpace(text))
	if ok {
		_, ok = plainDecimal(text, d)
		ok = !ok
	}
	return text, ok
}

// isTimeArg says whether an argument is a time.
func isTimeArg(a any) bool {
	_, ok := a.(time.Time)
	return ok
}

// fractionOf is how many digits of a second's fraction a time has: beside texts it is the text
// that the time alone would be.
func fractionOf(a any) (digits int) {
	t, _ := a.(time.Time)
	digits = 6
	for micros := t.Nanosecond() / 1000; digits > 0 && micros%10 == 0; micros /= 10 {
		digits--
	}
	return digits
}
