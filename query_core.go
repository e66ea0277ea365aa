package dbfleet

import (
	"database/sql"
	"slices"
	"strings"

	"github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// query is a query without its type. Query[T] and Model[T] are the same struct
// with typed methods. It is immutable: each step returns a changed copy. A nil
// query, and one without a source, fail when they run.
//
// What a typed method calls is not inlined (go:noinline): Go would compile it
// anew into that method of every record type.
type query struct {
	src       *source
	q         sqlgen.Query
	at        *wish      // nil asks for nothing; never changed once shared
	relations []relation // to load; never changed once shared
	shape     *shape     // what rows are read into; nil is the source's records
}

// next is the copy that a step changes.
func (q *query) next() *query {
	if q == nil {
		return &query{q: sqlgen.From(""), src: &source{err: errNilQuery}}
	}
	next := *q
	return &next
}

// blank is the query without all that was asked.
//
//go:noinline
func (q *query) blank() *query {
	next := q.next()
	next.q = sqlgen.From(next.q.Table())
	next.at, next.relations = nil, nil
	return next
}

func (q *query) where(c sqlgen.Cond) *query {
	next := q.next()
	next.q.Add(c)
	return next
}

// compares adds column op value.
func (q *query) compares(or bool, column, op string, value any) *query {
	parsed, ok := sqlgen.ParseOp(op)
	if !ok {
		return q.where(unknownOperator(column, op))
	}
	next := q.next()
	next.q.AddCompare(or, column, parsed, operand(value))
	return next
}

// operand is a value of the caller's as sqlgen takes it.
func operand(v any) any {
	switch v := v.(type) {
	case Queryable:
		return v.base()
	case Cond:
		return v.value()
	case Term:
		return &sqlgen.Expr{Term: termOf("value", v)}
	}
	return v
}

// operands is operand for each value.
func operands(list []any) []any {
	copied := false
	for i, v := range list {
		made := v
		switch v := v.(type) {
		case Queryable, Cond, Term:
			made = operand(v)
		case sql.NamedArg:
			if v.Value != nil {
				made = sql.Named(v.Name, operand(v.Value))
			}
		default:
			continue
		}
		if !copied {
			list, copied = slices.Clone(list), true
		}
		list[i] = made
	}
	return list
}

// expr is SQL of the caller's.
func expr(sql string, args []any) *sqlgen.Expr {
	return &sqlgen.Expr{SQL: sql, Args: operands(args)}
}

func (q *query) group(or bool, inner *query) *query {
	if why := unmade(inner); why != "" {
		return q.without(oneOf(or, "OrWhereGroup", "WhereGroup"), why)
	}
	if !inner.q.HasConditions() {
		return q
	}
	c := sqlgen.Group(inner.q.Conditions()...)
	if or {
		c = c.Or()
	}
	return q.where(c)
}

func (q *query) not(inner *query) *query {
	if why := unmade(inner); why != "" {
		return q.without("WhereNot", why)
	}
	return q.where(sqlgen.Not(inner.q.Conditions()...))
}

// oneOf is the name of one of a pair of methods.
func oneOf(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// compare adds column op value, where the operator needs no check.
//
//go:noinline
func (q *query) compare(or bool, column string, op sqlgen.Op, value any) *query {
	next := q.next()
	next.q.AddCompare(or, column, op, operand(value))
	return next
}

//go:noinline
func (q *query) between(column string, low, high any) *query {
	return q.where(sqlgen.Compare(column, sqlgen.Between, []any{low, high}))
}

func (q *query) compareColumns(left, op, right string) *query {
	return q.where(compareColumns(left, op, right))
}

func (q *query) exists(sub Queryable, is bool) *query {
	switch {
	case baseOf(sub) == nil:
		return q.without(oneOf(is, "WhereExists", "WhereNotExists"), "the query is nil")
	case is:
		return q.where(sqlgen.Exists(sub.base()))
	}
	return q.where(sqlgen.NotExists(sub.base()))
}

func (q *query) whereRaw(or bool, sql string, args []any) *query {
	c := sqlgen.Raw(expr(sql, args))
	if or {
		c = c.Or()
	}
	return q.where(c)
}

func (q *query) filter(conds []Cond) *query {
	next := q.next()
	for _, c := range conds {
		next.q.Add(c.c.And())
	}
	return next
}

// orFilter adds conditions that all must hold, joined by OR to those before them.
func (q *query) orFilter(conds []Cond) *query {
	if len(conds) == 0 {
		return q
	}
	return q.where(And(conds...).c.Or())
}

func (q *query) columns(cols ...sqlgen.Column) *query {
	next := q.next()
	next.q = next.q.WithColumns(cols...)
	return next
}

func (q *query) selects(columns []string) *query {
	list := make([]sqlgen.Column, len(columns))
	for i, c := range columns {
		list[i] = sqlgen.Column{Name: c}
	}
	return q.columns(list...)
}

//go:noinline
func (q *query) selectAs(column, alias string) *query {
	if alias == "" {
		return q.without("SelectAs", "the alias of column "+quoted(column)+" is empty")
	}
	return q.columns(sqlgen.Column{Name: column, As: alias})
}

// selectFunc reads an aggregate of a column.
//
//go:noinline
func (q *query) selectFunc(part, function, column, alias string) *query {
	if alias == "" {
		return q.where(sqlgen.Invalid(&StatementError{Part: part, Reason: "the alias is empty"}))
	}
	if function == "COUNT" {
		column = "*"
	} else if err := single(part, column); err != nil {
		return q.where(sqlgen.Invalid(err))
	}
	return q.columns(sqlgen.Column{Func: function, Name: column, As: alias})
}

func (q *query) selectRaw(sql string, args []any) *query {
	return q.columns(sqlgen.Column{Expr: expr(sql, args)})
}

//go:noinline
func (q *query) selectExpr(s squirrel.Sqlizer, alias string) *query {
	if err := missingSqlizer("SelectExpr", s); err != nil {
		return q.where(sqlgen.Invalid(err))
	}
	return q.columns(sqlgen.Column{Expr: &sqlgen.Expr{Sqlizer: s}, As: alias})
}

func (q *query) selectSub(sub Queryable, alias string) *query {
	if baseOf(sub) == nil {
		return q.without("SelectSub", "the query is nil")
	}
	return q.columns(sqlgen.Column{Sub: sub.base(), As: alias})
}

//go:noinline
func (q *query) discardUnknown() *query {
	next := q.next()
	next.q = next.q.WithUnknownDiscarded()
	return next
}

//go:noinline
func (q *query) distinct() *query {
	next := q.next()
	next.q = next.q.WithDistinct()
	return next
}

//go:noinline
func (q *query) alias(name string) *query {
	if name == "" {
		return q.without("As", "the alias is empty")
	}
	next := q.next()
	next.q = next.q.WithAlias(name)
	return next
}

func (q *query) joinOn(kind, table, left, op, right string) *query {
	parsed, ok := sqlgen.ParseOp(op)
	if !ok {
		return q.where(unknownComparison(left, op))
	}
	next := q.next()
	next.q = next.q.WithJoin(kind, table, left, parsed, right)
	return next
}

func (q *query) crossJoin(table string) *query {
	next := q.next()
	next.q = next.q.WithJoin("CROSS JOIN", table, "", sqlgen.NoOp, "")
	return next
}

func (q *query) joinRaw(sql string, args []any) *query { return q.rawJoin(expr(sql, args)) }

//go:noinline
func (q *query) joinExpr(s squirrel.Sqlizer) *query {
	if err := missingSqlizer("JoinExpr", s); err != nil {
		return q.where(sqlgen.Invalid(err))
	}
	return q.rawJoin(&sqlgen.Expr{Sqlizer: s})
}

func (q *query) rawJoin(e *sqlgen.Expr) *query {
	next := q.next()
	next.q = next.q.WithRawJoin(e)
	return next
}

func (q *query) groupBy(columns []string) *query {
	next := q.next()
	next.q = next.q.WithGroups(columns...)
	return next
}

func (q *query) having(column, op string, value any) *query {
	return q.havingCond(compare(column, op, value))
}

func (q *query) havingRaw(sql string, args []any) *query {
	return q.havingCond(sqlgen.Raw(expr(sql, args)))
}

func (q *query) havingCond(c sqlgen.Cond) *query {
	next := q.next()
	next.q = next.q.WithHaving(c)
	return next
}

func (q *query) orderBy(column string, direction Direction) *query {
	switch {
	case direction == Asc || strings.EqualFold(string(direction), "ASC"):
		return q.order(sqlgen.Order{Column: column})
	case strings.EqualFold(string(direction), "DESC"):
		return q.order(sqlgen.Order{Column: column, Desc: true})
	}
	return q.where(sqlgen.Invalid(&OperatorError{Column: column, Operator: string(direction), Known: []string{"ASC", "DESC"}}))
}

func (q *query) orderByRaw(sql string, args []any) *query {
	return q.order(sqlgen.Order{Expr: expr(sql, args)})
}

func (q *query) order(o sqlgen.Order) *query {
	next := q.next()
	next.q.AddOrder(o)
	return next
}

//go:noinline
func (q *query) limit(n int) *query {
	next := q.next()
	next.q.SetLimit(int64(n))
	return next
}

func (q *query) offset(n int) *query {
	next := q.next()
	next.q = next.q.WithOffset(int64(n))
	return next
}

func (q *query) union(other Queryable, all bool) *query {
	if baseOf(other) == nil {
		return q.without(oneOf(all, "UnionAll", "Union"), "the query is nil")
	}
	next := q.next()
	next.q = next.q.WithUnion(other.base(), all)
	return next
}

func (q *query) lock(l sqlgen.Lock) *query {
	next := q.next()
	next.q = next.q.WithLock(l)
	return next
}

//go:noinline
func (q *query) allRows() *query {
	next := q.next()
	next.q = next.q.WithAllRows()
	return next
}

func (q *query) with(more []relation) *query {
	if slices.Contains(more, nil) {
		return q.without("With", "a relation is nil")
	}
	next := q.next()
	next.relations = slices.Concat(next.relations, more)
	return next
}
