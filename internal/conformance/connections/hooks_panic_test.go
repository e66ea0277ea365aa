package connections

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Whatever hook ends in a panic or in runtime.Goexit, and whatever the statement:
// the connection is given back, and nothing is left of a transaction.
func TestHooks_ThatPanicKeepNoConnection(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		accounts := fl.Bank(t)
		require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "first"}))
		db := fl.DB("main")
		operations := map[string]func(ctx context.Context) error{
			"get":    func(ctx context.Context) error { _, err := accounts.Get(ctx); return err },
			"create": func(ctx context.Context) error { return accounts.Create(ctx, &conformance.Account{Owner: "a"}) },
			"create many in batches": func(ctx context.Context) error {
				list := []conformance.Account{{Owner: "b"}, {ID: 100, Owner: "c"}, {Owner: "d"}}
				return accounts.CreateMany(ctx, list)
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
			"query": func(ctx context.Context) error {
				rows, err := db.QueryContext(ctx, "SELECT owner FROM accounts")
				if err == nil {
					err = rows.Close()
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
			"savepoint": func(ctx context.Context) error {
				return db.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
					return accounts.Create(ctx, &conformance.Account{Owner: "f"})
				})
			},
		}
		for name, operation := range operations {
			for _, inTx := range []bool{false, true} {
				for _, end := range []func(){func() { panic("of a hook") }, runtime.Goexit} {
					for _, before := range []bool{true, false} {
						for at := 1; ; at++ { // the hook of each statement in turn
							calls := 0
							count := func(ctx context.Context, _ dbfleet.QueryEvent) context.Context {
								if calls++; calls == at {
									end()
								}
								return ctx
							}
							hook := dbfleet.QueryHook{Before: count}
							if !before {
								hook = dbfleet.QueryHook{After: func(ctx context.Context, e dbfleet.QueryEvent) { count(ctx, e) }}
							}
							remove := fl.OnQuery(hook)
							ended := make(chan struct{})
							go func() {
								defer close(ended)
								defer func() { _ = recover() }()
								if inTx {
									_ = db.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return operation(ctx) })
								} else {
									_ = operation(ctx)
								}
							}()
							<-ended
							remove()
							if calls < at {
								break
							}
							for node, stats := range db.Stats() {
								require.Zero(t, stats.InUse, "%s, in a transaction %v, statement %d: connections of %s", name, inTx, at, node)
							}
						}
					}
				}
			}
		}
		// A transaction that was left open would be in the way.
		_, err := accounts.Query().AllRows().Delete(ctx)
		require.NoError(t, err)
	})
}
