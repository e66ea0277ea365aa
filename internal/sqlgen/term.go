package sqlgen

import (
	"errors"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Term is a value that the database computes, as a tree: a column, a value of Go, or
// something made of other terms. An Expr holds one.
type Term interface {
	write(r *renderer)
	// reads calls f with each column that the term reads, and with "" for those of a
	// subquery.
	reads(f func(column string))
}

var errTerm = errors.New("an expression has no text of its own")

// ColumnTerm is a column.
type ColumnTerm string

func (c ColumnTerm) write(r *renderer) { r.column(string(c)) }

func (c ColumnTerm) reads(f func(string)) { f(lastPart(string(c))) }

// Literal is a value of Go.
type Literal struct{ V any }

func (l Literal) write(r *renderer) { r.literal(l, false) }

func (l Literal) reads(func(string)) {}

// BrokenTerm is a term that fails with Err when it is rendered.
type BrokenTerm struct{ Err error }

func (b BrokenTerm) write(r *renderer) { r.fail(b.Err) }

func (b BrokenTerm) reads(func(string)) {}

// QueryTerm is the one value that a subquery gives.
type QueryTerm struct{ Query Subquery }

func (s QueryTerm) write(r *renderer) {
	q, t, err := r.statement(s.Query)
	if err == nil {
		r.plainItems(&q, t)
	}
	r.subquery(q, t, err)
}

func (s QueryTerm) reads(f func(string)) { f("") }

// SQLTerm is SQL of the caller's.
type SQLTerm struct{ Expr *Expr }

func (s SQLTerm) write(r *renderer) {
	r.str("(")
	r.byItself(func() { r.raw(s.Expr, "expression") })
	r.str(")")
	r.merges = true // for all that is known
}

func (s SQLTerm) reads(f func(string)) {
	for name := range namesIn(s.Expr) {
		f(name)
	}
}

// literal writes a value of Go. typed says that nothing around it tells PostgreSQL its
// type.
func (r *renderer) literal(l Literal, typed bool) {
	if n, ok := l.V.(*Number); ok {
		r.number(n, "expression")
		return
	}
	a, err := r.values.Arg(l.V, r.d)
	if err != nil {
		r.fail(r.fault("expression", "", err))
		return
	}
	switch {
	case r.d == dialect.MySQL && isTimeArg(a): // of which MySQL makes a text
		r.str("CAST(")
		r.ready(a)
		r.str(" AS DATETIME(")
		r.whole(fractionOf(a))
		r.str("))")
		return
	case r.d == dialect.MySQL && !typed:
		a = mysqlExact(a)
	}
	r.ready(a)
	if !typed || r.d != dialect.Postgres {
		return
	}
	if _, text := a.(string); text {
		r.str("::text")
		return
	}
	r.str(castOf(a))
}

// term writes a term; see literal.
func (r *renderer) term(t Term, typed bool) {
	if l, ok := t.(Literal); ok {
		r.literal(l, typed)
		return
	}
	if r.folds.has(r, t) {
		defer r.folds.resume(r.folds.pause())
	}
	t.write(r)
}

// commas writes what separates the items of a list.
func (r *renderer) commas(i int) {
	if i > 0 {
		r.str(", ")
	}
}

// isLiteral says whether a term is a value of Go.
func isLiteral(t Term) bool {
	_, ok := t.(Literal)
	return ok
}

// columnsOf are the columns that a term reads, in small letters; whole says that they
// are all of them.
func columnsOf(t Term) (names map[string]bool, whole bool) {
	names, whole = map[string]bool{}, true
	t.reads(func(column string) {
		if column == "" {
			whole = false
		}
		names[strings.ToLower(column)] = true
	})
	return names, whole
}

// reads calls f with each column that the condition reads, and with "" for those of a
// subquery.
func (c *Cond) reads(f func(column string)) {
	switch c.kind {
	case compare:
		f(lastPart(c.col))
		readBy(c.val, f)
	case columns:
		f(lastPart(c.col))
		f(lastPart(c.detail().text))
	case group, negation:
		for i := range c.detail().conds {
			c.detail().conds[i].reads(f)
		}
	case rawSQL:
		readBy(c.detail().expr, f)
	case terms:
		c.detail().expr.Term.reads(f)
		readBy(c.detail().value, f)
	case exists, notExists:
		f("")
	}
}

// readBy is reads for the value of a comparison.
func readBy(v any, f func(column string)) {
	switch v := v.(type) {
	case Subquery:
		f("")
	case *Expr:
		for name := range namesIn(v) {
			f(name)
		}
	}
}
