package transactions

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// told keeps what functions of AfterCommit and AfterRollback tell.
type told struct {
	t     *testing.T
	names []string
	errs  []error
}

func (l *told) commit(ctx context.Context, name string) {
	require.NoError(l.t, dbfleet.AfterCommit(ctx, func(context.Context) { l.names = append(l.names, "committed "+name) }))
}

func (l *told) rollback(ctx context.Context, name string) {
	require.NoError(l.t, dbfleet.AfterRollback(ctx, func(_ context.Context, err error) {
		l.names, l.errs = append(l.names, "undone "+name), append(l.errs, err)
	}))
}

// hazard 135
func TestAfterCommit_RunsInOrderOnceTheConnectionIsGivenBack(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		seen := &told{t: t}
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			seen.commit(ctx, "1")
			require.NoError(t, tx.Transaction(ctx, func(ctx context.Context, inner *dbfleet.Tx) error {
				seen.commit(ctx, "2")
				require.NoError(t, tx.AfterCommit(func(context.Context) { seen.names = append(seen.names, "by the outer handle") }))
				require.NoError(t, inner.AfterCommit(func(ctx context.Context) {
					conformance.RequireIdle(t, fl.Registry)
					require.Equal(t, []string{"written"}, conformance.Owners(t, fl.Database))
					require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "after"}))
					require.NoError(t, dbfleet.AfterCommit(ctx, func(context.Context) { seen.names = append(seen.names, "at once") }))
				}))
				return nil
			}))
			seen.commit(ctx, "3")
			seen.rollback(ctx, "never")
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "written"}))
			require.Empty(t, seen.names)
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, []string{"committed 1", "committed 2", "by the outer handle", "at once", "committed 3"}, seen.names)
		require.Equal(t, []string{"after", "written"}, conformance.Owners(t, fl.Database))
	})
}

func TestAfterCommit_IsDroppedWithItsSavepoint(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		for _, outer := range []error{nil, errUndo} {
			seen := &told{t: t}
			var failure error
			err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				seen.commit(ctx, "outer")
				failure = tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
					seen.commit(ctx, "inner")
					seen.rollback(ctx, "inner")
					require.NoError(t, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
						seen.commit(ctx, "innermost")
						seen.rollback(ctx, "innermost")
						return nil
					}))
					_, err := tx.ExecContext(ctx, "SELECT no_such_column")
					require.Error(t, err)
					return err
				})
				require.Error(t, failure)
				require.Empty(t, seen.names, "before the end of all")
				return outer
			})
			require.Equal(t, outer, err)
			require.Equal(t, []error{failure, failure}, seen.errs)
			want := []string{"committed outer", "undone inner", "undone innermost"}
			if outer != nil {
				want = want[1:]
			}
			require.Equal(t, want, seen.names)
		}
	})
}

func TestAfterRollback_GetsTheErrorOfTransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		seen := &told{t: t}
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			seen.commit(ctx, "")
			seen.rollback(ctx, "")
			return errUndo
		})
		require.Equal(t, errUndo, err)
		require.Equal(t, []error{errUndo}, seen.errs)

		// So does a commit that the context's end prevents, a panic and Goexit.
		ctx, cancel := context.WithCancel(t.Context())
		err = fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
			seen.rollback(ctx, "")
			cancel()
			return nil
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, err, seen.errs[1])
		require.PanicsWithValue(t, "inside", func() {
			_ = fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				seen.rollback(ctx, "")
				panic("inside")
			})
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			_ = fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				seen.rollback(ctx, "")
				runtime.Goexit()
				return nil
			})
		})
		wg.Wait()
		require.Len(t, seen.errs, 4)
		require.Error(t, seen.errs[2])
		require.Error(t, seen.errs[3])
	})
}

func TestAfterCommit_OutsideOfATransactionRunsAtOnce(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		seen := &told{t: t}
		seen.commit(t.Context(), "outside")
		seen.rollback(t.Context(), "never")
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			seen.commit(dbfleet.OutsideTx(ctx), "beside")
			seen.rollback(dbfleet.OutsideTx(ctx), "never")
			return errUndo
		})
		require.Equal(t, errUndo, err)
		require.Equal(t, []string{"committed outside", "committed beside"}, seen.names)
	})
}

