package transactions

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/driver/drivertest"
)

// scripted is a registry on a database that answers from memory and fails at
// the call that a test names.
func scripted(t *testing.T) (*dbfleet.Registry, *drivertest.DB) {
	t.Helper()
	script := drivertest.New().Otherwise(drivertest.Answer{RowsAffected: 1, LastInsertID: 7}).Record()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.MySQL, Connector: script}})
	return r, script
}

// promise: at most one execution per call, wherever it fails. The call number k
// fails, for each k and in each way that a driver has.
func TestScript_FailAtEachCall(t *testing.T) {
	t.Parallel()
	server := errors.New("the server refuses")
	lost := []error{sqldriver.ErrBadConn, io.ErrUnexpectedEOF, syscall.ECONNRESET}
	r, script := scripted(t)
	accounts := conformance.Model[conformance.Account](t, r, dbfleet.ModelConfig{Table: "accounts"})
	h := r.DB("main")
	create := func(ctx context.Context) error { return accounts.Create(ctx, &conformance.Account{Owner: "x"}) }
	stories := map[string]func(ctx context.Context) error{
		"create": create,
		"raw": func(ctx context.Context) error {
			_, err := h.ExecContext(ctx, "INSERT INTO accounts VALUES (1)")
			return err
		},
		"update": func(ctx context.Context) error {
			_, err := accounts.Where("id", "=", 1).Update(ctx, map[string]any{"owner": "INSERT INTO"})
			return err
		},
		"delete": func(ctx context.Context) error { _, err := accounts.Where("id", "=", 1).Delete(ctx); return err },
		"get":    func(ctx context.Context) error { _, err := accounts.Get(ctx); return err },
		"transaction": func(ctx context.Context) error {
			return r.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
				if err := create(ctx); err != nil {
					return err
				}
				if err := tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
					_, err := accounts.Where("id", "=", 1).Increment(ctx, "balance", 1)
					return err
				}); err != nil {
					return err
				}
				_, err := accounts.Get(ctx)
				return err
			}, dbfleet.TxOptions{Retries: 3})
		},
		"careless transaction": func(ctx context.Context) error { // errors are dropped
			return r.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
				_ = create(ctx)
				_ = tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return create(ctx) })
				return nil
			})
		},
	}
	for name, story := range stories {
		script.Reset()
		require.NoError(t, story(t.Context()), name)
		calls := script.Calls()
		for k := 1; k <= calls; k++ {
			for _, failure := range append(lost, server) {
				script.Reset()
				script.FailAt(k, failure)
				err := story(t.Context())
				log := script.Log()
				if k > len(log) { // it had its connection already
					require.NoError(t, err, name)
					continue
				}
				where := name + ", " + failure.Error() + " at " + log[k-1] + ":\n" + strings.Join(log, "\n")
				writes, commits := 0, 0
				for _, call := range log {
					if strings.HasPrefix(call, "INSERT") {
						writes++
					}
					if call == "COMMIT" {
						commits++
					}
				}
				require.LessOrEqual(t, commits, 1, where)
				limit := 1
				if name == "careless transaction" {
					limit = 2
				}
				require.LessOrEqual(t, writes, limit, where)
				broken := slices.Contains(lost, failure)
				at := log[k-1]
				switch {
				case name == "get" && broken && err == nil: // a read is asked again
				case at == "BEGIN" && broken && err == nil: // nothing was begun there: another connection began it
					require.Equal(t, 1, commits, where)
				case at == "PING", at == "CONNECT" && err == nil:
				case at == "COMMIT" && broken:
					require.ErrorIs(t, err, dbfleet.ErrCommitUnknown, where)
				case name == "careless transaction" && at != "COMMIT" && at != "BEGIN" && at != "CONNECT":
					// A refused statement is its caller's affair, a lost connection is not.
					if broken {
						require.ErrorIs(t, err, dbfleet.ErrTxLost, where)
						require.Zero(t, commits, where)
					}
				case at == "ROLLBACK":
				default:
					require.Error(t, err, where)
				}
				if broken && err != nil && (name == "create" || name == "raw" || name == "update" || name == "delete") && at != "CONNECT" {
					require.ErrorIs(t, err, dbfleet.ErrOutcomeUnknown, where)
				}
				if err != nil {
					require.False(t, dbfleet.IsRetryable(err), where)
				}
				conformance.RequireIdle(t, r)
				script.Reset()
				require.NoError(t, story(t.Context()), "it goes on after %s", where)
			}
		}
	}
	require.NoError(t, r.Close())
	require.Zero(t, script.OpenConns(), "every connection is closed")
}
