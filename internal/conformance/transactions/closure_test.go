package transactions

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// within fails the test when f has not returned in half a minute.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal(what, " hangs")
	}
}

// bankOf has three accounts.
func bankOf(t *testing.T, fl conformance.Fleet) *dbfleet.Model[conformance.Account] {
	t.Helper()
	accounts := fl.Bank(t)
	require.NoError(t, accounts.CreateMany(t.Context(), []conformance.Account{{Owner: "a"}, {Owner: "b"}, {Owner: "c"}}))
	return accounts
}

const selectOwners = "SELECT owner FROM accounts ORDER BY owner"

func TestTx_RowsThatAreOpenAtItsEndTellWhy(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := bankOf(t, fl)
		for _, outcome := range []error{nil, errUndo} {
			var rows, prepared *sql.Rows
			within(t, "the transaction", func() {
				err := fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
					require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "new"}))
					var err error
					if fl.Database.Dialect == "sqlite" { // takes both at once
						stmt, err := tx.PrepareContext(ctx, selectOwners) //nolint:sqlclosecheck // the end closes it
						require.NoError(t, err)
						prepared, err = stmt.QueryContext(ctx) //nolint:sqlclosecheck // as above
						require.NoError(t, err)
						require.True(t, prepared.Next())
					}
					rows, err = tx.QueryContext(context.WithoutCancel(ctx), selectOwners) //nolint:sqlclosecheck // as above
					require.NoError(t, err)
					require.True(t, rows.Next())
					return outcome
				})
				require.ErrorIs(t, err, outcome)
			})
			for _, rows := range []*sql.Rows{rows, prepared} {
				if rows == nil {
					continue
				}
				require.False(t, rows.Next())
				require.ErrorIs(t, rows.Err(), dbfleet.ErrTxDone)
			}
			require.NoError(t, accounts.DB("main").Create(t.Context(), &conformance.Account{Owner: "free"}))
			_, err := accounts.Where("owner", "IN", []string{"new", "free"}).Delete(t.Context())
			require.NoError(t, err)
		}
	})
}

// truth 1110
// A loop that is cut short by a savepoint would read one row of three, without an error.
func TestTx_ASavepointInsideALoopOverRowsCutsNothingShort(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := bankOf(t, fl)
		nests := map[string]func(ctx context.Context, tx *dbfleet.Tx) error{
			"Transaction": func(ctx context.Context, tx *dbfleet.Tx) error {
				return tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return nil })
			},
			"undone": func(ctx context.Context, tx *dbfleet.Tx) error {
				err := tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return errUndo })
				if errors.Is(err, errUndo) {
					return nil
				}
				return err
			},
			"CreateMany": func(ctx context.Context, _ *dbfleet.Tx) error {
				return accounts.CreateMany(ctx, []conformance.Account{{Owner: "x"}, {Owner: "y"}})
			},
			"UpsertMany": func(ctx context.Context, _ *dbfleet.Tx) error {
				return accounts.UpsertMany(ctx, []conformance.Account{{Owner: "v"}, {Owner: "w"}}, dbfleet.Conflict{Key: []string{"owner"}})
			},
			"Load": func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := accounts.Load(ctx, func(yield func(conformance.Account) bool) { yield(conformance.Account{Owner: "l"}) })
				return err
			},
		}
		for name, nest := range nests {
			within(t, name, func() {
				err := fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
					rows, err := tx.QueryContext(ctx, selectOwners)
					require.NoError(t, err)
					defer func() { require.NoError(t, rows.Close()) }()
					read, busy, first := 0, 0, true
					for rows.Next() {
						read++
						if !first {
							continue
						}
						first = false
						if err := nest(ctx, tx); errors.Is(err, dbfleet.ErrBusy) {
							busy++
						} else {
							require.NoError(t, err, name)
						}
					}
					require.NoError(t, rows.Err(), name)
					require.GreaterOrEqual(t, read, 3, name)
					if fl.Database.Dialect != "sqlite" {
						require.Equal(t, 1, busy, name)
					}
					return errUndo
				})
				require.ErrorIs(t, err, errUndo, name)
			})
		}
	})
}

