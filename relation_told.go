package dbfleet

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// RelationDescription tells how a model is related to another one; see
// ModelDescription.Relations.
type RelationDescription struct {
	// Kind is "has many", "has one", "belongs to", "many to many", "has many through" or
	// "has one through".
	Kind string
	// Model, Table and Connection are those of the related records: the Go type, and ""
	// for the connection of a sharded model.
	Model, Table, Connection string
	// Through are the tables between, none if the link is a direct one.
	Through []string
	// Columns are the model's own columns of the link, and RelatedColumns those of the
	// related records. Without tables between there are as many of each, and each has
	// the value of the one at its place.
	Columns, RelatedColumns []string
	// TypeColumns are the columns that have one value in the rows of the relation, which
	// OnType names: of the side that refers, or of the table between.
	TypeColumns []string
}

// The kinds of relations. A tie that is a part of another relation has none.
const (
	partOfRelation  = ""
	kindHasMany     = "has many"
	kindHasOne      = "has one"
	kindBelongsTo   = "belongs to"
	kindManyToMany  = "many to many"
	kindManyThrough = "has many through"
	kindOneThrough  = "has one through"
)

// relationKey is what makes two relations of one model the same: not the functions and
// scopes, nor the values of OnType, but the models' tables and the columns.
type relationKey struct {
	kind, model, table, connection, through, columns, related, types string
}

// sought is what a relation asks of a table's indexes: rows are found by columns.
type sought struct {
	model, table, connection string
	columns                  []string
	types                    []string // columns of the same condition that need not be in the index
	unique                   bool     // one row at most has these and those
	why                      string
	needs                    string // what goes wrong without a unique index, "" for that of a pivot
}

// toldRelation is a relation with what it looks up.
type toldRelation struct {
	RelationDescription
	seeks []sought
}

// relationList are the relations whose parents are a model's records, each once, however
// often it is made: what they are is all that it keeps.
type relationList struct {
	mu   sync.Mutex // protects following fields
	list map[relationKey]*toldRelation
}

// add adds a relation unless it is there; tell makes what is kept.
func (l *relationList) add(key relationKey, tell func() *toldRelation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.list[key]; known {
		return
	}
	if l.list == nil {
		l.list = map[relationKey]*toldRelation{}
	}
	l.list[key] = tell()
}

// all are the relations in order of kind, table and columns.
func (l *relationList) all() []*toldRelation {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*toldRelation, 0, len(l.list))
	for _, r := range l.list {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *toldRelation) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Table, b.Table), cmp.Compare(a.Connection, b.Connection), slices.Compare(a.Through, b.Through),
			slices.Compare(a.Columns, b.Columns), slices.Compare(a.RelatedColumns, b.RelatedColumns), slices.Compare(a.TypeColumns, b.TypeColumns), cmp.Compare(a.Model, b.Model))
	})
	return list
}

// describe is a copy that the caller may change.
func (r *toldRelation) describe() RelationDescription {
	d := r.RelationDescription
	d.Through, d.Columns, d.RelatedColumns, d.TypeColumns = slices.Clone(d.Through), slices.Clone(d.Columns), slices.Clone(d.RelatedColumns), slices.Clone(d.TypeColumns)
	return d
}

// livesOn is the connection of the query's rows, "" for those of a sharded model.
func (q *query) livesOn() string {
	named := q.wish().db
	if named == "" && q.src.shard != nil {
		return ""
	}
	return q.src.reg.nameOr(cmp.Or(named, q.src.connection))
}

// typeColumns are the columns of a link's constants.
func typeColumns(is []constant) (columns []string) {
	for _, c := range is {
		columns = append(columns, c.column)
	}
	return columns
}

// inOne is a list as a part of a key; no column's name has a NUL.
func inOne(list []string) string { return strings.Join(list, "\x00") }

// told notes what the tie is in the model of its parents, unless it is a part of another
// relation. The columns are its own.
func (t tie) told(kind string, columns, related []string, types []constant) tie {
	if kind == partOfRelation || t.err != nil || t.parents.relations == nil {
		return t
	}
	to := t.related.src.table
	key := relationKey{
		kind: kind, model: to.Model, table: to.Name, connection: t.related.livesOn(),
		columns: inOne(columns), related: inOne(related), types: inOne(typeColumns(types)),
	}
	t.parents.relations.add(key, func() *toldRelation {
		r := &toldRelation{RelationDescription: RelationDescription{
			Kind: kind, Model: key.model, Table: key.table, Connection: key.connection,
			Columns: slices.Clone(columns), RelatedColumns: slices.Clone(related), TypeColumns: typeColumns(types),
		}}
		look := sought{model: key.model, table: key.table, connection: key.connection, columns: r.RelatedColumns, why: kind + " of " + t.parents.table.Model}
		if kind != kindBelongsTo {
			look.types = r.TypeColumns
		}
		r.seeks = []sought{look}
		return r
	})
	return t
}

// told notes what the pivot is in the model of the parents.
func (p *pivot) told() {
	if p.rows.err != nil || p.to.err != nil || p.rows.parents.relations == nil {
		return
	}
	rows, to := p.model.src.table, p.to.related.src.table
	columns, related := p.rows.parents.table.ColumnsOf(p.rows.parentColumns), to.ColumnsOf(p.to.relatedColumns)
	foreign, own, types := rows.ColumnsOf(p.rows.relatedColumns), rows.ColumnsOf(p.to.parentColumns), typeColumns(p.is)
	between := p.model.livesOn()
	key := relationKey{
		kind: kindManyToMany, model: to.Model, table: to.Name, connection: p.to.related.livesOn(), through: inOne([]string{rows.Name, between, inOne(foreign), "", inOne(own)}),
		columns: inOne(columns), related: inOne(related), types: inOne(types),
	}
	p.rows.parents.relations.add(key, func() *toldRelation {
		why := kindManyToMany + " of " + p.rows.parents.table.Model
		return &toldRelation{
			RelationDescription: RelationDescription{
				Kind: kindManyToMany, Model: key.model, Table: key.table, Connection: key.connection, Through: []string{rows.Name},
				Columns: columns, RelatedColumns: related, TypeColumns: types,
			},
			seeks: []sought{
				{model: rows.Model, table: rows.Name, connection: between, columns: foreign, types: types, why: why},
				{model: rows.Model, table: rows.Name, connection: between, columns: slices.Concat(foreign, own), types: types, unique: true, why: why},
				{model: to.Model, table: to.Name, connection: key.connection, columns: related, why: why},
			},
		}
	})
}

// told notes what the chain is in the model of its parents. Its steps look up for
// themselves.
func (c chain) told(kind string) chain {
	if c.err != nil || c.check() != nil || c.between[0].parents.relations == nil {
		return c
	}
	first, to := &c.between[0], c.last.related.src.table
	columns, related := first.parents.table.ColumnsOf(first.parentColumns), c.last.columns()
	var through []string
	for i := range c.between {
		through = append(through, c.between[i].related.src.table.Name)
	}
	key := relationKey{
		kind: kind, model: to.Model, table: to.Name, connection: c.last.related.livesOn(), through: inOne(through), columns: inOne(columns), related: inOne(related),
	}
	first.parents.relations.add(key, func() *toldRelation {
		return &toldRelation{RelationDescription: RelationDescription{
			Kind: kind, Model: key.model, Table: key.table, Connection: key.connection, Through: through, Columns: columns, RelatedColumns: related,
		}}
	})
	return c
}
