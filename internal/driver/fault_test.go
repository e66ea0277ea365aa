//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// servers runs f on a fresh database of each server.
func servers(t *testing.T, f func(t *testing.T, db dbtest.Database)) {
	t.Helper()
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			f(t, dbtest.New(t, dialect))
		})
	}
}

func proxied(t *testing.T, db dbtest.Database) (*dbtest.Proxy, Options) {
	proxy := dbtest.NewProxy(t, db.Server.Addr())
	return proxy, optionsFor(proxy.Through(db))
}

func sleepQuery(db dbtest.Database, seconds string) string {
	if db.Dialect == "postgres" {
		return "SELECT pg_sleep(" + seconds + ")"
	}
	return "SELECT SLEEP(" + seconds + ")"
}

// finding 1: a write whose answer is lost is executed once, whoever sends it.
func TestWrite_WithLostAnswerIsExecutedOnce(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		for _, reset := range []bool{false, true} {
			proxy, o := proxied(t, db)
			p := open(t, o)
			c := acquire(t, p)
			mustExec(t, c, "CREATE TABLE IF NOT EXISTS w (v VARCHAR(30))")
			mustExec(t, c, "DELETE FROM w")
			c.Release()
			insert := ph(db, "INSERT INTO w VALUES ($1)")
			direct := func(query string, args ...any) error {
				c, err := p.Acquire(t.Context(), time.Second)
				require.NoError(t, err)
				defer c.Release()
				_, err = c.Exec(t.Context(), query, args)
				return err
			}
			writes := map[string]func() error{
				"direct, no arguments": func() error { return direct("INSERT INTO w VALUES ('marked')") },
				"direct, argument":     func() error { return direct(insert, "marked") },
				"sql, no arguments": func() error {
					_, err := p.DB().Exec("INSERT INTO w VALUES ('marked')")
					return err
				},
				"sql, argument": func() error {
					_, err := p.DB().Exec(insert, "marked")
					return err
				},
			}
			want := 0
			for name, write := range writes {
				want++
				trigger := proxy.On(dbtest.Fault{Marker: "marked", Action: dbtest.CutReply, Reset: reset, Times: 1})
				err := write()
				require.Error(t, err, name)
				require.Equal(t, 1, trigger.Seen(), name)
				require.False(t, errors.Is(err, sqldriver.ErrBadConn), "%s: %v", name, err)
				problem := Classify(err)
				require.Equal(t, Connection, problem.Class, "%s: %v", name, err)
				require.True(t, problem.Unanswered, "%s: %v", name, err)
				want++
				require.NoError(t, write())
			}
			require.Equal(t, want, count(t, db, "w"))
		}
	})
}

func TestCommit_WithLostAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		mustExec(t, acquire(t, p), createT)
		for i, a := range []dbtest.Action{dbtest.CutReply, dbtest.CutRequest} {
			c := acquire(t, p)
			require.NoError(t, c.Begin(t.Context(), TxOptions{}))
			mustExec(t, c, ph(db, "INSERT INTO t VALUES ($1, 'a')"), int64(i))
			proxy.On(dbtest.Fault{Marker: "COMMIT", Action: a, Times: 1})
			err := c.Commit(t.Context())
			require.ErrorIs(t, err, ErrCommitUnknown)
			require.False(t, errors.Is(err, sqldriver.ErrBadConn))
			require.Equal(t, CommitUnknown, Classify(err).Class)
			require.True(t, Classify(err).Unanswered)

			tx, err := p.DB().Begin()
			require.NoError(t, err)
			_, err = tx.Exec(ph(db, "INSERT INTO t VALUES ($1, 'b')"), i+10)
			require.NoError(t, err)
			proxy.On(dbtest.Fault{Marker: "COMMIT", Action: a, Times: 1})
			require.ErrorIs(t, tx.Commit(), ErrCommitUnknown)
		}
		require.Equal(t, 2, count(t, db, "t"), "the server committed what reached it")

		c := acquire(t, p)
		require.NoError(t, c.Begin(t.Context(), TxOptions{}))
		mustExec(t, c, "INSERT INTO t VALUES (100, 'a')")
		held := proxy.On(dbtest.Fault{Marker: "COMMIT", Action: dbtest.HoldReply, Times: 1})
		ctx := newPassing(t)
		ctx.passAfter(held.Fired(), 0)
		err := c.Commit(ctx)
		require.ErrorIs(t, err, ErrCommitUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// hazard 177
func TestAcquire_LeavesDeadConnectionsOut(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, optionsFor(db))
		mustExec(t, acquire(t, p), createT)
		for i := range 3 {
			a, b := acquire(t, p), acquire(t, p)
			a.Release()
			b.Release()
			require.NotZero(t, db.KillConnections(t))
			time.Sleep(2 * idleCheck) // the check is left out for the freshly used
			c := acquire(t, p)
			mustExec(t, c, ph(db, "INSERT INTO t VALUES ($1, 'a')"), int64(i))
			c.Release()
			require.NotZero(t, db.KillConnections(t))
			time.Sleep(2 * idleCheck)
			_, err := p.DB().Exec(ph(db, "INSERT INTO t VALUES ($1, 'a')"), i+10)
			require.NoError(t, err)
		}
		require.Equal(t, 6, count(t, db, "t"))
	})
}

