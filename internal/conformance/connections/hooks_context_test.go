package connections

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type hookKey string

var discard = slog.New(slog.DiscardHandler)

// Befores run in order and Afters in reverse, each After with what its own Before
// returned; what is behind a hook gets what it returned.
func TestHooks_NestLikeCalls(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	var seen []string
	note := func(ctx context.Context, what string) {
		for _, name := range []hookKey{"a", "b", "c"} {
			if ctx.Value(name) != nil {
				what += " " + string(name)
			}
		}
		seen = append(seen, what)
	}
	around := func(name hookKey) dbfleet.QueryHook {
		return dbfleet.QueryHook{
			Before: func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
				note(ctx, "before "+string(name)+":")
				return context.WithValue(ctx, name, true)
			},
			After: func(ctx context.Context, _ dbfleet.QueryEvent) { note(ctx, "after "+string(name)+":") },
		}
	}
	lone := func(ctx context.Context, _ dbfleet.QueryEvent) { note(ctx, "lone:") }
	same := func(ctx context.Context, _ dbfleet.QueryEvent) context.Context { return ctx }
	defer fl.DB("main").OnQuery(around("c"))()
	defer fl.OnAfterQuery(lone)()
	defer fl.OnBeforeQuery(same)()
	defer fl.OnQuery(around("a"))()
	defer fl.OnQuery(around("b"))()
	_, err := fl.DB("main").ExecContext(t.Context(), "SELECT 1")
	require.NoError(t, err)
	want := []string{"before a:", "before b: a", "before c: a b", "after c: a b c", "after b: a b", "after a: a", "lone: a b c"}
	require.Equal(t, want, seen)
	seen = nil
	require.NoError(t, fl.Transaction(t.Context(), "main", func(context.Context, *dbfleet.Tx) error { return nil }))
	require.Equal(t, append(want, want...), seen, "BEGIN and COMMIT too")
}

// statementsOf are all ways to a statement, on a table "accounts" with rows.
func statementsOf(fl conformance.Fleet, accounts *dbfleet.Model[conformance.Account]) map[string]func(ctx context.Context) error {
	db := fl.DB("main")
	return map[string]func(ctx context.Context) error{
		"get":    func(ctx context.Context) error { _, err := accounts.Get(ctx); return err },
		"create": func(ctx context.Context) error { return accounts.Create(ctx, &conformance.Account{Owner: "a"}) },
		"many": func(ctx context.Context) error {
			return accounts.CreateMany(ctx, []conformance.Account{{Owner: "b"}, {Owner: "c"}})
		},
		"load": func(ctx context.Context) error {
			_, err := accounts.Load(ctx, func(yield func(conformance.Account) bool) { yield(conformance.Account{Owner: "e"}) })
			return err
		},
		"iter": func(ctx context.Context) error {
			for _, err := range accounts.Query().Iter(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"count": func(ctx context.Context) error { _, err := accounts.Query().Count(ctx); return err },
		"query": func(ctx context.Context) error {
			rows, err := db.QueryContext(ctx, "SELECT owner FROM accounts")
			if err == nil {
				for rows.Next() {
				}
				err = errors.Join(rows.Err(), rows.Close())
			}
			return err
		},
		"row": func(ctx context.Context) error {
			return db.QueryRowContext(ctx, "SELECT owner FROM accounts").Scan(new(string))
		},
		"prepare": func(ctx context.Context) error {
			stmt, err := db.PrepareContext(ctx, "SELECT owner FROM accounts")
			if err == nil {
				err = stmt.Close()
			}
			return err
		},
		"exec": func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, "UPDATE accounts SET balance = balance + 1")
			return err
		},
		"transaction": func(ctx context.Context) error {
			return db.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				return errors.Join(tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }),
					accounts.Create(ctx, &conformance.Account{Owner: "f"}))
			})
		},
	}
}