func TestTransaction_ReturnsWhateverPanicsWithRowsOpen(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := bankOf(t, fl)
		hook := ""
		fl.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
			if e.Op == hook {
				panic("hook of " + hook)
			}
			return ctx
		})
		for _, op := range []string{"begin", "commit", "rollback", "savepoint", "release", "rollback to", "insert", ""} {
			for _, end := range []func() error{
				func() error { return nil }, func() error { return errUndo },
				func() error { panic("closure") }, func() error { runtime.Goexit(); return nil },
			} {
				within(t, "a panic at "+op, func() {
					gone := make(chan struct{})
					go func() {
						defer close(gone)
						defer func() { _ = recover() }()
						hook = op
						_ = fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
							_ = tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
								_ = accounts.Create(ctx, &conformance.Account{Owner: "lost"})
								_, _ = tx.QueryContext(ctx, selectOwners) //nolint:rowserrcheck,sqlclosecheck // left open
								_ = tx.QueryRowContext(ctx, "SELECT nonsense FROM nowhere")
								return end()
							})
							_, _ = tx.QueryContext(ctx, selectOwners) //nolint:rowserrcheck,sqlclosecheck // left open
							return errUndo
						})
					}()
					<-gone
					hook = ""
				})
				conformance.RequireIdle(t, fl.Registry)
				require.Equal(t, []string{"a", "b", "c"}, conformance.Owners(t, fl.Database), op)
			}
		}
	})
}

// hazard 133
func TestTransaction_IsRolledBackWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := bankOf(t, fl)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		inside, stuck, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		var late []error
		go func() {
			done <- fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := accounts.Where("owner", "=", "a").Update(ctx, dbfleet.Row{"balance": 7})
				require.NoError(t, err)
				close(inside)
				<-stuck
				_, err = tx.ExecContext(context.WithoutCancel(ctx), conformance.Inserting("late"))
				late = append(late, err)
				late = append(late, tx.Transaction(context.WithoutCancel(ctx), func(context.Context, *dbfleet.Tx) error { return nil }))
				return nil
			})
		}()
		<-inside
		cancel()
		// The closure is stuck; its lock and its connection are free.
		require.Eventually(t, func() bool { return fl.Stats()["main"].InUse == 0 }, 20*time.Second, time.Millisecond)
		_, err := accounts.Where("owner", "=", "a").Update(t.Context(), dbfleet.Row{"balance": 8})
		require.NoError(t, err)
		close(stuck)
		require.ErrorIs(t, <-done, context.Canceled)
		for _, err := range late {
			require.ErrorIs(t, err, dbfleet.ErrTxDone)
			require.ErrorIs(t, err, context.Canceled)
		}
		require.Len(t, late, 2)
		require.Equal(t, []string{"a", "b", "c"}, conformance.Owners(t, fl.Database))
	})
}

func TestTransaction_IsRolledBackWhenItsRegistryCutsItOff(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := bankOf(t, fl)
		inside, stuck, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
				err := accounts.Create(ctx, &conformance.Account{Owner: "lost"})
				close(inside)
				<-stuck
				return err
			})
		}()
		<-inside
		over, cancel := context.WithDeadline(t.Context(), time.Now())
		defer cancel()
		require.Error(t, fl.Replace(over, "main", conformance.ConnectionTo(fl.Database)))
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "new"}), "nothing is locked")
		close(stuck)
		require.ErrorIs(t, <-done, dbfleet.ErrClosed)
		require.Equal(t, []string{"a", "b", "c", "new"}, conformance.Owners(t, fl.Database))
	})
}

// scanning is a Scanner whose Scan a test gives.
type scanning struct{}

var scan struct { // what all of them call; a test holds it alone
	sync.Mutex
	f func()
}

func (s *scanning) Scan(any) error {
	scan.f()
	return nil
}

type scannedOwner struct{ Owner scanning }

