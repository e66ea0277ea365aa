package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Snapshot is embedded in a model's struct whose records remember what was read of
// their rows. It has no column and no field of its own.
//
//	type User struct {
//		dbfleet.Snapshot
//		ID          int64
//		Name, Email string
//	}
//
// A record remembers what a query of the model, Find, Refresh or a relation has read of
// it, and what Create, Save and the like have written since; not what Update has, and
// nothing after an Upsert, until it is read or saved whole. SaveChanges writes what is
// different, Changed tells it. When a transaction is undone, what it has written is
// forgotten with it. Copies of a record remember the same. It costs as much memory as the
// columns do, and an allocation for each of them when the record is read.
//
// A record of which Select has left columns out knows it: Save, SaveMany and Upsert refuse it with
// ErrUnread while one of the fields, of whatever type, was not set to something else than its
// zero value. So does one of which something else was called by a column's name: an alias, an
// expression, the column of another table, of a CTE or of a union's other part. Until its field
// is set, Changed and SaveChanges pass the column over; and where it is one of the key, nothing
// finds or changes a row by it. Of SQL that the caller wrote only a SELECT of one table, and a
// write that returns its rows, are known to read columns.
type Snapshot struct{ _ rowmap.Remembered }

// Changed tells which columns of the record SaveChanges would write, in the order of the
// fields: those that are not what was read, and those that were not read and are not zero.
// Updated_at and the version are not among them. A record that was not read, or whose type
// has no Snapshot, is an error.
func Changed[T any](m *Model[T], record *T) ([]string, error) {
	if record == nil {
		return nil, recordWrite{}.refuseNil((*query)(m))
	}
	return (*query)(m).changed(record)
}

// SaveChanges writes the columns of a record that differ from what was read of its row,
// and updated_at, as SaveColumns does; see Snapshot. If none does, it does nothing, and
// calls no callbacks. A record whose integer key is zero is created. One that was not
// read, as after an Upsert, is refused with ErrUnread, and one whose key is another than
// was read, too.
func SaveChanges[T any](ctx context.Context, m *Model[T], record *T) error {
	return writeRecord(ctx, m, record, recordWrite{do: saveChanges})
}

//go:noinline
func (q *query) changed(record any) ([]string, error) {
	columns, err := q.differing(record)
	return columns, told(err)
}

func (q *query) differing(record any) ([]string, error) {
	if err := q.usable(); err != nil {
		return nil, err
	}
	t := q.src.table
	columns, ok := t.Changed(record)
	switch {
	case !t.Plan.Remembers():
		return nil, t.Fail("%s embeds no dbfleet.Snapshot, by which its records would remember what was read", t.Model)
	case !ok:
		return nil, errorf("%w: table %q: the record remembers nothing of its row; read it by the model, or Refresh it", ErrUnread, t.Name)
	case t.Moved(record):
		return nil, t.Fail("the key of the record is not the one that was read")
	}
	return columns, nil
}

func saveChanges(ctx context.Context, q *query, record any, w recordWrite) error {
	t := q.src.table
	if t.Plan.Remembers() && t.Unsaved(record) {
		if err := t.CheckRead(record); err != nil {
			return err
		}
		return q.create(ctx, record, w.landing)
	}
	columns, err := q.differing(record)
	if err == nil && ctx == nil {
		err = noContext("")
	}
	if err != nil || len(columns) == 0 {
		return err
	}
	return q.save(ctx, record, columns, w.landing)
}
