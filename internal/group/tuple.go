package group

import (
	"cmp"
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// A Tuple is a key of several columns.
type Tuple struct {
	Values []any // what to ask for, by column
	keys   []any // what Go holds for equal, by column
}

// TupleOf returns the tuple of values of which keys are the same for the same.
func TupleOf(values, keys []any) Tuple { return Tuple{values, keys} }

// pair is a key of several columns as one comparable value.
type pair struct{ before, last any }

// Key is the same for tuples of the same keys.
func (t Tuple) Key() any {
	key := t.keys[0]
	for _, k := range t.keys[1:] {
		key = pair{key, k}
	}
	return key
}

// keyOf is the key of a related record, as [Keys.Add] was given those of parents.
func keyOf(plan *rowmap.Plan, fields []int, record any) (key any, ok bool) {
	for i, f := range fields {
		k, ok := plan.FieldKey(f, record)
		if !ok {
			return nil, false
		}
		if i == 0 {
			key = k
			continue
		}
		key = pair{key, k}
	}
	return key, true
}

// MaxGroups is about how many groups [Part.Groups] makes of a part: each is a
// condition of its own, joined to the others by OR. SQLite takes 1000 of those.
const MaxGroups = 250

// column are the keys that a part has in column i, each once, as a part of their own.
func (p *Part) column(i int) *Part {
	for i >= len(p.columns) {
		p.columns = append(p.columns, nil)
	}
	if p.columns[i] != nil {
		return p.columns[i]
	}
	c := &Part{}
	seen := make(map[any]bool, len(p.Values))
	for _, v := range p.Values {
		t := v.(Tuple)
		if k := t.keys[i]; !seen[k] {
			seen[k] = true
			c.Values, c.keys = append(c.Values, t.Values[i]), append(c.keys, k)
		}
	}
	p.columns[i] = c
	return c
}

// alone is the part as its only column sees it, or its column i of several.
func (p *Part) alone(i, columns int) *Part {
	if columns == 1 {
		return p
	}
	return p.column(i)
}

// full says whether one more key belongs to another part: a statement asks for so
// many keys, and for so many groups of them.
func (p *Part) full() bool {
	if p.Len() >= MaxKeys {
		return true
	}
	if p.seen == nil || p.Len() < MaxGroups {
		return false
	}
	most := 0
	for i, column := range p.seen {
		if len(column) > len(p.seen[most]) {
			most = i
		}
	}
	groups := 1 // at most so many
	for i, column := range p.seen {
		if i != most {
			groups = min(groups*len(column), MaxGroups)
		}
	}
	return groups == MaxGroups
}

// count notes the keys of a tuple for full.
func (p *Part) count(t Tuple) {
	if p.seen == nil {
		p.seen = make([]map[any]struct{}, len(t.keys))
		for i := range p.seen {
			p.seen[i] = map[any]struct{}{}
		}
	}
	for i, k := range t.keys {
		p.seen[i][k] = struct{}{}
	}
}

// A Group are keys of several columns that have all values but the last in common.
type Group struct {
	Columns []int // in the order of Values: all columns but Column
	Values  []any // their values
	Column  int
	List    []any // the values of Column
}

// Groups are the keys of a part in as few groups as their columns allow: the column of
// the most values is that of the lists.
func (p *Part) Groups() []Group {
	columns := make([]int, len(p.Values[0].(Tuple).keys))
	for i := range columns {
		columns[i] = i
	}
	slices.SortStableFunc(columns, func(a, b int) int { return cmp.Compare(p.column(a).Len(), p.column(b).Len()) })
	common, last := columns[:len(columns)-1], columns[len(columns)-1]
	var groups []Group
	at := map[any]int{}
	for _, v := range p.Values {
		t := v.(Tuple)
		values, keys := make([]any, len(common)), make([]any, len(common))
		for i, c := range common {
			values[i], keys[i] = t.Values[c], t.keys[c]
		}
		key := Tuple{values, keys}.Key()
		g, known := at[key]
		if !known {
			g = len(groups)
			at[key] = g
			groups = append(groups, Group{Columns: common, Values: values, Column: last})
		}
		groups[g].List = append(groups[g].List, t.Values[last])
	}
	return groups
}
