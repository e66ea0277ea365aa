package transactions

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// promise: at most one execution per call; an unknown outcome is its own error.
// Findings 1 and 6, hazards 202, 204.
func TestWrite_LostAnswerIsUnknownAndDoneOnce(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		h := fl.DB("main")
		ctx := t.Context()
		seed := func() conformance.Account {
			a := conformance.Account{Owner: "seed", Balance: 0}
			require.NoError(t, accounts.Create(ctx, &a))
			return a
		}
		insert := marks(db.Dialect, "INSERT INTO accounts (owner, balance) VALUES (?, ?)")
		created := "SELECT COUNT(*) FROM accounts WHERE owner = 'marked'"
		type write struct {
			name  string
			write func(a conformance.Account) error
			done  string // counts how often it was done
		}
		writes := []write{
			{"Create", func(conformance.Account) error { return accounts.Create(ctx, &conformance.Account{Owner: "marked"}) }, created},
			{"CreateMany", func(conformance.Account) error {
				return accounts.CreateMany(ctx, []conformance.Account{{Owner: "marked"}})
			}, created},
			{"Insert", func(conformance.Account) error {
				_, err := h.Table("accounts").Insert(ctx, map[string]any{"owner": "marked", "balance": 1})
				return err
			}, created},
			{"Insert of several rows", func(conformance.Account) error {
				_, err := h.Table("accounts").Insert(ctx, dbfleet.Row{"owner": "marked", "balance": 1}, dbfleet.Row{"owner": "other", "balance": 1})
				return err
			}, created},
			{"InsertReturning", func(conformance.Account) error {
				_, err := dbfleet.InsertReturning(ctx, accounts.Query(), dbfleet.Row{"owner": "marked", "balance": 1})
				return err
			}, created},
			{"DeleteReturning", func(conformance.Account) error {
				_, err := dbfleet.DeleteReturning(ctx, accounts.Where("owner", "=", "seed").Where("owner", "<>", "marked"))
				return err
			}, "SELECT 1 - COUNT(*) FROM accounts"},
			{"Upsert", func(conformance.Account) error {
				return h.Table("accounts").Upsert(ctx, map[string]any{"owner": "marked", "balance": 1}, dbfleet.Conflict{Key: []string{"owner"}})
			}, created},
			{"Save", func(a conformance.Account) error { a.Owner = "marked"; return accounts.Save(ctx, &a) }, created},
			{"Update", func(conformance.Account) error {
				_, err := accounts.Where("owner", "=", "seed").Update(ctx, map[string]any{"owner": "marked"})
				return err
			}, created},
			{"Increment", func(conformance.Account) error {
				_, err := accounts.Where("owner", "=", "seed").Where("owner", "<>", "marked").Increment(ctx, "balance", 1)
				return err
			}, "SELECT balance FROM accounts"},
			{"Delete", func(conformance.Account) error {
				_, err := accounts.Where("owner", "=", "seed").Where("owner", "<>", "marked").Delete(ctx)
				return err
			}, "SELECT 1 - COUNT(*) FROM accounts"},
			{"ExecStatement", func(conformance.Account) error {
				_, err := accounts.Query().ExecStatement(ctx, squirrel.Insert("accounts").Columns("owner", "balance").Values("marked", 1))
				return err
			}, created},
			{"raw Exec", func(conformance.Account) error { _, err := h.ExecContext(ctx, insert, "marked", 1); return err }, created},
			{"raw Exec without arguments", func(conformance.Account) error {
				_, err := h.ExecContext(ctx, conformance.Inserting("marked"))
				return err
			}, created},
			{"raw Exec of a relative change", func(conformance.Account) error {
				_, err := h.ExecContext(ctx, "UPDATE accounts SET balance = balance + 1 /* marked */")
				return err
			}, "SELECT balance FROM accounts"},
			{"raw Query that writes", func(conformance.Account) error {
				rows, err := h.QueryContext(ctx, insert+" RETURNING id", "marked", 1)
				if err == nil {
					_ = rows.Close()
					err = rows.Err()
				}
				return err
			}, created},
			{"raw QueryRow that writes", func(conformance.Account) error {
				return h.QueryRowContext(ctx, insert+" RETURNING id", "marked", 1).Scan(new(int))
			}, created},
		}
		if db.Dialect == "postgres" { // MariaDB has no such UPDATE
			writes = append(writes, write{"UpdateReturning", func(conformance.Account) error {
				_, err := dbfleet.UpdateReturning(ctx, accounts.Where("owner", "=", "seed"), dbfleet.Row{"owner": "marked"})
				return err
			}, created})
		}
		for _, action := range []dbtest.Action{dbtest.CutReply, dbtest.CutRequest} {
			for _, reset := range []bool{false, true} {
				for _, w := range writes {
					name := fmt.Sprintf("%s, action %d, reset %v", w.name, action, reset)
					_, err := accounts.Query().AllRows().Delete(ctx)
					require.NoError(t, err, name)
					a := seed()
					fault := proxy.On(dbtest.Fault{Marker: "marked", Action: action, Reset: reset, Times: 1})
					err = w.write(a)
					require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown, name)
					require.ErrorIs(t, err, dbfleet.ErrConnection, name)
					require.NotErrorIs(t, err, dbfleet.ErrConnectionRefused, name)
					require.False(t, dbfleet.IsRetryable(err), name)
					require.Equal(t, 1, fault.Seen(), "%s: sent once", name)
					want := 1
					if action == dbtest.CutRequest {
						want = 0
					}
					require.Equal(t, want, conformance.Counted(t, db, w.done), name)
					proxy.Heal()
				}
			}
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// A lost answer inside a transaction leaves nothing unknown: nothing of it
// persists.
func TestTransaction_LostAnswerInsideIsNotUnknown(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		proxy.On(dbtest.Fault{Marker: "marked", Action: dbtest.CutReply, Times: 1})
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "before"}))
			err := accounts.Create(ctx, &conformance.Account{Owner: "marked"})
			require.ErrorIs(t, err, dbfleet.ErrConnection)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
			require.ErrorIs(t, accounts.Create(ctx, &conformance.Account{Owner: "after"}), dbfleet.ErrTxLost)
			return nil
		})
		require.ErrorIs(t, err, dbfleet.ErrTxLost)
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		require.Empty(t, conformance.Owners(t, db))
	})
}

