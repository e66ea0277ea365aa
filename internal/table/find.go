package table

import (
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Keeps says whether Finding may know the statement that finds a record by so many
// key values.
func (t *Table) Keeps(keys int) bool { return len(t.key) > 0 && len(t.key) == keys }

// Finding is the statement that KeepFinding was given, with its arguments for a
// key. ok is false if there is none yet, and for a key that is better told about
// by rendering.
func (t *Table) Finding(key []any, d *dialect.Dialect) (text string, args []any, ok bool) {
	kept := t.finds[d.Index].Load()
	if kept == nil {
		return "", nil, false
	}
	args = make([]any, len(key))
	for i, field := range t.key {
		var err error
		if args[i], err = t.Operand(field, key[i], d); err != nil || args[i] == nil {
			return "", nil, false
		}
	}
	return *kept, args, true
}

// KeepFinding keeps the text that finds a record by its key.
func (t *Table) KeepFinding(text string, d *dialect.Dialect) { t.finds[d.Index].Store(&text) }

// ByKeys are the queries for the keys of the rows of records: one, or one for each
// record if the key has several columns.
func (t *Table) ByKeys(records rowmap.Records) []sqlgen.Query {
	columns := make([]sqlgen.Column, len(t.key))
	for i, f := range t.key {
		columns[i] = sqlgen.Column{Name: t.Column(f)}
	}
	var out []sqlgen.Query
	keys := make([]any, 0, records.N)
	for i := range records.N {
		if len(t.key) == 1 {
			keys = append(keys, t.Plan.Value(t.key[0], records.At(i)))
		} else {
			out = append(out, t.ByFields(records.At(i), t.key).OnlyColumns(columns...))
		}
	}
	if len(keys) > 0 {
		out = append(out, sqlgen.From(t.Name).WithCond(sqlgen.Compare(columns[0].Name, sqlgen.In, keys)).OnlyColumns(columns...))
	}
	return out
}
