package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Rows that ModelConfig.SoftDelete keeps.

// WithDeleted takes deleted rows, too, on a model with ModelConfig.SoftDelete. It holds
// for the query's own table, not for subqueries, unions and relations, which say it
// themselves.
func (q *Query[T]) WithDeleted() *Query[T] {
	return (*Query[T])((*query)(q).deleted("WithDeleted", sqlgen.AnyDeleted))
}

// OnlyDeleted takes deleted rows only; see WithDeleted.
func (q *Query[T]) OnlyDeleted() *Query[T] {
	return (*Query[T])((*query)(q).deleted("OnlyDeleted", sqlgen.OnlyDeleted))
}

// Restore brings a record back that Delete has marked by ModelConfig.SoftDelete: it takes
// the mark away from its row and from the record, sets updated_at, and writes nothing else
// but what BeforeUpdate changes. A row that is not there, or not marked, is ErrNotFound,
// and one with another version ErrStaleRecord. It is an update to callbacks. On an error
// the record is as it was before. RestoreRows does it for the rows of a query.
func (m *Model[T]) Restore(ctx context.Context, record *T) error {
	return writeRecord(ctx, m, record, recordWrite{do: restoreRecord})
}

// ForceDelete removes the row of a record, also on a model with ModelConfig.SoftDelete,
// marked or not. Without that it is Delete. ForceDeleteRows does it for the rows of a query.
func (m *Model[T]) ForceDelete(ctx context.Context, record *T) error {
	return writeRecord(ctx, m, record, recordWrite{do: eraseRecord})
}

// RestoreRows is Model.Restore for the deleted ones of the rows that a query finds,
// without callbacks and versions asked for. It returns how many they were. A query
// without conditions is refused with ErrMissingWhere unless AllRows was called.
//
//	n, err := dbfleet.RestoreRows(ctx, users.Where("team_id", "=", 7))
func RestoreRows(ctx context.Context, q Queryable) (int64, error) {
	return baseOf(q).restoreRows(ctx)
}

// ForceDeleteRows removes the rows that a query finds, also on a model with
// ModelConfig.SoftDelete: those that are not marked, or as WithDeleted and OnlyDeleted say.
// It returns how many they were. A query without conditions is refused with
// ErrMissingWhere unless AllRows was called.
//
//	n, err := dbfleet.ForceDeleteRows(ctx, users.Query().OnlyDeleted().Where("deleted_at", "<", lastYear))
func ForceDeleteRows(ctx context.Context, q Queryable) (int64, error) {
	return baseOf(q).change(ctx, "delete", nil)
}

//go:noinline
func (q *query) deleted(method string, d sqlgen.Deleted) *query {
	if q.usable() == nil && !q.src.table.Marks() {
		return q.without(method, noMarks)
	}
	next := q.next()
	next.q = next.q.TakingDeleted(d)
	return next
}

const noMarks = "the model has no ModelConfig.SoftDelete, so there are no deleted rows"

// markSets are the assignments of a deletion that leaves the rows where they are, nil
// for one that removes them.
func (q *query) markSets(ctx context.Context) ([]sqlgen.Set, error) {
	if q.usable() != nil || !q.src.table.Marks() {
		return nil, nil //nolint:nilerr // what is wrong with the query is told where it runs
	}
	if q.q.Deleted() != sqlgen.NoDeleted {
		return nil, q.src.table.Fail("a row that was deleted is not deleted again; ForceDeleteRows removes the rows of a query with WithDeleted or OnlyDeleted")
	}
	at, err := q.clockOfRows(ctx)
	if err != nil {
		return nil, err
	}
	return q.src.table.MarkSets(true, at), nil
}

func (q *query) restoreRows(ctx context.Context) (int64, error) {
	if err := q.usable(); err != nil {
		return 0, told(err)
	}
	if !q.src.table.Marks() {
		return 0, told(q.src.table.Fail("%s", noMarks))
	}
	next := q.next()
	next.q = next.q.TakingDeleted(sqlgen.OnlyDeleted)
	at, err := next.clockOfRows(ctx)
	if err != nil {
		return 0, told(err)
	}
	return next.change(ctx, "update", q.src.table.MarkSets(false, at))
}

func restoreRecord(ctx context.Context, q *query, record any, w recordWrite) error {
	t := q.src.table
	if !t.Marks() {
		return t.Fail("%s", noMarks)
	}
	v := q.saves(record, w.landing)
	v.restores, v.change.Only, v.change.Deleted = true, []string{t.DeletedMark()}, sqlgen.OnlyDeleted
	if len(q.src.callbacks.updating.before) > 0 {
		v.before = t.State(record)
	}
	return q.recorded(ctx, &v.recording, v, record, q.updating)
}

func eraseRecord(ctx context.Context, q *query, record any, w recordWrite) error {
	return q.erase(ctx, record, w.landing)
}
