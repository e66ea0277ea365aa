package dbfleet

import (
	"context"
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// reaching is the condition of rows that a chain leads to a number of records which have
// conds, each of them counted once; the number is op n. It is a value, as having.
type reaching struct {
	having // of the first step: its parents, and the number
	chain  chain
	conds  []Cond
}

// hasCount is the condition of parents of which the number of related records that have
// conds is op n.
//
//go:noinline
func (c chain) hasCount(part, op string, n int, conds []Cond) Cond {
	if err := c.check(); err != nil {
		return Cond{sqlgen.Invalid(err)}
	}
	c.kept = false // nobody gets the records between
	r := &reaching{having: having{tie: c.between[0], part: part, n: int64(n)}, chain: c, conds: conds}
	r.op, r.err = countOp(part, op, n)
	return Cond{sqlgen.Of(r)}
}

// Instead implements sqlgen.Related.
func (r *reaching) Instead(at sqlgen.At) (sqlgen.Cond, error) {
	outer, near, err := r.near(&at)
	var c sqlgen.Cond
	switch {
	case err != nil:
		return sqlgen.Cond{}, r.fault(err)
	case near:
		c, err = r.within(&at, outer)
	default:
		told, ok := at.Told(r)
		if !ok {
			return sqlgen.Cond{}, sqlgen.ErrUnanswered
		}
		c, err = r.among(&at, told.([]any))
	}
	if err != nil {
		return sqlgen.Cond{}, err
	}
	return r.concerned(&at, c)
}

// near says whether all of the chain lives where the statement goes and can be compared
// there, and the parents' rows, which that calls outer, can be named everywhere within.
func (r *reaching) near(at *sqlgen.At) (outer string, near bool, err error) {
	if r.err != nil {
		return "", false, r.err
	}
	outer, near, err = at.Called(r.tie.parents.table.Name)
	if err != nil {
		return "", false, err
	}
	for i, t := range r.chain.ties() {
		h := having{tie: t, op: sqlgen.Gt}
		_, to, here, err := h.asked(at.Connection)
		if err != nil && i == 0 {
			return "", false, err
		}
		near = near && err == nil && (here && !t.shardsAlike() || at.Names(to))
	}
	for i := range r.chain.between {
		near = near && !r.chain.between[i].related.q.Hides(outer)
	}
	return outer, near, nil
}

// within is the condition as a subquery: for the number of last records that some lead back
// from to the parent at hand.
func (r *reaching) within(at *sqlgen.At, outer string) (sqlgen.Cond, error) {
	first := &r.tie
	q := first.related.next()
	q.q, q.relations = q.q.Enclosed(), nil
	for _, c := range sqlgen.Belongs(outer, first.columns(), first.parents.table.ColumnsOf(first.parentColumns)) {
		q.q.Add(c)
	}
	ties := r.chain.ties()
	for i := range ties[1:] {
		t := &ties[i+1]
		back := t.reversed(q)
		back.turned, back.mixed = true, t.mixed
		q = t.related.next()
		q.q, q.relations = q.q.Enclosed(), nil
		if t.follows() {
			q = q.named(at.Connection)
		}
		q = q.filter([]Cond{back.has(nil)})
	}
	q, err := r.chain.last.rows(q.filter(r.conds), false)
	if err != nil {
		return sqlgen.Cond{}, r.fault(err)
	}
	sub, table, err := at.Statement(q)
	if err == nil {
		sub, err = sub.Inside(outer)
	}
	if err != nil {
		return sqlgen.Cond{}, r.fault(err)
	}
	return sqlgen.CompareCount(&rendered{q, sub.Counted(), table}, r.op, r.n), nil
}

// ask reads the records between, counts those that they lead to, and returns the keys of
// the parents for which the condition holds; if it holds for parents without a record,
// those of the others.
func (r *reaching) ask(ctx context.Context, connection string, primary bool) ([]any, error) {
	last := r.chain.last
	related := last.related.next()
	related.q = related.q.Enclosed()
	related, err := last.rows(related.filter(r.conds), false)
	if err != nil {
		return nil, err
	}
	if last.related, err = related.selecting(related.src.table.KeyNames()); err != nil {
		return nil, err
	}
	last.related.relations = nil
	rest := chain{between: r.chain.between[1:], last: last}
	values, from, err := r.begin(ctx, &rest, connection, primary)
	if err != nil {
		return nil, err
	}
	read := &chainRead{chain: &rest, last: from, picks: make([][]pick, len(values))}
	if err := read.climb(ctx); err != nil {
		return nil, err
	}
	most := r.tie.mostKeys()
	if read.last.N > most {
		return nil, r.tie.tooMany(rest.between[len(rest.between)-1].related, connection)
	}
	if err := read.all(ctx, &rest.last); err != nil {
		return nil, err
	}
	if read.g.all != nil && read.g.count() > most {
		return nil, last.tooMany(last.related, connection)
	}
	op := r.op
	if op.Holds(0, r.n) {
		op = op.Inverse()
	}
	var keys []any
	for i, picks := range read.picks {
		if op.Holds(int64(len(picks)), r.n) {
			keys = append(keys, values[i])
		}
	}
	return keys, nil
}

// begin reads the records of the first step, and returns the parents' keys that they have
// and, in the order of those, the records.
func (r *reaching) begin(ctx context.Context, rest *chain, connection string, primary bool) (values []any, from linked, err error) {
	t := &r.tie
	for i, column := range t.relatedColumns {
		parent := t.parents.table.Plan.Field(t.parentColumns[i]).Kind
		if !plainlyCompared(parent) || !plainlyCompared(t.related.src.table.Plan.Field(column).Kind) {
			return nil, linked{}, t.related.src.table.Fail("column %q is compared by the databases alone, and so not over two connections by %s, which takes whole numbers, bools and UUIDs there", t.columns()[i], r.part)
		}
	}
	next := &rest.last
	if len(rest.between) > 0 {
		next = &rest.between[0]
	}
	columns, err := next.needs()
	if err != nil {
		return nil, linked{}, err
	}
	h := having{tie: *t, op: sqlgen.Gt}
	q, _, _, err := h.asked(connection)
	if err != nil {
		return nil, linked{}, err
	}
	if primary && q.wish().replica == "" {
		q = q.primary()
	}
	for _, c := range t.columns() {
		if !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
		q = q.compare(false, c, sqlgen.IsNot, nil)
	}
	most := t.mostKeys()
	q = q.selects(columns).limit(most + 1)
	to, err := q.destination()
	if err != nil {
		return nil, linked{}, err
	}
	plan := q.src.table.Plan
	list := plan.NewList()
	if err := q.get(ctx, list); err != nil {
		return nil, linked{}, err
	}
	all := plan.Records(list)
	if all.N > most {
		return nil, linked{}, t.tooMany(q, connection)
	}
	known, byOwner := map[any]int{}, [][]int(nil)
	for i := range all.N {
		value, key, ok := t.parentKey(all.At(i))
		if !ok {
			continue
		}
		at, there := known[key]
		if !there {
			at = len(values)
			known[key] = at
			values, byOwner = append(values, value), append(byOwner, nil)
		}
		byOwner[at] = append(byOwner[at], i)
	}
	var order []int
	for owner, records := range byOwner {
		for _, i := range records {
			order = append(order, i)
			from.owner = append(from.owner, int32(owner))
		}
	}
	from.Records = rowmap.Records{N: len(order), At: func(i int) any { return all.At(order[i]) }}
	from.from = origin{to.connection, primary}
	return values, from, nil
}
