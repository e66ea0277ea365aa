package table

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
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

// isTwofold says whether a value of one of the fields may stand in two forms.
func (t *Table) isTwofold(fields []int, d *dialect.Dialect) bool {
	return slices.ContainsFunc(fields, func(i int) bool { return t.Plan.Twofold(i, d) })
}
