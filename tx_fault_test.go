package dbfleet_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/Masterminds/squirrel"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// onServers runs f on a fresh database of each server.
func onServers(t *testing.T, f func(t *testing.T, db dbtest.Database)) {
	t.Helper()
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			f(t, dbtest.New(t, dialect))
		})
	}
}

// throughProxy is a fleet whose connections a proxy can break.
func throughProxy(t *testing.T, db dbtest.Database, change ...func(*dbfleet.ConnectionConfig)) (fleet, *dbtest.Proxy) {
	t.Helper()
	proxy := dbtest.NewProxy(t, db.Server.Addr())
	config := connectionTo(proxy.Through(db))
	for _, f := range change {
		f(&config)
	}
	return fleet{open(t, map[string]dbfleet.ConnectionConfig{"main": config}), db}, proxy
}

// counted is what a stranger to the library counts.
func counted(t testing.TB, db dbtest.Database, query string) (n int) {
	t.Helper()
	require.NoError(t, db.SQL(t).QueryRowContext(context.Background(), query).Scan(&n), query)
	return n
}

// promise: at most one execution per call; an unknown outcome is its own error.
// Findings 1 and 6, hazards 202, 204.
func TestWrite_LostAnswerIsUnknownAndDoneOnce(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := throughProxy(t, db)
		accounts := fl.bank(t)
		h := fl.DB("main")
		ctx := t.Context()
		seed := func() account {
			a := account{Owner: "seed", Balance: 0}
			require.NoError(t, accounts.Create(ctx, &a))
			return a
		}
		insert := marks(db.Dialect, "INSERT INTO accounts (owner, balance) VALUES (?, ?)")
		created := "SELECT COUNT(*) FROM accounts WHERE owner = 'marked'"
		writes := []struct {
			name  string
			write func(a account) error
			done  string // counts how often it was done
		}{
			{"Create", func(account) error { return accounts.Create(ctx, &account{Owner: "marked"}) }, created},
			{"CreateMany", func(account) error { return accounts.CreateMany(ctx, []account{{Owner: "marked"}}) }, created},
			{"Insert", func(account) error {
				_, err := h.Table("accounts").Insert(ctx, map[string]any{"owner": "marked", "balance": 1})
				return err
			}, created},
			{"Upsert", func(account) error {
				return h.Table("accounts").Upsert(ctx, map[string]any{"owner": "marked", "balance": 1}, "owner")
			}, created},
			{"Save", func(a account) error { a.Owner = "marked"; return accounts.Save(ctx, &a) }, created},
			{"Update", func(account) error {
				_, err := accounts.Where("owner", "=", "seed").Update(ctx, map[string]any{"owner": "marked"})
				return err
			}, created},
			{"Increment", func(account) error {
				_, err := accounts.Where("owner", "=", "seed").Where("owner", "<>", "marked").Increment(ctx, "balance", 1)
				return err
			}, "SELECT balance FROM accounts"},
			{"Delete", func(account) error {
				_, err := accounts.Where("owner", "=", "seed").Where("owner", "<>", "marked").Delete(ctx)
				return err
			}, "SELECT 1 - COUNT(*) FROM accounts"},
			{"ExecStatement", func(account) error {
				_, err := accounts.Query().ExecStatement(ctx, squirrel.Insert("accounts").Columns("owner", "balance").Values("marked", 1))
				return err
			}, created},
			{"raw Exec", func(account) error { _, err := h.ExecContext(ctx, insert, "marked", 1); return err }, created},
			{"raw Exec without arguments", func(account) error { _, err := h.ExecContext(ctx, inserting("marked")); return err }, created},
			{"raw Exec of a relative change", func(account) error {
				_, err := h.ExecContext(ctx, "UPDATE accounts SET balance = balance + 1 /* marked */")
				return err
			}, "SELECT balance FROM accounts"},
			{"raw Query that writes", func(account) error {
				rows, err := h.QueryContext(ctx, insert+" RETURNING id", "marked", 1)
				if err == nil {
					_ = rows.Close()
					err = rows.Err()
				}
				return err
			}, created},
			{"raw QueryRow that writes", func(account) error {
				return h.QueryRowContext(ctx, insert+" RETURNING id", "marked", 1).Scan(new(int))
			}, created},
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
					require.Equal(t, want, counted(t, db, w.done), name)
					proxy.Heal()
				}
			}
		}
		requireIdle(t, fl.Registry)
	})
}

