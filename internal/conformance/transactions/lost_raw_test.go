package transactions

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// promise: an unknown outcome is its own error, also where database/sql's own types stand
// in between, and where a write takes a transaction of its own.
func TestWrite_LostAnswerIsUnknownBehindEveryHandle(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		h := fl.DB("main")
		ctx := t.Context()
		insert := marks(db.Dialect, "INSERT INTO accounts (owner, balance) VALUES (?, ?)")
		list := func(n int) []conformance.Account {
			out := make([]conformance.Account, n)
			for i := range out {
				out[i].Owner = fmt.Sprint("lost ", i)
			}
			return out
		}
		stmt, err := h.PrepareContext(ctx, insert)
		require.NoError(t, err)
		defer stmt.Close()
		pool := h.Pool()
		lost := dbtest.Fault{Action: dbtest.CutReply, Times: 1}
		for _, w := range []struct {
			name, marker string
			commit       bool
			write        func() error
		}{
			{"prepared statement", "marked", false, func() error { _, err := stmt.ExecContext(ctx, "marked", 1); return err }},
			{"pool", "marked", false, func() error { _, err := pool.ExecContext(ctx, insert, "marked", 1); return err }},
			{"a *sql.Tx", "COMMIT", true, func() error {
				tx, err := pool.BeginTx(ctx, nil)
				require.NoError(t, err)
				_, err = tx.ExecContext(ctx, insert, "x", 1)
				require.NoError(t, err)
				return tx.Commit()
			}},
			{"Conn", "marked", false, func() error {
				return h.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
					_, err := c.ExecContext(ctx, insert, "marked", 1)
					return err
				})
			}},
			{"CreateMany in several statements", "COMMIT", true, func() error { return accounts.CreateMany(ctx, list(40000)) }},
			{"Load", "COMMIT", true, func() error {
				_, err := accounts.Load(ctx, slices.Values(list(100)))
				return err
			}},
		} {
			lost.Marker = w.marker
			proxy.On(lost)
			err := w.write()
			proxy.Heal()
			require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown, w.name)
			require.Equal(t, w.commit, errors.Is(err, dbfleet.ErrCommitUnknown), w.name)
			_, err = accounts.Query().AllRows().Delete(ctx)
			require.NoError(t, err)
		}

		// What the server has answered, what reads, and what was never sent is known.
		_, err = pool.ExecContext(ctx, insert, nil, 1)
		require.ErrorContains(t, err, "owner")
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		lost.Marker = "marked"
		proxy.On(lost)
		err = pool.QueryRowContext(ctx, "SELECT 1 /* marked */").Scan(new(int))
		require.Error(t, err)
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		proxy.Heal()
		over, cancel := context.WithCancel(ctx)
		cancel()
		_, err = stmt.ExecContext(over, "x", 1)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		tx, err := pool.BeginTx(ctx, &sql.TxOptions{})
		require.NoError(t, err)
		proxy.On(lost)
		_, err = tx.ExecContext(ctx, insert, "marked", 1)
		require.Error(t, err)
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, "of a transaction nothing persists without its commit")
		_ = tx.Rollback()
	})
}
