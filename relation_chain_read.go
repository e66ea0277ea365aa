package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// reached are related records of a chain, those of each parent side by side.
type reached struct {
	dealt
	between any // *[]J, the record between of each of the list's, if they are kept
}

// load reads the related records of parents: level by level, each from its own database.
// A record that several parents have is there several times, as with tie.load.
func (c *chain) load(ctx context.Context, from origin, parents rowmap.Records) (*reached, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	r := &chainRead{chain: c, picks: make([][]pick, parents.N)}
	if err := r.reach(ctx, from, parents); err != nil {
		return nil, err
	}
	if err := r.read(ctx); err != nil {
		return nil, err
	}
	return r.deal(ctx)
}

// chainRead reads the last records of a chain.
type chainRead struct {
	*chain
	before *gathering // of the records that the last ones belong to
	places []int32    // of those, in before
	last   linked     // those
	g      *gathering // of the related records
	picks  [][]pick   // by parent
}

// pick is a related record of a parent, and the record between.
type pick struct{ record, between int32 }

// reach reads all levels but the last.
func (r *chainRead) reach(ctx context.Context, from origin, parents rowmap.Records) error {
	r.last = linked{Records: parents, owner: make([]int32, parents.N), from: from}
	for i := range r.last.owner {
		r.last.owner[i] = int32(i)
	}
	return r.climb(ctx)
}

// climb reads all levels but the last, of the records that are at hand.
func (r *chainRead) climb(ctx context.Context) error {
	for i := range r.between {
		next := &r.chain.last
		if i+1 < len(r.between) {
			next = &r.between[i+1]
		}
		t, err := r.between[i].stepping(next, r.kept)
		if err != nil {
			return err
		}
		if r.before, r.places, r.last, err = t.level(ctx, r.last); err != nil {
			return err
		}
	}
	return nil
}

// read finds the related records of each parent. In one statement for all of them, they
// come in its order; where it takes several, or a limit is to hold for each parent,
// parents are asked for by themselves.
func (r *chainRead) read(ctx context.Context) error {
	t := r.chain.last
	q := t.related
	limit, offset := q.q.Limit(), q.q.Offset()
	bounded := limit != -1 || offset != 0
	switch {
	case limit < -1 || offset < 0:
		return q.src.table.Fail("the limit or offset of the relation's Scope is negative")
	case !r.kept && (bounded || r.one && q.q.Ordered()):
		return r.byParent(ctx)
	case bounded:
		q = q.next()
		q.q = q.q.WithoutBounds()
		for _, c := range q.src.table.KeyNames() {
			q.q.AddTie(c)
		}
	}
	var err error
	if !q.q.Merges() && !q.q.Unites() { // by it they are told apart
		if q, err = q.selecting(q.src.table.KeyNames()); err != nil {
			return err
		}
	}
	t.related = q
	if err := r.all(ctx, &t); err != nil {
		return err
	}
	if q.q.Ordered() && r.g.asked > 1 {
		if !r.kept {
			clear(r.picks)
			return r.byParent(ctx)
		}
		if err := r.inTurn(ctx, &t); err != nil {
			return err
		}
	}
	if q.q.Ordered() {
		for _, picks := range r.picks {
			slices.SortStableFunc(picks, func(a, b pick) int { return cmp.Compare(a.record, b.record) })
		}
	}
	if bounded {
		for i, picks := range r.picks {
			from := min(int(offset), len(picks))
			to := len(picks)
			if limit >= 0 {
				to = min(to, from+int(limit))
			}
			r.picks[i] = picks[from:to]
		}
	}
	return nil
}

// all reads the related records of all parents at once.
func (r *chainRead) all(ctx context.Context, t *tie) error {
	g, records, bounds, err := t.each(ctx, r.last)
	if err != nil {
		return err
	}
	r.g = g
	return r.pick(records, bounds, 0, r.last.N)
}

// each reads the related records of records, and tells which each has.
func (t *tie) each(ctx context.Context, of linked) (g *gathering, records, bounds []int32, err error) {
	if of.N == 0 {
		return &gathering{tie: t, query: t.related}, nil, []int32{0}, nil
	}
	if g, err = t.gather(ctx, of.from, of.Records); err != nil {
		return nil, nil, nil, err
	}
	records, bounds = g.keys.Deal(g.fits, false)
	return g, records, bounds, nil
}

// pick gives parents what the n records from first on have: records[bounds[i]:bounds[i+1]]
// the i-th of them. A parent gets a record once, unless each record between counts.
func (r *chainRead) pick(records, bounds []int32, first, n int) error {
	same, err := r.same()
	if err != nil {
		return err
	}
	var seen map[int32]bool
	owner := int32(-1)
	for i := range n {
		between := first + i
		if at := r.last.owner[between]; at != owner {
			owner = at
			seen = map[int32]bool{}
		}
		for _, record := range records[bounds[i]:bounds[i+1]] {
			if same != nil {
				record = same[record]
			}
			if !r.kept {
				if seen[record] {
					continue
				}
				seen[record] = true
			}
			r.picks[owner] = append(r.picks[owner], pick{record, int32(between)})
		}
	}
	return nil
}