// A statement ends by the context that the hooks made, and nothing is sent with one
// that has ended already.
func TestHooks_DecideOverTheContext(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		accounts := fl.Bank(t)
		require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "first"}))
		refusal := errors.New("not at night")
		remove := fl.OnBeforeQuery(func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
			ctx, cancel := context.WithCancelCause(ctx)
			cancel(refusal)
			return ctx
		})
		rec := record(t, fl.Registry)
		for name, run := range statementsOf(fl, accounts) {
			require.ErrorIs(t, run(ctx), context.Canceled, name)
			for _, e := range rec.took(t) {
				require.Equal(t, dbfleet.ClassCanceled, e.Class, "%s: %s", name, e.Op)
			}
		}
		remove()
		require.Equal(t, 1, conformance.Counted(t, fl.Database, "SELECT COUNT(*) FROM accounts"))

		type cancelKey struct{}
		slow := true
		defer fl.OnQuery(dbfleet.QueryHook{
			Before: func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
				bound := time.Minute
				if slow {
					bound = 50 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(ctx, bound)
				return context.WithValue(ctx, cancelKey{}, cancel)
			},
			After: func(ctx context.Context, _ dbfleet.QueryEvent) { ctx.Value(cancelKey{}).(context.CancelFunc)() },
		})()
		_, err := fl.DB("main").ExecContext(ctx, conformance.Slow(fl.Database.Dialect))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		err = fl.DB("main").QueryRowContext(ctx, conformance.Slow(fl.Database.Dialect)).Scan(new(any))
		require.ErrorIs(t, err, context.DeadlineExceeded, "the hook's deadline holds for rows that are lent")
		require.NoError(t, ctx.Err())
		slow = false
		for name, run := range statementsOf(fl, accounts) {
			require.NoError(t, run(ctx), "%s: the After cancels its context", name)
		}
		require.Eventually(t, func() bool { return fl.Stats()["main"].InUse == 0 }, 20*time.Second, time.Millisecond)
	})
}

// Rows that the caller reads outlive the hooks; the caller's own context ends them.
func TestHooks_LeaveRowsThatAreLentAlone(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		require.NoError(t, accounts.CreateMany(t.Context(), []conformance.Account{{Owner: "a"}, {Owner: "b"}, {Owner: "c"}}))
		var last context.CancelFunc
		fl.OnQuery(dbfleet.QueryHook{
			Before: func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
				ctx, last = context.WithCancel(ctx)
				return ctx
			},
			After: func(context.Context, dbfleet.QueryEvent) { last() },
		})
		for _, inTx := range []bool{false, true} {
			ctx, cancel := context.WithCancel(t.Context())
			query := func(ctx context.Context) {
				rows, err := fl.DB("main").QueryContext(ctx, "SELECT owner FROM accounts")
				require.NoError(t, err)
				defer rows.Close()
				n := 0
				for rows.Next() {
					n++
				}
				require.NoError(t, rows.Err())
				require.Equal(t, 3, n)
			}
			if inTx {
				require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error { query(ctx); return nil }))
			} else {
				query(ctx)
			}
			cancel()
		}
		ctx, cancel := context.WithCancel(t.Context())
		rows, err := fl.DB("main").QueryContext(ctx, "SELECT owner FROM accounts")
		require.NoError(t, err)
		cancel()
		require.Eventually(t, func() bool { return !rows.Next() && errors.Is(rows.Err(), context.Canceled) }, 20*time.Second, time.Millisecond)
		if err := rows.Close(); err != nil { // it may be the first to close them
			require.ErrorIs(t, err, context.Canceled)
		}
	})
}

// Whatever a Before returns, the statement stays in its transaction, and what hooks
// run with their contexts takes part in it and calls no hooks.
func TestHooks_KeepTheTransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		fl.Create(t, `CREATE TABLE audit (id {id}, line {text})`)
		audit := fl.DB("main").Table("audit")
		boom := errors.New("boom")
		for name, other := range map[string]func(ctx context.Context) context.Context{
			"the same":  func(ctx context.Context) context.Context { return ctx },
			"unrelated": func(context.Context) context.Context { return context.Background() },
			"outside":   dbfleet.OutsideTx,
			"uncancelled": func(ctx context.Context) context.Context {
				return context.WithValue(context.WithoutCancel(ctx), hookKey("x"), 1)
			},
		} {
			calls := 0
			inside := map[string]int{}
			tell := func(ctx context.Context, what string, e dbfleet.QueryEvent) {
				if calls++; calls > 1000 {
					t.Fatal("hooks call hooks")
				}
				if e.Op == "insert" && e.Table == "accounts" {
					_, err := audit.Insert(ctx, map[string]any{"line": what})
					require.NoError(t, err, name)
					inside[what]++
				}
			}
			first := fl.OnQuery(dbfleet.QueryHook{
				Before: func(ctx context.Context, e dbfleet.QueryEvent) context.Context { return other(ctx) },
				After:  func(ctx context.Context, e dbfleet.QueryEvent) { tell(ctx, "after first", e) },
			})
			second := fl.OnQuery(dbfleet.QueryHook{
				Before: func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
					tell(ctx, "before second", e)
					return ctx
				},
				After: func(ctx context.Context, e dbfleet.QueryEvent) { tell(ctx, "after second", e) },
			})
			lone := fl.OnAfterQuery(func(ctx context.Context, e dbfleet.QueryEvent) { tell(ctx, "lone", e) })
			for _, using := range []bool{false, true} {
				err := fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
					m := accounts
					if using {
						ctx, m = t.Context(), accounts.Using(tx)
					}
					require.NoError(t, m.Create(ctx, &conformance.Account{Owner: "a"}), name)
					return boom
				})
				require.ErrorIs(t, err, boom)
			}
			first()
			second()
			lone()
			require.Equal(t, map[string]int{"after first": 2, "before second": 2, "after second": 2, "lone": 2}, inside, name)
			require.Zero(t, conformance.Counted(t, fl.Database, "SELECT COUNT(*) FROM audit"), "%s: all was rolled back", name)
			require.Zero(t, conformance.Counted(t, fl.Database, "SELECT COUNT(*) FROM accounts"), name)
		}
	})
}

