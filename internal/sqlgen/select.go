package sqlgen

import (
	"fmt"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Select renders a query.
func Select(q *Query, env *Env) (string, []any, error) {
	return render(env, q, func(r *renderer) {
		r.locks = r.root.Lock() != NoLock
		if r.sortsWhole(&r.root) {
			r.str(dialect.SortedWhole)
		}
		r.selectStatement(&r.root, r.table)
	})
}

// selectStatement writes q with its unions. t knows q's table.
func (r *renderer) selectStatement(q *Query, t Table) {
	seen, outer := len(r.ctes), r.folds
	r.with(q)
	r.selectWhole(q, t)
	r.ctes, r.folds = r.ctes[:seen], outer
}

// selectWhole is selectStatement behind WITH.
func (r *renderer) selectWhole(q *Query, t Table) {
	if q.more != nil && len(q.more.unions) > 0 {
		r.unionStatement(q, t)
		return
	}
	if q.more != nil && q.more.each != nil {
		r.forEach(q, t)
		return
	}
	r.selectBody(q, t)
	r.orderAndLimit(q)
	r.ungrouped()
	r.lock(q)
}

// unionStatement writes q UNION others; ORDER BY, LIMIT and OFFSET of q hold
// for the whole.
func (r *renderer) unionStatement(q *Query, t Table) {
	if q.Lock() != NoLock {
		r.q = q
		r.fail(r.fault("lock", "a union takes no row locks", nil))
		return
	}
	r.selectBody(q, t)
	r.ungrouped()
	for _, u := range q.more.unions {
		if u.all {
			r.str(" UNION ALL ")
		} else {
			r.str(" UNION ")
		}
		uq, ut, err := r.statement(u.q)
		if err != nil {
			r.fail(err)
			return
		}
		if uq.Lock() != NoLock {
			r.fail(r.fault("lock", "a union takes no row locks", nil))
		}
		outer, outerTable := r.q, r.table
		if uq.bounded() || uq.steps.ordered() || (uq.more != nil && len(uq.more.unions)+len(uq.more.ctes) > 0) {
			// Not every database takes parentheses here; all take a derived table.
			r.str("SELECT * FROM ")
			r.derived(&uq, ut, "u")
		} else {
			r.selectBody(&uq, ut)
			r.ungrouped()
		}
		r.q, r.table = outer, outerTable
	}
	r.folds = nil
	r.orderAndLimit(q)
}

// selectBody writes a SELECT up to its HAVING, and makes it the current one.
func (r *renderer) selectBody(q *Query, t Table) {
	r.q, r.table = q, t
	r.folds = r.fold(q, t)
	r.str("SELECT ")
	if r.sortsWhole(q) {
		r.str(dialect.SortedWholeHint)
	}
	if q.distinct() {
		r.str("DISTINCT ")
	}
	r.selectList(q, t)
	r.hidden(q)
	r.folds.pause()
	r.str(" FROM ")
	r.fromTable(q)
	if q.more != nil {
		for i := range q.more.joins {
			r.join(&q.more.joins[i])
		}
	}
	r.where(q)
	if q.more == nil {
		r.folds.begin("order by")
		return
	}
	for i, g := range q.more.groups {
		r.str([2]string{" GROUP BY ", ", "}[min(i, 1)])
		r.groupName(q, g)
	}
	if q.more.related != nil {
		r.written(q.more.related.written)
	}
	r.folds.begin("having")
	if len(q.more.having) > 0 {
		r.str(" HAVING ")
		r.having = true
		r.condList(q.more.having)
		r.having = false
	}
	r.folds.begin("order by")
}

// fromTable writes what stands behind FROM, joins apart.
func (r *renderer) fromTable(q *Query) {
	if q.more != nil && q.more.from != nil {
		r.derived(q.more.from, r.table, q.more.alias)
		// The outer query's columns are the inner one's select list.
		r.table = nil
		return
	}
	r.tablePath(q.Table())
	if q.more != nil && q.more.alias != "" {
		r.str(" AS ")
		r.ident(q.more.alias)
	}
}

// join writes one join.
func (r *renderer) join(j *join) {
	r.str(" ")
	if j.expr != nil {
		r.raw(j.expr, "join")
		return
	}
	owner := r.joinedOwner(j)
	cross := j.kind == "CROSS JOIN"
	if cross && owner != nil {
		r.str("JOIN")
	} else {
		r.str(j.kind)
	}
	r.str(" ")
	r.calledOnce(j)
	r.livesHere(j.table)
	r.joinedPath(j.table)
	if j.alias != "" {
		r.str(" AS ")
		r.ident(j.alias)
	}
	if cross {
		if owner != nil {
			r.str(" ON ")
			r.ownedBy(owner, j.ref())
		}
		return
	}
	r.str(" ON ")
	r.column(j.left)
	r.columnOp(j.op)
	r.column(j.right)
	r.joinsOwned(j, owner)
}

// calledOnce refuses a join of a table that the query reads by the same name
// already.
func (r *renderer) calledOnce(j *join) {
	n := 0
	for i := range r.q.more.joins {
		if other := &r.q.more.joins[i]; other.expr == nil && other.ref() == j.ref() {
			n++
		}
	}
	if n > 1 || j.ref() == r.q.refName() {
		r.fail(r.fault("join", fmt.Sprintf("the query reads two tables as %q; give one an alias", j.ref()), nil))
	}
}

// columnOp writes a comparison that stands between two columns.
func (r *renderer) columnOp(op Op) {
	switch op {
	case NoOp: // told by a condition that fails
	case Eq, NotEq, Lt, LtEq, Gt, GtEq:
		r.str(" ")
		r.str(opNames[op])
		r.str(" ")
	default:
		r.fail(r.fault("operator", fmt.Sprintf("two columns cannot be compared by %q", opName(op)), nil))
	}
}

// livesHere refuses a join of a table that only another connection is known to have. That is
// known where models are: one of the query's own table here, and of the other there. (A
// sharded model is not taken for that: its shards may have copies of small tables.)
func (r *renderer) livesHere(table string) {
	if r.models == nil {
		return
	}
	if _, _, is := r.cteHas(table, ""); is {
		return
	}
	if there := r.models.Elsewhere(r.connection, r.q.Table(), table); there != "" {
		r.fail(r.fault("join", fmt.Sprintf("table %q has a model on connection %q and none on %q, where the statement goes: no join reads two databases. "+
			"Load it by a relation, or, if %[3]q has such a table too, make a model of that", table, there, r.connection), nil))
	}
}