// A lost answer inside a transaction leaves nothing unknown: nothing of it
// persists.
func TestTransaction_LostAnswerInsideIsNotUnknown(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := throughProxy(t, db)
		accounts := fl.bank(t)
		proxy.On(dbtest.Fault{Marker: "marked", Action: dbtest.CutReply, Times: 1})
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &account{Owner: "before"}))
			err := accounts.Create(ctx, &account{Owner: "marked"})
			require.ErrorIs(t, err, dbfleet.ErrConnection)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
			require.ErrorIs(t, accounts.Create(ctx, &account{Owner: "after"}), dbfleet.ErrTxLost)
			return nil
		})
		require.ErrorIs(t, err, dbfleet.ErrTxLost)
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		require.Empty(t, owners(t, db))
	})
}

// promise: an unknown outcome is its own error. A lost answer to COMMIT is
// never followed by another attempt.
func TestTransaction_LostAnswerToCommitIsUnknown(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := throughProxy(t, db)
		accounts := fl.bank(t)
		for _, f := range []dbtest.Fault{
			{Action: dbtest.CutReply}, {Action: dbtest.CutReply, Reset: true}, {Action: dbtest.CutRequest}, {Action: dbtest.CutRequest, Reset: true},
			{Action: dbtest.HoldReply}, {Action: dbtest.HoldRequest},
		} {
			_, err := accounts.Query().AllRows().Delete(t.Context())
			require.NoError(t, err)
			f.Marker, f.Times = "COMMIT", 1
			fault := proxy.On(f)
			runs := 0
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			held := f.Action == dbtest.HoldReply || f.Action == dbtest.HoldRequest
			if held {
				ctx, cancel = context.WithTimeout(ctx, 400*time.Millisecond)
			}
			start := time.Now()
			err = fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
				runs++
				return accounts.Create(ctx, &account{Owner: "once"})
			}, dbfleet.TxOptions{Retries: 5})
			cancel()
			require.ErrorIs(t, err, dbfleet.ErrCommitUnknown, "%+v", f)
			require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown, "%+v", f)
			require.NotErrorIs(t, err, dbfleet.ErrTxLost, "%+v", f)
			require.False(t, dbfleet.IsRetryable(err), "%+v", f)
			require.Equal(t, 1, runs, "%+v", f)
			require.Equal(t, 1, fault.Seen(), "%+v", f)
			if held {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Less(t, time.Since(start), 2*time.Second, "it returns by its deadline")
			}
			proxy.Heal()
			switch f.Action {
			case dbtest.CutReply:
				require.Equal(t, []string{"once"}, owners(t, db))
			case dbtest.CutRequest, dbtest.HoldRequest:
				require.Empty(t, owners(t, db))
			}
		}
		// A node of shards or of several statements: CreateMany over the limit of
		// parameters has a transaction of its own.
		proxy.On(dbtest.Fault{Marker: "COMMIT", Action: dbtest.CutReply, Times: 1})
		many := make([]account, 40000)
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
	onServers(t, func(t *testing.T, db dbtest.Database) {
		fl, _ := throughProxy(t, db)
		accounts := fl.bank(t)
		err := fl.Transaction(t.Context(), "", func(inside context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(inside, &account{Owner: "contended"}))
			for _, write := range []func(ctx context.Context) error{
				func(ctx context.Context) error { return accounts.Create(ctx, &account{Owner: "contended"}) },
				func(ctx context.Context) error {
					_, err := fl.DB("main").ExecContext(ctx, inserting("contended"))
					return err
				},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
				start := time.Now()
				err := write(ctx)
				cancel()
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
				require.NotErrorIs(t, err, dbfleet.ErrTimeout, "the context ended, not the database's patience")
				require.Less(t, time.Since(start), 1500*time.Millisecond)
			}
			return errUndo
		})
		require.ErrorIs(t, err, errUndo)
		require.LessOrEqual(t, len(owners(t, db)), 1)
	})
}

