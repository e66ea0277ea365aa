package connections

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// refusedPort is a port of this machine on which nobody listens.
func refusedPort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return n
}

// promises 4, 5: nothing is dialled before it is asked; what is not reachable
// harms nobody who does not ask it.
func TestOpen_DialsNothingAndSurvivesDeadNodes(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		proxy := dbtest.NewProxy(t, db.Server.Addr())
		silent := dbtest.NewProxy(t, db.Server.Addr())
		silent.Blackhole()
		refused, blackholed := conformance.ConnectionTo(db), conformance.ConnectionTo(silent.Through(db))
		refused.Port = refusedPort(t)
		blackholed.ConnectTimeout = 300 * time.Millisecond
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
			"main": conformance.ConnectionTo(proxy.Through(db)), "refused": refused, "blackholed": blackholed,
			"nowhere": {Driver: dbfleet.SQLite, Database: "/no/such/directory/x.db"},
		})
		require.Zero(t, proxy.Accepted())
		require.Empty(t, r.Stats(), "no pool is open")
		_, err := dbfleet.NewModel[conformance.Account](r, dbfleet.ModelConfig{Table: "accounts", Connection: "refused"})
		require.NoError(t, err)
		require.Zero(t, proxy.Accepted())

		h, err := r.Connect(t.Context(), "main")
		require.NoError(t, err)
		require.Equal(t, "main", h.Name())
		require.Equal(t, 1, proxy.Accepted())

		for _, name := range []string{"refused", "blackholed", "nowhere"} {
			start := time.Now()
			_, err := r.Connect(t.Context(), name)
			require.ErrorIs(t, err, dbfleet.ErrConnection, name)
			require.ErrorIs(t, err, dbfleet.ErrConnectionRefused, name)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, name)
			require.NotErrorIs(t, err, context.DeadlineExceeded, "%s: the caller had none", name)
			require.Less(t, time.Since(start), 4*time.Second, "%s: by default it may take 5 s", name)
			_, err = r.DB(name).ExecContext(t.Context(), "DELETE FROM x")
			require.ErrorIs(t, err, dbfleet.ErrConnectionRefused, name)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, "%s: nothing was sent", name)
			require.ErrorIs(t, r.Transaction(t.Context(), name, func(context.Context, *dbfleet.Tx) error { return nil }), dbfleet.ErrConnectionRefused)
		}
		require.NoError(t, h.Ping(t.Context()))
	})
}

// promise 5: many who ask at once open the pool once.
func TestConnect_IsSingleFlight(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		proxy := dbtest.NewProxy(t, db.Server.Addr())
		config := conformance.ConnectionTo(proxy.Through(db))
		config.Pool.MaxOpen = 3
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		var wg sync.WaitGroup
		pools := make([]*sql.DB, 40)
		for i := range pools {
			wg.Go(func() {
				h, err := r.Connect(t.Context(), "main")
				require.NoError(t, err)
				pools[i] = h.Pool()
			})
		}
		wg.Wait()
		for _, p := range pools {
			require.Same(t, pools[0], p)
		}
		require.LessOrEqual(t, proxy.Accepted(), 3, "one pool, within its bound")
	})
}

// hazard 186
func TestRegistry_UnknownNameIsToldWithTheKnownOnes(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	require.Equal(t, []string{"main"}, fl.Names())
	require.Equal(t, "main", fl.Default())
	db := fl.DB("nope")
	var unknown *dbfleet.UnknownConnectionError
	check := func(err error) {
		t.Helper()
		unknown = nil
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, dbfleet.UnknownConnectionError{Name: "nope", Known: []string{"main"}}, *unknown)
	}
	_, err := fl.Connect(t.Context(), "nope")
	check(err)
	_, err = db.ExecContext(t.Context(), "x")
	check(err)
	_, err = db.QueryContext(t.Context(), "x")
	check(err)
	check(db.QueryRowContext(t.Context(), "x").Scan(new(int)))
	_, err = db.PrepareContext(t.Context(), "x")
	check(err)
	check(db.Pool().PingContext(t.Context()))
	check(db.ReplicaPool().PingContext(t.Context()))
	check(db.Ping(t.Context()))
	check(fl.Remove(t.Context(), "nope"))
	check(fl.Replace(t.Context(), "nope", conformance.ConnectionTo(fl.Database)))
	require.Empty(t, db.Driver())
	require.Empty(t, db.Stats())
	var fault *dbfleet.ConfigError
	require.ErrorAs(t, fl.Add("main", conformance.ConnectionTo(fl.Database)), &fault)
	require.ErrorAs(t, fl.Add("bad", dbfleet.ConnectionConfig{Driver: "oracle"}), &fault)
	require.Equal(t, []string{"main"}, fl.Names(), "a faulty one is not added")
}

