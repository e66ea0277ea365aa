package sqlgen

import "strings"

// Op is a comparison. The zero value is none.
type Op uint8

// The comparisons.
const (
	NoOp Op = iota
	Eq
	NotEq
	Lt
	LtEq
	Gt
	GtEq
	Like
	NotLike
	ILike
	NotILike
	LikeExact
	NotLikeExact
	In
	NotIn
	Between
	NotBetween
	Is
	IsNot
)

var opNames = [...]string{
	Eq: "=", NotEq: "<>", Lt: "<", LtEq: "<=", Gt: ">", GtEq: ">=", Like: "LIKE", NotLike: "NOT LIKE",
	ILike: "ILIKE", NotILike: "NOT ILIKE", LikeExact: "LIKE", NotLikeExact: "NOT LIKE", In: "IN", NotIn: "NOT IN", Between: "BETWEEN", NotBetween: "NOT BETWEEN",
	Is: "IS", IsNot: "IS NOT",
}

func opName(op Op) string {
	if int(op) < len(opNames) {
		return opNames[op]
	}
	return ""
}

// Operators are the names that ParseOp knows.
const Operators = "=, !=, <>, <, <=, >, >=, LIKE, NOT LIKE, ILIKE, NOT ILIKE, IN, NOT IN, BETWEEN, NOT BETWEEN, IS, IS NOT"

// Orders says whether the comparison is one of two numbers.
func (op Op) Orders() bool { return Eq <= op && op <= GtEq }

// Holds says whether the comparison, which Orders, holds for a and b.
func (op Op) Holds(a, b int64) bool {
	switch op {
	case Eq:
		return a == b
	case NotEq:
		return a != b
	case Lt:
		return a < b
	case LtEq:
		return a <= b
	case Gt:
		return a > b
	}
	return a >= b
}

// Inverse is the comparison, of those that Order, that holds where op does not.
func (op Op) Inverse() Op {
	return [...]Op{Eq: NotEq, NotEq: Eq, Lt: GtEq, LtEq: Gt, Gt: LtEq, GtEq: Lt}[op]
}

// turned is the comparison, of those that Order, that b and a have where a and b have op.
func (op Op) turned() (turned Op, ok bool) {
	if !op.Orders() {
		return op, false
	}
	return [...]Op{Eq: Eq, NotEq: NotEq, Lt: Gt, LtEq: GtEq, Gt: Lt, GtEq: LtEq}[op], true
}

// ParseOp returns the comparison of that name, in any case. The name itself
// never reaches a statement.
func ParseOp(name string) (op Op, ok bool) {
	switch name {
	case "=":
		return Eq, true
	case "!=", "<>":
		return NotEq, true
	case "<":
		return Lt, true
	case "<=":
		return LtEq, true
	case ">":
		return Gt, true
	case ">=":
		return GtEq, true
	}
	if len(name) > len("NOT BETWEEN") {
		return NoOp, false
	}
	switch strings.ToUpper(name) {
	case "LIKE":
		return Like, true
	case "NOT LIKE":
		return NotLike, true
	case "ILIKE":
		return ILike, true
	case "NOT ILIKE":
		return NotILike, true
	case "IN":
		return In, true
	case "NOT IN":
		return NotIn, true
	case "BETWEEN":
		return Between, true
	case "NOT BETWEEN":
		return NotBetween, true
	case "IS":
		return Is, true
	case "IS NOT":
		return IsNot, true
	}
	return NoOp, false
}