// promise: what is too late is told, never kept for nobody.
func TestAfterCommit_IsRefusedOnceTheTransactionHasEnded(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		never := func(context.Context) { t.Error("called") }
		neither := func(context.Context, error) { t.Error("called") }
		late := func(ctx context.Context, tx *dbfleet.Tx) {
			require.ErrorIs(t, dbfleet.AfterCommit(ctx, never), dbfleet.ErrTxDone)
			require.ErrorIs(t, dbfleet.AfterRollback(ctx, neither), dbfleet.ErrTxDone)
			require.ErrorIs(t, tx.AfterCommit(never), dbfleet.ErrTxDone)
			require.ErrorIs(t, tx.AfterRollback(neither), dbfleet.ErrTxDone)
		}
		var outerCtx, innerCtx context.Context
		var outer, inner *dbfleet.Tx
		require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			outerCtx, outer = ctx, tx
			require.NoError(t, tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				innerCtx, inner = ctx, tx
				return nil
			}))
			late(innerCtx, inner)
			return nil
		}))
		late(outerCtx, outer)
		late(innerCtx, inner)
	})
}

func TestAfterCommit_APanicKeepsNothingFromTheOthers(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		seen := &told{t: t}
		require.PanicsWithValue(t, "after", func() {
			_ = fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				seen.commit(ctx, "1")
				require.NoError(t, tx.AfterCommit(func(context.Context) { panic("after") }))
				seen.commit(ctx, "2")
				return accounts.Create(ctx, &conformance.Account{Owner: "stays"})
			})
		})
		require.Equal(t, []string{"committed 1", "committed 2"}, seen.names)
		require.Equal(t, []string{"stays"}, conformance.Owners(t, fl.Database))
		conformance.RequireIdle(t, fl.Registry)
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "goes on"}))
	})
}

func TestAfterCommit_OfTheInnermostConnection(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		other := dbtest.New(t, "sqlite")
		require.NoError(t, fl.Add("other", conformance.ConnectionTo(other)))
		defer func() { require.NoError(t, fl.Remove(t.Context(), "other")) }()
		seen := &told{t: t}
		err := fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			seen.rollback(ctx, "main")
			require.NoError(t, fl.Transaction(ctx, "other", func(ctx context.Context, _ *dbfleet.Tx) error {
				seen.commit(ctx, "other")
				return dbfleet.AfterCommit(ctx, func(ctx context.Context) {
					seen.rollback(ctx, "main, by the other's context")
				})
			}))
			require.Equal(t, []string{"committed other"}, seen.names)
			return errUndo
		})
		require.Equal(t, errUndo, err)
		require.Equal(t, []string{"committed other", "undone main", "undone main, by the other's context"}, seen.names)
	})
}

func TestAfterCommit_OfTheAttemptThatWasCommittedOnly(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		seen := &told{t: t}
		runs := 0
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			seen.names = append(seen.names, "begun")
			seen.commit(ctx, "")
			seen.rollback(ctx, "")
			if runs++; runs < 3 {
				return dbfleet.ErrDeadlock
			}
			return nil
		}, dbfleet.TxOptions{Retries: 5})
		require.NoError(t, err)
		require.Equal(t, []string{"begun", "undone ", "begun", "undone ", "begun", "committed "}, seen.names)
		require.Equal(t, []error{dbfleet.ErrDeadlock, dbfleet.ErrDeadlock}, seen.errs)
	})
}

// promise: an unknown outcome is its own error.
func TestAfterRollback_IsToldOfAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		seen := &told{t: t}
		proxy.On(dbtest.Fault{Marker: "COMMIT", Action: dbtest.CutReply, Times: 1})
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			seen.commit(ctx, "whole")
			seen.rollback(ctx, "whole")
			require.Equal(t, errUndo, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				seen.rollback(ctx, "savepoint")
				return errUndo
			}))
			return accounts.Create(ctx, &conformance.Account{Owner: "maybe"})
		}, dbfleet.TxOptions{Retries: 3})
		require.ErrorIs(t, err, dbfleet.ErrCommitUnknown)
		require.Equal(t, []string{"undone whole", "undone savepoint"}, seen.names)
		require.Equal(t, []error{err, errUndo}, seen.errs)
	})
}
