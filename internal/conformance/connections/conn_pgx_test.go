package connections

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestConn_ListensAndCopiesByPgx(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	accounts := fl.Bank(t)
	h := fl.DB("main")

	ctx, stop := context.WithCancel(t.Context())
	listening, got := make(chan struct{}), make(chan string)
	var group sync.WaitGroup
	group.Go(func() {
		err := h.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
			if _, err := c.ExecContext(ctx, "LISTEN news"); err != nil {
				return err
			}
			close(listening)
			return c.Raw(func(driverConn any) error {
				for {
					n, err := driverConn.(*pgx.Conn).WaitForNotification(ctx)
					if err != nil {
						return err
					}
					got <- n.Payload
				}
			})
		})
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	<-listening
	for _, text := range []string{"one", "two"} {
		_, err := h.ExecContext(t.Context(), "SELECT pg_notify('news', $1)", text)
		require.NoError(t, err)
		require.Equal(t, text, <-got)
	}
	stop()
	group.Wait()
	conformance.RequireIdle(t, fl.Registry)

	copied := func(ctx context.Context) error {
		return h.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
			return c.Raw(func(driverConn any) error {
				_, err := driverConn.(*pgx.Conn).PgConn().CopyFrom(ctx, bytes.NewBufferString("ada\t1\nbob\t2\n"), "COPY accounts (owner, balance) FROM STDIN")
				return err
			})
		})
	}
	undo := errors.New("undo")
	require.ErrorIs(t, fl.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
		require.NoError(t, copied(ctx))
		n, err := accounts.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		return undo
	}), undo)
	require.Zero(t, conformance.Counted(t, db, "SELECT COUNT(*) FROM accounts"))
	require.NoError(t, copied(t.Context()))
	require.Equal(t, 2, conformance.Counted(t, db, "SELECT COUNT(*) FROM accounts"))
}

// Statements after Raw are the library's own again, whatever pgx has parsed.
func TestConn_StatementsAfterRawAreTheirOwn(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	fl := ofOne(t, db)
	require.NoError(t, fl.DB("main").Conn(t.Context(), func(ctx context.Context, c *dbfleet.Conn) error {
		stmt, err := c.PrepareContext(ctx, "SELECT $1::int")
		require.NoError(t, err)
		defer stmt.Close()
		for range 3 {
			require.NoError(t, c.Raw(func(driverConn any) error {
				conn := driverConn.(*pgx.Conn)
				if err := conn.QueryRow(ctx, "SELECT 'other' || $1", pgx.QueryExecModeExec, "x").Scan(new(string)); err != nil {
					return err
				}
				_, err := conn.Exec(ctx, "DEALLOCATE ALL")
				return err
			}))
			var n int
			require.NoError(t, stmt.QueryRowContext(ctx, 5).Scan(&n))
			require.Equal(t, 5, n)
		}
		return nil
	}))
}
