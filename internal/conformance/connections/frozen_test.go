package connections

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

var errUndo = errors.New("undo it")

// promise: every call returns by its context's deadline. Hazards 173, 175: a
// frozen server, with a deadline and without.
func TestPool_FrozenServer(t *testing.T) {
	t.Parallel()
	for name, start := range ownServers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			db := s.Database(t)
			config := conformance.ConnectionTo(db)
			config.ConnectTimeout, config.StatementTimeout = time.Second, 500*time.Millisecond
			config.Pool = dbfleet.PoolConfig{MaxOpen: 3, AcquireTimeout: 300 * time.Millisecond}
			db.Exec(t, conformance.DDL(db.Dialect, conformance.AccountsTable))
			fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
			accounts := conformance.Model[conformance.Account](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts"})
			h := fl.DB("main")
			// On a busy machine a case may have used up its time before the server is
			// frozen. It has shown nothing, and is run again.
			const patience = 300 * time.Millisecond
			var reached bool
			freeze := func(ctx context.Context) {
				s.Pause(t)
				end, bound := ctx.Deadline()
				reached = !bound || time.Until(end) > patience/2
			}
			inTx := func(f func(ctx context.Context, tx *dbfleet.Tx) error) func(context.Context) error {
				return func(ctx context.Context) error {
					return h.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
						if _, err := accounts.Get(ctx); err != nil {
							return err
						}
						freeze(ctx)
						return f(ctx, tx)
					})
				}
			}
			frozen := func(f func(ctx context.Context) error) func(context.Context) error {
				return func(ctx context.Context) error {
					if err := h.Ping(ctx); err != nil { // else an idle connection is there
						return err
					}
					freeze(ctx)
					return f(ctx)
				}
			}
			cases := map[string]func(ctx context.Context) error{
				"read":   frozen(func(ctx context.Context) error { _, err := accounts.Get(ctx); return err }),
				"write":  frozen(func(ctx context.Context) error { return accounts.Create(ctx, &conformance.Account{Owner: "x"}) }),
				"raw":    frozen(func(ctx context.Context) error { _, err := h.ExecContext(ctx, "DELETE FROM accounts"); return err }),
				"row":    frozen(func(ctx context.Context) error { return h.QueryRowContext(ctx, "SELECT 1").Scan(new(int)) }),
				"ping":   frozen(h.Ping),
				"begin":  frozen(inTx(func(context.Context, *dbfleet.Tx) error { return nil })),
				"commit": inTx(func(context.Context, *dbfleet.Tx) error { return nil }),
				"rollback": inTx(func(ctx context.Context, _ *dbfleet.Tx) error {
					<-ctxOr(ctx, 200*time.Millisecond)
					return errUndo
				}),
				"statement": inTx(func(ctx context.Context, _ *dbfleet.Tx) error {
					return accounts.Create(ctx, &conformance.Account{Owner: "x"})
				}),
				"savepoint": inTx(func(ctx context.Context, tx *dbfleet.Tx) error {
					return tx.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return errUndo })
				}),
			}
			for name, run := range cases {
				for _, deadline := range []bool{true, false} {
					if !deadline && name != "read" && name != "write" && name != "begin" && name != "commit" {
						continue // the bound is the same one
					}
					var (
						err  error
						took time.Duration
					)
					reached = false
					for try := 0; !reached; try++ {
						require.Less(t, try, 20, "%s never begins in time", name)
						// a connection to begin with: making one may take longer than a case has
						require.Eventually(t, func() bool { _, err := accounts.Get(t.Context()); return err == nil }, 30*time.Second, time.Millisecond)
						ctx, cancel := t.Context(), context.CancelFunc(func() {})
						if deadline {
							ctx, cancel = context.WithTimeout(ctx, patience)
						}
						start := time.Now()
						err = run(ctx)
						took = time.Since(start)
						cancel()
						s.Resume(t)
						require.Error(t, err, name)
					}
					if name == "write" || name == "raw" {
						require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown, name)
					}
					switch {
					case name == "rollback":
						require.ErrorIs(t, err, errUndo)
					case deadline:
						require.ErrorIs(t, err, context.DeadlineExceeded, name)
						require.NotErrorIs(t, err, dbfleet.ErrTimeout, name)
					default:
						require.ErrorIs(t, err, dbfleet.ErrTimeout, name)
						require.NotErrorIs(t, err, context.DeadlineExceeded, name)
						require.NotErrorIs(t, err, dbfleet.ErrAcquireTimeout, name)
						require.NotErrorIs(t, err, dbfleet.ErrConnectionRefused, name)
					}
					require.Less(t, took, 5*time.Second, "%s, deadline %v", name, deadline)
				}
			}
			// No connection is there: connecting has a bound of its own, and an error.
			db.KillConnections(t)
			s.Pause(t)
			start := time.Now()
			err := accounts.Create(t.Context(), &conformance.Account{Owner: "x"})
			require.ErrorIs(t, err, dbfleet.ErrConnectionRefused)
			require.NotErrorIs(t, err, dbfleet.ErrTimeout)
			require.NotErrorIs(t, err, dbfleet.ErrAcquireTimeout)
			require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
			require.Less(t, time.Since(start), 4*time.Second, "by default it may take 5 s")
			s.Resume(t)
			require.Eventually(t, func() bool { return h.Ping(t.Context()) == nil }, 30*time.Second, 10*time.Millisecond)
		})
	}
}

// ownServers start servers for tests that break them.
var ownServers = map[string]func(testing.TB, ...string) *dbtest.Server{"postgres": dbtest.StartPostgres, "mysql": dbtest.StartMariaDB}

// ctxOr is closed when ctx or the time ends.
func ctxOr(ctx context.Context, d time.Duration) <-chan struct{} {
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, cancel)
	return ctx.Done()
}
