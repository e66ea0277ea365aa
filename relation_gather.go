package dbfleet

import (
	"context"
	"slices"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// gathering reads the related records of many parents. Which parent a record
// belongs to is what the database says of related column = the parent's key, as
// with For: Go compares keys only where the database cannot see it otherwise
// (internal/group tells when), and else has the database say which keys each row is
// equal to.
type gathering struct {
	*tie
	query *query // for the related records of all parents
	keys  *group.Keys
	all   any // a *[]C of those that were read, nil before the first statement
	fits  []group.Fit
	from  string // the connection that they were read on; one of them if they are sharded
	asked int    // statements that have read them
	keyed bool   // some records are asked for each key apart
}

// read reads the related records of the keys of one part.
func (g *gathering) read(ctx context.Context, part *group.Part) error {
	q := g.query
	if part.Shard != "" {
		q = q.named(part.Shard)
	}
	bounded, sole := q.q.Limit() != -1 || q.q.Offset() != 0, part.Len() == 1
	if bounded || g.one && q.q.Ordered() {
		some := q.next()
		if g.one {
			some.bound()
		}
		switch divisible := q.q.Divisible(!g.one); {
		case divisible:
			return g.each(ctx, some, part)
		case bounded:
			return g.apart(ctx, some, part)
		}
	}
	plan, kinds := q.src.table.Plan, g.kinds()
	if !sole && (slices.ContainsFunc(g.columns(), q.q.Names) || !part.Certain(kinds...)) {
		return g.marked(ctx, q, part)
	}
	v := g.verb(g.among(q, part))
	if err := v.get(ctx); err != nil {
		return err
	}
	fits, ok := g.keys.Fits(g.fits, part, plan, g.relatedColumns, plan.Records(v.into), g.count())
	if !ok || !sole && !part.Settled(kinds, v.typeNames) {
		return g.marked(ctx, q, part)
	}
	g.fits = fits
	g.took(v)
	return nil
}

// kinds are those of the related columns' fields.
func (g *gathering) kinds() []rowmap.Kind {
	kinds := make([]rowmap.Kind, len(g.relatedColumns))
	for i, column := range g.relatedColumns {
		kinds[i] = g.query.src.table.Plan.Field(column).Kind
	}
	return kinds
}

// among is the query for the related records of all keys of a part.
func (g *gathering) among(q *query, part *group.Part) *query { return q.where(g.tie.among(part)) }

// among is the condition of the related records of all keys of a part.
func (t *tie) among(part *group.Part) sqlgen.Cond {
	switch {
	case len(t.relatedColumns) > 1:
		return grouped(t.columns(), part.Groups())
	case part.Ints != nil:
		return sqlgen.Compare(t.column(0), sqlgen.In, part.Ints)
	}
	return sqlgen.Compare(t.column(0), sqlgen.In, part.Values)
}

// grouped is the condition of keys of several columns, which have these names: one of
// them in a list for each value of the others, so that every database finds the rows by
// an index of them all, and each column is compared as a sole one.
func grouped(names []string, groups []group.Group) sqlgen.Cond {
	each := make([]sqlgen.Cond, len(groups))
	for n, of := range groups {
		all := make([]sqlgen.Cond, 0, len(of.Columns)+1)
		for i, column := range of.Columns {
			all = append(all, sqlgen.Compare(names[column], sqlgen.Eq, of.Values[i]))
		}
		all = append(all, sqlgen.Compare(names[of.Column], sqlgen.In, of.List))
		each[n] = sqlgen.Group(all...)
		if n > 0 {
			each[n] = each[n].Or()
		}
	}
	return sqlgen.Group(each...)
}

// apart asks for each of the keys in a statement of its own.
func (g *gathering) apart(ctx context.Context, q *query, part *group.Part) error {
	for at := range part.Len() {
		v := g.verb(q.where(g.equal(part.Value(at))))
		if err := v.get(ctx); err != nil {
			return err
		}
		from := g.count()
		g.took(v)
		for record := from; record < g.count(); record++ {
			g.fits = append(g.fits, part.At(at, record))
		}
	}
	return nil
}

// marked asks which of the keys each record is equal to.
func (g *gathering) marked(ctx context.Context, q *query, part *group.Part) error {
	return g.numbered(ctx, q, part, sqlgen.MaxEach, func(q *sqlgen.Query, first, n int) sqlgen.Query {
		return q.WithMarks(g.equalTo(part, first, n))
	}, func(first, n, record int, marks int64) error { return g.byMarks(part, first, n, record, marks) })
}

// byMarks tells where a record goes whose marks say which of n keys it is equal to.
func (g *gathering) byMarks(part *group.Part, first, n, record int, marks int64) error {
	if marks == 0 {
		return g.query.src.table.Fail("a related record fits no parent: the database found its %s equal to a key, but to none of them", listed(g.columns(), nil))
	}
	for bit := range n {
		if marks&(1<<bit) != 0 {
			g.fits = append(g.fits, part.At(first+bit, record))
		}
	}
	return nil
}

// equalTo are the conditions of n keys.
func (g *gathering) equalTo(part *group.Part, first, n int) []sqlgen.Cond {
	keys := make([]sqlgen.Cond, n)
	for i := range keys {
		keys[i] = g.equal(part.Value(first + i))
	}
	return keys
}

// verb is the verb of a query for related records.
func (g *gathering) verb(q *query) *related {
	plan := q.src.table.Plan
	return &related{selection: selection{trip: trip{q: q}, into: plan.NewList()}, keys: g.columns()}
}

// count is how many records were taken.
func (g *gathering) count() int {
	if g.all == nil {
		return 0
	}
	return g.query.src.table.Plan.Records(g.all).N
}

// took takes the records that a verb has read.
func (g *gathering) took(v *related) {
	g.from = v.connection
	g.asked++
	if g.all == nil {
		g.all = v.into
		return
	}
	rowmap.AppendLike(g.all, v.into)
}

// deal gives each parent its records, and those their relations.
func (g *gathering) deal(ctx context.Context) (*dealt, error) {
	plan := g.query.src.table.Plan
	if g.all == nil {
		g.all = plan.NewList()
	}
	records, bounds := g.keys.Deal(g.fits, g.one)
	d := &dealt{plan.Dealt(g.all, records), bounds}
	return d, g.query.relate(ctx, g.from, plan.Records(d.list))
}

// related is the verb that reads related records.
type related struct {
	selection
	keys       []string // the related columns
	typeNames  []string // of them in the result
	numbers    []int64  // of each record, where the query asks for them
	ended      bool     // behind all rows came the one that says so, if they are numbered
	connection string
}

func (v *related) get(ctx context.Context) error {
	_, err := v.run(ctx, v)
	return err
}

func (v *related) read(rows driver.Rows) (int64, error) {
	src := rowmap.Source(rows)
	hidden := v.q.q.Hidden()
	if v.numbered {
		hidden = 1
	}
	if hidden > 0 {
		v.numbers, v.ended = nil, false
		src = rowmap.Hiding(rows, hidden, func(number int64) bool {
			if v.numbered && number == 0 {
				v.ended = true
				return false
			}
			v.numbers = append(v.numbers, number)
			return true
		})
	}
	v.typeNames = make([]string, len(v.keys))
	for k, key := range v.keys {
		if i := slices.Index(src.Columns(), key); i >= 0 {
			v.typeNames[k] = src.TypeName(i)
		}
	}
	plan := v.q.src.table.Plan
	if err := v.fits(plan, src); err != nil {
		return 0, err
	}
	n, err := v.reads(plan, src).ReadAll(src, v.into, 0)
	return int64(n), err
}

func (v *related) finish(_ context.Context, p *place, _ driver.Result) error {
	v.connection = p.e.name
	return nil
}
