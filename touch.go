package dbfleet

import (
	"context"
	"time"
)

// Touch sets updated_at of a record and its row, and nothing else but what BeforeUpdate
// changes, as SaveColumns without a column would. The model needs Timestamps and the
// column. TouchRows does it for the rows of a query.
func Touch[T any](ctx context.Context, m *Model[T], record *T) error {
	return writeRecord(ctx, m, record, recordWrite{do: touchRecord})
}

// TouchRows sets updated_at of the rows that a query finds, and returns how many they
// were. A query without conditions is refused with ErrMissingWhere unless AllRows was
// called.
func TouchRows(ctx context.Context, q Queryable) (int64, error) { return baseOf(q).touchRows(ctx) }

const noUpdatedAt = "the model has no updated_at: ModelConfig.Timestamps is off, or the struct has no such field"

func touchRecord(ctx context.Context, q *query, record any, w recordWrite) error {
	if q.src.table.TouchSets(time.Time{}) == nil {
		return q.src.table.Fail("%s", noUpdatedAt)
	}
	return q.save(ctx, record, []string{}, w.landing)
}

func (q *query) touchRows(ctx context.Context) (int64, error) {
	if err := q.usable(); err != nil {
		return 0, told(err)
	}
	if q.src.table.TouchSets(time.Time{}) == nil {
		return 0, told(q.src.table.Fail("%s", noUpdatedAt))
	}
	at, err := q.clockOfRows(ctx)
	if err != nil {
		return 0, told(err)
	}
	return q.change(ctx, "update", q.src.table.TouchSets(at))
}
