package dbfleet

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// each asks for some records of each key.
func (g *gathering) each(ctx context.Context, q *query, part *group.Part) error {
	ties, most := g.query.src.table.KeyNames(), sqlgen.MaxEach
	told := part.Ints != nil || part.Certain(g.kinds()...) // as far as the keys themselves tell
	if told {
		most = sqlgen.MaxEachOf
	}
	g.keyed = g.crowd.isThere() || slices.ContainsFunc(g.columns(), q.q.Names)
	return g.numbered(ctx, q, part, most, func(q *sqlgen.Query, first, n int) sqlgen.Query {
		if !told {
			return q.WithEach(g.equalTo(part, first, n), ties, !g.one)
		}
		some := q.WithEachOf(g.keysOf(part, first, n), ties, !g.one)
		if g.keyed {
			some = some.AskedApart()
		}
		return some
	}, func(first, n, record int, key int64) error {
		if key < int64(n) {
			g.fits = append(g.fits, part.At(first+int(key), record))
		}
		return nil
	})
}

// keysOf are n keys of a part as they are asked for together.
func (g *gathering) keysOf(part *group.Part, first, n int) *sqlgen.Keys {
	some := part.Some(first, n)
	return &sqlgen.Keys{
		Columns: g.columns(), N: n, Ints: some.Ints, Whole: g.tie.among(some),
		Equal: func(i int) sqlgen.Cond { return g.equal(some.Value(i)) },
	}
}

// numbered asks with some of the keys after the other, and tells what the number of
// each record says of the n keys from first on.
func (g *gathering) numbered(ctx context.Context, q *query, part *group.Part, most int, with func(q *sqlgen.Query, first, n int) sqlgen.Query, told func(first, n, record int, number int64) error) error {
	for first := 0; first < part.Len(); {
		n := min(most, part.Len()-first)
		some := q.next()
		some.q = with(&q.q, first, n)
		v := g.verb(some)
		err := v.get(ctx)
		if errors.Is(err, sqlgen.ErrTooManyKeys) {
			most = sqlgen.MaxEach
			continue
		}
		if n > 1 && errors.Is(err, sqlgen.ErrTooManyArgs) {
			most = min(n/2, sqlgen.MaxEach) // the query's own arguments come once for each key
			continue
		}
		if err != nil {
			return err
		}
		if v.numbered && !g.placed(v, part, &q.q) {
			g.keyed = true
			g.crowd.was()
			continue
		}
		from := g.count()
		g.took(v)
		if !v.numbered {
			for i, number := range v.numbers {
				if err := told(first, n, from+i, number); err != nil {
					return err
				}
			}
		}
		first += n
	}
	return nil
}

// placed tells where records go of which each has the number of its place among those of
// all keys. It is false where that is not certain: where there are too many, and where Go
// does not know which key each has.
func (g *gathering) placed(v *related, part *group.Part, q *sqlgen.Query) bool {
	plan, known := g.query.src.table.Plan, len(g.fits)
	if !v.ended || !part.Settled(g.kinds(), v.typeNames) {
		return false
	}
	fits, ok := g.keys.Fits(g.fits, part, plan, g.relatedColumns, plan.Records(v.into), g.count())
	if ok {
		taken := part.Take(fits[known:], v.numbers, q.Offset(), q.Limit())
		g.fits = fits[:known+len(taken)]
	}
	return ok
}

// crowd remembers of a relation that its records could not be numbered, too many as they
// were, so that this is not tried each time. It is safe for concurrent use.
type crowd struct{ left atomic.Int32 }

// crowdStays is how many times in a row the records of each key are asked for apart then.
const crowdStays = 31

func (c *crowd) was() {
	if c != nil {
		c.left.Store(crowdStays)
	}
}

func (c *crowd) isThere() bool { return c != nil && c.left.Load() > 0 && c.left.Add(-1) >= 0 }

// The values of entry.numbers beside 0, which is not known yet.
const (
	numbersRows   = 1
	numbersNoRows = 2 // one server at least does not
)

// numbersRows says whether the servers are known to take what sqlgen.Env.Numbers allows. A
// second node that is asked as well does not tell, so it gets what all take.
func (e *entry) numbersRows() bool {
	return e.numbers.Load() == numbersRows && e.config.Reads.HedgeAfter <= 0
}

// exchange asks the connection whether its server numbers rows: what the next statement will
// be follows from that. A server that does not, where others do, is asked apart.
func (v *related) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	if p.e.dialect != dialect.MySQL {
		return p.rows(ctx, nil, s, v)
	}
	c, err := p.hold(ctx)
	if err != nil {
		return unknownRows, err
	}
	defer p.letGo(c)
	switch {
	case !c.Numbers():
		p.e.numbers.Store(numbersNoRows)
		if v.numbered {
			return unknownRows, sqlgen.ErrTooManyKeys
		}
	default:
		p.e.numbers.CompareAndSwap(0, numbersRows)
	}
	v.ended = false
	res, err := p.rows(ctx, c, s, v)
	if v.numbered && driver.SortAborted(err) {
		return res, nil // as where it ends with fewer rows: they are asked for apart
	}
	return res, err
}