// deadlock runs two transactions that wait for each other, and returns their
// errors. Each closure hides the error of the deadlock and goes on.
func deadlock(t *testing.T, fl fleet, accounts *dbfleet.Model[account], word string, ids [2]int64, options ...dbfleet.TxOptions) (errs [2]error, runs [2]int, hidden error) {
	var barrier sync.WaitGroup
	barrier.Add(2)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() {
			errs[i] = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				runs[i]++
				if err := accounts.Create(ctx, &account{Owner: fmt.Sprintf("%s by %d", word, i)}); err != nil {
					return err
				}
				one, other := ids[i], ids[1-i]
				if _, err := accounts.Where("id", "=", one).Increment(ctx, "balance", 1); err != nil {
					return err
				}
				if runs[i] == 1 {
					barrier.Done()
					barrier.Wait()
				}
				if _, err := accounts.Where("id", "=", other).Increment(ctx, "balance", 1); err != nil {
					mu.Lock()
					hidden = err
					mu.Unlock()
					// It goes on as if nothing had happened.
					_, rawErr := tx.ExecContext(ctx, inserting("ghost"))
					require.ErrorIs(t, rawErr, dbfleet.ErrTxLost)
					require.ErrorIs(t, accounts.Create(ctx, &account{Owner: "ghost"}), dbfleet.ErrTxLost)
					_, getErr := accounts.Get(ctx)
					require.ErrorIs(t, getErr, dbfleet.ErrTxLost)
					require.ErrorIs(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrTxLost)
				}
				return nil
			}, options...)
		})
	}
	wg.Wait()
	return errs, runs, hidden
}

// finding 3, hazards 121, 129: nothing that follows a deadlock is executed, let
// alone committed by itself.
func TestTransaction_DeadlockPoisons(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, db dbtest.Database) {
		fl := fleet{open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(db)}), db}
		accounts := fl.bank(t)
		two := []account{{Owner: "account 0"}, {Owner: "account 1"}}
		require.NoError(t, accounts.CreateMany(t.Context(), two))
		ids := [2]int64{two[0].ID, two[1].ID}
		errs, _, hidden := deadlock(t, fl, accounts, "first", ids)
		require.ErrorIs(t, hidden, dbfleet.ErrDeadlock)
		victim := 0
		if errs[0] == nil {
			victim = 1
		}
		require.NoError(t, errs[1-victim])
		require.ErrorIs(t, errs[victim], dbfleet.ErrTxLost)
		require.ErrorIs(t, errs[victim], dbfleet.ErrDeadlock, "the cause is told")
		require.True(t, dbfleet.IsRetryable(errs[victim]), "although the closure hid it")
		require.Equal(t, []string{"account 0", "account 1", fmt.Sprint("first by ", 1-victim)}, owners(t, db))

		// hazard 139: run again, it succeeds.
		errs, runs, _ := deadlock(t, fl, accounts, "second", ids, dbfleet.TxOptions{Retries: 3})
		require.NoError(t, errs[0])
		require.NoError(t, errs[1])
		require.GreaterOrEqual(t, runs[0]+runs[1], 3)
		require.Equal(t, []string{"account 0", "account 1", fmt.Sprint("first by ", 1-victim), "second by 0", "second by 1"}, owners(t, db))
		require.Equal(t, 2+4, counted(t, db, "SELECT SUM(balance) FROM accounts"), "each increment once")
	})
}