// hazard 163
func TestTx_OnALostConnectionIsLost(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, optionsFor(db))
		c := acquire(t, p)
		mustExec(t, c, createT)
		require.NoError(t, c.Begin(t.Context(), TxOptions{}))
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		ctx := newPassing(t)
		ctx.passOnceRuns(t, db, "(20)")
		_, err := c.Query(ctx, sleepQuery(db, "20"), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(ctx.at), 10*time.Second, "not after the 20 seconds")
		require.Equal(t, Timeout, Classify(err).Class)
		_, err = c.Exec(t.Context(), "INSERT INTO t VALUES (2, 'b')", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded, "the first cause")
		require.Equal(t, TxLost, Classify(err).Class)
		err = c.Commit(t.Context())
		require.Equal(t, TxLost, Classify(err).Class)

		c = acquire(t, p)
		require.NoError(t, c.Begin(t.Context(), TxOptions{}))
		mustExec(t, c, "INSERT INTO t VALUES (3, 'a')")
		db.KillConnections(t)
		_, err = c.Exec(t.Context(), "INSERT INTO t VALUES (4, 'b')", nil)
		require.Equal(t, Connection, Classify(err).Class, "%v", err)
		require.NoError(t, c.Rollback(t.Context()))
		c.Release()
		require.Equal(t, 0, count(t, db, "t"))
	})
}

// hazards 162, 165
func TestCancel_EndsTheStatement(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		endless := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n"
		if db.Dialect != "sqlite" {
			endless = sleepQuery(db, "20")
		}
		for _, do := range []func(ctx context.Context, c *Conn) error{
			func(ctx context.Context, c *Conn) error { _, err := c.Exec(ctx, endless, nil); return err },
			func(ctx context.Context, c *Conn) error {
				rows, err := c.Query(ctx, endless, nil)
				if err == nil {
					_, err = drain(rows)
				}
				return err
			},
			func(ctx context.Context, _ *Conn) error {
				var n any
				return p.DB().QueryRowContext(ctx, endless).Scan(&n)
			},
		} {
			c := acquire(t, p)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			start := time.Now()
			err := do(ctx, c)
			require.ErrorIs(t, err, context.Canceled)
			require.Less(t, time.Since(start), 10*time.Second, "not after the 20 seconds")
			require.Equal(t, Canceled, Classify(err).Class)
			c.Release()

			c = acquire(t, p)
			_, err = c.Exec(ctx, "CREATE TABLE never (id INT)", nil)
			require.ErrorIs(t, err, context.Canceled)
			require.True(t, Classify(err).NotSent)
			require.Len(t, rowsOf(t, c, "SELECT 1"), 1, "a later statement is not hit")
			c.Release()
		}
		if db.Dialect == "postgres" {
			d := db.Server.Admin()
			require.Eventually(t, func() bool {
				var n int
				require.NoError(t, d.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND query LIKE '%pg_sleep%' AND state = 'active'", db.Name).Scan(&n))
				return n == 0
			}, 10*time.Second, 10*time.Millisecond, "the backend goes on")
		}
	})
}

func TestCancel_BetweenRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		rows, err := c.Query(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 900) SELECT i FROM n", nil)
		require.NoError(t, err)
		dest := make([]sqldriver.Value, 1)
		require.NoError(t, rows.Next(dest))
		cancel()
		require.ErrorIs(t, rows.Next(dest), context.Canceled)
		_ = rows.Close()
		c.Release()
		require.Len(t, rowsOf(t, acquire(t, p), "SELECT 1"), 1)
	})
}

