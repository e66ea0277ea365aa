package sqlgen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// folds is what was read of a SELECT in which several rows may become one, by GROUP BY, an
// aggregate or DISTINCT: the columns that stand outside of aggregates. ungrouped.go says
// which of them have one value.
type folds struct {
	q     *Query
	table Table
	read  []readColumn
	terms []string // expressions that GROUP BY has, by their aliases; behind DISTINCT all that are selected

	part     string  // of the statement, that is being written
	looks    looking // at what is written there
	merges   bool    // an aggregate was written, which without GROUP BY makes one row of all
	computes bool    // an aggregate or a window was written
}

// looking is what is looked at in what is being written.
type looking uint8

const (
	atNothing    looking = iota // it is read before the rows become one
	atAggregates                // it stands in SQL of the caller's
	atAll                       // it is read after the rows have become one
)

// readColumn is a column, as it was named in a part of the statement.
type readColumn struct{ name, part string }

// fold begins to collect what is read of q, nil where nothing has to be: PostgreSQL looks
// after that itself.
func (r *renderer) fold(q *Query, t Table) *folds {
	if r.d == dialect.Postgres || !q.mayFold() {
		return nil
	}
	r.folds = &folds{q: q, table: t, looks: atAll, part: "select"}
	if q.more != nil && (len(q.more.groups) > 0 || q.more.unique) {
		r.folds.terms = r.foldedBy(q)
	}
	return r.folds
}

// mayFold says whether several rows of q may become one which has a column of theirs.
func (q *Query) mayFold() bool {
	if p := q.more; p != nil {
		switch {
		case len(p.groups)+len(p.having) > 0:
			return true
		case p.unique && q.steps.ordered():
			return true
		case q.isOneRow():
			return false
		case slices.ContainsFunc(p.columns, func(c Column) bool { return c.Func != "" || c.Expr.mayMerge() }):
			return true
		}
	}
	return q.steps.ordered() && slices.ContainsFunc(q.steps.all(), func(o Cond) bool { return o.kind == order && o.val != nil && o.detail().expr.mayMerge() })
}

// mayMerge says whether an expression may be an aggregate, or have one in it.
func (e *Expr) mayMerge() bool {
	return e != nil && e != one && (e.Term == nil || !ofOneRow(e.Term))
}

// foldedBy are the texts of the expressions by which the rows become one.
func (r *renderer) foldedBy(q *Query) (texts []string) {
	for i := range q.more.columns {
		c := &q.more.columns[i]
		if c.Expr == nil || c.Expr.Term == nil || c.column() != "" || !q.more.unique && !slices.Contains(q.more.groups, c.As) {
			continue
		}
		if _, column := r.placeOf(q, c.As); !column || !slices.Contains(q.more.groups, c.As) {
			texts = append(texts, r.textOf(c.Expr.Term))
		}
	}
	return texts
}

// textOf is what tells a term from others: its SQL and arguments.
func (r *renderer) textOf(t Term) string {
	if v, ok := t.(JSONValue); ok {
		v.exact = false
		t = v
	}
	was := *r
	var unanswered []Related
	if r.far != nil {
		unanswered = r.far.unanswered
	}
	r.buf = make([]byte, 0, 128)
	r.args, r.folds, r.windows, r.numeral, r.affinity, r.among, r.having = nil, nil, nil, false, unknown, nil, false
	t.write(r)
	text := fmt.Sprintf("%s %#v", r.buf, r.args)
	*r = was // what is wrong with it is told when it is written
	if r.far != nil {
		r.far.unanswered = unanswered
	}
	return text
}

// has says whether a term is one by which the rows become one, so that what it reads has one
// value.
func (f *folds) has(r *renderer, t Term) bool {
	switch t.(type) {
	case Literal, ColumnTerm:
		return false
	}
	return f.looksAtAll() && len(f.terms) > 0 && slices.Contains(f.terms, r.textOf(t))
}

// pause has what is written from now on read before the rows become one. It returns what
// resume takes.
func (f *folds) pause() (was looking) {
	if f != nil {
		was, f.looks = f.looks, atNothing
	}
	return was
}

