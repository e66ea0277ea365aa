package transactions

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// lockable says whether a stranger can have the row's lock now.
func lockable(t *testing.T, db dbtest.Database, owner string) error {
	t.Helper()
	tx, err := db.SQL(t).BeginTx(context.Background(), nil)
	require.NoError(t, err)
	defer func() { _ = tx.Rollback() }()
	return tx.QueryRowContext(context.Background(), "SELECT balance FROM accounts WHERE owner = '"+owner+"' FOR UPDATE NOWAIT").Scan(new(int))
}

// A statement whose context ends while it waits for a lock or computes is stopped on the
// server: when Transaction has returned, its locks are gone.
func TestTransaction_CancelledHoldsNoLocksWhenItReturns(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		fl, proxy := conformance.ThroughProxy(t, db, func(c *dbfleet.ConnectionConfig) {
			c.Pool = dbfleet.PoolConfig{MaxOpen: 1} // what stops it needs no place of the pool
		})
		accounts := fl.Bank(t)
		for _, owner := range []string{"first", "second"} {
			require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: owner}))
		}
		stranger, err := db.SQL(t).BeginTx(t.Context(), nil)
		require.NoError(t, err)
		defer func() { _ = stranger.Rollback() }()
		require.NoError(t, stranger.QueryRowContext(t.Context(), "SELECT balance FROM accounts WHERE owner = 'second' FOR UPDATE").Scan(new(int)))

		for name, wait := range map[string]func(ctx context.Context, tx *dbfleet.Tx) error{
			"waits for a lock": func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = 2 WHERE owner = 'second' /* marked */")
				return err
			},
			"computes": func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, conformance.Slow(db.Dialect)+" /* marked */")
				return err
			},
		} {
			prompt := 0
			for range 5 {
				sent := proxy.On(dbtest.Fault{Marker: "marked", Action: dbtest.Count})
				ctx := conformance.NewDeadline(t.Context())
				var passed time.Time
				go func() {
					<-sent.Fired()
					passed = time.Now()
					ctx.Pass()
				}()
				err := fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
					_, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = 1 WHERE owner = 'first'")
					require.NoError(t, err)
					require.Error(t, lockable(t, db, "first"), "the test itself: it is locked")
					return wait(ctx, tx)
				})
				took := time.Since(passed)
				require.ErrorIs(t, err, context.DeadlineExceeded, name)
				require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown, name)
				if took < 500*time.Millisecond { // for which a server that does not answer is waited for
					prompt++
					require.NoError(t, lockable(t, db, "first"), name)
				} else {
					require.Eventually(t, func() bool { return lockable(t, db, "first") == nil }, 20*time.Second, conformance.WaitingTick, name)
				}
				proxy.Heal()
			}
			require.Positive(t, prompt, "%s: the server answers", name)
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// SQLite is interrupted in the program itself.
func TestTransaction_CancelledHoldsNoLocksWhenItReturns_SQLite(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	accounts := fl.Bank(t)
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			if err := accounts.Create(ctx, &conformance.Account{Owner: "first"}); err != nil {
				return err
			}
			return tx.QueryRowContext(ctx, conformance.Slow("sqlite")).Scan(new(int))
		})
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		conn, err := fl.Database.SQL(t).Conn(t.Context())
		require.NoError(t, err)
		_, err = conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 0")
		require.NoError(t, err)
		_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
		require.NoError(t, err, "the lock is free")
		_, err = conn.ExecContext(t.Context(), "ROLLBACK")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	}
	require.Empty(t, conformance.Owners(t, fl.Database))
}

