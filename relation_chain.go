package dbfleet

import (
	"context"
	"errors"
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// chain is what relations through other records are: ties of which each one's related
// records are the parents of the next.
type chain struct {
	between []tie // all but the last
	last    tie
	one     bool // a parent has one related record, or none
	kept    bool // with each related record comes the one between, of a sole tie
	err     error
}

// errNoChain tells of the zero value of a relation through others.
var errNoChain = &StatementError{Part: "relation", Reason: "it is the zero value; ManyToMany, HasManyThrough and HasOneThrough make one"}

// chained is the chain of steps, in order. What a step's Scope says of the rows holds in
// it, and of its order that of the last.
func chained(fieldless bool, steps ...[]tie) chain {
	var c chain
	ties := slices.Concat(steps...)
	for i := range ties {
		ties[i].one = false // of a step every record counts
	}
	if len(ties) < 2 {
		c.err = errNoChain
		return c
	}
	if fieldless {
		c.err = errors.Join(c.err, &StatementError{Part: "relation", Reason: "the function that names a field of the parent is nil"})
	}
	c.between, c.last = ties[:len(ties)-1], ties[len(ties)-1]
	c.err = errors.Join(c.err, c.last.unbounded())
	return c
}

// unbounded refuses a limit for each record of the step before.
func (t *tie) unbounded() error {
	if q := t.related; t.check() == nil && (q.q.Limit() != -1 || q.q.Offset() != 0) {
		return q.src.table.Fail("a step of a relation has a limit, which would be one for each record of the step before; give it to the relation itself by Scope")
	}
	return nil
}

func (c *chain) check() error {
	if c.err == nil && c.between == nil {
		return errNoChain
	}
	errs := c.err
	for i := range c.between {
		t := &c.between[i]
		errs = errors.Join(errs, t.check(), t.unbounded())
		if t.check() == nil && t.related.q.Merges() {
			errs = errors.Join(errs, t.related.src.table.Fail("a step's Scope groups or merges rows, so that none of them is a record that others refer to"))
		}
	}
	return errors.Join(errs, c.last.check())
}

func (c *chain) needs() ([]string, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return c.between[0].needs()
}

// ties are all of the chain, for one that continues it.
func (c *chain) ties() []tie {
	if c.err != nil || c.between == nil {
		return []tie{{err: c.check()}}
	}
	return append(slices.Clone(c.between), c.last)
}

// home is the connection of the parents' model.
func (c *chain) home() string {
	if c.check() != nil {
		return ""
	}
	return c.between[0].home()
}

// scoped is the chain with what Scope's function made of the related query.
func (c chain) scoped(related *query) chain {
	if c.between != nil {
		c.last = c.last.scoped(related)
	}
	return c
}

// with is the chain that loads relations of the related records too.
func (c chain) with(relations []relation) chain {
	if c.between != nil {
		c.last.related = c.last.related.with(relations)
	}
	return c
}

// takingAtMost is the chain of which conditions take so many keys over, at each step.
func (c chain) takingAtMost(n int) chain {
	if c.between == nil {
		return c
	}
	c.between = slices.Clone(c.between)
	for i := range c.between {
		c.between[i] = c.between[i].takingAtMost(n)
	}
	c.last = c.last.takingAtMost(n)
	return c
}

// has is the condition of parents that have a related record which has conds.
func (c chain) has(conds []Cond) Cond {
	if err := c.check(); err != nil {
		return Cond{sqlgen.Invalid(err)}
	}
	conds = []Cond{c.last.has(conds)}
	for i := len(c.between) - 1; i >= 0; i-- {
		conds = []Cond{c.between[i].has(conds)}
	}
	return conds[0]
}

// hasNone is the condition of parents that have none.
func (c chain) hasNone(conds []Cond) Cond {
	if err := c.check(); err != nil {
		return Cond{sqlgen.Invalid(err)}
	}
	conds = []Cond{c.last.has(conds)}
	for i := len(c.between) - 1; i > 0; i-- {
		conds = []Cond{c.between[i].has(conds)}
	}
	return c.between[0].hasNone(conds)
}

// queryFor is the query for the related records of one parent: those that a record
// between refers to, or is referred to by, of those that the parent has.
func (c *chain) queryFor(parent any, isNil bool) *query {
	if err := c.check(); err != nil {
		return (*query)(nil).broken(err)
	}
	q := c.between[0].queryFor(parent, isNil)
	for i := 1; i < len(c.between); i++ {
		q = c.between[i].of(q)
	}
	return c.last.of(q)
}

// of is the query for the related records of those that q finds.
func (t *tie) of(parents *query) *query {
	if parents.usable() != nil {
		return parents
	}
	back := t.reversed(parents)
	q := t.related.next()
	q.q = q.q.Enclosed()
	return q.filter([]Cond{back.has(nil)})
}

// reversed is the tie from the related records to those parents that q finds. Columns of
// which two databases may hold other values for the same are compared by the related
// one, by its keys, as With does.
func (t *tie) reversed(parents *query) tie {
	r := tie{
		parents: t.related.src, parentColumns: t.relatedColumns,
		relatedColumns: t.parentColumns, related: parents.whose(t.whose), most: t.most,
		mixed: make([]bool, len(t.mixed)),
	}
	for i, mixed := range t.mixed {
		r.mixed[i] = mixed || !plainlyCompared(t.related.src.table.Plan.Field(t.relatedColumns[i]).Kind)
	}
	return r
}

// plainlyCompared says whether all databases hold the same values of a kind for equal.
func plainlyCompared(k rowmap.Kind) bool {
	switch k {
	case rowmap.Int, rowmap.Uint, rowmap.Bool, rowmap.UUID:
		return true
	}
	return false
}

// linked are records of a level of a chain, and whose they are.
type linked struct {
	rowmap.Records
	owner []int32 // the parent at the chain's begin, in order
	from  origin  // where they were read
}

// level reads the records that a tie of the chain leads to from those before.
func (t *tie) level(ctx context.Context, before linked) (g *gathering, records []int32, next linked, err error) {
	if before.N == 0 {
		return &gathering{tie: t, query: t.related}, nil, linked{from: before.from}, nil
	}
	if g, err = t.gather(ctx, before.from, before.Records); err != nil {
		return nil, nil, linked{}, err
	}
	records, bounds := g.keys.Deal(g.fits, false)
	next = linked{from: before.from, owner: make([]int32, len(records))}
	for i := range before.N {
		for k := bounds[i]; k < bounds[i+1]; k++ {
			next.owner[k] = before.owner[i]
		}
	}
	if g.all != nil {
		all := t.related.src.table.Plan.Records(g.all)
		next.Records = rowmap.Records{N: len(records), At: func(i int) any { return all.At(int(records[i])) }}
		next.from.connection = g.from
	}
	return g, records, next, nil
}

// stepping is the tie that reads of its records only what the next one needs, unless they
// are kept.
func (t tie) stepping(next *tie, kept bool) (tie, error) {
	columns, err := next.needs()
	if err != nil {
		return t, err
	}
	q := t.related.next()
	if !kept {
		q.relations = nil
		if !q.q.Selects() {
			for _, c := range t.columns() {
				if !slices.Contains(columns, c) {
					columns = append(columns, c)
				}
			}
			q = q.selects(columns)
		}
	}
	t.related, err = q.selecting(columns)
	return t, err
}

// goesTo is where the chain's first records are read, if that of all is known.
func (c *chain) goesTo(from origin) (connection string, ok bool) {
	if c.check() != nil {
		return "", false
	}
	for i := range c.between {
		if _, ok := c.between[i].goesTo(from); !ok {
			return "", false
		}
	}
	if _, ok := c.last.goesTo(from); !ok {
		return "", false
	}
	return c.between[0].goesTo(from)
}