// promise: an unknown outcome is its own error. A lost answer to COMMIT is
// never followed by another attempt.
func TestTransaction_LostAnswerToCommitIsUnknown(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		for _, f := range []dbtest.Fault{
			{Action: dbtest.CutReply}, {Action: dbtest.CutReply, Reset: true}, {Action: dbtest.CutRequest}, {Action: dbtest.CutRequest, Reset: true},
			{Action: dbtest.HoldReply}, {Action: dbtest.HoldRequest},
		} {
			_, err := accounts.Query().AllRows().Delete(t.Context())
			require.NoError(t, err)
			f.Marker, f.Times = "COMMIT", 1
			fault := proxy.On(f)
			runs := 0
			ctx := conformance.NewDeadline(t.Context())
			held := f.Action == dbtest.HoldReply || f.Action == dbtest.HoldRequest
			var passed time.Time
			go func() { // where nobody answers, the caller's time is over once COMMIT is on its way
				<-fault.Fired()
				if held {
					passed = time.Now()
					ctx.Pass()
				}
			}()
			err = fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
				runs++
				return accounts.Create(ctx, &conformance.Account{Owner: "once"})
			}, dbfleet.TxOptions{Retries: 5})
			require.ErrorIs(t, err, dbfleet.ErrCommitUnknown, "%+v", f)
			require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown, "%+v", f)
			require.NotErrorIs(t, err, dbfleet.ErrTxLost, "%+v", f)
			require.False(t, dbfleet.IsRetryable(err), "%+v", f)
			require.Equal(t, 1, runs, "%+v", f)
			require.Equal(t, 1, fault.Seen(), "%+v", f)
			if held {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Less(t, time.Since(passed), 10*time.Second, "it returns by its deadline")
			}
			proxy.Heal()
			switch f.Action {
			case dbtest.CutReply:
				require.Equal(t, []string{"once"}, conformance.Owners(t, db))
			case dbtest.CutRequest, dbtest.HoldRequest:
				require.Empty(t, conformance.Owners(t, db))
			}
		}
		// A node of shards or of several statements: CreateMany over the limit of
		// parameters has a transaction of its own.
		proxy.On(dbtest.Fault{Marker: "COMMIT", Action: dbtest.CutReply, Times: 1})
		many := make([]conformance.Account, 40000)
		for i := range many {
			many[i].Owner = fmt.Sprint(i)
		}
		err := accounts.CreateMany(t.Context(), many)
		require.ErrorIs(t, err, dbfleet.ErrCommitUnknown)
		require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
	})
}

// finding 6: an INSERT whose context ends while it waits may still be done.
func TestWrite_EndOfContextLeavesItsOutcomeUnknown(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, _ := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		err := fl.Transaction(t.Context(), "", func(inside context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(inside, &conformance.Account{Owner: "contended"}))
			for _, write := range []func(ctx context.Context) error{
				func(ctx context.Context) error { return accounts.Create(ctx, &conformance.Account{Owner: "contended"}) },
				func(ctx context.Context) error {
					_, err := fl.DB("main").ExecContext(ctx, conformance.Inserting("contended"))
					return err
				},
			} {
				before := conformance.Waiting(t, db)
				ctx := conformance.NewDeadline(t.Context())
				done := make(chan error, 1)
				go func() { done <- write(ctx) }()
				require.Eventually(t, func() bool {
					return slices.ContainsFunc(conformance.Waiting(t, db), func(n int64) bool { return !slices.Contains(before, n) })
				}, 30*time.Second, conformance.WaitingTick, "the insert never waits")
				start := time.Now()
				ctx.Pass()
				err := <-done
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
				require.NotErrorIs(t, err, dbfleet.ErrTimeout, "the context ended, not the database's patience")
				require.Less(t, time.Since(start), 10*time.Second, "nobody waits for the lock any more")
			}
			return errUndo
		})
		require.ErrorIs(t, err, errUndo)
		require.LessOrEqual(t, len(conformance.Owners(t, db)), 1)
	})
}
