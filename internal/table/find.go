package table

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Keeps says whether Finding may know the statement that finds a record by so many
// key values. A key of two forms has more arguments than values.
func (t *Table) Keeps(keys int) bool {
	return len(t.key) > 0 && len(t.key) == keys && !t.twofold[dialect.SQLite.Index]
}

// Finding is the statement that KeepFinding was given, with its arguments for a
// key. ok is false if there is none yet, and for a key that is better told about
// by rendering.
func (t *Table) Finding(key []any, d *dialect.Dialect) (text string, args []any, ok bool) {
	args = make([]any, len(key))
	for i, field := range t.key {
		var err error
		if args[i], err = t.Operand(field, key[i], d); err != nil || args[i] == nil {
			return "", nil, false
		}
	}
	care, ok := t.care(t.key, args, d)
	if !ok {
		return "", nil, false
	}
	kept := t.finds[care][d.Index].Load()
	if kept == nil {
		return "", nil, false
	}
	return *kept, args, true
}

// KeepFinding keeps the text that finds a record by a key of these arguments.
func (t *Table) KeepFinding(text string, args []any, d *dialect.Dialect) {
	if len(args) != len(t.key) {
		return
	}
	if care, ok := t.care(t.key, args, d); ok {
		t.finds[care][d.Index].Store(&text)
	}
}

// maxCare is how many texts a statement has by the first two columns of its key;
// see care.
const maxCare = 4

// care tells which of its texts a statement has that compares these fields with
// args: on MySQL a text that is no number is compared with care. ok is false for a
// text that is not to be kept.
func (t *Table) care(fields []int, args []any, d *dialect.Dialect) (n int, ok bool) {
	if d != dialect.MySQL {
		return 0, true
	}
	for i, a := range args {
		if t.Textual(fields[i]) && sqlgen.Misread(a, d) {
			n |= 1 << i
		}
	}
	return n, n < maxCare
}

// careOfRow is care for a statement that writes the row which these fields find: what is
// compared as a whole number, in a field of other values, is not to be kept.
func (t *Table) careOfRow(fields []int, args []any, d *dialect.Dialect) (n int, ok bool) {
	n, ok = t.care(fields, args, d)
	for i, a := range args {
		ok = ok && (t.form(fields[i], a, d) == sqlgen.FormDigits) == (t.form(fields[i], nil, d) == sqlgen.FormDigits)
	}
	return n, ok
}

// form is how a field is compared with the argument by which a row is found that is written.
func (t *Table) form(i int, arg any, d *dialect.Dialect) sqlgen.Form {
	if d != dialect.MySQL {
		return sqlgen.FormPlain
	}
	return sqlgen.LocatedForm(arg, t.Whole(i), t.Textual(i))
}

// isTwofold says whether a value of one of the fields may stand in two forms.
func (t *Table) isTwofold(fields []int, d *dialect.Dialect) bool {
	return slices.ContainsFunc(fields, func(i int) bool { return t.Plan.Twofold(i, d) })
}

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

// FindThere are the queries for the keys of the rows that have the records' values of
// key, as far as the records can be found by them.
func (t *Table) FindThere(p *InsertPlan, records rowmap.Records, key []int) (queries []sqlgen.Query) {
	return t.findRows(records, key, t.key, func(record any) bool { return t.Findable(p, record, key) })
}

// FindLocated are the queries for what locates the rows of records, of those that are there.
func (t *Table) FindLocated(records rowmap.Records, there func(record any) bool) (queries []sqlgen.Query) {
	return t.findRows(records, t.located, t.located, there)
}

// findRows are the queries for the fields back of the rows that have the values of key of
// those records that are findable.
func (t *Table) findRows(records rowmap.Records, key, back []int, findable func(record any) bool) (queries []sqlgen.Query) {
	columns := make([]sqlgen.Column, len(back))
	for i, f := range back {
		columns[i] = sqlgen.Column{Name: t.Column(f)}
	}
	for first := 0; first < records.N; first += MaxFound {
		q, found := sqlgen.From(t.Name).OnlyColumns(columns...), false
		var values []any
		for i := first; i < min(first+MaxFound, records.N); i++ {
			record := records.At(i)
			switch {
			case !findable(record):
			case len(key) == 1:
				values, found = append(values, t.Plan.Value(key[0], record)), true
			default:
				same := make([]sqlgen.Cond, len(key))
				for at, f := range key {
					same[at] = sqlgen.Compare(t.Column(f), sqlgen.Eq, t.Plan.Value(f, record))
				}
				q, found = q.WithCond(sqlgen.Group(same...).Or()), true
			}
		}
		if values != nil {
			q = q.WithCond(sqlgen.Compare(t.Column(key[0]), sqlgen.In, values))
		}
		if found {
			queries = append(queries, q)
		}
	}
	return queries
}

// RowKey is comparable, and equal for records of one row, as they are read. ok is false if
// a part of the key is NULL.
func (t *Table) RowKey(record any) (k any, ok bool) { return t.valuesOf(record, t.key) }

// LocatedKey is RowKey for what locates a row.
func (t *Table) LocatedKey(record any) (k any, ok bool) { return t.valuesOf(record, t.located) }

// ExactlyLocated says that Go and the database agree on which records have one row.
func (t *Table) ExactlyLocated() bool { return t.Exact(t.located) }

// LocatedColumns locate a row.
func (t *Table) LocatedColumns() []sqlgen.Column {
	columns := make([]sqlgen.Column, len(t.located))
	for i, f := range t.located {
		columns[i] = sqlgen.Column{Name: t.Column(f)}
	}
	return columns
}