// What a program got wrong is told at once, by name.
func TestHooks_TellMisuse(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	r, db := fl.Registry, fl.DB("main")
	for want, call := range map[string]func(){
		"dbfleet: OnQuery: the hook is nil":                                func() { r.OnQuery(dbfleet.QueryHook{}) },
		"dbfleet: OnBeforeQuery: the hook is nil":                          func() { r.OnBeforeQuery(nil) },
		"dbfleet: OnAfterQuery: the hook is nil":                           func() { db.OnAfterQuery(nil) },
		`dbfleet: OnQuery: unknown connection "mian"; known are "main"`:    func() { r.DB("mian").OnQuery(dbfleet.LogQueries(discard)) },
		`dbfleet: OnAfterQuery: unknown connection "x"; known are "main"`:  func() { r.DB("x").OnAfterQuery(func(context.Context, dbfleet.QueryEvent) {}) },
		`dbfleet: OnBeforeQuery: unknown connection "x"; known are "main"`: func() { r.DB("x").OnBeforeQuery(nil) },
		"dbfleet: LogQueries: the logger is nil":                           func() { dbfleet.LogQueries(nil) },
		"dbfleet: LogQueries: more than one LogOptions":                    func() { dbfleet.LogQueries(discard, dbfleet.LogOptions{}, dbfleet.LogOptions{}) },
	} {
		require.PanicsWithValue(t, want, call)
	}

	remove := r.OnBeforeQuery(func(context.Context, dbfleet.QueryEvent) context.Context { return nil })
	var ended []error
	defer r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { ended = append(ended, e.Err) })()
	told := func() (told string) {
		defer func() { told = fmt.Sprint(recover()) }()
		_, _ = db.ExecContext(t.Context(), "CREATE TABLE never (id INTEGER)")
		return ""
	}()
	require.Regexp(t, `^dbfleet: the Before of the query hook that was added at .*hooks_context_test\.go:\d+ returned nil instead of a context$`, told)
	require.Empty(t, ended, "a hook behind the one that panicked has seen nothing begin")
	remove()
	_, err := db.ExecContext(t.Context(), "CREATE TABLE never (id INTEGER)")
	require.NoError(t, err)

	require.NoError(t, r.Close())
	r.DB("main").OnQuery(dbfleet.LogQueries(discard))() // nothing will ever run there
}

// A hook that panics leaves no other hook with a Before without its After.
func TestHooks_AreEndedWhenAnotherPanics(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	var open int
	var classes []dbfleet.ErrorClass
	count := func() {
		fl.OnQuery(dbfleet.QueryHook{
			Before: func(ctx context.Context, _ dbfleet.QueryEvent) context.Context { open++; return ctx },
			After:  func(_ context.Context, e dbfleet.QueryEvent) { open--; classes = append(classes, e.Class) },
		})
	}
	count()
	explode := ""
	fl.OnQuery(dbfleet.QueryHook{
		Before: func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
			if explode == "before" {
				panic(explode)
			}
			return ctx
		},
		After: func(context.Context, dbfleet.QueryEvent) {
			if explode == "after" {
				panic(explode)
			}
		},
	})
	count()
	run := func() { _, _ = fl.DB("main").ExecContext(t.Context(), "SELECT 1") }
	for _, explode = range []string{"before", "after"} {
		require.PanicsWithValue(t, explode, run)
		require.Zero(t, open, explode)
	}
	require.Equal(t, []dbfleet.ErrorClass{dbfleet.ClassPanic, "", ""}, classes)
}
