package connections

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazard 165: with a context that has ended nothing is sent.
func TestCancel_EndedContextSendsNothing(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		h := fl.DB("main")
		stmt, err := h.PrepareContext(t.Context(), "SELECT owner FROM accounts")
		require.NoError(t, err)
		defer stmt.Close()
		traffic := proxy.On(dbtest.Fault{}) // counts all that is sent
		before := traffic.Seen()
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		expired, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		for ctx, want := range map[context.Context]error{canceled: context.Canceled, expired: context.DeadlineExceeded} {
			never := func(context.Context, *dbfleet.Tx) error { t.Error("the closure ran"); return nil }
			_, getErr := accounts.Get(ctx)
			_, execErr := h.ExecContext(ctx, conformance.Inserting("x"))
			rows, queryErr := h.QueryContext(ctx, "SELECT 1")
			require.Nil(t, rows)
			_, stmtErr := stmt.QueryContext(ctx)
			for what, err := range map[string]error{
				"Get": getErr, "exec": execErr, "query": queryErr, "stmt": stmtErr,
				"Create": accounts.Create(ctx, &conformance.Account{Owner: "x"}), "CreateMany": accounts.CreateMany(ctx, []conformance.Account{{Owner: "x"}, {Owner: "y"}}),
				"row": h.QueryRowContext(ctx, "SELECT 1").Scan(new(int)), "ping": h.Ping(ctx), "transaction": h.Transaction(ctx, never),
			} {
				require.ErrorIs(t, err, want, what)
				require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, what)
			}
		}
		require.Equal(t, before, traffic.Seen(), "nothing was sent")
		require.Zero(t, conformance.Counted(t, db, "SELECT COUNT(*) FROM accounts"))
	})
}

// hazard 162: the server stops too, at once.
func TestCancel_StopsTheServer(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, _ := conformance.ThroughProxy(t, db)
		running := "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()"
		if db.Dialect == "mysql" {
			running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(30)%' AND id <> CONNECTION_ID()"
		}
		running += " AND " + map[string]string{"postgres": "query", "mysql": "info"}[db.Dialect] + " LIKE "
		h := fl.DB("main")
		for name, run := range map[string]func(ctx context.Context, statement string) error{
			"exec": func(ctx context.Context, statement string) error { _, err := h.ExecContext(ctx, statement); return err },
			"query": func(ctx context.Context, statement string) error {
				return h.QueryRowContext(ctx, statement).Scan(new(any))
			},
			"table": func(ctx context.Context, statement string) error {
				_, err := h.Table("nothing").GetStatement(ctx, text(statement))
				return err
			},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			// Each has a text of its own, as the one before may not have ended yet.
			mark := db.Name + "." + name
			go func() { done <- run(ctx, conformance.Slow(db.Dialect)+" /* "+mark+" */") }()
			admin := db.Server.Admin()
			active := func() (n int) {
				if err := admin.QueryRowContext(t.Context(), running+"'%"+mark+"%'").Scan(&n); err != nil {
					t.Error(err)
				}
				return n
			}
			require.Eventually(t, func() bool { return active() == 1 }, 30*time.Second, 2*time.Millisecond, name)
			cancel()
			start := time.Now()
			err := <-done
			require.Less(t, time.Since(start), 10*time.Second, "%s: by its end, and the time to stop it", name)
			require.ErrorIs(t, err, context.Canceled, name)
			require.NotErrorIs(t, err, dbfleet.ErrTimeout, name)
			require.Eventually(t, func() bool { return active() == 0 }, 20*time.Second, 2*time.Millisecond, "%s: long before the 30 seconds", name)
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// text is a statement as a squirrel.Sqlizer.
type text string

func (s text) ToSql() (string, []any, error) { return string(s), nil, nil }

// hazards 164, 166: whatever moment the context ends at, the answer is right
// about the row, and the pool stays healthy.
func TestCancel_RacesCompletion(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		const goroutines, each = 4, 100
		var mu sync.Mutex
		written, unwritten := map[string]bool{}, map[string]bool{}
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range each {
					owner := fmt.Sprintf("%d-%d", g, i)
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(2000))*time.Microsecond)
					var err error
					switch i % 4 {
					case 0:
						err = accounts.Create(ctx, &conformance.Account{Owner: owner})
					case 1:
						_, err = fl.DB("main").ExecContext(ctx, conformance.Inserting(owner))
					case 2:
						err = fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
							return accounts.Create(ctx, &conformance.Account{Owner: owner})
						})
					case 3:
						_, err = accounts.Where("owner", "=", owner).Get(ctx)
						if err != nil {
							require.ErrorIs(t, err, context.DeadlineExceeded)
							require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
						}
						cancel()
						continue
					}
					cancel()
					mu.Lock()
					switch {
					case err == nil:
						written[owner] = true
					case errors.Is(err, dbfleet.ErrOutcomeUnknown):
					default:
						unwritten[owner] = true
						require.ErrorIs(t, err, context.DeadlineExceeded)
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		stored := map[string]bool{}
		for _, owner := range conformance.Owners(t, fl.Database) {
			stored[owner] = true
			require.False(t, unwritten[owner], "%s was told not to be written", owner)
		}
		for owner := range written {
			require.True(t, stored[owner], "%s was told to be written", owner)
		}
		conformance.RequireIdle(t, fl.Registry)
		for i := range 10 {
			require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: fmt.Sprint("after ", i)}))
		}
	})
}
