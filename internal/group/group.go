// Package group puts related records to the parents that they belong to: it
// gathers the parents' keys, each once, says whether Go can tell which of them a
// record has, and where each record goes. It does no I/O.
package group

import (
	"cmp"
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// MaxKeys bounds the keys of one part.
const MaxKeys = 5000

// Keys are the keys of parents, each once. It is used by one goroutine.
type Keys struct {
	of     []place // by parent
	ints   map[int64]place
	others map[any]place
	open   *Part            // the part that is being filled
	opened map[string]*Part // the same by shard
	parts  []*Part
}

// place is where a key stands: in which part, counted from 1, and where in it. The
// zero place is none.
type place struct{ part, at int32 }

// Part are keys that one statement asks for.
type Part struct {
	Shard  string  // the connection, where keys are told apart by it
	Ints   []int64 // the keys, if all are whole numbers
	Values []any   // else what to ask for; a Tuple each where keys have several columns
	keys   []any   // and what Go holds for equal
	number int32
	first  int // the keys of all parts before it

	// Of keys of several columns: what each of them has.
	seen    []map[any]struct{}
	columns []*Part
}

// shardKey is a key on one shard.
type shardKey struct {
	shard string
	key   any
}

// Of returns the keys of so many parents, which have none yet.
func Of(parents int) *Keys { return &Keys{of: make([]place, parents)} }

// AddInt gives a parent a whole number as its key.
func (k *Keys) AddInt(parent int, n int64) {
	at, known := k.ints[n]
	if !known {
		if k.ints == nil {
			k.ints = map[int64]place{}
		}
		part := k.part("")
		at = place{part.number, int32(len(part.Ints))}
		part.Ints = append(part.Ints, n)
		k.ints[n] = at
	}
	k.of[parent] = at
}

// Add gives a parent a key. value is what to ask for, on that shard if it is not
// empty, and a Tuple if the key has several columns; key is the same for the same value.
func (k *Keys) Add(parent int, shard string, value, key any) {
	if n, ok := key.(int64); ok && shard == "" && k.others == nil {
		k.AddInt(parent, n)
		return
	}
	known := key
	if shard != "" {
		known = shardKey{shard, key}
	}
	at, ok := k.others[known]
	if !ok {
		if k.others == nil {
			k.others = map[any]place{}
			k.open = nil // whole numbers have a part of their own
		}
		part := k.part(shard)
		at = place{part.number, int32(len(part.Values))}
		part.Values, part.keys = append(part.Values, value), append(part.keys, key)
		if t, ok := value.(Tuple); ok {
			part.count(t)
		}
		k.others[known] = at
	}
	k.of[parent] = at
}

// part is the part for one more key.
func (k *Keys) part(shard string) *Part {
	part := k.open
	if shard != "" {
		part = k.opened[shard]
	}
	if part != nil && !part.full() {
		return part
	}
	part = &Part{Shard: shard, number: int32(len(k.parts) + 1)}
	k.parts = append(k.parts, part)
	if shard == "" {
		k.open = part
		return part
	}
	if k.opened == nil {
		k.opened = map[string]*Part{}
	}
	k.opened[shard] = part
	return part
}

// Parts are the keys by what one statement asks for. No key is added after it.
func (k *Keys) Parts() []*Part {
	first := 0
	for _, p := range k.parts {
		p.first = first
		first += p.Len()
	}
	return k.parts
}

// Len is how many keys there are.
func (p *Part) Len() int { return len(p.Ints) + len(p.Values) }

// Value is the key at a place as it is asked for.
func (p *Part) Value(at int) any {
	if p.Ints != nil {
		return p.Ints[at]
	}
	return p.Values[at]
}

// find is where in the part the key of a related record stands, -1 for nowhere.
func (k *Keys) find(p *Part, plan *rowmap.Plan, fields []int, record any) int {
	var at place
	if n, ok := plan.IntKey(fields[0], record); ok && p.Shard == "" && k.others == nil {
		at = k.ints[n]
	} else if key, ok := keyOf(plan, fields, record); ok {
		n, isInt := key.(int64)
		switch {
		case p.Shard != "":
			at = k.others[shardKey{p.Shard, key}]
		case isInt && p.Ints != nil:
			at = k.ints[n]
		default:
			at = k.others[key]
		}
	}
	if at.part != p.number {
		return -1
	}
	return int(at.at)
}

// A Fit says that a key of all parts has a record.
type Fit struct{ key, record int32 }

// At is the Fit of a record for the key at a place of the part.
func (p *Part) At(at, record int) Fit { return Fit{int32(p.first + at), int32(record)} }

// Fits appends where records go of which Go can tell it: each has a key of the part, in
// these fields.
// The records are numbered from first on. ok is false, and nothing is told, if one
// has none of them.
func (k *Keys) Fits(fits []Fit, p *Part, plan *rowmap.Plan, fields []int, records rowmap.Records, first int) (all []Fit, ok bool) {
	fits = slices.Grow(fits, records.N)
	known := len(fits)
	for i := range records.N {
		at := 0
		if p.Len() > 1 { // to a sole key belongs all that was found for it
			at = k.find(p, plan, fields, records.At(i))
		}
		if at < 0 {
			return fits[:known], false
		}
		fits = append(fits, p.At(at, first+i))
	}
	return fits, true
}

// Take sorts the fits of the part's records by their places, and returns of each key those
// behind the first so many, not more than most. Nothing else is in fits from then on.
func (p *Part) Take(fits []Fit, places []int64, skipped, most int64) []Fit {
	if !slices.IsSorted(places) { // most often they are
		order := make([]int, len(fits))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(places[a], places[b]) })
		list := slices.Clone(fits)
		for i, at := range order {
			fits[i] = list[at]
		}
	}
	seen, taken := make([]int64, p.Len()), fits[:0]
	for _, f := range fits {
		n := &seen[int(f.key)-p.first]
		if *n >= skipped && *n-skipped < most {
			taken = append(taken, f)
		}
		*n++
	}
	return taken
}

