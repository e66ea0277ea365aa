package sessions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// ways are all ways to write a counter's value.
func (c *client) ways() []func(ctx context.Context, name string, value int64) error {
	text := func(value int64, name string) string {
		return fmt.Sprintf("UPDATE counters SET value = %d WHERE name = '%s'", value, name)
	}
	db := c.DB("main")
	return []func(ctx context.Context, name string, value int64) error{
		func(ctx context.Context, name string, value int64) error { // a query
			_, err := c.counters.Where("name", "=", name).Update(ctx, dbfleet.Row{"value": value})
			return err
		},
		func(ctx context.Context, name string, value int64) error { // SQL
			_, err := db.ExecContext(ctx, text(value, name))
			return err
		},
		func(ctx context.Context, name string, value int64) error { // a transaction
			return db.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := c.counters.Where("name", "=", name).Update(ctx, dbfleet.Row{"value": value})
				return err
			})
		},
		func(ctx context.Context, name string, value int64) error { // a savepoint
			return db.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				return db.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
					_, err := tx.ExecContext(ctx, text(value, name))
					return err
				})
			})
		},
		func(ctx context.Context, name string, value int64) error { // an upsert
			return c.counters.Upsert(ctx, &counter{Name: name, Value: value}, dbfleet.Conflict{Key: []string{"name"}})
		},
		func(ctx context.Context, name string, value int64) error { // bulk loads
			return db.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				if _, err := c.counters.Where("name", "=", name).Delete(ctx); err != nil {
					return err
				}
				_, err := c.counters.Load(ctx, func(yield func(counter) bool) { yield(counter{Name: name, Value: value}) })
				return err
			})
		},
		func(ctx context.Context, name string, value int64) error { // many records
			if _, err := c.counters.Where("name", "=", name).Delete(ctx); err != nil {
				return err
			}
			return c.counters.CreateMany(ctx, []counter{{Name: name, Value: value}, {Name: fmt.Sprintf("%s, %d", name, value)}})
		},
		func(ctx context.Context, name string, value int64) error { // a connection of one's own
			return db.Conn(ctx, func(ctx context.Context, conn *dbfleet.Conn) error {
				_, err := conn.ExecContext(ctx, text(value, name))
				return err
			})
		},
		func(ctx context.Context, name string, value int64) error { // a query in SQL that writes
			if _, err := db.ExecContext(ctx, fmt.Sprintf("DELETE FROM counters WHERE name = '%s'", name)); err != nil {
				return err
			}
			var id int64
			return db.QueryRowContext(ctx, fmt.Sprintf("INSERT INTO counters (name, value) VALUES ('%s', %d) RETURNING id", name, value)).Scan(&id)
		},
		func(ctx context.Context, name string, value int64) error { // an atomic commit
			return c.Atomic(ctx, []string{"main"}, func(ctx context.Context) error {
				_, err := c.counters.Where("name", "=", name).Update(ctx, dbfleet.Row{"value": value})
				return err
			})
		},
	}
}

// users is how many a service has at the same time.
const users = 8

// writes is how many each of them does. Under DBFLEET_TORTURE these are 10,000 in all, else
// 1,600: each is a chance of its own to be read stale.
var writes = 200

func init() {
	if torture {
		writes = 1250
	}
}

// atOnce has each user do something at the same time.
func atOnce(t *testing.T, do func(user int) error) {
	t.Helper()
	errs := make([]error, users)
	var group sync.WaitGroup
	for i := range users {
		group.Go(func() { errs[i] = do(i) })
	}
	group.Wait()
	require.NoError(t, errors.Join(errs...))
}

// promise: never stale within a session. With replay paused on all replicas each of
// many writes is found, and what is of no session, or of one that has written nothing, is read
// from the replicas all the while.
func TestSession_FindsItsWritesThoughNoReplicaHasThem(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		for i := range users {
			s.create(fmt.Sprint(i))
		}
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		sessions := make([]context.Context, users)
		for i := range sessions {
			sessions[i] = dbfleet.WithSession(t.Context())
			_, route := c.value(sessions[i], fmt.Sprint(i))
			require.Equal(t, dbfleet.RoleReplica, route.Role, "before the first write: %s", route)
		}
		s.hold()
		var stale atomic.Int64
		atOnce(t, func(i int) error {
			ctx, name := sessions[i], fmt.Sprint(i)
			for value := int64(1); value <= int64(writes); value++ {
				if _, err := c.counters.Where("name", "=", name).Update(ctx, dbfleet.Row{"value": value}); err != nil {
					return err
				}
				is, route, err := c.read(ctx, name)
				switch {
				case err != nil:
					return err
				case is != value:
					stale.Add(1)
				case route.Role != dbfleet.RolePrimary:
					return fmt.Errorf("read %d at %s", is, route)
				}
				if value%50 != 0 {
					continue
				}
				for _, other := range []context.Context{t.Context(), dbfleet.WithSession(t.Context())} {
					if is, route, err := c.read(other, name); err != nil || is != 0 || route.Role != dbfleet.RoleReplica {
						return fmt.Errorf("who has written nothing has read %d at %s: %w", is, route, err)
					}
				}
			}
			return nil
		})
		require.Zero(t, stale.Load())
		s.release()
		for i, ctx := range sessions {
			require.Eventually(t, func() bool {
				is, route := c.value(ctx, fmt.Sprint(i))
				require.EqualValues(t, writes, is, "at %s", route)
				return route.Role == dbfleet.RoleReplica
			}, soon, often, "once a replica has it")
		}
	})
}