// hazard 121: a lock that is not had in time breaks the transaction, on MySQL
// too, unless a savepoint is between.
func TestTransaction_LockTimeoutPoisons(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, db dbtest.Database) {
		config := connectionTo(db)
		config.Params = map[string]string{"lock_timeout": "100"}
		if db.Dialect == "mysql" {
			config.Params = map[string]string{"innodb_lock_wait_timeout": "1"}
		}
		fl := fleet{open(t, map[string]dbfleet.ConnectionConfig{"main": config}), db}
		accounts := fl.bank(t)
		locked := account{Owner: "locked"}
		require.NoError(t, accounts.Create(t.Context(), &locked))
		touch := func(ctx context.Context) error {
			_, err := accounts.Where("id", "=", locked.ID).Increment(ctx, "balance", 1)
			return err
		}
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, touch(ctx))
			outside := dbfleet.OutsideTx(ctx)
			err := fl.Transaction(outside, "", func(ctx context.Context, _ *dbfleet.Tx) error {
				require.NoError(t, accounts.Create(ctx, &account{Owner: "earlier"}))
				require.ErrorIs(t, touch(ctx), dbfleet.ErrLockTimeout)
				require.ErrorIs(t, accounts.Create(ctx, &account{Owner: "ghost"}), dbfleet.ErrTxLost)
				return nil
			})
			require.ErrorIs(t, err, dbfleet.ErrTxLost)
			require.ErrorIs(t, err, dbfleet.ErrLockTimeout)
			require.True(t, dbfleet.IsRetryable(err))
			require.Equal(t, []string{"locked"}, owners(t, db))

			return fl.Transaction(outside, "", func(ctx context.Context, tx *dbfleet.Tx) error {
				require.NoError(t, accounts.Create(ctx, &account{Owner: "kept"}))
				require.ErrorIs(t, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
					require.NoError(t, accounts.Create(ctx, &account{Owner: "undone"}))
					return touch(ctx)
				}), dbfleet.ErrLockTimeout)
				return accounts.Create(ctx, &account{Owner: "kept too"})
			})
		})
		require.NoError(t, err)
		require.Equal(t, []string{"kept", "kept too", "locked"}, owners(t, db))
	})
}

// slow is a statement that runs until it is interrupted.
func slow(dialect string) string {
	switch dialect {
	case "postgres":
		return "SELECT pg_sleep(30)"
	case "mysql":
		return "SELECT SLEEP(30)"
	}
	return "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT COUNT(*) FROM n"
}

// Findings 3 and 4, hazards 129, 163: after an interrupted statement nothing is
// executed, and nothing committed.
func TestTransaction_InterruptedStatementPoisons(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		writing := "INSERT INTO accounts (owner, balance) WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x, x FROM n"
		statements := []string{slow(fl.db.Dialect)}
		if fl.db.Dialect == "sqlite" {
			statements = append(statements, writing)
		}
		for _, statement := range statements {
			for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
				err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					require.NoError(t, accounts.Create(ctx, &account{Owner: "earlier"}))
					short, cancel := context.WithTimeout(ctx, 80*time.Millisecond)
					if cause == context.Canceled {
						short, cancel = context.WithCancel(ctx)
						time.AfterFunc(80*time.Millisecond, cancel)
					}
					_, err := tx.ExecContext(short, statement)
					cancel()
					require.ErrorIs(t, err, cause)
					require.ErrorIs(t, accounts.Create(ctx, &account{Owner: "ghost"}), dbfleet.ErrTxLost)
					_, err = tx.ExecContext(ctx, inserting("ghost"))
					require.ErrorIs(t, err, dbfleet.ErrTxLost)
					return nil
				}, dbfleet.TxOptions{Retries: 2})
				require.ErrorIs(t, err, dbfleet.ErrTxLost)
				require.ErrorIs(t, err, cause, "the cause is told")
				require.Empty(t, owners(t, fl.db))
			}
		}
		requireIdle(t, fl.Registry)
		require.NoError(t, accounts.Create(t.Context(), &account{Owner: "next"}))
	})
}