func TestTx_AStatementWaitsForAnotherAsLongAsItsOwnContextAllows(t *testing.T) {
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		scan.Lock()
		defer scan.Unlock()
		bankOf(t, fl)
		inside, stay := make(chan struct{}), make(chan struct{})
		scan.f = sync.OnceFunc(func() {
			close(inside)
			<-stay
		})
		within(t, "the transaction", func() {
			err := fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
				var group sync.WaitGroup
				group.Go(func() {
					if _, err := dbfleet.Select[scannedOwner](ctx, tx, selectOwners); err != nil {
						t.Error(err)
					}
				})
				<-inside
				short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
				defer cancel()
				_, err := tx.ExecContext(short, conformance.Inserting("late"))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
				_, err = tx.QueryContext(short, selectOwners) //nolint:sqlclosecheck // there are none
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, tx.Transaction(short, func(context.Context, *dbfleet.Tx) error { return nil }), context.DeadlineExceeded)
				close(stay)
				group.Wait()
				return nil
			})
			require.NoError(t, err)
		})
	})
}

func TestTx_AScannerThatAsksItGetsErrBusy(t *testing.T) {
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		scan.Lock()
		defer scan.Unlock()
		accounts := bankOf(t, fl)
		within(t, "the transaction", func() {
			err := fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
				asked := 0
				scan.f = func() {
					_, err := tx.ExecContext(context.Background(), conformance.Inserting("asked"))
					require.ErrorIs(t, err, dbfleet.ErrBusy)
					_, err = accounts.Count(ctx)
					require.ErrorIs(t, err, dbfleet.ErrBusy)
					require.ErrorIs(t, tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrBusy)
					asked++
				}
				_, err := dbfleet.Select[scannedOwner](ctx, tx, selectOwners)
				require.NoError(t, err)
				require.Equal(t, 3, asked)
				return nil
			})
			require.NoError(t, err)
		})
	})
}

// truth 1111
func TestTx_OthersWaitForASavepointThatAVerbHasMade(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := bankOf(t, fl)
		inside, other := make(chan struct{}), make(chan struct{})
		within(t, "the transaction", func() {
			err := fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
				var group sync.WaitGroup
				group.Go(func() {
					<-inside
					close(other)
					// Told as written while Load's savepoint is open, it must stay.
					if err := accounts.Create(ctx, &conformance.Account{Owner: "told"}); err != nil {
						t.Error(err)
					}
				})
				_, err := accounts.Load(ctx, func(yield func(conformance.Account) bool) {
					if yield(conformance.Account{Owner: "l"}) {
						close(inside)
						<-other
						yield(conformance.Account{Owner: "a"}) // is there already
					}
				})
				require.ErrorIs(t, err, dbfleet.ErrUnique)
				group.Wait()
				return nil
			})
			require.NoError(t, err)
		})
		require.Equal(t, []string{"a", "b", "c", "told"}, conformance.Owners(t, fl.Database))
	})
}

func TestTx_VerbsOfItGoOnWhileItsConnectionIsClosed(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := bankOf(t, fl)
		inside, closing := make(chan struct{}), make(chan error, 1)
		go func() {
			<-inside
			closing <- fl.Remove(t.Context(), "main")
		}()
		err := fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			close(inside)
			require.Eventually(t, func() bool { return len(fl.Names()) == 0 }, 20*time.Second, time.Millisecond)
			require.NoError(t, accounts.CreateMany(ctx, []conformance.Account{{Owner: "m"}, {Owner: "n"}}))
			require.NoError(t, accounts.Upsert(ctx, &conformance.Account{Owner: "m"}, dbfleet.Conflict{Key: []string{"owner"}}))
			require.NoError(t, accounts.UpsertMany(ctx, []conformance.Account{{Owner: "o"}, {Owner: "p"}}, dbfleet.Conflict{Key: []string{"owner"}}))
			_, err := accounts.Query().Insert(ctx, dbfleet.Row{"owner": "q", "balance": 1}, dbfleet.Row{"owner": "r", "balance": 1})
			require.NoError(t, err)
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "s"}))
			_, err = accounts.Load(ctx, func(yield func(conformance.Account) bool) { yield(conformance.Account{Owner: "t"}) })
			require.NoError(t, err)
			_, err = accounts.Get(ctx)
			require.NoError(t, err)
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, <-closing)
		require.Len(t, conformance.Owners(t, fl.Database), 11)
	})
}
