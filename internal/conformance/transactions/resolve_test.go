package transactions

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// cuts are the ways to lose the answer to COMMIT; committed says whether it was carried
// out.
var cuts = []struct {
	fault     dbtest.Fault
	committed bool
}{
	{dbtest.Fault{Action: dbtest.CutReply}, true},
	{dbtest.Fault{Action: dbtest.CutReply, Reset: true}, true},
	{dbtest.Fault{Action: dbtest.CutRequest}, false},
	{dbtest.Fault{Action: dbtest.CutRequest, Reset: true}, false},
}

// truth 1107
// hazard 201: the outcome of a transaction whose answer was lost is asked for, and its
// error, nil and the rows agree.
func TestResolvable_TransactionAsksForItsOutcome(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db, func(c *dbfleet.ConnectionConfig) {
			c.Pool = dbfleet.PoolConfig{MaxOpen: 1}
		})
		accounts := fl.Bank(t)
		for _, retries := range []int{0, 2} {
			for _, cut := range cuts {
				name := fmt.Sprintf("%+v, retries %d", cut.fault, retries)
				_, err := accounts.Query().AllRows().Delete(t.Context())
				require.NoError(t, err)
				fault := cut.fault
				fault.Marker, fault.Times = "COMMIT", 1
				runs := 0
				create := func(ctx context.Context, _ *dbfleet.Tx) error {
					if runs++; runs == 1 {
						proxy.On(fault)
					}
					return accounts.Create(ctx, &conformance.Account{Owner: "once"})
				}
				err = fl.Transaction(t.Context(), "", create, dbfleet.TxOptions{Resolvable: true, Retries: retries})
				proxy.Heal()
				switch {
				case cut.committed:
					require.NoError(t, err, name)
					require.Equal(t, 1, runs, name)
				case retries > 0:
					require.NoError(t, err, name)
					require.Equal(t, 2, runs, name)
				default:
					require.ErrorIs(t, err, dbfleet.ErrTxLost, name)
					require.ErrorIs(t, err, dbfleet.ErrConnection, name)
					require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, name)
					require.NotErrorIs(t, err, dbfleet.ErrCommitUnknown, name)
					require.True(t, dbfleet.IsRetryable(err), name)
					require.Empty(t, conformance.Owners(t, db), name)
					continue
				}
				require.Equal(t, []string{"once"}, conformance.Owners(t, db), name)
			}
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// unknown loses the answer to a COMMIT and the patience of its caller.
func unknown(t *testing.T, fl conformance.Fleet, proxy *dbtest.Proxy, action dbtest.Action, o dbfleet.TxOptions) *dbfleet.CommitUnknownError {
	t.Helper()
	ctx := conformance.NewDeadline(t.Context())
	err := fl.Transaction(ctx, "", func(inside context.Context, tx *dbfleet.Tx) error {
		_, err := tx.ExecContext(inside, conformance.Inserting("asked"))
		fault := proxy.On(dbtest.Fault{Marker: "COMMIT", Action: action, Times: 1})
		go func() {
			<-fault.Fired()
			ctx.Pass()
		}()
		return err
	}, o)
	var e *dbfleet.CommitUnknownError
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, dbfleet.ErrCommitUnknown)
	require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, "main", e.Connection)
	return e
}

// truth 1107
// What Transaction did not ask for, since its context had ended, the caller asks for, as
// often as he likes, also inside of another transaction.
func TestResolve_TellsWhatPersists(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		accounts := fl.Bank(t)
		for _, action := range []dbtest.Action{dbtest.HoldReply, dbtest.HoldRequest} {
			_, err := accounts.Query().AllRows().Delete(t.Context())
			require.NoError(t, err)
			e := unknown(t, fl, proxy, action, dbfleet.TxOptions{Resolvable: true})
			proxy.Heal()
			committed, err := e.Resolve(t.Context())
			require.NoError(t, err)
			require.Equal(t, committed, len(conformance.Owners(t, db)) == 1, "what it tells is what is there")
			if action == dbtest.HoldRequest {
				require.False(t, committed, "the server never saw COMMIT")
			}
			require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				again, err := e.Resolve(ctx)
				require.NoError(t, err)
				require.Equal(t, committed, again)
				return nil
			}))
		}
	})
}

// unclosed is a connection of which the server does not hear that it was closed, as when
// the client's machine has gone.
type unclosed struct{ net.Conn }

func (c unclosed) Close() error { return c.SetDeadline(time.Unix(1, 0)) }

