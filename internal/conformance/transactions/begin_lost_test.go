package transactions

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// beginning is how a transaction's beginning is known on the wire.
func beginning(db dbtest.Database) string {
	if db.Dialect == "mysql" {
		return "START TRANSACTION"
	}
	return "BEGIN"
}

// truth 1121
// Nothing is begun on a connection that is lost under BEGIN, so that another connection
// begins the transaction, and the closure runs once.
func TestBegin_GoesToAnotherConnectionWhenItsOwnIsLost(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		main := fl.Registry.DB("main")
		for name, f := range networkFaults {
			if silent(f) || f.Packets > 0 { // what is cut later is the first statement
				continue
			}
			f.Marker, f.Times = beginning(db), 1
			before, runs := len(conformance.Owners(t, db)), 0
			require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "before " + name}))
			lost := proxy.On(f)
			require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				runs++
				return accounts.Create(ctx, &conformance.Account{Owner: name})
			}), name)
			require.Equal(t, 1, runs, name)
			require.Positive(t, lost.Seen(), name)
			proxy.Heal()

			require.NoError(t, main.Ping(t.Context()))
			lost = proxy.On(f)
			tx, err := main.Pool().BeginTx(t.Context(), nil)
			require.NoError(t, err, name)
			require.NoError(t, tx.Rollback())
			require.Positive(t, lost.Seen(), name)
			proxy.Heal()
			require.Len(t, conformance.Owners(t, db), before+2, name)
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// Where each connection is lost under BEGIN, that is an error which says so, soon.
func TestBegin_GivesUpWhenEachConnectionIsLost(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		main := fl.Registry.DB("main")
		require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "before"}))
		lost := proxy.On(dbtest.Fault{Marker: beginning(db), Action: dbtest.CutRequest, Reset: true})
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			if db.Dialect != "postgres" { // where the first statement begins it
				t.Error("a transaction that was not begun")
				return nil
			}
			err := accounts.Create(ctx, &conformance.Account{Owner: "nobody"})
			require.Error(t, err, "a statement of a transaction that was not begun")
			return err
		})
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		require.Equal(t, 2, lost.Seen(), "the connection that was there, and a new one")
		_, err = main.Pool().BeginTx(t.Context(), nil)
		require.Error(t, err)
		require.Equal(t, dbfleet.ClassConnection, dbfleet.ClassOf(err), "%v", err)
		require.LessOrEqual(t, lost.Seen(), 4)
		proxy.Heal()
		conformance.RequireIdle(t, fl.Registry)
	})
}
