package sqlgen

import "strconv"

// A row of the query's own table may come several times by its joins: its key does not
// tell those rows apart.

// WithJoinedTies sorts rows that the order holds for equal by the primary keys of the
// joined tables, too, behind the query's own ties. Where a row may show more than columns
// of its own table and no model knows the key of a joined one, or the join is SQL of the
// caller's, rendering fails unless the order has something of that.
func (q Query) WithJoinedTies() Query {
	if !q.Joined() {
		return q
	}
	q, p := q.extend()
	p.apart = true
	return q
}

// joinedTies writes the order that WithJoinedTies asks for.
func (r *renderer) joinedTies(q *Query) {
	if q.more == nil || !q.more.apart || r.showsOwnOnly(q) {
		return // equal rows show the same
	}
	for i := range q.more.joins {
		j := &q.more.joins[i]
		key := r.joinedKey(j)
		for _, name := range key {
			r.str(", ")
			r.columnOf(j.ref(), name)
		}
		if len(key) == 0 && !r.ordersByJoined(q, j) {
			which := "what is joined by SQL"
			if j.expr == nil {
				which = "the joined table " + strconv.Quote(calledAs(j.table, j.ref()))
			}
			r.fail(r.fault("order by", "of "+which+" no model tells the primary key, and one row may come with several of its: name an order by columns of it that tells them apart, or pages may share rows and lack others", nil))
			return
		}
	}
}

// joinedKey is the primary key of a joined table, nil where no model knows it.
func (r *renderer) joinedKey(j *join) []string {
	if j.expr != nil || r.models == nil {
		return nil
	}
	if _, _, is := r.cteHas(j.table, ""); is {
		return nil
	}
	return r.models.Key(r.connection, r.q.Table(), j.table)
}

// showsOwnOnly says that all columns of the result are known to be those of q's own table.
func (r *renderer) showsOwnOnly(q *Query) bool {
	for o := range q.outputs(r.d) {
		switch {
		case o.kind == star && q.ownStar(&o):
		case o.of == "" || o.table != "" && !q.own(o.table):
			return false
		case o.table == "" && (r.table == nil || !r.table.Modelled() || !r.table.Known(o.of)):
			return false
		}
	}
	return true
}

// ordersByJoined says whether the order has something that may be of a join: a column of
// it, what the select list computes, or SQL.
func (r *renderer) ordersByJoined(q *Query, j *join) bool {
	list := q.steps.all()
	for i := range list {
		o := &list[i]
		if o.kind != order {
			continue
		}
		if o.detail() != nil && o.detail().expr != nil || q.Computes(o.col) {
			return true
		}
		table, name := splitName(o.col)
		switch of := q.joined(table); {
		case table == "":
			if r.table == nil || !r.table.Known(name) {
				return true
			}
		case of == j, of == nil && j.expr != nil && !q.own(table):
			return true
		}
	}
	return false
}
