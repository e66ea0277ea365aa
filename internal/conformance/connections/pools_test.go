package connections

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazards 172, 175: a pool of which every connection is held by somebody who
// waits for a second one fails after the acquire timeout, by an error of its
// own, and recovers by itself.
func TestPool_ExhaustedFailsInTimeAndRecovers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		const size = 3
		config := conformance.ConnectionTo(db)
		config.Pool = dbfleet.PoolConfig{MaxOpen: size, AcquireTimeout: 150 * time.Millisecond}
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
		accounts := fl.Bank(t)
		require.NoError(t, accounts.CreateMany(t.Context(), []conformance.Account{{Owner: "a"}, {Owner: "b"}}))
		h := fl.DB("main")
		second := map[string]func(ctx context.Context) error{
			"Get":  func(ctx context.Context) error { _, err := accounts.Get(ctx); return err },
			"exec": func(ctx context.Context) error { _, err := h.ExecContext(ctx, "DELETE FROM accounts"); return err },
			"query": func(ctx context.Context) error {
				rows, err := h.QueryContext(ctx, "SELECT 1")
				if err == nil {
					err = rows.Close()
				}
				return err
			},
			"row":     func(ctx context.Context) error { return h.QueryRowContext(ctx, "SELECT 1").Scan(new(int)) },
			"prepare": func(ctx context.Context) error { _, err := h.PrepareContext(ctx, "SELECT 1"); return err },
			"transaction": func(ctx context.Context) error {
				return h.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil })
			},
			"ping": h.Ping,
		}
		for name, run := range second {
			var wg, holding, trying sync.WaitGroup
			holding.Add(size)
			trying.Add(size)
			start := time.Now()
			for range size {
				wg.Go(func() {
					rows, err := h.QueryContext(t.Context(), "SELECT owner FROM accounts")
					holding.Done()
					if err != nil {
						t.Error(err)
						trying.Done()
						return
					}
					defer rows.Close()
					holding.Wait()
					err = run(t.Context())
					trying.Done()
					trying.Wait()
					if !errors.Is(err, dbfleet.ErrAcquireTimeout) {
						t.Errorf("%s: %v", name, err)
						return
					}
					var a *dbfleet.AcquireTimeoutError
					require.ErrorAs(t, err, &a)
					require.Equal(t, size, a.Stats.InUse, name)
					require.Contains(t, err.Error(), "3 in use", name)
					require.NotErrorIs(t, err, dbfleet.ErrTimeout, name)
					require.NotErrorIs(t, err, dbfleet.ErrConnection, name)
					require.NotErrorIs(t, err, dbfleet.ErrTooManyConnections, name)
					require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, name)
					require.NotErrorIs(t, err, context.DeadlineExceeded, name)
				})
			}
			wg.Wait()
			require.Less(t, time.Since(start), 10*time.Second, name)
			require.NoError(t, run(t.Context()), "%s: it recovers", name)
			_, err := h.ExecContext(t.Context(), conformance.Inserting(name))
			require.NoError(t, err)
		}
	})
}

// Many more callers than connections, raw: each has its turn, none waits without
// a bound, and rows belong to their caller's context after the wait.
func TestPool_RawQueriesWaitTheirTurn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		config.Pool = dbfleet.PoolConfig{MaxOpen: 2, AcquireTimeout: 30 * time.Second}
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
		h := fl.DB("main")
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				for range 15 {
					rows, err := h.QueryContext(t.Context(), "SELECT 1 UNION ALL SELECT 2")
					if err != nil {
						t.Error(err)
						return
					}
					n := 0
					for rows.Next() {
						n++
					}
					require.Equal(t, 2, n)
					require.NoError(t, rows.Err())
				}
			})
		}
		wg.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		rows, err := h.QueryContext(ctx, "SELECT 1 UNION ALL SELECT 2")
		require.NoError(t, err)
		cancel()
		for rows.Next() {
		}
		require.ErrorIs(t, rows.Err(), context.Canceled)
		require.Eventually(t, func() bool { return fl.Stats()["main"].InUse == 0 }, 20*time.Second, time.Millisecond)
	})
}

// hazard 182: a server that takes no more connections.
func TestPool_TooManyConnections(t *testing.T) {
	t.Parallel()
	for name, start := range ownServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "max_connections=12")
			db := s.Database(t)
			config := conformance.ConnectionTo(db)
			config.Pool.MaxOpen = 100
			fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
			h := fl.DB("main")
			var held []*sql.Rows
			var err error
			for range 30 {
				var rows *sql.Rows
				if rows, err = h.QueryContext(t.Context(), "SELECT 1"); err != nil {
					break
				}
				held = append(held, rows)
			}
			require.ErrorIs(t, err, dbfleet.ErrTooManyConnections)
			require.NotErrorIs(t, err, dbfleet.ErrAcquireTimeout)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
			require.Greater(t, len(held), 3)
			for _, rows := range held {
				require.NoError(t, rows.Close())
			}
			require.NoError(t, h.Ping(t.Context()))
		})
	}
}

