package starter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/schema"
)

// relation is a relation that a foreign key tells.
type relation struct {
	verb       string // of dbfleet
	typ        string
	parent, to *record
	pivot      *record // of ManyToMany
	links      []string
	field      field
	member     string
}

// reference is a foreign key between two records that have models.
type reference struct {
	from, to          *record
	columns, refersTo []string
	base              string // what the record is to the one that refers to it
	one               bool   // at most one row refers to a row
}

// relate makes the relations of all foreign keys.
func (f *file) relate() {
	for _, r := range f.records {
		var all []reference
		for _, k := range r.table.ForeignKeys {
			if ref, why := f.reference(r, k); why != "" {
				text := fmt.Sprintf("foreign key %s to table %s gives no relation: %s", strings.Join(k.Columns, ", "), k.Table, why)
				f.warn(r, "", "the "+text)
				r.notes = append(r.notes, "The "+text+".")
			} else {
				all = append(all, ref)
			}
		}
		slices.SortFunc(all, func(a, b reference) int {
			return cmp.Or(slices.Compare(a.columns, b.columns), cmp.Compare(a.to.name, b.to.name), slices.Compare(a.refersTo, b.refersTo))
		})
		all = slices.CompactFunc(all, func(a, b reference) bool {
			return a.to == b.to && slices.Equal(a.columns, b.columns) && slices.Equal(a.refersTo, b.refersTo)
		})
		for i, ref := range all {
			f.refer(ref, slices.ContainsFunc(all, func(o reference) bool { return o.to == ref.to && !slices.Equal(o.columns, all[i].columns) }))
		}
		f.pivot(r, all)
	}
}

// reference finds what a foreign key refers to, or why it gives no relation.
func (f *file) reference(r *record, k schema.ForeignKey) (ref reference, why string) {
	ref.from = r
	for _, to := range f.records {
		same := to.table.Name == k.Table || r.on.Dialect.FoldsColumns && strings.EqualFold(to.table.Name, k.Table)
		if to.on == r.on && same && to.table.Schema == cmp.Or(k.Schema, r.table.Schema) {
			ref.to = to
		}
	}
	switch {
	case ref.to == nil:
		return ref, "the table is not among those that were asked for"
	case ref.to.key == nil:
		return ref, "the table has no model"
	case r.key == nil:
		return ref, "this table has no model"
	}
	for i, name := range k.Columns {
		there := k.RefersTo[i]
		if there == "" && i < len(ref.to.key) {
			there = ref.to.key[i]
		}
		here, back := r.column(name), ref.to.column(there)
		if here == nil || back == nil || !nameable(here.Name) || !nameable(back.Name) {
			return ref, "one of its columns is no field"
		}
		ref.columns, ref.refersTo = append(ref.columns, here.Name), append(ref.refersTo, back.Name)
	}
	ref.base = ref.to.one
	if len(ref.columns) == 1 {
		base := GoName(ref.columns[0])
		for _, end := range []string{"ID", "UUID", "Fk", "Key", "Code"} {
			if stem, cut := strings.CutSuffix(base, end); cut && stem != "" {
				ref.base = stem
				break
			}
		}
	}
	sorted := slices.Sorted(slices.Values(ref.columns))
	ref.one = slices.Equal(sorted, slices.Sorted(slices.Values(r.key))) || slices.ContainsFunc(r.table.Indexes, func(i schema.Index) bool {
		return i.Unique && !i.Partial && slices.Equal(sorted, slices.Sorted(slices.Values(i.Columns)))
	})
	return ref, ""
}

// link is the Link of a reference, as Go.
func (ref *reference) link() string {
	if len(ref.columns) == 1 && slices.Equal(ref.refersTo, ref.to.key) {
		return fmt.Sprintf("dbfleet.On(%q)", ref.columns[0])
	}
	var b strings.Builder
	for i := range ref.columns {
		call := ".And"
		if i == 0 {
			call = "dbfleet.On"
		}
		fmt.Fprintf(&b, "%s(%q, %q)", call, ref.columns[i], ref.refersTo[i])
	}
	return b.String()
}

// refer makes the relation of a record to what it refers to, and the way back. several
// says that the record refers to it in more than one way.
func (f *file) refer(ref reference, several bool) {
	from, to, link := ref.from, ref.to, []string{ref.link()}
	f.relation(relation{verb: "BelongsTo", typ: "ToOne", parent: from, to: to, links: link}, "*"+to.name, ref.base, to.one, ref.base+"Record")
	verb, typ, held, name := "HasMany", "ToMany", "[]"+from.name, from.many
	if ref.one {
		verb, typ, held, name = "HasOne", "ToOne", "*"+from.name, from.one
	}
	by := name + "By" + ref.base
	if several || from == to {
		name = by
	}
	f.relation(relation{verb: verb, typ: typ, parent: to, to: from, links: link}, held, name, by)
}

// relation adds a relation and the field that it fills in, which takes the first free name.
func (f *file) relation(rel relation, held string, names ...string) {
	rel.field = field{name: rel.parent.used.take(names...), typ: held}
	rel.parent.related = append(rel.parent.related, rel.field)
	rel.member = f.members.take(rel.parent.name+rel.field.name, rel.parent.name+rel.field.name+"Relation")
	f.relations = append(f.relations, rel)
}

// pivot makes the relations of two records that a table of two foreign keys ties: those
// keys together are unique in it.
func (f *file) pivot(r *record, all []reference) {
	if len(all) != 2 {
		return
	}
	both := slices.Sorted(slices.Values(slices.Concat(all[0].columns, all[1].columns)))
	if len(slices.Compact(slices.Clone(both))) != len(both) {
		return // one column of both links, which no relation takes
	}
	unique := slices.Equal(both, slices.Sorted(slices.Values(r.key))) || slices.ContainsFunc(r.table.Indexes, func(i schema.Index) bool {
		return i.Unique && !i.Partial && slices.Equal(both, slices.Sorted(slices.Values(i.Columns)))
	})
	if !unique {
		return
	}
	for i, parent := range all {
		child := all[1-i]
		name := child.to.many
		if parent.to == child.to {
			name += "By" + parent.base
		}
		f.relation(relation{
			verb: "ManyToMany", typ: "ToManyPivot", parent: parent.to, to: child.to, pivot: r, links: []string{parent.link(), child.link()},
		}, "[]"+child.to.name, name, child.to.many+"By"+r.one)
	}
}