// Many statements that end at once are stopped by one connection, and an autocommit
// statement is stopped as well.
func TestCancelled_ManyAreStoppedByOneConnection(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	const many = 40
	fl, proxy := conformance.ThroughProxy(t, db, func(c *dbfleet.ConnectionConfig) {
		c.Pool = dbfleet.PoolConfig{MaxOpen: many, MaxIdle: many}
	})
	fl.Bank(t)
	h := fl.DB("main")
	sent := proxy.On(dbtest.Fault{Marker: "marked", Action: dbtest.Count})
	ctx := conformance.NewDeadline(t.Context())
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			_, err := h.ExecContext(ctx, "DO SLEEP(30) /* marked */")
			if err == nil {
				t.Error("it was not stopped")
			}
		})
	}
	running := func() int {
		return conformance.Counted(t, db, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DO SLEEP(30)%' AND DB = '"+db.Name+"'")
	}
	require.Eventually(t, func() bool { return sent.Seen() == many && running() == many }, 60*time.Second, 5*time.Millisecond)
	before := proxy.Accepted()
	ctx.Pass()
	wg.Wait()
	require.Eventually(t, func() bool { return running() == 0 }, 20*time.Second, 5*time.Millisecond, "long before the 30 seconds")
	require.LessOrEqual(t, proxy.Accepted()-before, 5, "connections to stop %d", many)
}

// A server that nobody reaches any more is not asked once for each statement.
func TestCancelled_NobodyReachesTheServer(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	const many = 20
	fl, proxy := conformance.ThroughProxy(t, db, func(c *dbfleet.ConnectionConfig) {
		c.Pool = dbfleet.PoolConfig{MaxOpen: many, MaxIdle: many}
	})
	fl.Bank(t)
	h := fl.DB("main")
	sent := proxy.On(dbtest.Fault{Marker: "marked", Action: dbtest.Count})
	ctx := conformance.NewDeadline(t.Context())
	took := make(chan time.Duration, many)
	var passed time.Time
	for range many {
		go func() {
			_, err := h.ExecContext(ctx, "DO SLEEP(30) /* marked */")
			if err == nil {
				t.Error("it was not stopped")
			}
			took <- time.Since(passed)
		}()
	}
	require.Eventually(t, func() bool { return sent.Seen() == many }, 60*time.Second, 5*time.Millisecond)
	proxy.Blackhole()
	before := proxy.Accepted()
	passed = time.Now()
	ctx.Pass()
	for range many {
		require.Less(t, <-took, 10*time.Second)
	}
	require.LessOrEqual(t, proxy.Accepted()-before, 5)
	require.NoError(t, fl.Close(), "nothing is left behind")
	db.KillConnections(t)
}

// What stops a statement is made as the pool's own connections are: by Dial, with TLS and
// a password that was asked for anew.
func TestCancelled_IsStoppedByTheSameSettings(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	db.RequireTLS(t)
	var asked, dialed atomic.Int64
	config := conformance.ConnectionTo(db)
	config.TLS = dbfleet.TLSConfig{CAFile: db.CAFile, ServerName: db.Host}
	config.Password = ""
	config.PasswordFunc = func(context.Context, string) (string, error) {
		asked.Add(1)
		return db.Password, nil
	}
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed.Add(1)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
	require.NoError(t, r.DB("main").Ping(t.Context()))
	running := func() (n int) { // the account of the test has to use TLS
		query := "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DO SLEEP(30)%' AND DB = '" + db.Name + "'"
		require.NoError(t, db.Server.Admin().QueryRowContext(t.Context(), query).Scan(&n))
		return n
	}
	ctx := conformance.NewDeadline(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := r.DB("main").ExecContext(ctx, "DO SLEEP(30)")
		done <- err
	}()
	require.Eventually(t, func() bool { return running() == 1 }, 30*time.Second, 5*time.Millisecond)
	ctx.Pass()
	require.ErrorIs(t, <-done, context.DeadlineExceeded)
	require.Eventually(t, func() bool { return running() == 0 }, 20*time.Second, 5*time.Millisecond)
	require.EqualValues(t, 2, dialed.Load())
	require.EqualValues(t, 2, asked.Load())
}
