package table

import "slices"

// What records remember of their rows, if their type can.

// RememberAll has a record remember all columns as those of its row.
func (t *Table) RememberAll(record any) {
	if t.Plan.Remembers() {
		t.Plan.Remember(record, t.Fields())
	}
}

// RememberSaved has a record remember what a change has written. One that remembers nothing,
// as after an upsert, goes on so after a change of some columns: the others may be set by
// the program, and none of them was left out by a query.
func (t *Table) RememberSaved(record any, c Change) {
	if !t.Plan.Remembers() {
		return
	}
	fields := t.saved
	if c.Only != nil {
		if !t.Plan.Knows(record) {
			return
		}
		fields = t.updateFields(c.Only)
	}
	t.Plan.Remember(record, slices.Concat(fields, t.located))
}

// CheckRead refuses to write a record whole of which columns were not read.
func (t *Table) CheckRead(record any) error {
	if !t.Plan.Remembers() {
		return nil
	}
	if err := t.CheckOwn(record); err != nil {
		return err
	}
	return t.Plan.CheckRead(record, t.content())
}

// CheckOwn refuses a record whose row would be found by what is not its own: a value that
// a query called by the name of a column of the key, the shard key or the version.
func (t *Table) CheckOwn(record any) error {
	if !t.Plan.Remembers() {
		return nil
	}
	fields := t.located
	if t.version >= 0 {
		fields = append(fields[:len(fields):len(fields)], t.version)
	}
	return t.Plan.CheckOwn(record, fields)
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