// While the transaction is open on the server nothing is known, and Resolve waits as long
// as it may. The connection may have another configuration by then.
func TestResolve_WaitsForATransactionThatIsOpen(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		var kept sync.Map // what is collected as garbage is closed
		defer kept.Clear()
		fl, proxy := conformance.ThroughProxy(t, db, func(c *dbfleet.ConnectionConfig) {
			c.Pooler = true // so that MariaDB does not end what nobody waits for
			c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				nc, err := new(net.Dialer).DialContext(ctx, network, address)
				if err == nil {
					kept.Store(nc, nil)
				}
				return unclosed{nc}, err
			}
		})
		fl.Bank(t)
		e := unknown(t, fl, proxy, dbtest.HoldRequest, dbfleet.TxOptions{Resolvable: true})
		require.NoError(t, fl.Replace(t.Context(), "main", conformance.ConnectionTo(db)))
		short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := e.Resolve(short)
		require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		proxy.Heal()
		kept.Range(func(nc, _ any) bool { // the server loses its client, and rolls back
			_ = nc.(net.Conn).Close() // some are closed
			return true
		})
		committed, err := e.Resolve(t.Context())
		require.NoError(t, err)
		require.False(t, committed)
		require.Empty(t, conformance.Owners(t, db))
	})
}

// truth 1107
// Where it cannot be told, that is said: a transaction that is not Resolvable, another
// database under the same name, a table that was emptied.
func TestResolve_SaysThatItCannotTell(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db)
		fl.Bank(t)
		e := unknown(t, fl, proxy, dbtest.HoldRequest, dbfleet.TxOptions{})
		proxy.Heal()
		_, err := e.Resolve(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		require.ErrorContains(t, err, "Resolvable")
		_, err = new(dbfleet.CommitUnknownError).Resolve(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown)

		e = unknown(t, fl, proxy, dbtest.HoldRequest, dbfleet.TxOptions{Resolvable: true})
		proxy.Heal()
		emptied := func() {
			_, err := e.Resolve(t.Context())
			require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		}
		_, err = db.SQL(t).ExecContext(t.Context(), "DELETE FROM dbfleet_outcomes")
		require.NoError(t, err)
		emptied()
		require.NoError(t, fl.Transaction(t.Context(), "", func(context.Context, *dbfleet.Tx) error { return nil }, dbfleet.TxOptions{Resolvable: true}))
		emptied()

		other := dbtest.New(t, db.Dialect)
		require.NoError(t, fl.Replace(t.Context(), "main", conformance.ConnectionTo(other)))
		emptied()
		require.NoError(t, fl.Transaction(t.Context(), "", func(context.Context, *dbfleet.Tx) error { return nil }, dbfleet.TxOptions{Resolvable: true}))
		emptied()
		require.NoError(t, fl.Remove(t.Context(), "main"))
		emptied()
	})
}

// What is Resolvable does what every transaction does, and its markers do not pile up.
func TestResolvable_LeavesLittleBehind(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		o := dbfleet.TxOptions{Resolvable: true}
		for i := range 250 {
			require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
				return accounts.Create(ctx, &conformance.Account{Owner: fmt.Sprint(i)})
			}, o))
		}
		require.ErrorIs(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "undone"}))
			return errUndo
		}, o), errUndo)
		require.Len(t, conformance.Owners(t, fl.Database), 250)
		if fl.Database.Dialect != "sqlite" {
			require.LessOrEqual(t, conformance.Counted(t, fl.Database, "SELECT COUNT(*) FROM dbfleet_outcomes"), 101)
		}
		err := fl.Transaction(t.Context(), "", func(context.Context, *dbfleet.Tx) error { return nil }, dbfleet.TxOptions{Resolvable: true, ReadOnly: true})
		require.ErrorContains(t, err, "no outcome")
		conformance.RequireIdle(t, fl.Registry)
	})
}

// The table is there once several have made it at the same time.
func TestResolvable_MakesItsTableOnce(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		const processes = 6
		errs := make(chan error, processes)
		for range processes {
			fl := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)})
			require.NoError(t, fl.DB("main").Ping(t.Context()))
			go func() {
				errs <- fl.Transaction(t.Context(), "", func(context.Context, *dbfleet.Tx) error { return nil }, dbfleet.TxOptions{Resolvable: true})
			}()
		}
		for range processes {
			require.NoError(t, <-errs)
		}
		require.Equal(t, 1, conformance.Counted(t, db, "SELECT COUNT(*) FROM dbfleet_outcomes WHERE id = 'database'"))
	})
}

// A table that cannot be made, or that would not undo its rows, is told with what to do.
func TestResolvable_SaysWhatTableIsMissing(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		config := conformance.ConnectionTo(db)
		if db.Dialect == "postgres" {
			config.Params = map[string]string{"search_path": "nowhere"}
		} else {
			_, err := db.SQL(t).ExecContext(t.Context(), "CREATE TABLE dbfleet_outcomes (id VARCHAR(64) PRIMARY KEY, state VARCHAR(64), made TIMESTAMP) ENGINE=Aria")
			require.NoError(t, err)
		}
		fl := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		err := fl.Transaction(t.Context(), "", func(context.Context, *dbfleet.Tx) error {
			t.Error("the closure ran")
			return nil
		}, dbfleet.TxOptions{Resolvable: true})
		require.ErrorContains(t, err, "CREATE TABLE IF NOT EXISTS dbfleet_outcomes")
		conformance.RequireIdle(t, fl)
	})
}
