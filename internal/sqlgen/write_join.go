package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// UPDATE and DELETE of the rows that others are joined to. PostgreSQL and SQLite list the
// other tables and take what joins them as conditions, MySQL has the words of a SELECT, and
// a DELETE of SQLite finds the rows by their keys.
//
// A row with several matches is changed once. On each database the conditions hold for a
// row as it is when it is changed, also after somebody else has changed it meanwhile.

// joinable refuses the joins that a write does not have on every database.
func (r *renderer) joinable(q *Query, verb string) {
	if !q.Joined() {
		return
	}
	reason := ""
	for i := range q.more.joins {
		switch j := &q.more.joins[i]; {
		case j.expr != nil:
			reason = verb + " takes no join that is given as SQL; use Join"
		case j.kind != "JOIN" && j.kind != "CROSS JOIN":
			reason = verb + " takes no " + j.kind + ", which leaves no row out; use QueryValue for its values, and WhereNotExists for rows without a match"
		}
	}
	switch {
	case reason != "":
	case q.limit >= 0:
		reason = verb + " with a limit takes none; use WhereExists"
	case q.more.returning:
		reason = verb + " that returns its rows takes none; use WhereExists"
	default:
		return
	}
	r.fail(r.fault("join", reason, nil))
}

// otherTables writes the tables that are joined.
func (r *renderer) otherTables(q *Query) {
	for i := range q.more.joins {
		j := &q.more.joins[i]
		r.commas(i)
		r.calledOnce(j)
		r.livesHere(j.table)
		r.joinedPath(j.table)
		if j.alias != "" {
			r.str(" AS ")
			r.ident(j.alias)
		}
	}
}

// matched writes the conditions of a write, with those that join other tables among them.
func (r *renderer) matched(q *Query) {
	if !q.Joined() {
		r.chosen(q)
		return
	}
	all := q.Enclosed()
	for i := range q.more.joins {
		j := &q.more.joins[i]
		if j.kind != "CROSS JOIN" {
			all = all.WithCond(CompareColumns(j.left, j.op, j.right))
		}
		if o := r.joinedOwner(j); o != nil {
			all = all.WithCond(Cond{kind: owning, val: &owned{o, j.ref()}})
		}
	}
	r.where(&all)
}

// joinsOf writes the joins as a SELECT has them.
func (r *renderer) joinsOf(q *Query) {
	if q.more == nil {
		return
	}
	for i := range q.more.joins {
		r.join(&q.more.joins[i])
	}
}

// joinedUpdate writes what follows the table of an UPDATE, with the tables that are joined.
func (r *renderer) joinedUpdate(q *Query, sets func()) {
	if r.d == dialect.MySQL && q.Joined() {
		r.joinsOf(q)
		sets()
		r.where(q)
		return
	}
	sets()
	if q.Joined() {
		r.str(" FROM ")
		r.otherTables(q)
	}
	r.matched(q)
}

// joinedDelete writes what follows DELETE for rows that others are joined to.
func (r *renderer) joinedDelete(q *Query) {
	switch r.d {
	case dialect.MySQL:
		r.str("DELETE ")
		r.tablePath(q.Table())
		r.str(" FROM ")
		r.tablePath(q.Table())
		r.joinsOf(q)
		r.where(q)
	case dialect.Postgres:
		r.str("DELETE FROM ")
		r.tablePath(q.Table())
		r.str(" USING ")
		r.otherTables(q)
		r.matched(q)
	default:
		r.str("DELETE FROM ")
		r.tablePath(q.Table())
		r.str(" WHERE (")
		more := *q.more
		more.columns, more.implied, more.ctes, more.all = nil, false, nil, false
		for i, k := range r.key {
			r.commas(i)
			r.ident(k)
			more.columns = append(more.columns, Column{Name: q.Table() + "." + k})
		}
		if len(r.key) == 0 {
			r.str("rowid")
			more.columns = []Column{{Expr: &Expr{Term: rowID{}}, As: "dbfleet_row"}}
		}
		r.str(") IN (")
		keys := Query{table: q.table, steps: q.steps, limit: -1, more: &more}
		r.nested(&keys, r.table)
		r.str(")")
		if o := r.ownerOf(q); o != nil { // a CTE may have the table's name, and hide it from the subquery
			r.str(" AND ")
			r.ownedBy(o, "")
		}
	}
}

// ownColumn writes a column of the row that is changed, where a value reads it.
func (r *renderer) ownColumn(name string) {
	if r.q.Joined() {
		r.columnOf(r.q.refName(), name)
		return
	}
	r.ident(name)
}

// setColumn writes the column that an assignment sets.
func (r *renderer) setColumn(name string) {
	if r.d == dialect.MySQL {
		r.ownColumn(name)
		return
	}
	r.ident(name)
}

// rowID is the number by which SQLite finds a row of a table without a model.
type rowID struct{}

func (rowID) write(r *renderer) {
	r.path(r.q.refName())
	r.str(".rowid")
}

func (rowID) reads(func(string)) {}