// same tells of each record that was read the first one that is the same row, which
// several statements may have read; nil after one statement.
func (r *chainRead) same() ([]int32, error) {
	if r.g.asked < 2 {
		return nil, nil
	}
	t := r.g.query.src.table
	plan, names := t.Plan, t.KeyNames()
	fields := make([]int, len(names))
	for i, name := range names {
		if q := &r.g.query.q; q.Selects() && (!q.Gives(name) || q.CallsElse(name)) {
			return nil, t.Fail("the relation's records are read by several statements, and without the column %q, which the relation's Scope does not select, they are not told apart", name)
		}
		var err error
		if fields[i], err = t.Index(name); err != nil {
			return nil, err
		}
	}
	all := plan.Records(r.g.all)
	first := make(map[any]int32, all.N)
	same := make([]int32, all.N)
	for i := range all.N {
		keys := make([]any, len(fields))
		for k, f := range fields {
			keys[k], _ = plan.FieldKey(f, all.At(i))
		}
		key := group.TupleOf(nil, keys).Key()
		at, known := first[key]
		if !known {
			at = int32(i)
			first[key] = at
		}
		same[i] = at
	}
	return same, nil
}

// inTurn reads the related records of each parent by a statement of its own, with those
// between.
func (r *chainRead) inTurn(ctx context.Context, t *tie) error {
	clear(r.picks)
	all := &gathering{tie: t, query: r.g.query}
	for first := 0; first < r.last.N; {
		owner, n := r.last.owner[first], 0
		for first+n < r.last.N && r.last.owner[first+n] == owner {
			n++
		}
		g, records, bounds, err := t.each(ctx, linked{Records: r.last.Part(first, n), from: r.last.from})
		if err != nil {
			return err
		}
		if g.asked > 1 {
			return t.related.src.table.Fail("one parent has so many related records, or records of such keys, that several statements read them, whose order is not one; leave out the order, or the record between")
		}
		if g.all != nil {
			base := int32(all.count())
			all.took(&related{selection: selection{into: g.all}, connection: g.from})
			for i := range records {
				records[i] += base
			}
			r.g = &gathering{} // of one statement: its records are told apart
			if err := r.pick(records, bounds, first, n); err != nil {
				return err
			}
		}
		first += n
	}
	r.g = all
	return nil
}

// byParent asks for the related records of each parent by themselves: those of up to 48
// in one statement.
func (r *chainRead) byParent(ctx context.Context) error {
	t := &r.chain.last
	q, err := t.narrowed(r.last.from)
	if err != nil {
		return err
	}
	q = q.next()
	if r.one {
		q.bound()
	}
	r.g = &gathering{tie: t, query: q}
	asked, err := r.asked()
	if err != nil {
		return err
	}
	sharded := slices.ContainsFunc(asked, func(p parentKeys) bool { return p.shard != "" })
	if sharded || !q.q.Divisible(!r.one) {
		return r.apart(ctx, asked)
	}
	return r.together(ctx, asked)
}

func (r *chainRead) apart(ctx context.Context, asked []parentKeys) error {
	for _, p := range asked {
		q := r.g.query
		if p.shard != "" {
			q = q.named(p.shard)
		}
		v := r.g.verb(q.where(p.cond))
		if err := v.get(ctx); err != nil {
			return err
		}
		from := r.g.count()
		r.g.took(v)
		for record := from; record < r.g.count(); record++ {
			r.picks[p.owner] = append(r.picks[p.owner], pick{record: int32(record)})
		}
	}
	return nil
}

func (r *chainRead) together(ctx context.Context, asked []parentKeys) error {
	most := sqlgen.MaxEach
	for first := 0; first < len(asked); {
		n := min(most, len(asked)-first)
		conds := make([]sqlgen.Cond, n)
		for i := range conds {
			conds[i] = asked[first+i].cond
		}
		q := r.g.query.next()
		q.q = q.q.WithEach(conds, q.src.table.KeyNames(), !r.one)
		v := r.g.verb(q)
		err := v.get(ctx)
		if n > 1 && errors.Is(err, sqlgen.ErrTooManyArgs) {
			most = n / 2
			continue
		}
		if err != nil {
			return err
		}
		from := r.g.count()
		r.g.took(v)
		for i, key := range v.numbers {
			if key < int64(n) {
				owner := asked[first+int(key)].owner
				r.picks[owner] = append(r.picks[owner], pick{record: int32(from + i)})
			}
		}
		first += n
	}
	return nil
}

// deal gives each parent its records, and those their relations.
func (r *chainRead) deal(ctx context.Context) (*reached, error) {
	var records, between []int32
	bounds := make([]int32, len(r.picks)+1)
	for i, picks := range r.picks {
		if r.one && len(picks) > 1 {
			picks = picks[:1]
		}
		for _, p := range picks {
			records = append(records, p.record)
			if r.kept {
				between = append(between, r.places[p.between])
			}
		}
		bounds[i+1] = int32(len(records))
	}
	plan := r.g.query.src.table.Plan
	if r.g.all == nil {
		r.g.all = plan.NewList()
	}
	d := &reached{dealt: dealt{plan.Dealt(r.g.all, records), bounds}}
	if r.kept {
		rows := r.before.query.src.table.Plan
		if r.before.all == nil {
			r.before.all = rows.NewList()
		}
		d.between = rows.Dealt(r.before.all, between)
		if err := r.before.query.relate(ctx, r.before.from, rows.Records(d.between)); err != nil {
			return nil, err
		}
	}
	return d, r.g.query.relate(ctx, r.g.from, plan.Records(d.list))
}
