package transactions

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazard 203
// truth 1106
// promise: an unknown outcome is its own error, and what can be known is none. Where the
// server has ended the session before COMMIT is sent, the transaction is lost for certain.
func TestTransaction_EndedBeforeCommitIsLostNotUnknown(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		for name, end := range map[string]func(id int){
			"killed by an administrator": func(id int) {
				text := "SELECT pg_terminate_backend(%d)"
				if db.Dialect == "mysql" {
					text = "KILL %d"
				}
				_, err := db.Server.Admin().ExecContext(t.Context(), fmt.Sprintf(text, id))
				require.NoError(t, err)
			},
			"reset by the network": func(int) { proxy.Cut() },
		} {
			for range 5 {
				runs := 0
				commit := proxy.On(dbtest.Fault{Marker: "COMMIT", Action: dbtest.Count})
				err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					runs++
					if err := accounts.Create(ctx, &conformance.Account{Owner: "lost"}); err != nil {
						return err
					}
					own := "SELECT pg_backend_pid()"
					if db.Dialect == "mysql" {
						own = "SELECT CONNECTION_ID()"
					}
					var id int
					require.NoError(t, tx.QueryRowContext(ctx, own).Scan(&id))
					end(id)
					// The proxy passes the farewell on before it closes its side.
					require.Eventually(t, func() bool { return proxy.Open() == 0 }, 30*time.Second, time.Millisecond)
					return nil
				}, dbfleet.TxOptions{Retries: 3})
				require.ErrorIs(t, err, dbfleet.ErrTxLost, name)
				require.ErrorIs(t, err, dbfleet.ErrConnection, name)
				require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, name)
				require.NotErrorIs(t, err, dbfleet.ErrCommitUnknown, name)
				require.Equal(t, 1, runs, name)
				require.Zero(t, commit.Seen(), "%s: nothing was sent", name)
				require.Empty(t, conformance.Owners(t, db), name)
				proxy.Heal()
			}
		}
		conformance.RequireIdle(t, fl.Registry)
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "after"}), "the pool recovers")
	})
}

// truth 1106
// Behind TLS the farewell cannot be read, but that the server has closed the connection
// is seen.
func TestTransaction_EndedBeforeCommitIsLostBehindTLS(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db, func(c *dbfleet.ConnectionConfig) {
			c.TLS = dbfleet.TLSConfig{CAFile: db.CAFile, ServerName: db.Host}
		})
		accounts := fl.Bank(t)
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			if err := accounts.Create(ctx, &conformance.Account{Owner: "lost"}); err != nil {
				return err
			}
			db.KillConnections(t)
			require.Eventually(t, func() bool { return proxy.Open() == 0 }, 30*time.Second, time.Millisecond)
			return nil
		})
		require.ErrorIs(t, err, dbfleet.ErrTxLost)
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		require.Empty(t, conformance.Owners(t, db))
	})
}
