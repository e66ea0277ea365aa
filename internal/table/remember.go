package table

import "slices"

// What records remember of their rows, if their type can.

// RememberAll has a record remember all columns as those of its row.
func (t *Table) RememberAll(record any) {
	if t.Plan.Remembers() {
		t.Plan.Remember(record, t.Fields())
	}
}

// RememberSaved has a record remember what a change has written.
func (t *Table) RememberSaved(record any, c Change) {
	if !t.Plan.Remembers() {
		return
	}
	fields := t.saved
	if c.Only != nil {
		fields = t.updateFields(c.Only)
	}
	t.Plan.Remember(record, slices.Concat(fields, t.located))
}

// CheckRead refuses to write a record whole of which columns were not read.
func (t *Table) CheckRead(record any) error {
	if !t.Plan.Remembers() {
		return nil
	}
	return t.Plan.CheckRead(record, t.content())
}

// Changed are the columns of a record that an update would have to write: those that
// are not what its row holds. ok is false for a record that does not remember its row.
func (t *Table) Changed(record any) (columns []string, ok bool) {
	fields, ok := t.Plan.Differs(record, t.content())
	return t.ColumnsOf(fields), ok
}

// Moved says whether the columns by which the row is found are not those that were read.
func (t *Table) Moved(record any) bool {
	fields, ok := t.Plan.Differs(record, t.located)
	return ok && len(fields) > 0
}

// content are the fields that a program changes and Save writes.
func (t *Table) content() []int {
	return slices.DeleteFunc(slices.Clone(t.saved), func(i int) bool { return i == t.version || i == t.updated || t.isBlind(i) })
}
