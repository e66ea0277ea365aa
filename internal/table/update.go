package table

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Saving is the update of one record, and what its arguments are made of: the
// columns, then the key. only names the columns to write; nil is all.
func (t *Table) Saving(record any, only []string, d *dialect.Dialect) (text string, args *rowmap.ArgPlan, err error) {
	fields, keys := t.saved, t.Identity(record)
	if only == nil && len(keys) == len(t.located) {
		text, err := t.saveText(d)
		return text, t.savedArgs, err
	}
	if only != nil {
		fields = t.updateFields(only)
	}
	text, err = t.updateText(fields, keys, d)
	return text, t.Plan.ArgPlan(slices.Concat(fields, keys)...), err
}

// State is what the columns that Save writes hold in a record.
func (t *Table) State(record any) rowmap.State { return t.savedArgs.State(record) }

// WithChanged adds to columns those that Save would write and that are no more what
// they were.
func (t *Table) WithChanged(columns []string, before rowmap.State, record any) []string {
	out := slices.Clone(columns)
	for _, i := range before.Changed(t.State(record)) {
		if i >= len(t.saved) { // the key
			continue
		}
		if column := t.Column(t.saved[i]); !slices.Contains(out, column) {
			out = append(out, column)
		}
	}
	return out
}

// updateFields are the fields that an update of a record writes.
func (t *Table) updateFields(only []string) []int {
	var out []int
	for i, column := range t.Plan.Columns() {
		switch {
		case only != nil:
			if !slices.Contains(only, column) && i != t.updated {
				continue
			}
		case t.generated[i], slices.Contains(t.key, i), i == t.created, i == t.shard:
			continue
		}
		out = append(out, i)
	}
	return out
}

// saveText is the update of one record: all of its columns, then its key.
func (t *Table) saveText(d *dialect.Dialect) (string, error) {
	if text := t.saves[d.Index].Load(); text != nil {
		return *text, nil
	}
	text, err := t.updateText(t.saved, t.located, d)
	if err == nil {
		t.saves[d.Index].Store(&text)
	}
	return text, err
}

// updateText is the update of some fields of one record, found by keys. The
// caller gives the arguments.
func (t *Table) updateText(fields, keys []int, d *dialect.Dialect) (string, error) {
	q := sqlgen.From(t.Name)
	for _, i := range keys {
		q = q.WithCond(sqlgen.Compare(t.Column(i), sqlgen.Eq, 0))
	}
	sets := make([]sqlgen.Set, len(fields))
	for at, i := range fields {
		sets[at] = sqlgen.Set{Column: t.Column(i), Ready: true}
	}
	text, _, err := sqlgen.Update(&q, sets, &sqlgen.Env{Dialect: d, Values: values{}})
	return text, err
}
