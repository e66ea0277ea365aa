package queries

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Locks run as each database spells them; SQLite says that it has none.
func TestQuery_Locks(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		byID := l.people.OrderBy("id", "asc").Limit(2)
		locks := map[string]*dbfleet.Query[person]{
			"update": byID.ForUpdate(), "share": byID.ForShare(), "skip": byID.ForUpdateSkipLocked(), "nowait": byID.ForUpdateNoWait(),
		}
		if fl.Database.Dialect == "sqlite" {
			count, _ := sent(fl.Registry)
			for claim, q := range locks {
				var fault *dbfleet.StatementError
				_, err := q.Get(ctx)
				require.ErrorAs(t, err, &fault, claim)
				require.Contains(t, err.Error(), "lock")
				_, err = q.First(ctx)
				require.ErrorAs(t, err, &fault, claim)
			}
			require.Zero(t, count())
			return
		}
		require.NoError(t, fl.Transaction(ctx, "main", func(inTx context.Context, _ *dbfleet.Tx) error {
			first, err := l.people.Query().ForUpdate().Find(inTx, 1)
			require.NoError(t, err)
			require.EqualValues(t, 1, first.ID)
			_, err = l.people.Query().ForShare().Where("id", "=", 2).Get(inTx)
			require.NoError(t, err)

			// What others see, on connections of their own.
			other := func(see func(ctx context.Context) error) {
				require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error { return see(ctx) }))
			}
			other(func(ctx context.Context) error {
				free, err := l.people.OrderBy("id", "asc").Where("id", "<=", 3).ForUpdateSkipLocked().Get(ctx)
				require.Len(t, free, 1)
				require.EqualValues(t, 3, free[0].ID)
				return err
			})
			for id := range int64(2) {
				require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
					_, err := l.people.Where("id", "=", id+1).ForUpdateNoWait().First(ctx)
					return err
				}), dbfleet.ErrLockTimeout)
			}
			other(func(ctx context.Context) error {
				shared, err := l.people.Where("id", "=", 2).ForShare().Get(ctx)
				require.Len(t, shared, 1, "two may share")
				return err
			})
			other(func(ctx context.Context) error {
				n, err := l.people.Query().ForUpdate().Count(ctx)
				require.EqualValues(t, 6, n)
				return err
			})
			return nil
		}))
		for claim, q := range locks {
			require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
				got, err := q.Get(ctx)
				require.NoError(t, err, claim)
				require.Len(t, got, 2, claim)
				names, err := dbfleet.Pluck[string](ctx, q, "name")
				require.NoError(t, err, claim)
				require.Equal(t, []string{"ada", "bob"}, names)
				_, err = q.Using(tx).Get(t.Context())
				return err
			}))
			route, err := q.Route(ctx)
			require.NoError(t, err)
			require.Equal(t, dbfleet.RolePrimary, route.Role)

			// Outside of a transaction the lock would be gone before its caller goes on.
			const refusal = `dbfleet: table "people": lock: outside of a transaction it would end with the statement; use Transaction`
			count, _ := sent(fl.Registry)
			_, err = q.Get(ctx)
			require.EqualError(t, err, refusal, claim)
			_, err = q.First(ctx)
			require.EqualError(t, err, refusal, claim)
			_, err = q.Count(ctx)
			require.EqualError(t, err, refusal, claim)
			_, err = dbfleet.Pluck[string](ctx, q, "name")
			require.EqualError(t, err, refusal, claim)
			for _, err := range q.Iter(ctx) {
				require.EqualError(t, err, refusal, claim)
			}
			require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := q.Get(dbfleet.OutsideTx(ctx))
				require.EqualError(t, err, refusal, claim)
				return nil
			}))
			require.LessOrEqual(t, count(), 2, claim) // BEGIN and COMMIT
		}
		// A queue: take the first row that nobody holds.
		n, err := l.people.WhereIn("id", l.people.Select("id").OrderBy("id", "asc").Limit(1).ForUpdateSkipLocked()).Update(ctx, map[string]any{"city": "taken"})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		var fault *dbfleet.StatementError
		_, err = l.people.WhereIn("id", l.people.Select("id").ForUpdate()).Get(ctx)
		require.ErrorAs(t, err, &fault, "a read would lock in its subquery, maybe on a replica")
		_, err = l.people.Query().Union(l.people).ForUpdate().Get(ctx)
		require.ErrorAs(t, err, &fault)
		idle(t, fl.Registry, "main")
	})
}