// hazard 173
func TestStatementTimeout_FrozenServer(t *testing.T) {
	t.Parallel()
	for _, start := range []func(testing.TB, ...string) *dbtest.Server{dbtest.StartPostgres, dbtest.StartMariaDB} {
		s := start(t)
		db := s.Database(t)
		o := optionsFor(db)
		o.StatementTimeout = 2 * time.Second
		o.ConnectTimeout = 3 * time.Second
		db.Exec(t, createT)
		p := open(t, o)
		c, d := acquire(t, p), acquire(t, p)
		require.NoError(t, d.Begin(t.Context(), TxOptions{}))
		s.Pause(t)
		begin := time.Now()
		_, err := c.Exec(context.Background(), "INSERT INTO t VALUES (1, 'a')", nil)
		var silence *SilenceError
		require.ErrorAs(t, err, &silence, "%v", err)
		require.Equal(t, Timeout, Classify(err).Class)
		require.True(t, Classify(err).Unanswered)
		require.ErrorIs(t, d.Commit(context.Background()), ErrCommitUnknown)
		c.Release()
		d.Release()
		_, err = p.Acquire(context.Background(), 0)
		var connect *ConnectError
		require.ErrorAs(t, err, &connect)
		require.Equal(t, Connection, Classify(err).Class, "%v", err) // hazard 175
		require.True(t, Classify(err).NotSent)
		require.Less(t, time.Since(begin), o.ConnectTimeout+2*o.StatementTimeout+5*time.Second)
		s.Resume(t)
		require.Eventually(t, func() bool { // what is new may be silent for longer than that on a busy machine
			c, err := p.Acquire(t.Context(), 10*time.Second)
			if err != nil {
				return false
			}
			defer c.Release()
			_, err = c.Exec(t.Context(), "SELECT 1", nil)
			return err == nil
		}, 30*time.Second, 10*time.Millisecond)
	}
}

// hazard 166
func TestCancel_RacingTheAnswer(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		mustExec(t, acquire(t, p), createT)
		insert := ph(db, "INSERT INTO t VALUES ($1, 'a')")
		acknowledged := map[int64]bool{}
		for i := range int64(300) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(1500))*time.Microsecond)
			c, err := p.Acquire(ctx, time.Second)
			if err == nil {
				_, err = c.Exec(ctx, insert, []any{i})
				c.Release()
			}
			cancel()
			problem := Classify(err)
			switch {
			case err == nil:
				acknowledged[i] = true
			case problem.NotSent:
				acknowledged[i] = false
				require.ErrorIs(t, err, context.DeadlineExceeded)
			default:
				require.Equal(t, Timeout, problem.Class, "%v", err)
				require.True(t, problem.Unanswered, "%v", err)
			}
		}
		o := optionsFor(db)
		o.ConnectTimeout = 30 * time.Second // a busy PostgreSQL first forks for all those cancel requests
		c, err := open(t, o).Acquire(t.Context(), o.ConnectTimeout)
		require.NoError(t, err)
		defer c.Release()
		stored := map[int64]bool{}
		for _, row := range rowsOf(t, c, "SELECT id FROM t") {
			stored[row[0].(int64)] = true
		}
		for i, ok := range acknowledged {
			require.Equal(t, ok, stored[i], "row %d", i)
		}
	})
}

func TestConn_IsSafeInCaseOfConcurrentUse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, createT)
		require.NoError(t, c.Begin(t.Context(), TxOptions{})) // hazard 140
		insert, read := ph(db, "INSERT INTO t VALUES ($1, 'a')"), ph(db, "SELECT id FROM t WHERE id < $1")
		var wg sync.WaitGroup
		var inserted atomic.Int64
		for g := range 4 {
			wg.Go(func() {
				for i := range 30 {
					_, err := c.Exec(t.Context(), insert, []any{int64(g*100 + i)})
					if err == nil {
						inserted.Add(1)
					} else if !errors.Is(err, ErrBusy) {
						t.Error(err)
					}
					rows, err := c.Query(t.Context(), read, []any{int64(10)})
					if err == nil {
						_, err = drain(rows)
					}
					if err != nil && !errors.Is(err, ErrBusy) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		require.NoError(t, c.Commit(t.Context()))
		require.Equal(t, [][]any{{inserted.Load()}}, rowsOf(t, c, "SELECT count(*) FROM t"))
	})
}
