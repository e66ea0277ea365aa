package table

import "github.com/dbfleet/dbfleet/internal/dialect"

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