// hazard 145: what a statement sets for its session does not reach the next
// user of the connection.
func TestPool_SessionStateDoesNotLeak(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		config.Pool.MaxOpen = 1 // so that the next user gets the same connection
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
		h := fl.DB("main")
		set := map[string]string{"postgres": "SET statement_timeout = 1234", "mysql": "SET SESSION sort_buffer_size = 123456", "sqlite": "PRAGMA cache_size = 1234"}[db.Dialect]
		show := map[string]string{"postgres": "SHOW statement_timeout", "mysql": "SELECT @@sort_buffer_size", "sqlite": "PRAGMA cache_size"}[db.Dialect]
		value := func() (s string) {
			require.NoError(t, h.QueryRowContext(t.Context(), show).Scan(&s))
			return s
		}
		before := value()
		for name, run := range map[string]func() error{
			"exec":    func() error { _, err := h.ExecContext(t.Context(), set); return err },
			"comment": func() error { _, err := h.ExecContext(t.Context(), "/* x */ "+set); return err },
			"query": func() error {
				rows, err := h.QueryContext(t.Context(), set)
				if err == nil {
					err = rows.Close()
				}
				return err
			},
			"primary": func() error { _, err := h.Pool().ExecContext(t.Context(), set); return err },
			"transaction": func() error {
				return fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					_, err := tx.ExecContext(ctx, set)
					return err
				})
			},
			"begun by hand": func() error { _, err := h.Pool().ExecContext(t.Context(), "BEGIN"); return err },
		} {
			require.NoError(t, run(), name)
			require.Equal(t, before, value(), name)
			_, err := h.ExecContext(t.Context(), "CREATE TABLE "+quoteName(db.Dialect, name)+" (v INT)")
			require.NoError(t, err, name)
			require.Zero(t, conformance.Counted(t, db, "SELECT COUNT(*) FROM "+quoteName(db.Dialect, name)), "what followed was committed")
		}
	})
}

func quoteName(dialect, name string) string {
	if dialect == "mysql" {
		return "`" + name + "`"
	}
	return `"` + name + `"`
}

// hazard 182
func TestHazard_AServerThatTakesNoMoreConnections(t *testing.T) {
	t.Parallel()
	for dialect, start := range map[string]func(t *testing.T) *dbtest.Server{
		"postgres": func(t *testing.T) *dbtest.Server { return dbtest.StartPostgres(t, "max_connections=8") },
		"mysql":    func(t *testing.T) *dbtest.Server { return dbtest.StartMariaDB(t, "max-connections=10") },
	} {
		t.Run(dialect, func(t *testing.T) {
			server := start(t)
			config := conformance.ConnectionTo(server.Database(t))
			config.Pool.MaxOpen = 20
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
			var held []interface{ Close() error }
			var err error
			for range config.Pool.MaxOpen {
				rows, queryErr := r.DB("main").QueryContext(t.Context(), "SELECT 1")
				if err = queryErr; err != nil {
					break
				}
				held = append(held, rows)
			}
			require.NotEmpty(t, held)
			require.ErrorIs(t, err, dbfleet.ErrTooManyConnections)
			require.NotErrorIs(t, err, dbfleet.ErrAcquireTimeout)
			for _, rows := range held {
				require.NoError(t, rows.Close())
			}
			require.NoError(t, r.DB("main").Ping(t.Context()), "it recovers by itself")
		})
	}
}

// hazards 185, 186: what runs on a connection that is replaced or removed ends
// well; what comes later finds the new one, or none.
func TestHazard_ConnectionsAreReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config, "other": config})
		conformance.Fleet{Registry: r, Database: db}.Create(t, conformance.PurchasesTable)
		stop := make(chan struct{})
		errs := make(chan error, 8)
		var wg sync.WaitGroup
		for range cap(errs) {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					err := r.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
						_, err := r.DB("main").Table("purchases").Count(ctx)
						return err
					}, dbfleet.TxOptions{Retries: 10})
					if err != nil {
						errs <- err
						return
					}
				}
			})
		}
		for range 10 {
			require.NoError(t, r.Replace(t.Context(), "main", config))
		}
		require.NoError(t, r.Remove(t.Context(), "other"))
		close(stop)
		wg.Wait()
		close(errs)
		require.NoError(t, <-errs)

		_, err := r.DB("other").Table("purchases").Count(t.Context())
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, []string{"main"}, unknown.Known)
		if db.Password != "" {
			require.NotContains(t, err.Error(), db.Password)
		}
	})
}