// hazard 123: what SQLite rolls back by itself stays rolled back.
func TestTransaction_SQLiteOwnRollbackPoisons(t *testing.T) {
	t.Parallel()
	fl := sqliteFleet(t)
	accounts := fl.bank(t)
	require.NoError(t, accounts.Create(t.Context(), &account{Owner: "taken"}))
	fl.create(t, `CREATE TRIGGER forbid BEFORE INSERT ON accounts WHEN NEW.owner = 'forbidden' BEGIN SELECT RAISE(ROLLBACK, 'forbidden'); END`)
	for _, statement := range []string{
		"INSERT OR ROLLBACK INTO accounts (owner, balance) VALUES ('taken', 1)", inserting("forbidden"),
	} {
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &account{Owner: "earlier"}))
			_, err := tx.ExecContext(ctx, statement)
			require.Error(t, err)
			require.ErrorIs(t, accounts.Create(ctx, &account{Owner: "ghost"}), dbfleet.ErrTxLost)
			require.ErrorIs(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrTxLost)
			return nil
		})
		require.ErrorIs(t, err, dbfleet.ErrTxLost, statement)
		require.Equal(t, []string{"taken"}, owners(t, fl.db), statement)
		// In a savepoint as well: the whole transaction is gone.
		err = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &account{Owner: "earlier"}))
			err := tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, statement)
				return err
			})
			require.ErrorIs(t, err, dbfleet.ErrTxLost)
			return accounts.Create(ctx, &account{Owner: "ghost"})
		})
		require.ErrorIs(t, err, dbfleet.ErrTxLost, statement)
		require.Equal(t, []string{"taken"}, owners(t, fl.db), statement)
	}
}

// A connection that is killed under a transaction.
func TestTransaction_KilledConnectionPoisons(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, db dbtest.Database) {
		fl := fleet{open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(db)}), db}
		accounts := fl.bank(t)
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &account{Owner: "earlier"}))
			db.KillConnections(t)
			err := accounts.Create(ctx, &account{Owner: "ghost"})
			require.ErrorIs(t, err, dbfleet.ErrConnection)
			require.ErrorIs(t, accounts.Create(ctx, &account{Owner: "ghost"}), dbfleet.ErrTxLost)
			require.ErrorIs(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrTxLost)
			return nil
		})
		require.ErrorIs(t, err, dbfleet.ErrTxLost)
		err = fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &account{Owner: "earlier"}))
			db.KillConnections(t)
			return nil
		})
		require.Error(t, err, "COMMIT finds the connection dead")
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		require.Empty(t, owners(t, db))
		// hazard 177: the pool's other connections are dead too; the next read
		// and write go through, once.
		for range 3 {
			db.KillConnections(t)
			_, err := accounts.Get(t.Context())
			require.NoError(t, err)
			db.KillConnections(t)
			require.NoError(t, fl.DB("main").QueryRowContext(t.Context(), "SELECT COUNT(*) FROM accounts").Scan(new(int)))
			db.KillConnections(t)
			_, err = fl.DB("main").ExecContext(t.Context(), inserting("by raw"))
			require.NoError(t, err)
			db.KillConnections(t)
			_, err = accounts.Where("owner", "=", "by raw").Increment(t.Context(), "balance", 1)
			require.NoError(t, err)
			require.Equal(t, 2, counted(t, db, "SELECT balance FROM accounts"))
			db.KillConnections(t)
			require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := accounts.Query().AllRows().Delete(ctx)
				return err
			}), "a transaction begins on a live connection")
		}
	})
}

// hazard 125: a failed statement aborts the transaction on PostgreSQL only.
func TestTransaction_AfterAFailedStatement(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		accounts := fl.bank(t)
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &account{Owner: "first"}))
			require.ErrorIs(t, accounts.Create(ctx, &account{Owner: "first"}), dbfleet.ErrUnique)
			_ = accounts.Create(ctx, &account{Owner: "second"})
			return nil
		})
		if fl.db.Dialect == "postgres" {
			require.ErrorIs(t, err, dbfleet.ErrTxLost)
			require.ErrorIs(t, err, dbfleet.ErrUnique, "the cause is told")
			require.False(t, dbfleet.IsRetryable(err))
			require.Empty(t, owners(t, fl.db))
			return
		}
		require.NoError(t, err)
		require.Equal(t, []string{"first", "second"}, owners(t, fl.db))
	})
}

