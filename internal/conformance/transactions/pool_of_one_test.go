package transactions

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// ofOne is a fleet whose pool has one connection, for which everybody waits as long as
// the context allows.
func ofOne(t *testing.T, db dbtest.Database) conformance.Fleet {
	t.Helper()
	c := conformance.ConnectionTo(db)
	c.Pool = dbfleet.PoolConfig{MaxOpen: 1, AcquireTimeout: -1}
	return conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c}), Database: db}
}

// bounded is a context in which what waits for its own connection is told so.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Second, errors.New("it waited for its own connection"))
	t.Cleanup(cancel)
	return ctx
}

// What is called with the context of a transaction joins it, instead of waiting for the
// connection that it holds.
func TestPoolOfOne_WhatIsCalledInATransactionJoinsIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		accounts := fl.Bank(t)
		h := fl.DB("main")
		ctx := bounded(t)
		count := func(row *sql.Row) {
			var n int
			require.NoError(t, row.Scan(&n))
			require.Equal(t, 1, n, "it sees what the transaction has written")
		}
		const counting = "SELECT COUNT(*) FROM accounts"
		err := fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "a"}))
			require.NoError(t, h.Ping(ctx))
			require.NoError(t, h.Read().Ping(ctx))
			_, err := fl.Connect(ctx, "main")
			require.NoError(t, err)
			require.Equal(t, dbfleet.Healthy, fl.Health(ctx).Connections["main"].Status)
			stmt, err := h.PrepareContext(ctx, counting)
			require.NoError(t, err)
			count(stmt.QueryRowContext(ctx))
			require.NoError(t, stmt.Close())
			require.NoError(t, h.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
				count(c.QueryRowContext(ctx, counting))
				require.NoError(t, h.Ping(ctx))
				return nil
			}))
			require.NoError(t, h.Read().Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
				count(c.QueryRowContext(ctx, counting))
				return nil
			}))
			count(h.Read().QueryRowContext(ctx, counting))
			count(h.QueryRowContext(dbfleet.ReadPrimary(ctx), counting))
			n, err := accounts.Primary().Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			return tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return h.Ping(ctx) })
		})
		require.NoError(t, err)
		conformance.RequireIdle(t, fl.Registry)
	})
}

// Ping asks the transaction's connection, so it tells what has become of that.
func TestPoolOfOne_PingTellsOfTheTransaction(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		h := fl.DB("main")
		var ended context.Context
		require.NoError(t, fl.Transaction(bounded(t), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			ended = ctx
			return nil
		}))
		require.ErrorIs(t, h.Ping(ended), dbfleet.ErrTxDone)
		_, err := fl.Connect(ended, "main")
		require.ErrorIs(t, err, dbfleet.ErrTxDone)
	})
}

// hazard 144
// What does not join fails at once where it would wait for its own connection.
func TestPoolOfOne_WhatWouldWaitForItsOwnConnectionFailsAtOnce(t *testing.T) {
	t.Parallel()
	const says = "the pool has one connection, and the transaction in the context has it"
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		accounts := fl.Bank(t)
		h := fl.DB("main")
		never := func(context.Context, *dbfleet.Tx) error { return errors.New("it began another") }
		refused := func(ctx context.Context) {
			outside := dbfleet.OutsideTx(ctx)
			_, execErr := h.ExecContext(outside, conformance.Inserting("b"))
			_, countErr := accounts.Count(outside)
			_, queryErr := h.QueryContext(outside, "SELECT 1") //nolint:rowserrcheck,sqlclosecheck // there are none
			_, prepareErr := h.PrepareContext(outside, "SELECT 1")
			for name, err := range map[string]error{
				"exec": execErr, "count": countErr, "query": queryErr, "prepare": prepareErr,
				"row":         h.QueryRowContext(outside, "SELECT 1").Scan(new(int)),
				"ping":        h.Ping(outside),
				"create":      accounts.Create(outside, &conformance.Account{Owner: "b"}),
				"transaction": fl.Transaction(outside, "main", never),
				"conn":        h.Conn(outside, func(context.Context, *dbfleet.Conn) error { return errors.New("it got another") }),
			} {
				require.ErrorContains(t, err, says, name)
				require.ErrorIs(t, err, dbfleet.ErrBusy, name)
			}
			for _, ctx := range []context.Context{ctx, outside} { // the pool knows of no transactions to join
				require.ErrorContains(t, h.Pool().PingContext(ctx), says)
				_, err := h.Pool().ExecContext(ctx, conformance.Inserting("b"))
				require.ErrorContains(t, err, says)
				require.ErrorIs(t, err, dbfleet.ErrBusy)
			}
		}
		require.NoError(t, fl.Transaction(bounded(t), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			refused(ctx)
			return tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				refused(ctx)
				return accounts.Create(ctx, &conformance.Account{Owner: "a"})
			})
		}))
		require.Equal(t, []string{"a"}, conformance.Owners(t, db))
		conformance.RequireIdle(t, fl.Registry)
	})
}

// A goroutine that is to run outside of the transaction waits until that has ended.
func TestPoolOfOne_AGoroutineOutsideWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		fl := ofOne(t, db)
		accounts := fl.Bank(t)
		outer := bounded(t)
		result := make(chan error, 2)
		require.NoError(t, fl.Transaction(outer, "", func(ctx context.Context, _ *dbfleet.Tx) error {
			for _, owner := range []string{"b", "c"} {
				go func() {
					result <- accounts.Create(dbfleet.OutsideTx(ctx), &conformance.Account{Owner: owner})
				}()
			}
			if !waitFor(ctx, func() bool { return fl.Stats()["main"].WaitCount >= 2 }) {
				return errors.New("nobody waits")
			}
			return accounts.Create(ctx, &conformance.Account{Owner: "a"})
		}))
		require.NoError(t, <-result)
		require.NoError(t, <-result)
		require.Equal(t, []string{"a", "b", "c"}, conformance.Owners(t, db))
	})
}

// A pool of more than one lets what is outside have another connection.
func TestPoolOfTwo_TakesAnotherConnection(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		c := conformance.ConnectionTo(db)
		c.Pool = dbfleet.PoolConfig{MaxOpen: 2, AcquireTimeout: -1}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": c})
		require.NoError(t, r.Transaction(bounded(t), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, r.DB("main").Ping(dbfleet.OutsideTx(ctx)))
			return r.DB("main").Pool().PingContext(ctx)
		}))
	})
}