func TestSession_FindsEveryKindOfWrite(t *testing.T) {
	t.Parallel()
	rounds := 10
	if torture {
		rounds = 200
	}
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		value := int64(0)
		for held := range 2 {
			if held == 1 {
				s.hold()
			}
			for way, write := range c.ways() {
				ctx := dbfleet.WithSession(t.Context())
				for range rounds {
					value++
					require.NoError(t, write(ctx, "a", value), "way %d", way)
					is, route := c.value(ctx, "a")
					require.Equal(t, value, is, "way %d, held %d: %s", way, held, route)
					var raw int64
					require.NoError(t, c.DB("main").Read().QueryRowContext(ctx, "SELECT value FROM counters WHERE name = 'a'").Scan(&raw))
					require.Equal(t, value, raw, "way %d, held %d, SQL", way, held)
				}
				require.Less(t, len(c.token(ctx)), 200)
			}
		}
	})
}

// A write that has returned is found by whatever goroutine of the session reads after it.
func TestSession_OfManyGoroutinesFindsWhatHasReturned(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		const workers, rounds = 8, 40
		for i := range workers {
			s.create(fmt.Sprint(i))
		}
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		for _, monotonic := range []bool{false, true} {
			ctx := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: monotonic})
			var group sync.WaitGroup
			for i := range workers {
				group.Go(func() {
					name := fmt.Sprint(i)
					for value := range int64(rounds) {
						if _, err := c.counters.Where("name", "=", name).Update(ctx, dbfleet.Row{"value": value}); err != nil {
							t.Errorf("write: %v", err)
							return
						}
						if is, route, err := c.read(ctx, name); err != nil || is != value {
							t.Errorf("read %d instead of %d at %s: %v", is, value, route, err)
							return
						}
					}
				})
			}
			group.Wait()
		}
	})
}

// promise: an unknown outcome is its own error. The write may be done at any time, so that
// no position tells when a replica has it.
func TestSession_WithAnUnknownOutcomeStaysWithThePrimary(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		proxy := dbtest.NewProxy(t, s.cluster.Primary.Addr())
		c := s.open(s.config(proxy.Addr(), s.cluster.Replicas[0].Addr(), s.cluster.Replicas[1].Addr()))
		lost := dbfleet.WithSession(t.Context())
		other := dbfleet.WithSession(t.Context())
		c.set(other, "a", 1)
		proxy.On(dbtest.Fault{Marker: "UPDATE counters SET value = 5", Action: dbtest.CutReply, Times: 1})
		_, err := c.DB("main").ExecContext(lost, "UPDATE counters SET value = 5 WHERE name = 'a'")
		require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		s.cluster.WaitCaughtUp(t)
		for range 4 {
			is, route := c.value(lost, "a")
			require.EqualValues(t, 5, is)
			require.Equal(t, dbfleet.RolePrimary, route.Role, route)
		}
		c.set(lost, "a", 6)
		s.cluster.WaitCaughtUp(t)
		_, route := c.value(lost, "a")
		require.Equal(t, dbfleet.RolePrimary, route.Role, "also after a later write: %s", route)
		elsewhere := s.open(s.whole())
		_, route = elsewhere.value(elsewhere.continues(t.Context(), c.token(lost)), "a")
		require.Equal(t, dbfleet.RolePrimary, route.Role, "also elsewhere: %s", route)
		require.Eventually(t, func() bool {
			_, route := c.value(other, "a")
			return route.Role == dbfleet.RoleReplica
		}, soon, often, "no other session")
	})
}

// hazard: a statement that was prepared before the session, or by somebody else, counts
// for the session that runs it, by its text.
func TestSession_FindsWhatPreparedStatementsWrite(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		s.create("a")
		s.cluster.WaitCaughtUp(t)
		c := s.open(s.whole())
		prepare := func(text string) *sql.Stmt {
			stmt, err := c.DB("main").PrepareContext(t.Context(), text)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, stmt.Close()) })
			return stmt
		}
		const mine = " FROM counters WHERE name = 'a'"
		update, deletes := prepare("UPDATE counters SET value = value + 1 WHERE name = 'a'"), prepare("DELETE"+mine+" RETURNING value")
		plain := prepare("SELECT value" + mine)
		s.hold()
		var value int64
		reader, other := dbfleet.WithSession(t.Context()), dbfleet.WithSession(t.Context())
		require.NoError(t, plain.QueryRowContext(reader).Scan(&value))
		_, route := c.value(reader, "a")
		require.Equal(t, dbfleet.RoleReplica, route.Role, "a plain read is no write: %s", route)

		ctx := dbfleet.WithSession(t.Context())
		for i := range int64(20) {
			_, err := update.ExecContext(ctx)
			require.NoError(t, err)
			is, route := c.value(ctx, "a")
			require.Equal(t, i+1, is, "at %s", route)
		}
		require.NotEmpty(t, c.token(ctx))
		is, route := c.value(c.continues(t.Context(), c.token(ctx)), "a")
		require.EqualValues(t, 20, is, "elsewhere, at %s", route)

		monotonic := dbfleet.WithSession(t.Context(), dbfleet.SessionOptions{MonotonicReads: true})
		require.NoError(t, plain.QueryRowContext(monotonic).Scan(&value))
		is, route = c.value(monotonic, "a")
		require.Equal(t, value, is, "at %s", route)

		rows, err := deletes.QueryContext(other)
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, rows.Close())
		_, route, err = c.read(other, "a")
		require.ErrorIs(t, err, dbfleet.ErrNotFound, "at %s", route)
		c.set(other, "b", 0) // whose position covers it
		s.release()
		require.Eventually(t, func() bool {
			_, route, err := c.read(other, "a")
			require.ErrorIs(t, err, dbfleet.ErrNotFound, "at %s", route)
			return route.Role == dbfleet.RoleReplica
		}, soon, often, "a write of another kind tells how far it is")
	})
}