// What MySQL commits by itself is told.
func TestTransaction_ImplicitCommitIsTold(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	fl := fleet{open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(db)}), db}
	accounts := fl.bank(t)
	err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
		require.NoError(t, accounts.Create(ctx, &account{Owner: "earlier"}))
		_, err := tx.ExecContext(ctx, "CREATE TABLE meanwhile (v INT)")
		require.ErrorIs(t, err, dbfleet.ErrTxLost)
		require.ErrorIs(t, accounts.Create(ctx, &account{Owner: "ghost"}), dbfleet.ErrTxLost)
		return nil
	})
	require.ErrorIs(t, err, dbfleet.ErrTxLost)
	require.Equal(t, []string{"earlier"}, owners(t, db), "nothing after it commits by itself")
}

// hazards 139, 147: real conflicts, retried until all have succeeded.
func TestTransaction_RetriesRealConflicts(t *testing.T) {
	t.Parallel()
	const goroutines, each = 4, 6
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := connectionTo(db)
		config.SQLite.DeferredTransactions = db.Dialect == "sqlite" // so that they meet (517)
		fl := fleet{open(t, map[string]dbfleet.ConnectionConfig{"main": config}), db}
		accounts := fl.bank(t)
		require.NoError(t, accounts.CreateMany(t.Context(), []account{{Owner: "a"}, {Owner: "b"}}))
		var wg sync.WaitGroup
		var mu sync.Mutex
		runs, gaveUp := 0, 0
		// All have read before the first of them writes, two of them at least the
		// same row.
		var met sync.WaitGroup
		met.Add(goroutines)
		for range goroutines {
			wg.Go(func() {
				meet := sync.OnceFunc(func() { met.Done(); met.Wait() })
				for range each {
					first, second := "a", "b"
					if rand.IntN(2) == 0 {
						first, second = second, first
					}
					err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
						mu.Lock()
						runs++
						mu.Unlock()
						for _, owner := range []string{first, second} {
							a, err := accounts.Where("owner", "=", owner).First(ctx)
							if err != nil {
								return err
							}
							meet()
							a.Balance++
							if err := accounts.Save(ctx, &a); err != nil {
								return err
							}
						}
						return nil
					}, dbfleet.TxOptions{Retries: 10, Isolation: isolated(db.Dialect)})
					if err != nil {
						require.True(t, dbfleet.IsRetryable(err), "%v", err)
						mu.Lock()
						gaveUp++
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		require.Greater(t, runs, goroutines*each, "they did not meet")
		require.Equal(t, 2*(goroutines*each-gaveUp), counted(t, db, "SELECT SUM(balance) FROM accounts"))
		require.Less(t, gaveUp, goroutines*each/2)
	})
}

// hazard 147: a deferred transaction that has read cannot write any more when
// others have written; it is run again as a whole. Immediate ones, which are
// the default, do not meet that.
func TestTransaction_SQLiteSnapshotConflict(t *testing.T) {
	t.Parallel()
	for _, deferred := range []bool{true, false} {
		db := dbtest.New(t, "sqlite")
		config := connectionTo(db)
		config.SQLite.DeferredTransactions = deferred
		config.SQLite.BusyTimeout = 300 * time.Millisecond
		fl := fleet{open(t, map[string]dbfleet.ConnectionConfig{"main": config}), db}
		accounts := fl.bank(t)
		var first error
		attempt := 0
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := accounts.Count(ctx)
			require.NoError(t, err)
			if attempt++; attempt == 1 {
				err := accounts.Create(dbfleet.OutsideTx(ctx), &account{Owner: "other"})
				if deferred {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, dbfleet.ErrLockTimeout, "it waits for the writer")
					require.True(t, dbfleet.IsRetryable(err))
				}
				first = accounts.Create(ctx, &account{Owner: "mine"})
				return first
			}
			return accounts.Create(ctx, &account{Owner: "mine"})
		}, dbfleet.TxOptions{Retries: 1})
		require.NoError(t, err)
		if deferred {
			require.ErrorIs(t, first, dbfleet.ErrSerialization)
			require.Equal(t, []string{"mine", "other"}, owners(t, db))
		} else {
			require.Equal(t, []string{"mine"}, owners(t, db))
		}
	}
}

// isolated is the level under which read-modify-write is safe.
func isolated(dialect string) sql.IsolationLevel {
	if dialect == "sqlite" {
		return sql.LevelDefault
	}
	return sql.LevelSerializable
}
