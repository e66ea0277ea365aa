package sessions

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazard: the write is acknowledged, and the answer to the question for its position never
// comes.
func TestSession_DoesNotWaitForLongForAPosition(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		s.hold()
		proxy := dbtest.NewProxy(t, s.cluster.Primary.Addr())
		config := s.config(proxy.Addr(), s.cluster.Replicas[0].Addr(), s.cluster.Replicas[1].Addr())
		config.Pool.MaxOpen = 1
		c := s.open(config)
		ctx, cancel := context.WithTimeout(dbfleet.WithSession(t.Context()), time.Minute)
		defer cancel()
		c.set(ctx, "a", 1)
		// On PostgreSQL the question goes with the write, whose answer has four packets.
		fault := dbtest.Fault{Marker: "lsn", Action: dbtest.HoldReply, Times: 1, Dialect: s.db.Dialect, Packets: 4}
		if s.db.Dialect == "mysql" {
			fault.Marker, fault.Packets = "gtid", 0
		}
		trace := proxy.On(fault)
		began := time.Now()
		c.set(ctx, "a", 2)
		require.Less(t, time.Since(began), soon)
		require.NotZero(t, trace.Seen())
		for i := range int64(3) { // by the pool's only connection, which is another one by now
			is, route := c.value(ctx, "a")
			require.Equal(t, i+2, is, "at %s", route)
			require.Equal(t, dbfleet.RolePrimary, route.Role)
			c.set(ctx, "a", i+3)
		}
		s.release()
	})
}

// promise: a transaction is the session's that it was begun with, whichever contexts its
// statements have.
func TestSession_HasWhatItsTransactionWroteWithOtherContexts(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		db := c.DB("main")
		s.hold()
		const write = "UPDATE counters SET value = 41 WHERE name = 'a'"
		elsewhere := t.Context()
		for name, do := range map[string]func(ctx context.Context) error{
			"a context of none": func(ctx context.Context) error {
				return db.Transaction(ctx, func(_ context.Context, tx *dbfleet.Tx) error {
					_, err := tx.ExecContext(elsewhere, write)
					return err
				})
			},
			"a session inside": func(ctx context.Context) error {
				return db.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
					_, err := tx.ExecContext(dbfleet.WithSession(ctx), write)
					return err
				})
			},
			"a model with Using": func(ctx context.Context) error {
				return db.Transaction(ctx, func(_ context.Context, tx *dbfleet.Tx) error {
					_, err := c.counters.Using(tx).Where("name", "=", "a").Update(elsewhere, dbfleet.Row{"value": 41})
					return err
				})
			},
			"a savepoint of the session": func(ctx context.Context) error {
				return db.Transaction(elsewhere, func(_ context.Context, tx *dbfleet.Tx) error {
					return tx.Transaction(ctx, func(_ context.Context, tx *dbfleet.Tx) error {
						_, err := tx.ExecContext(elsewhere, write)
						return err
					})
				})
			},
			"an Atomic": func(ctx context.Context) error {
				return c.Atomic(ctx, []string{"main"}, func(ctx context.Context) error {
					_, err := db.ExecContext(dbfleet.WithSession(ctx), write)
					return err
				})
			},
		} {
			s.db.Exec(t, "UPDATE counters SET value = 0 WHERE name = 'a'")
			ctx := dbfleet.WithSession(t.Context())
			require.NoError(t, do(ctx), name)
			is, route := c.value(ctx, "a")
			require.EqualValues(t, 41, is, "%s, at %s", name, route)
		}
		s.release()
	})
}

// promise: a statement counts for the session whose context it is run with, also where it
// was prepared with another one, in a transaction or on a connection that are no session's.
func TestSession_FindsWhatStatementsPreparedElsewhereWriteInATransaction(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		db := c.DB("main")
		s.hold()
		const write, query = "UPDATE counters SET value = value + 1 WHERE name = 'a'", "SELECT value FROM counters WHERE name = 'a'"
		elsewhere := t.Context()
		holders := map[string]func(run func(on queryer) error) error{
			"transaction": func(run func(on queryer) error) error {
				return c.Transaction(elsewhere, "main", func(_ context.Context, tx *dbfleet.Tx) error { return run(tx) })
			},
			"savepoint": func(run func(on queryer) error) error {
				return c.Transaction(elsewhere, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
					return tx.Transaction(ctx, func(_ context.Context, tx *dbfleet.Tx) error { return run(tx) })
				})
			},
			"connection": func(run func(on queryer) error) error {
				return db.Conn(elsewhere, func(_ context.Context, conn *dbfleet.Conn) error { return run(conn) })
			},
			"connection of a transaction": func(run func(on queryer) error) error {
				return c.Transaction(elsewhere, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
					return db.Conn(ctx, func(_ context.Context, conn *dbfleet.Conn) error { return run(conn) })
				})
			},
		}
		var want int64
		for name, hold := range holders {
			ctx := dbfleet.WithSession(t.Context())
			require.NoError(t, hold(func(on queryer) error {
				stmt, err := on.PrepareContext(elsewhere, write)
				require.NoError(t, err)
				_, err = stmt.ExecContext(ctx)
				return err
			}), name)
			want++
			is, route := c.value(ctx, "a")
			require.Equal(t, want, is, "%s, at %s", name, route)
			require.NotEmpty(t, c.token(ctx), name)
			is, route = c.value(c.continues(t.Context(), c.token(ctx)), "a")
			require.Equal(t, want, is, "%s, continued at %s", name, route)

			ctx = dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: true})
			require.NoError(t, hold(func(on queryer) error {
				stmt, err := on.PrepareContext(elsewhere, query)
				require.NoError(t, err)
				return stmt.QueryRowContext(ctx).Scan(&is)
			}), name)
			require.Equal(t, want, is, name)
			is, route = c.value(ctx, "a")
			require.Equal(t, want, is, "%s, went back at %s", name, route)
		}
		s.release()
	})
}

// queryer is what prepares statements where it is itself.
type queryer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}
