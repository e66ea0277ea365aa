package transactions

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

const ordersTable = `CREATE TABLE orders (id {id}, name VARCHAR(50) NOT NULL UNIQUE, slug {text}, state VARCHAR(20) NOT NULL DEFAULT 'open', note {text}, created_at {time}, updated_at {time})`

func ordersOf[T any](t *testing.T, fl conformance.Fleet) *dbfleet.Model[T] {
	t.Helper()
	fl.Create(t, ordersTable)
	return conformance.Model[T](t, fl.Registry, dbfleet.ModelConfig{Table: "orders", Timestamps: true, Defaults: []string{"state"}})
}

// truth 1108
// hazard 139: each attempt begins with the records as they were.
func TestTransaction_RetriesWithFreshRecords(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		orders := ordersOf[calledOrder](t, fl)
		ctx := t.Context()
		one, many := calledOrder{plainOrder{Name: "one"}}, []calledOrder{{plainOrder{Name: "two"}}, {plainOrder{Name: "three"}}}
		runs := 0
		err := fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.Equal(t, calledOrder{plainOrder{Name: "one"}}, one)
			require.Equal(t, []calledOrder{{plainOrder{Name: "two"}}, {plainOrder{Name: "three"}}}, many)
			require.NoError(t, orders.Create(ctx, &one))
			require.NoError(t, orders.Save(ctx, &one))
			require.NoError(t, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return orders.CreateMany(ctx, many) }))
			if runs++; runs < 4 {
				return fmt.Errorf("attempt %d: %w", runs, dbfleet.ErrSerialization)
			}
			return nil
		}, dbfleet.TxOptions{Retries: 4})
		require.NoError(t, err)
		require.Equal(t, 4, runs)
		for _, o := range append(many, one) {
			stored, err := orders.Find(ctx, o.ID)
			require.NoError(t, err)
			require.Equal(t, o.Name, stored.Name)
			require.Equal(t, o.UpdatedAt, stored.UpdatedAt)
		}
	})
}

// Whether the row is there is not known, and if it is, the record is that of it.
func TestTransaction_OfUnknownOutcomeLeavesItsRecords(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		orders := ordersOf[plainOrder](t, fl)
		ctx := t.Context()
		proxy.On(dbtest.Fault{Marker: "COMMIT", Action: dbtest.CutReply, Times: 1})
		o := plainOrder{Name: "o"}
		err := fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error { return orders.Create(ctx, &o) })
		require.ErrorIs(t, err, dbfleet.ErrCommitUnknown)
		proxy.Heal()
		stored, err := orders.Find(ctx, o.ID)
		require.NoError(t, err)
		require.Equal(t, stored, o)
	})
}

// What is undone is what the calls have changed, not what the program has.
func TestRollback_LeavesWhatTheProgramHasSetSince(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	orders := ordersOf[calledOrder](t, fl)
	ctx := t.Context()
	other := calledOrder{plainOrder{Name: "other"}}
	require.NoError(t, orders.Create(ctx, &other))
	other.Note = nil // which AfterCreate has set in the record only
	undone := func(do func(ctx context.Context, o *calledOrder)) calledOrder {
		o := calledOrder{plainOrder{Name: "o"}}
		require.Equal(t, errUndo, fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, orders.Create(ctx, &o))
			do(ctx, &o)
			return errUndo
		}))
		return o
	}
	mine := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	require.Equal(t, calledOrder{plainOrder{Name: "later", Slug: "mine", CreatedAt: mine, Lines: []string{"l"}}}, undone(func(ctx context.Context, o *calledOrder) {
		require.NoError(t, orders.SaveColumns(ctx, o, "note"))
		o.Name, o.Slug, o.CreatedAt, o.Lines = "later", "mine", mine, []string{"l"}
	}))
	// A column that was set between two calls.
	require.Equal(t, calledOrder{plainOrder{Name: "later"}}, undone(func(ctx context.Context, o *calledOrder) {
		o.Name = "later"
		require.NoError(t, orders.Save(ctx, o))
	}))
	// The variable is another row's record by now.
	require.Equal(t, other, undone(func(ctx context.Context, o *calledOrder) {
		var err error
		*o, err = orders.Find(ctx, other.ID)
		require.NoError(t, err)
	}))
	// It was read again, and is that of the row which is undone.
	require.Equal(t, calledOrder{plainOrder{Name: "o"}}, undone(func(ctx context.Context, o *calledOrder) {
		require.NoError(t, orders.Save(ctx, o))
		note := o.Note
		var err error
		*o, err = orders.Find(ctx, o.ID)
		require.NoError(t, err)
		o.Note = note // which AfterUpdate has set in the record only
	}))
	// One variable for several rows.
	require.Equal(t, calledOrder{plainOrder{Name: "3"}}, undone(func(ctx context.Context, o *calledOrder) {
		for i := range 4 {
			*o = calledOrder{plainOrder{Name: fmt.Sprint(i)}}
			require.NoError(t, orders.Create(ctx, o))
		}
	}))
	n, err := orders.Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

// A savepoint undoes what was written in it and leaves what was written before.
func TestSavepoint_RestoresWhatWasWrittenInIt(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		orders := ordersOf[calledOrder](t, fl)
		ctx := t.Context()
		first, second := calledOrder{plainOrder{Name: "first"}}, calledOrder{plainOrder{Name: "second"}}
		require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, orders.Create(ctx, &first))
			created := first
			require.Equal(t, errUndo, tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				require.NoError(t, orders.Create(ctx, &second))
				require.NoError(t, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return orders.Save(ctx, &first) }))
				require.NotEqual(t, created, first)
				saved := first
				require.Equal(t, errUndo, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
					require.NoError(t, orders.Save(ctx, &first))
					return errUndo
				}))
				require.Equal(t, saved, first)
				return errUndo
			}))
			require.Equal(t, created, first)
			require.Equal(t, calledOrder{plainOrder{Name: "second"}}, second)
			return orders.Save(ctx, &second) // a new one
		}))
		for _, o := range []calledOrder{first, second} {
			stored, err := orders.Find(ctx, o.ID)
			require.NoError(t, err)
			require.Equal(t, o.Name, stored.Name)
		}
	})
}

// truth 1109
// A goroutine that learns only after the end that it has written: its record is told
// the truth as well.
func TestRollback_RestoresWhatAGoroutineHoldsBeyondTheEnd(t *testing.T) {
	t.Parallel()
	for _, end := range []error{errUndo, nil} {
		for _, inSavepoint := range []bool{false, true} {
			fl := conformance.OnSQLite(t)
			orders := ordersOf[plainOrder](t, fl)
			inserted, ended, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
				if e.Op == "insert" {
					close(inserted)
					<-ended
				}
			})
			o := plainOrder{Name: "o"}
			closure := func(ctx context.Context, _ *dbfleet.Tx) error {
				go func() { done <- orders.Create(ctx, &o) }()
				<-inserted
				return nil
			}
			err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				if !inSavepoint {
					require.NoError(t, closure(ctx, tx))
					return end
				}
				require.NoError(t, tx.Transaction(ctx, closure))
				return end
			})
			require.Equal(t, end, err)
			close(ended)
			if err := <-done; end != nil {
				require.ErrorIs(t, err, dbfleet.ErrTxDone)
				require.Equal(t, plainOrder{Name: "o"}, o)
				continue
			}
			require.NoError(t, err)
			stored, err := orders.Find(t.Context(), o.ID)
			require.NoError(t, err)
			require.Equal(t, stored, o)
		}
	}
}
