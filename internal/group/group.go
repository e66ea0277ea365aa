// Package group puts related records to the parents that they belong to: it
// gathers the parents' keys, each once, and deals out the records that were found
// for them. It does no I/O.
package group

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Groups are related records by the key that their parents have. It is used by
// one goroutine.
type Groups struct {
	of     []int // by parent: its group, -1 for none
	ints   map[int64]int
	others map[any]int
	ends   []int // by group: where it begins among the dealt records, and the next
	handed []bool

	// Ints and Keys are what to ask for where all records live on one connection.
	Ints []int64
	Keys []any
	// Shards are the keys to ask for by connection, in the order of Order. Sharded
	// says that there are any.
	Shards  map[string][]any
	Order   []string
	Sharded bool

	asked map[shardKey]bool
}

// shardKey is a key on one shard.
type shardKey struct {
	shard string
	key   any
}

// New returns the groups of so many parents, which have none yet.
func New(parents int) *Groups {
	g := &Groups{of: make([]int, parents)}
	for i := range g.of {
		g.of[i] = -1
	}
	return g
}

// AddInt puts a parent into the group of a whole number.
func (g *Groups) AddInt(parent int, n int64) {
	at, fresh := g.int(n)
	if g.of[parent] = at; fresh {
		g.Ints = append(g.Ints, n)
	}
}

// Add puts a parent into the group of a key. value is what to ask for; key is
// equal for equal ones.
func (g *Groups) Add(parent int, value, key any) {
	at, fresh := g.any(key)
	if g.of[parent] = at; fresh {
		g.Keys = append(g.Keys, value)
	}
}

// AddOnShard is Add for a group whose records live on one shard.
func (g *Groups) AddOnShard(parent int, shard string, value, key any) {
	k := shardKey{shard, key}
	g.of[parent], _ = g.any(k)
	if g.asked[k] {
		return
	}
	if !g.Sharded {
		g.Sharded, g.Shards, g.asked = true, map[string][]any{}, map[shardKey]bool{}
	}
	g.asked[k] = true
	if g.Shards[shard] == nil {
		g.Order = append(g.Order, shard)
	}
	g.Shards[shard] = append(g.Shards[shard], value)
}

func (g *Groups) int(n int64) (at int, fresh bool) {
	if g.ints == nil {
		g.ints = map[int64]int{}
	}
	if at, known := g.ints[n]; known {
		return at, false
	}
	at = g.count()
	g.ints[n] = at
	return at, true
}

func (g *Groups) any(k any) (at int, fresh bool) {
	if n, ok := k.(int64); ok {
		return g.int(n)
	}
	if g.others == nil {
		g.others = map[any]int{}
	}
	if at, known := g.others[k]; known {
		return at, false
	}
	at = g.count()
	g.others[k] = at
	return at, true
}

func (g *Groups) count() int { return len(g.ints) + len(g.others) }

// find returns the group of a related record, -1 for none. Keys of different Go
// types that mean the same find each other.
func (g *Groups) find(plan *rowmap.Plan, field int, record any) int {
	if n, ok := plan.IntKey(field, record); ok {
		if at, ok := g.ints[n]; ok {
			return at
		}
		if g.others == nil {
			return -1
		}
	}
	k, ok := plan.FieldKey(field, record)
	if !ok {
		return -1
	}
	if n, ok := k.(int64); ok {
		if at, ok := g.ints[n]; ok {
			return at
		}
	}
	if at, ok := g.others[k]; ok {
		return at
	}
	return -1
}

// Deal says where each related record goes, those of one group in their order
// side by side, and how many go somewhere; -1 is nowhere. shards names the shard
// of each record where the groups are Sharded, and is nil otherwise.
func (g *Groups) Deal(plan *rowmap.Plan, field int, records rowmap.Records, shards []string) (places []int, n int) {
	count := g.count()
	g.ends, g.handed = make([]int, count+1), make([]bool, count)
	places = make([]int, records.N)
	for i := range places {
		at := -1
		if shards == nil {
			at = g.find(plan, field, records.At(i))
		} else if k, ok := plan.FieldKey(field, records.At(i)); ok {
			if known, ok := g.others[shardKey{shards[i], k}]; ok {
				at = known
			}
		}
		if places[i] = at; at >= 0 {
			g.ends[at+1]++
		}
	}
	for i := range count {
		g.ends[i+1] += g.ends[i]
	}
	next := slices.Clone(g.ends[:count])
	for i, at := range places {
		if at >= 0 {
			places[i] = next[at]
			next[at]++
		}
	}
	return places, g.ends[count]
}

// Bounds are where the records of a parent lie among the dealt ones.
func (g *Groups) Bounds(parent int) (from, to int) {
	at := g.of[parent]
	if at < 0 {
		return 0, 0
	}
	return g.ends[at], g.ends[at+1]
}

// HandedOut notes that a parent takes its records, and says whether another
// parent has taken the same before.
func (g *Groups) HandedOut(parent int) (before bool) {
	at := g.of[parent]
	if at < 0 {
		return false
	}
	before = g.handed[at]
	g.handed[at] = true
	return before
}