// Some are n keys of the part, from first on, to ask for.
func (p *Part) Some(first, n int) *Part {
	switch {
	case n == p.Len():
		return p
	case p.Ints != nil:
		return &Part{Shard: p.Shard, Ints: p.Ints[first : first+n]}
	}
	return &Part{Shard: p.Shard, Values: p.Values[first : first+n], keys: p.keys[first : first+n]}
}

// Deal says which records each parent has: those of parent i are
// records[bounds[i]:bounds[i+1]], in the order of fits. With one, they are the first
// of them or none.
func (k *Keys) Deal(fits []Fit, one bool) (records, bounds []int32) {
	count := 0
	for _, p := range k.parts {
		count += p.Len()
	}
	ends := make([]int32, count+1)
	for _, f := range fits {
		ends[f.key+1]++
	}
	for i := range count {
		ends[i+1] += ends[i]
	}
	sorted, next := make([]int32, len(fits)), slices.Clone(ends[:count])
	for _, f := range fits {
		sorted[next[f.key]] = f.record
		next[f.key]++
	}
	records, bounds = make([]int32, 0, len(fits)), make([]int32, len(k.of)+1)
	for i, at := range k.of {
		if at.part != 0 {
			key := k.parts[at.part-1].first + int(at.at)
			found := sorted[ends[key]:ends[key+1]]
			if one && len(found) > 1 {
				found = found[:1]
			}
			records = append(records, found...)
		}
		bounds[i+1] = int32(len(records))
	}
	return records, bounds
}

// Shared says whether two of the fits are for the same key.
func Shared(fits []Fit) bool {
	seen := make(map[int32]bool, len(fits))
	for _, f := range fits {
		if seen[f.key] {
			return true
		}
		seen[f.key] = true
	}
	return false
}
