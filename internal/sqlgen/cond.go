package sqlgen

// Cond is one condition, or inside a query one item of ORDER BY. Its
// constructors are the only way to one.
type Cond struct {
	kind kind
	op   Op
	or   bool // joined to what stands before it by OR instead of AND; see order
	col  string
	val  any // a *detail where kind says so
}

func (c *Cond) detail() *detail {
	d, _ := c.val.(*detail)
	return d
}

type kind uint8

const (
	compare  kind = iota + 1 // col op val
	columns                  // col op detail.text, both columns
	group                    // (detail.conds)
	negation                 // NOT (detail.conds)
	rawSQL                   // detail.expr
	terms                    // detail.expr op detail.value
	exists                   // EXISTS (val)
	notExists
	behind  // detail.keyset
	invalid // detail.err
	order   // ORDER BY col, or detail.expr; or is DESC
	related // what a Related stands for
	counting
	belonging // col = an outerColumn
	veiled    // (detail.conds), whose arguments are not looked at before they are needed
	located   // col = detail.value, in detail.form
	owning    // that the rows of a table are those of val, an *owned
)

// detail is what a condition holds that is no comparison with a value.
type detail struct {
	text  string
	conds []Cond
	expr  *Expr
	err   error
	nulls Nulls // of an order
	value any   // on the right of a term
	form  Form  // of what finds a row

	keyset *keyset
}

// Compare is a column against a value. A nil value with Eq and NotEq means
// IS NULL and IS NOT NULL.
func Compare(column string, op Op, value any) Cond {
	return Cond{kind: compare, op: op, col: column, val: value}
}

// CompareColumns is a column against another column.
func CompareColumns(left string, op Op, right string) Cond {
	return Cond{kind: columns, op: op, col: left, val: &detail{text: right}}
}

// Exists asks whether a subquery has rows.
func Exists(sub Subquery) Cond { return Cond{kind: exists, val: sub} }

// NotExists asks whether a subquery has no rows.
func NotExists(sub Subquery) Cond { return Cond{kind: notExists, val: sub} }

// Raw is a condition given as SQL.
func Raw(e *Expr) Cond { return Cond{kind: rawSQL, val: &detail{expr: e}} }

// Expr is the SQL of a condition that Raw made, nil for others.
func (c *Cond) Expr() *Expr {
	if c.kind != rawSQL {
		return nil
	}
	return c.detail().expr
}

// Group puts conditions in parentheses. An empty group is true.
func Group(cs ...Cond) Cond { return Cond{kind: group, val: &detail{conds: cs}} }

// Not negates conditions, which are put in parentheses. Not of nothing is
// refused when it is rendered.
func Not(cs ...Cond) Cond { return Cond{kind: negation, val: &detail{conds: cs}} }

// Invalid is a condition that fails with err when the query is rendered.
func Invalid(err error) Cond { return Cond{kind: invalid, val: &detail{err: err}} }

// Or returns the condition joined by OR to what stands before it.
func (c Cond) Or() Cond { c.or = true; return c }

// And returns the condition joined by AND to what stands before it.
func (c Cond) And() Cond { c.or = false; return c }

// asks says whether the condition is more than groups of nothing.
func (c *Cond) asks() bool {
	if c.kind != group {
		return true
	}
	for i := range c.detail().conds {
		if c.detail().conds[i].asks() {
			return true
		}
	}
	return false
}

// Conditions returns the query's conditions, in order, as a group's content.
func (q *Query) Conditions() []Cond {
	out := make([]Cond, 0, q.steps.conditions())
	for _, c := range q.steps.all() {
		if c.kind != order {
			out = append(out, c)
		}
	}
	return out
}
