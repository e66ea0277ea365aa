package sqlgen

import (
	"errors"
	"fmt"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Related is a condition about rows that belong to each row of a query, wherever those
// rows are. What stands for it in the statement is decided when that is rendered.
type Related interface {
	// Instead is the condition that stands for it at a place of a statement, or
	// ErrUnanswered where another database must be asked first.
	Instead(at At) (Cond, error)
}

// Far is what other databases have told of Related conditions of one statement.
type Far struct {
	Told map[Related]any
	// Names says that the text is not sent: it names what the conditions ask for, whatever
	// is told of them. They are written as if all rows were where the statement goes.
	Names      bool
	unanswered []Related // by what was rendered last
}

// ofRelated are parts of queries for related rows.
type ofRelated struct {
	itself  bool     // the alias is the library's own: the table's name means it too
	written []string // more items of GROUP BY: what texts of these columns are to the byte
}

// ErrUnanswered tells of a condition of which another database must be asked.
var ErrUnanswered = errors.New("dbfleet: another database must be asked first")

// UnansweredError lists the conditions of a statement of which other databases must be
// asked before it can be rendered.
type UnansweredError struct{ Of []Related }

func (e *UnansweredError) Error() string { return ErrUnanswered.Error() }

// At is the SELECT, UPDATE or DELETE in which a Related stands.
type At struct {
	Connection string // of the statement
	r          *renderer
	q          *Query
}

// Statement is the query that a subquery stands for there, with its implicit conditions.
func (at *At) Statement(s Subquery) (Query, Table, error) { return at.r.statement(s) }

// Told is what another database has told of r.
func (at *At) Told(r Related) (told any, ok bool) {
	if at.r.far == nil {
		return nil, false
	}
	told, ok = at.r.far.Told[r]
	return told, ok
}

// Names reports whether a condition about rows on a connection is to be written as if they
// were where the statement goes; what is written of it then belongs to that connection.
func (at *At) Names(connection string) bool {
	if at.r.far == nil || !at.r.far.Names {
		return false
	}
	at.r.connection = connection
	return true
}

// Of returns the condition that r stands for.
func Of(r Related) Cond { return Cond{kind: related, val: r} }

// CompareCount is the number that a subquery counts against another one.
func CompareCount(sub Subquery, op Op, n int64) Cond {
	return Cond{kind: counting, op: op, val: &counted{sub, n}}
}

type counted struct {
	sub Subquery
	n   int64
}

// outerColumn is a column of a query around the current one, which that calls table.
type outerColumn struct {
	table, column string
	first         bool // it is written first, so that its collation is SQLite's
}

// called is how the SELECT calls a table of which it reads rows: its own, or the only
// one by that name that it joins.
func (at *At) called(table string) (name string, own bool, err error) {
	q := at.q
	if q.Table() == table {
		return q.refName(), true, nil
	}
	n := 0
	if q.more != nil {
		for i := range q.more.joins {
			if j := &q.more.joins[i]; j.expr == nil && j.table == table {
				name = j.ref()
				n++
			}
		}
	}
	switch n {
	case 0:
		return "", false, fmt.Errorf("it is about rows of table %q, which the query does not read", table)
	case 1:
		return name, false, nil
	}
	return "", false, fmt.Errorf("it is about rows of table %q, which the query reads %d times", table, n)
}

// Column is what the SELECT calls a column of a table that it reads.
func (at *At) Column(table, column string) (string, error) {
	name, own, err := at.called(table)
	if err != nil || own {
		return column, err
	}
	return name + "." + column, nil
}

// Rows returns the query for the rows that q reads, whatever of them it asks for: without
// its select list, order, bounds and locks.
func (q Query) Rows() Query {
	q.steps = q.steps.unordered()
	q.limit, q.fixed = -1, false
	q, p := q.extend()
	p.columns, p.implied, p.unique, p.offset, p.lock, p.discard = nil, false, false, 0, NoLock, false
	return q
}

// Belonging returns the query for those of q's rows that belong to the row at hand of a
// table: whose columns have the values of the row's columns of. Of the two, the row's is
// written first if it is so said.
func (q Query) Belonging(at At, table string, columns, of []string, first bool) (Query, error) {
	outer, _, err := at.called(table)
	if err != nil {
		return q, err
	}
	if q, err = q.Inside(outer); err != nil {
		return q, err
	}
	for _, c := range Belongs(outer, columns, of) {
		c.val = outerColumn{c.val.(outerColumn).table, c.val.(outerColumn).column, first}
		q.Add(c)
	}
	return q, nil
}

// Inside returns the query, as a part of which others can name rows of the query around
// it, whose table that calls outer.
func (q Query) Inside(outer string) (Query, error) {
	if q.joins(outer) || q.rawlyJoins(outer) {
		return q, fmt.Errorf("the related records are joined with a table that is called %q, as that of the query around them: give one of them an alias", outer)
	}
	if lastPart(q.refName()) == lastPart(outer) {
		if q.more != nil && q.more.alias != "" {
			return q, fmt.Errorf("the related records' table is called %q, as that of the query around them: give one of them another alias", outer)
		}
		var p *parts
		q, p = q.extend()
		p.alias, p.related = relatedName(outer), &ofRelated{itself: true}
	}
	return q, nil
}

// Hides says whether rows that a query around q calls outer cannot be named in it, or may
// not be in a query within.
func (q *Query) Hides(outer string) bool {
	return lastPart(q.refName()) == lastPart(outer) || q.joins(outer) || q.rawlyJoins(outer)
}

// Called is how the SELECT calls a table of which it reads rows. It is plain if that is no
// name of the library's own.
func (at *At) Called(table string) (name string, plain bool, err error) {
	name, _, err = at.called(table)
	return name, !at.q.isItself() && name != relatedName("") && name != relatedName(relatedName("")), err
}

// Belongs are the conditions that columns have the values of columns of, of the row at hand
// of a query around the current one, which calls its table outer.
func Belongs(outer string, columns, of []string) []Cond {
	conds := make([]Cond, len(columns))
	for i, column := range columns {
		conds[i] = Cond{kind: belonging, col: column, val: outerColumn{table: outer, column: of[i]}}
	}
	return conds
}

// relatedName is how the related records' table is called where the query around them
// reads the same.
func relatedName(outer string) string {
	const name = "related"
	if outer == name {
		return name + "2"
	}
	return name
}

// Existence returns q, of which nothing is asked but Rows, for the existence of rows.
func (q Query) Existence() Query { return q.OnlyColumns(Column{Expr: one, As: "found"}) }

// Counted returns q, of which nothing is asked but Rows, for their number.
func (q Query) Counted() Query {
	return q.OnlyColumns(Column{Func: "COUNT", Name: "*", As: "counted"})
}

// Keys returns q, of which nothing is asked but Rows, for the values that columns have
// in them, each once; none of them is NULL. Of values that the database holds for equal
// those of the columns that are text come as often as they are written in another way.
// At most so many come.
func (q Query) Keys(columns []string, text []bool, most int64) Query {
	q = q.keyed(columns)
	of := &ofRelated{}
	for i, column := range columns {
		if text[i] {
			of.written = append(of.written, column)
		}
	}
	q.more.related = of
	q.limit, q.fixed = most, true
	return q
}

// KeysCounted is Keys of those of which as many rows as the comparison says have them.
func (q Query) KeysCounted(columns []string, op Op, n, most int64) Query {
	q = q.keyed(columns).WithHaving(Cond{kind: counting, op: op, val: &counted{nil, n}})
	q.limit, q.fixed = most, true
	return q
}

func (q Query) keyed(columns []string) Query {
	list := make([]Column, len(columns))
	for i, column := range columns {
		list[i].Name = column
		q.Add(Compare(column, IsNot, nil))
	}
	q = q.OnlyColumns(list...).WithGroups(columns...)
	q.more.related = nil
	return q
}

// related writes what stands for a Related.
func (r *renderer) related(rel Related) {
	here := r.connection
	c, err := rel.Instead(At{here, r, r.q})
	switch {
	case errors.Is(err, ErrUnanswered):
		if r.far == nil {
			r.far = &Far{}
		}
		r.far.unanswered = append(r.far.unanswered, rel)
		r.str("1 = 0") // the text is thrown away
	case err != nil:
		r.fail(err)
	default:
		if r.connection != here {
			r.ident(r.connection)
		}
		r.cond(&c)
	}
	r.connection = here
}

// counting writes the comparison of a number of rows.
func (r *renderer) counting(c *Cond) {
	of := c.val.(*counted)
	if of.sub == nil {
		r.str("COUNT(*)")
	} else {
		r.subquery(r.statement(of.sub))
	}
	r.columnOp(c.op)
	r.ready(of.n)
}

// belonging writes that a column is equal to one of the query around the current one.
func (r *renderer) belonging(c *Cond) {
	outer := c.val.(outerColumn)
	r.readsOuter(outer.table, outer.column)
	if outer.first {
		r.columnOf(outer.table, outer.column)
		r.str(" = ")
	}
	r.columnOf(r.q.refName(), c.col)
	if !outer.first {
		r.str(" = ")
		r.columnOf(outer.table, outer.column)
	}
}

// written writes the items of GROUP BY that tell texts apart which the database holds
// for equal.
func (r *renderer) written(columns []string) {
	for _, column := range columns {
		r.str(", CAST(")
		r.groupColumn(column)
		switch r.d {
		case dialect.Postgres:
			r.str(` AS TEXT) COLLATE "C"`)
		case dialect.MySQL:
			r.str(" AS BINARY)")
		default:
			r.str(" AS BLOB)")
		}
	}
}

// isItself says whether the query has an alias of the library's own.
func (q *Query) isItself() bool {
	return q.more != nil && q.more.related != nil && q.more.related.itself
}
