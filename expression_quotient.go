package dbfleet

import (
	"strconv"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Division of exact numbers. The databases' own / means three things: 7/2 is 3 on PostgreSQL
// and SQLite and 3.5000 on MySQL, and 1/0 is an error or NULL. Here a divisor of zero fails the
// statement with ErrInvalidValue or ErrRange on every database, and what is divided by NULL
// is NULL. Floats are refused: divide them by RawValue.

// DivInt is left / right without the fraction, towards zero: 7/2 is 3, and -7/2 is -3. V is
// a type of whole numbers.
//
//	boxes := dbfleet.DivInt(pieces, dbfleet.Value(12))
func DivInt[V any](left, right Operand[V]) Expression[V] {
	return Expression[V]{t: quotient(left, right, rowmap.KindOf[V]()), number: true}
}

// Div is left / right as a decimal with so many digits behind the point, 0 to 15, rounded
// half away from zero: 2/3 with 2 digits is 0.67, and -1/8 is -0.13. The operands are whole
// numbers, or decimals in a string or a decimal type, of one type or two.
//
//	each := dbfleet.Div(total, people, 2)
//
// The result is exact, or the statement fails: MySQL's has 18 digits at most. SQLite, which
// has no decimals, divides whole numbers only; its result has 15 digits at most, is read
// without the zeros at its end, and is compared with whole numbers only.
func Div[A, B any](left Operand[A], right Operand[B], digits int) Expression[string] {
	return Expression[string]{t: decimalQuotient(left, rowmap.KindOf[A](), right, rowmap.KindOf[B](), digits), number: true}
}

func quotient(left, right Term, kind rowmap.Kind) sqlgen.Term {
	if kind != rowmap.Int && kind != rowmap.Uint {
		return broken("DivInt", "the numbers are no whole ones; Div makes a decimal")
	}
	l, r, wrong := divided("DivInt", left, kind, right, kind)
	if wrong != nil {
		return wrong
	}
	return sqlgen.Quotient{Left: l, Right: r, Sum: table.SumOf(kind)}
}

func decimalQuotient(left Term, leftKind rowmap.Kind, right Term, rightKind rowmap.Kind, digits int) sqlgen.Term {
	if digits < 0 || digits > sqlgen.MaxQuotientDigits {
		return broken("Div", strconv.Itoa(digits)+" digits behind the point are not 0 to "+strconv.Itoa(sqlgen.MaxQuotientDigits))
	}
	if leftKind == rowmap.Float || rightKind == rowmap.Float {
		return broken("Div", "a float is no exact number; divide it by RawValue")
	}
	l, r, wrong := divided("Div", left, leftKind, right, rightKind)
	if wrong != nil {
		return wrong
	}
	whole := func(kind rowmap.Kind) bool { return kind == rowmap.Int || kind == rowmap.Uint }
	return sqlgen.DecimalQuotient{Left: l, Right: r, Digits: digits, Whole: whole(leftKind) && whole(rightKind)}
}

// divided are the operands of a division, or what is wrong with them.
func divided(part string, left Term, leftKind rowmap.Kind, right Term, rightKind rowmap.Kind) (l, r, wrong sqlgen.Term) {
	l, r = amount(part, termOf(part, left), leftKind), amount(part, termOf(part, right), rightKind)
	for _, t := range []sqlgen.Term{l, r} {
		if b, bad := t.(sqlgen.BrokenTerm); bad {
			return nil, nil, b
		}
	}
	if sqlgen.IsZero(r) {
		return nil, nil, broken(part, "the divisor is zero")
	}
	return l, r, nil
}
