package pools

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// Who was lent a pool cannot close it for the library, nor for who asks after it.
func TestLent_ClosingItClosesNothingElse(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, db := t.Context(), fl.DB("main")
		for _, lend := range []func() *sql.DB{db.Pool, db.ReplicaPool} {
			lent := lend()
			require.Same(t, lent, lend())
			require.NoError(t, lent.PingContext(ctx))
			rows, err := db.QueryContext(ctx, "SELECT 1")
			require.NoError(t, err)
			require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
				require.NoError(t, lent.Close())
				return tx.QueryRowContext(ctx, "SELECT 1").Scan(new(int))
			}))
			require.True(t, rows.Next())
			require.NoError(t, rows.Close())
			require.NoError(t, db.Ping(ctx))
			require.Error(t, lent.PingContext(ctx), "it is closed for its user")
			require.NotSame(t, lent, lend())
			require.Same(t, lend(), lend())
			require.NoError(t, lend().PingContext(ctx))
		}
		unknown := fl.DB("unknown").Pool()
		require.NoError(t, unknown.Close())
		var known *dbfleet.UnknownConnectionError
		require.ErrorAs(t, fl.DB("unknown").Pool().PingContext(ctx), &known)
	})
}

// What a borrower sets binds the borrower; the pool's bounds hold for all together.
func TestLent_BoundsAreThePools(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		config.Pool = dbfleet.PoolConfig{MaxOpen: 2, AcquireTimeout: 50 * time.Millisecond}
		fl := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		ctx, pool := t.Context(), fl.DB("main").Pool()
		pool.SetMaxOpenConns(1)
		pool.SetMaxIdleConns(1)
		pool.SetConnMaxLifetime(time.Nanosecond)
		require.NoError(t, pool.PingContext(ctx))
		require.Zero(t, pool.Stats().Idle, "it keeps none from the others")
		require.Equal(t, 1, fl.Stats()["main"].Idle)
		held, err := pool.Conn(ctx)
		require.NoError(t, err)
		require.NoError(t, fl.DB("main").Ping(ctx))
		other, err := fl.DB("main").QueryContext(ctx, "SELECT 1")
		require.NoError(t, err)
		pool.SetMaxOpenConns(0)
		var waited *dbfleet.AcquireTimeoutError
		require.ErrorAs(t, pool.PingContext(ctx), &waited)
		require.Equal(t, 2, fl.Stats()["main"].OpenConnections)
		require.NoError(t, other.Close())
		require.NoError(t, held.Close())
		require.Zero(t, fl.Stats()["main"].InUse)
	})
}

// A connection that a tool holds and does not use, as golang-migrate does, does not hold
// up the end; one with rows, a transaction or a statement does.
func TestLent_AnUnusedConnectionDoesNotHoldUpTheEnd(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		open := func() (*dbfleet.Registry, *sql.Conn) {
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
			held, err := r.DB("main").Pool().Conn(t.Context())
			require.NoError(t, err)
			_, err = held.ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS held (id INT)")
			require.NoError(t, err)
			return r, held
		}
		r, held := open()
		start := time.Now()
		require.NoError(t, r.Close())
		require.Less(t, time.Since(start), 10*time.Second)
		require.Error(t, held.PingContext(t.Context()))
		_ = held.Close()
		dbtest.NoConnections(t, db)

		r, held = open()
		tx, err := held.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "INSERT INTO held VALUES (1)")
		require.NoError(t, err)
		closed := make(chan error, 1)
		go func() { closed <- r.Close() }()
		require.Eventually(t, func() bool { return len(r.Names()) == 0 }, 20*time.Second, time.Millisecond)
		_, err = tx.ExecContext(t.Context(), "INSERT INTO held VALUES (2)")
		require.NoError(t, err)
		require.NoError(t, tx.Commit())
		require.NoError(t, <-closed)
		_ = held.Close()
		require.Equal(t, 2, conformance.Counted(t, db, "SELECT COUNT(*) FROM held"))
	})
}
