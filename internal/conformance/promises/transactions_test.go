package promises

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// promise 19
func TestPromise19_EveryStatementInsideTheTransaction(t *testing.T) {
	t.Parallel()
	onEachEstate(t, []string{"users_db", "analytics"}, func(t *testing.T, e estate) {
		e.create(membersTable, "users_db")
		e.create(visitsTable, "analytics")
		members := e.members()
		failed := errors.New("no")
		write := func(ctx context.Context, tx *dbfleet.Tx) {
			require.NoError(t, members.Create(ctx, &guideUser{Name: "a", Email: "model"}))
			require.NoError(t, members.Using(tx).Create(t.Context(), &guideUser{Name: "a", Email: "using"}))
			now := time.Now()
			row := dbfleet.Row{"name": "a", "email": "table", "is_admin": false, "created_at": now, "updated_at": now}
			_, err := e.DB("users_db").Table("members").Insert(ctx, row)
			require.NoError(t, err)
			_, err = e.DB("users_db").ExecContext(ctx, "UPDATE members SET name = 'b'")
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "UPDATE members SET name = 'c'")
			require.NoError(t, err)
			n, err := members.Where("name", "=", "c").Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 3, n)
		}
		transact := func(ctx context.Context, end func(ctx context.Context) error) error {
			return e.Transaction(ctx, "users_db", func(ctx context.Context, tx *dbfleet.Tx) error {
				write(ctx, tx)
				return end(ctx)
			})
		}

		require.ErrorIs(t, transact(t.Context(), func(context.Context) error { return failed }), failed)
		require.Zero(t, e.count("users_db", "members"), "an error rolls back")
		require.PanicsWithValue(t, "oh", func() { _ = transact(t.Context(), func(context.Context) error { panic("oh") }) })
		require.Zero(t, e.count("users_db", "members"), "a panic rolls back")
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = transact(t.Context(), func(context.Context) error { runtime.Goexit(); return nil })
		}()
		<-done
		require.Zero(t, e.count("users_db", "members"), "runtime.Goexit rolls back")
		ctx, cancel := context.WithCancel(t.Context())
		require.ErrorIs(t, transact(ctx, func(context.Context) error { cancel(); return nil }), context.Canceled)
		require.Zero(t, e.count("users_db", "members"), "a cancelled context rolls back")

		require.NoError(t, transact(t.Context(), func(ctx context.Context) error {
			err := e.Transaction(ctx, "users_db", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := members.Query().AllRows().Delete(ctx)
				require.NoError(t, err)
				return failed
			})
			require.ErrorIs(t, err, failed, "a savepoint undoes what was done in it")
			// Another connection is another matter.
			_, err = e.DB("analytics").Table("visits").Insert(ctx, dbfleet.Row{"event_type": "x", "member_id": 1, "created_at": time.Now()})
			return err
		}))
		require.EqualValues(t, 3, e.count("users_db", "members"))
		require.EqualValues(t, 1, e.count("analytics", "visits"))
	})
}