// hazard 185: replaced and removed under load: what runs goes on on the old
// pool, which is closed when it is done; nothing fails and nothing is lost.
func TestRegistry_ReplaceUnderLoad(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		var stop atomic.Bool
		var wg sync.WaitGroup
		var written atomic.Int64
		for g := range 4 {
			wg.Go(func() {
				for i := 0; !stop.Load(); i++ {
					var err error
					switch i % 4 {
					case 0:
						err = accounts.Create(t.Context(), &conformance.Account{Owner: fmt.Sprintf("%d-%d", g, i)})
						written.Add(1)
					case 1:
						_, err = accounts.Limit(3).Get(t.Context())
					case 2:
						err = fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
							written.Add(1)
							return accounts.Create(ctx, &conformance.Account{Owner: fmt.Sprintf("%d-%d", g, i)})
						})
					case 3:
						var rows *sql.Rows
						if rows, err = fl.DB("main").QueryContext(t.Context(), "SELECT owner FROM accounts"); err == nil {
							for rows.Next() {
							}
							err = rows.Err()
						}
					}
					if err != nil {
						t.Errorf("step %d: %v", i%4, err)
						return
					}
				}
			})
		}
		for range 12 {
			old := fl.DB("main").Pool()
			require.NoError(t, fl.Replace(t.Context(), "main", conformance.ConnectionTo(fl.Database)))
			require.Error(t, old.PingContext(t.Context()), "the old pool is closed")
			require.NotSame(t, old, fl.DB("main").Pool())
		}
		stop.Store(true)
		wg.Wait()
		require.EqualValues(t, written.Load(), len(conformance.Owners(t, fl.Database)))

		require.NoError(t, fl.Remove(t.Context(), "main"))
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, accounts.Create(t.Context(), &conformance.Account{Owner: "x"}), &unknown)
		if fl.Database.Server != nil {
			dbtest.NoConnections(t, fl.Database)
		}
		require.NoError(t, fl.Add("main", conformance.ConnectionTo(fl.Database)))
		_, err := accounts.Get(t.Context())
		require.NoError(t, err, "models and handles stay valid")
	})
}

// A transaction outlives the replacement of its connection: all of it runs on
// the server where it began.
func TestRegistry_TransactionOutlivesReplace(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		elsewhere := dbtest.New(t, "sqlite")
		fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
		accounts := fl.Bank(t)
		replaced := make(chan error, 1)
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			before := fl.DB("main").Pool()
			require.NoError(t, accounts.Create(ctx, &conformance.Account{Owner: "1"}))
			go func() { replaced <- fl.Replace(t.Context(), "main", conformance.ConnectionTo(elsewhere)) }()
			require.Eventually(t, func() bool { return fl.DB("main").Pool() != before }, 20*time.Second, time.Millisecond)
			require.Empty(t, replaced, "it waits for the transaction")
			return accounts.Create(ctx, &conformance.Account{Owner: "2"})
		})
		require.NoError(t, err)
		require.NoError(t, <-replaced)
		require.Equal(t, []string{"1", "2"}, conformance.Owners(t, db))
		_, err = accounts.Get(t.Context())
		require.ErrorContains(t, err, "no such table", "the new one is SQLite and has none")
	})
}
