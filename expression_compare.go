package dbfleet

import (
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// The conditions of an expression are those of a Col.

// Eq is expression = v. A v that is a nil pointer or an invalid sql.Null is IS NULL.
func (e Expression[V]) Eq(v V) Cond { return e.op(sqlgen.Eq, v) }

// NotEq is expression <> v.
func (e Expression[V]) NotEq(v V) Cond { return e.op(sqlgen.NotEq, v) }

// Lt is expression < v.
func (e Expression[V]) Lt(v V) Cond { return e.op(sqlgen.Lt, v) }

// LtEq is expression <= v.
func (e Expression[V]) LtEq(v V) Cond { return e.op(sqlgen.LtEq, v) }

// Gt is expression > v.
func (e Expression[V]) Gt(v V) Cond { return e.op(sqlgen.Gt, v) }

// GtEq is expression >= v.
func (e Expression[V]) GtEq(v V) Cond { return e.op(sqlgen.GtEq, v) }

// In is one of the values; none matches nothing.
func (e Expression[V]) In(vs ...V) Cond { return e.in(sqlgen.In, sqlgen.Eq, vs) }

// NotIn is none of the values; no values match everything.
func (e Expression[V]) NotIn(vs ...V) Cond { return e.in(sqlgen.NotIn, sqlgen.NotEq, vs) }

// Between is low <= expression <= high.
func (e Expression[V]) Between(low, high V) Cond { return And(e.GtEq(low), e.LtEq(high)) }

// NotBetween is expression < low OR expression > high.
func (e Expression[V]) NotBetween(low, high V) Cond { return Or(e.Lt(low), e.Gt(high)) }

// IsNull is expression IS NULL.
func (e Expression[V]) IsNull() Cond { return e.against(sqlgen.Is, nil) }

// IsNotNull is expression IS NOT NULL.
func (e Expression[V]) IsNotNull() Cond { return e.against(sqlgen.IsNot, nil) }

// Like matches a pattern, as Col's.
func (e Expression[V]) Like(pattern string) Cond { return e.against(sqlgen.Like, pattern) }

// NotLike is the negation of Like.
func (e Expression[V]) NotLike(pattern string) Cond { return e.against(sqlgen.NotLike, pattern) }

// LikeExact is Like that tells all letters' case, as Col's.
func (e Expression[V]) LikeExact(pattern string) Cond { return e.against(sqlgen.LikeExact, pattern) }

// NotLikeExact is the negation of LikeExact.
func (e Expression[V]) NotLikeExact(pattern string) Cond {
	return e.against(sqlgen.NotLikeExact, pattern)
}

// ILike is Like that does not tell letters' case, as Col's.
func (e Expression[V]) ILike(pattern string) Cond { return e.against(sqlgen.ILike, pattern) }

// NotILike is the negation of ILike.
func (e Expression[V]) NotILike(pattern string) Cond { return e.against(sqlgen.NotILike, pattern) }

func (e Expression[V]) op(op sqlgen.Op, v V) Cond {
	if e.number {
		return e.against(op, number(v, rowmap.KindOf[V]()))
	}
	return e.against(op, v)
}

// in is a list of values. Where they are numbers in another form than Go's, each is
// compared by itself.
func (e Expression[V]) in(op, each sqlgen.Op, vs []V) Cond {
	switch k := rowmap.KindOf[V](); {
	case !e.number, len(vs) == 0, k == rowmap.Int, k == rowmap.Uint, k == rowmap.Float:
		return e.against(op, vs)
	}
	conds := make([]Cond, len(vs))
	for i, v := range vs {
		conds[i] = e.op(each, v)
	}
	if each == sqlgen.NotEq {
		return And(conds...)
	}
	return Or(conds...)
}

func (e Expression[V]) against(op sqlgen.Op, v any) Cond {
	return Cond{sqlgen.CompareTerm(termOf("expression", e), op, v)}
}
