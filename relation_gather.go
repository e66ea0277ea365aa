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
}

// asking is a query for the related records of some keys.
type asking struct {
	*query
	part   *group.Part
	ranked bool // limit and offset hold for each value of the column
}

// read reads the related records of the keys of one part.
func (g *gathering) read(ctx context.Context, part *group.Part) error {
	q := g.query
	if part.Shard != "" {
		q = q.named(part.Shard)
	}
	a := asking{query: q, part: part}
	bounded := q.q.Limit() != -1 || q.q.Offset() != 0
	if bounded || g.one && q.q.Ordered() {
		switch rankable := q.q.Rankable(); {
		case rankable && part.Len() > 1:
			a.query, a.ranked = g.bounded(q), true
			a.q = a.q.WithinEach(g.column(), q.src.table.KeyNames())
		case rankable || bounded:
			return g.apart(ctx, a, 0, part.Len())
		}
	}
	sole, kind := part.Len() == 1, q.src.table.Plan.Field(g.relatedColumn).Kind
	if !sole && (q.q.Names(g.column()) || !part.Certain(kind)) {
		return g.marked(ctx, a)
	}
	v := g.verb(a.keyed(g.column()))
	if a.ranked {
		v.hidden = 1
	}
	if err := v.get(ctx); err != nil {
		return err
	}
	plan := q.src.table.Plan
	fits, ok := g.keys.Fits(g.fits, part, plan, g.relatedColumn, plan.Records(v.into), g.count())
	if !ok || !sole && !part.Settled(kind, v.typeName) {
		return g.marked(ctx, a)
	}
	g.fits = fits
	g.took(v)
	return nil
}

// bounded is the query for as many records as one parent has.
func (g *gathering) bounded(q *query) *query {
	q = q.next()
	if g.one {
		q.bound()
	}
	return q
}

// keyed is the query with its keys.
func (a *asking) keyed(column string) *query {
	if a.part.Ints != nil {
		return a.in(column, sqlgen.In, a.part.Ints)
	}
	return a.in(column, sqlgen.In, a.part.Values)
}

// apart asks for each of the keys from first to end in a statement of its own.
func (g *gathering) apart(ctx context.Context, a asking, first, end int) error {
	q := g.bounded(g.query)
	if a.part.Shard != "" {
		q = q.named(a.part.Shard)
	}
	if q.q.Rankable() { // in the same order as those that are asked for together
		for _, c := range q.src.table.KeyNames() {
			q.q.AddOrder(sqlgen.Order{Column: c})
		}
	}
	for at := first; at < end; at++ {
		v := g.verb(q.where(sqlgen.Compare(g.column(), sqlgen.Eq, a.part.Value(at))))
		if err := v.get(ctx); err != nil {
			return err
		}
		from := g.count()
		g.took(v)
		for record := from; record < g.count(); record++ {
			g.fits = append(g.fits, a.part.At(at, record))
		}
	}
	return nil
}

// marked asks which of the keys each record is equal to.
func (g *gathering) marked(ctx context.Context, a asking) error {
	for first := 0; first < a.part.Len(); first += sqlgen.MaxMarks {
		end := min(first+sqlgen.MaxMarks, a.part.Len())
		if a.ranked && a.q.Offset() > 0 { // what is equal to a key may be of several values
			if err := g.apart(ctx, a, first, end); err != nil {
				return err
			}
			continue
		}
		values := make([]any, 0, end-first)
		for at := first; at < end; at++ {
			values = append(values, a.part.Value(at))
		}
		q := a.next()
		q.q = q.q.WithMarks(g.column(), values)
		v := g.verb(q)
		v.marked, v.hidden = true, 1
		if a.ranked {
			v.hidden = 2
		}
		if err := v.get(ctx); err != nil {
			return err
		}
		fits, more, err := g.byMarks(a, first, len(values), v.marks)
		switch {
		case err != nil:
			return err
		case more:
			err = g.apart(ctx, a, first, end)
		default:
			g.fits = append(g.fits, fits...)
			g.took(v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// byMarks says where records go whose marks tell which of n keys they are equal to.
// more says that a key has more of them than its limit: they are of several values,
// so which of them are the first is not known.
func (g *gathering) byMarks(a asking, first, n int, marks []int64) (fits []group.Fit, more bool, err error) {
	of := make([]int64, n)
	for i, m := range marks {
		if m == 0 {
			return nil, false, g.query.src.table.Fail("a related record fits no parent: the database found its %q equal to a key, but to none of them", g.column())
		}
		for bit := range n {
			if m&(1<<bit) != 0 {
				fits = append(fits, a.part.At(first+bit, g.count()+i))
				of[bit]++
				more = more || a.ranked && of[bit] > a.q.Limit()
			}
		}
	}
	return fits, more, nil
}

// verb is the verb of a query for related records.
func (g *gathering) verb(q *query) *related {
	plan := q.src.table.Plan
	return &related{selection: selection{trip: trip{q: q}, into: plan.NewList()}, key: g.column()}
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
	if g.all == nil {
		g.all = v.into
		return
	}
	g.query.src.table.Plan.Append(g.all, v.into)
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
	key        string // the related column
	hidden     int    // columns at the end that no record has
	marked     bool   // the first of them are marks
	marks      []int64
	typeName   string // of the key's column
	connection string
}

func (v *related) get(ctx context.Context) error {
	_, err := v.run(ctx, v)
	return err
}

func (v *related) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, s, v)
}

func (v *related) read(rows driver.Rows) (int64, error) {
	src := rowmap.Source(rows)
	if v.hidden > 0 {
		v.marks = nil
		src = rowmap.Hiding(rows, v.hidden, func(numbers []int64) {
			if v.marked {
				v.marks = append(v.marks, numbers[0])
			}
		})
	}
	if i := slices.Index(src.Columns(), v.key); i >= 0 {
		v.typeName = src.TypeName(i)
	}
	n, err := v.q.src.table.Plan.ReadAll(src, v.into, 0)
	return int64(n), err
}

func (v *related) finish(_ context.Context, p *place, _ driver.Result) error {
	v.connection = p.e.name
	return nil
}
