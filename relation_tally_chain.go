package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

func (r ToManyThrough[P, C]) tally(ctx context.Context, from origin, parents rowmap.Records, ask tallying) error {
	return r.chain.tally(ctx, from, parents, ask)
}

func (r ToOneThrough[P, C]) tally(ctx context.Context, from origin, parents rowmap.Records, ask tallying) error {
	return r.chain.tally(ctx, from, parents, ask)
}

func (r ToManyPivot[P, C, J]) tally(ctx context.Context, from origin, parents rowmap.Records, ask tallying) error {
	return r.chain.tally(ctx, from, parents, ask)
}

// tally asks for an aggregate of the records that the chain leads each parent to, each of
// them once, however many ways lead there. The records between are read as load does, and
// the last ones are asked for by what those refer to: by a condition for each parent, since
// one record may belong to several.
func (c *chain) tally(ctx context.Context, from origin, parents rowmap.Records, ask tallying) error {
	if err := c.check(); err != nil {
		return err
	}
	steps := *c
	steps.kept = false // nobody gets the records between
	r := &chainRead{chain: &steps}
	if err := r.reach(ctx, from, parents); err != nil {
		return err
	}
	t := &steps.last
	q, err := t.narrowed(r.last.from)
	if err != nil {
		return err
	}
	q = q.next()
	q.relations = nil
	if q, err = t.rows(q, ask.exist); err != nil {
		return err
	}
	if ask.column != "*" {
		if err := single(ask.part, ask.column); err != nil {
			return err
		}
	}
	asked, err := r.asked()
	if err != nil {
		return err
	}
	s := &summing{tie: t, query: q, ask: ask}
	places := make([]int, parents.N) // by parent, one more than the place in s.places
	for _, part := range byShard(asked) {
		at := q
		if part[0].shard != "" {
			at = q.named(part[0].shard)
		}
		err := s.some(ctx, at, len(part),
			func(i int) sqlgen.Cond { return part[i].cond },
			func(i, place int) { places[part[i].owner] = place + 1 })
		if err != nil {
			return err
		}
	}
	for i, place := range places {
		at := -1
		if place > 0 {
			at = s.places[place-1]
		}
		if err := ask.give(parents.At(i), at); err != nil {
			return err
		}
	}
	return nil
}

// byShard is the list in parts, one for each shard.
func byShard(list []parentKeys) (parts [][]parentKeys) {
	known := map[string]int{}
	for _, p := range list {
		at, ok := known[p.shard]
		if !ok {
			at = len(parts)
			known[p.shard] = at
			parts = append(parts, nil)
		}
		parts[at] = append(parts[at], p)
	}
	return parts
}