func (f *folds) resume(was looking) {
	if f != nil {
		f.looks = was
	}
}

func (f *folds) looksAtAll() bool { return f != nil && f.looks == atAll }

// begin has what is written from now on read after the rows have become one.
func (f *folds) begin(part string) {
	if f != nil {
		f.looks, f.part = atAll, part
	}
}

// reads notes a column.
func (f *folds) reads(name string) {
	if f.looksAtAll() {
		f.read = append(f.read, readColumn{name, f.part})
	}
}

// aggregate is pause for what an aggregate is of.
func (f *folds) aggregate() (was looking) {
	if f != nil && f.looks != atNothing {
		f.merges, f.computes = true, true
	}
	return f.pause()
}

// window notes the function of a window.
func (f *folds) window() {
	if f.looksAtAll() {
		f.computes = true
	}
}

// sql looks for aggregates in SQL of the caller's, and from now on in its arguments. It returns
// what resume takes.
func (f *folds) sql(text string, d *dialect.Dialect) (was looking) {
	if f == nil || f.looks == atNothing {
		return atNothing
	}
	if mergesRows(text, d) {
		f.merges, f.computes = true, true
	}
	was, f.looks = f.looks, atAggregates
	return was
}

// readsOuter notes a column of a query around the current one, which calls its table so.
func (r *renderer) readsOuter(table, column string) {
	for i := len(r.outer) - 1; i >= 0; i-- {
		if s := &r.outer[i]; s.q.refName() == table || s.q.joins(table) {
			s.folds.reads(table + "." + column)
			return
		}
	}
}

// aggregateWords are functions that make one value of many rows.
var aggregateWords = wordSet("COUNT SUM AVG MIN MAX TOTAL GROUP_CONCAT STRING_AGG JSON_ARRAYAGG JSON_OBJECTAGG JSON_GROUP_ARRAY JSON_GROUP_OBJECT",
	"STD STDDEV STDDEV_POP STDDEV_SAMP VARIANCE VAR_POP VAR_SAMP BIT_AND BIT_OR BIT_XOR")

// mergesRows says whether SQL is known to have an aggregate, in no query of its own.
func mergesRows(text string, d *dialect.Dialect) bool {
	scanner := lex.New(text, d)
	var before lex.Token
	inner, depth := 0, 0 // the depth at which a query within begins
	for t := scanner.Next(); t.Kind != lex.End; before, t = t, scanner.Next() {
		switch {
		case t.Kind == lex.Word && before.Text == "" && (t.Is("SELECT") || t.Is("WITH") || t.Is("VALUES")):
			return false // an argument that is a query
		case t.Kind == lex.Word && before.Text == "(" && inner == 0 && (t.Is("SELECT") || t.Is("WITH") || t.Is("VALUES")):
			inner = depth
		case t.Kind == lex.Symbol && t.Text == ")":
			if depth == inner {
				inner = 0
			}
			depth--
		case t.Kind == lex.Symbol && t.Text == "(":
			depth++
			if inner == 0 && before.Kind == lex.Word && aggregateWords[strings.ToUpper(before.Text)] && isAggregate(before.Text, scanner, d) {
				return true
			}
		}
	}
	return false
}

// isAggregate says whether the function whose arguments scanner is at is an aggregate, and
// of no window. MIN and MAX of several values are none to SQLite.
func isAggregate(name string, scanner lex.Scanner, d *dialect.Dialect) bool {
	several, filtered := false, false
	for depth := 1; ; {
		t := scanner.Next()
		switch {
		case t.Kind == lex.End:
			return depth == 0 && !(several && d == dialect.SQLite && len(name) == len("MIN"))
		case t.Is("OVER") && depth == 0:
			return false
		case t.Is("FILTER") && depth == 0:
			filtered = true
		case depth == 0 && !(filtered && t.Text == "("):
			return !(several && d == dialect.SQLite && len(name) == len("MIN"))
		case t.Kind != lex.Symbol:
		case t.Text == "(":
			depth++
		case t.Text == ")":
			depth--
		case t.Text == "," && depth == 1:
			several = true
		}
	}
}
