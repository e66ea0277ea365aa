package transactions

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// beginners are what a transaction may begin with. Each adds an account.
var beginners = map[string]func(ctx context.Context, tx *dbfleet.Tx, accounts *dbfleet.Model[conformance.Account], owner string) error{
	"a record": func(ctx context.Context, _ *dbfleet.Tx, accounts *dbfleet.Model[conformance.Account], owner string) error {
		return accounts.Create(ctx, &conformance.Account{Owner: owner})
	},
	"several records": func(ctx context.Context, _ *dbfleet.Tx, accounts *dbfleet.Model[conformance.Account], owner string) error {
		return accounts.CreateMany(ctx, []conformance.Account{{Owner: owner}})
	},
	"a load": func(ctx context.Context, _ *dbfleet.Tx, accounts *dbfleet.Model[conformance.Account], owner string) error {
		_, err := accounts.Load(ctx, func(yield func(conformance.Account) bool) { yield(conformance.Account{Owner: owner}) })
		return err
	},
	"a read": func(ctx context.Context, _ *dbfleet.Tx, accounts *dbfleet.Model[conformance.Account], owner string) error {
		if _, err := accounts.Where("owner", "=", owner).Get(ctx); err != nil {
			return err
		}
		return accounts.Create(ctx, &conformance.Account{Owner: owner})
	},
	"rows one by one": func(ctx context.Context, _ *dbfleet.Tx, accounts *dbfleet.Model[conformance.Account], owner string) error {
		for _, err := range accounts.Query().Iter(ctx) {
			if err != nil {
				return err
			}
		}
		return accounts.Create(ctx, &conformance.Account{Owner: owner})
	},
	"a text": func(ctx context.Context, tx *dbfleet.Tx, _ *dbfleet.Model[conformance.Account], owner string) error {
		_, err := tx.ExecContext(ctx, conformance.Inserting(owner))
		return err
	},
	"an argument": func(ctx context.Context, tx *dbfleet.Tx, _ *dbfleet.Model[conformance.Account], owner string) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO accounts (owner, balance) VALUES ($1, 0)", owner)
		return err
	},
	"a raw query": func(ctx context.Context, tx *dbfleet.Tx, _ *dbfleet.Model[conformance.Account], owner string) error {
		return tx.QueryRowContext(ctx, "INSERT INTO accounts (owner, balance) VALUES ($1, 0) RETURNING owner", owner).Scan(&owner)
	},
	"raw rows": func(ctx context.Context, tx *dbfleet.Tx, _ *dbfleet.Model[conformance.Account], owner string) error {
		rows, err := tx.QueryContext(ctx, "INSERT INTO accounts (owner, balance) VALUES ($1, 0) RETURNING owner", owner)
		if err != nil {
			return err
		}
		defer rows.Close()
		rows.Next()
		return rows.Err()
	},
	"a prepared statement": func(ctx context.Context, tx *dbfleet.Tx, _ *dbfleet.Model[conformance.Account], owner string) error {
		stmt, err := tx.PrepareContext(ctx, "INSERT INTO accounts (owner, balance) VALUES ($1, 0)")
		if err != nil {
			return err
		}
		_, err = stmt.ExecContext(ctx, owner)
		return err
	},
	"a savepoint": func(ctx context.Context, tx *dbfleet.Tx, accounts *dbfleet.Model[conformance.Account], owner string) error {
		return tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
			return accounts.Create(ctx, &conformance.Account{Owner: owner})
		})
	},
	"a savepoint that is undone": func(ctx context.Context, tx *dbfleet.Tx, accounts *dbfleet.Model[conformance.Account], owner string) error {
		err := tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
			if err := accounts.Create(ctx, &conformance.Account{Owner: "undone " + owner}); err != nil {
				return err
			}
			return errUndo
		})
		if !errors.Is(err, errUndo) {
			return err
		}
		return accounts.Create(ctx, &conformance.Account{Owner: owner})
	},
}

// truth 1121
// PostgreSQL gets BEGIN with the first statement, whichever that is. A connection that is
// lost before it has answered is replaced, and the closure goes on: it runs once, and what it
// does is done once. Also where the pool has one connection.
func TestBegin_GoesToAnotherConnectionWithWhateverComesFirst(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	fl, proxy := conformance.ThroughProxy(t, db, func(c *dbfleet.ConnectionConfig) { c.Pool.MaxOpen = 1 })
	accounts := fl.Bank(t)
	want := len(conformance.Owners(t, db))
	for name, begins := range beginners {
		for fault, f := range networkFaults {
			if silent(f) || f.Packets > 0 {
				continue
			}
			where := fmt.Sprintf("%s, %s", name, fault)
			require.NoError(t, accounts.Create(t.Context(), &conformance.Account{Owner: "before " + where}))
			f.Marker, f.Times = "BEGIN", 1
			lost, runs, told := proxy.On(f), 0, ""
			require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				runs++
				if err := tx.AfterCommit(func(context.Context) { told += "committed" }); err != nil {
					return err
				}
				return begins(ctx, tx, accounts, where)
			}), where)
			require.Equal(t, 2, lost.Seen(), where)
			require.Equal(t, 1, runs, where)
			require.Equal(t, "committed", told, where)
			proxy.Heal()
			want += 2
			require.Len(t, conformance.Owners(t, db), want, where)
			conformance.RequireIdle(t, fl.Registry)
		}
	}
}

// What a Conn has left behind in its session goes with its connection, also where that took the
// place of one that was lost before it had answered BEGIN.
func TestBegin_OnAnotherConnectionSpoilsThatOne(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	fl, proxy := conformance.ThroughProxy(t, db, func(c *dbfleet.ConnectionConfig) { c.Pool.MaxOpen = 1 })
	main := fl.DB("main")
	require.NoError(t, main.Ping(t.Context()))
	lost := proxy.On(dbtest.Fault{Marker: "BEGIN", Action: dbtest.CutRequest, Times: 1})
	require.NoError(t, main.Transaction(t.Context(), func(ctx context.Context, _ *dbfleet.Tx) error {
		return main.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
			return c.QueryRowContext(ctx, "SELECT set_config('work_mem', '1234kB', false)").Scan(new(string))
		})
	}))
	require.Equal(t, 2, lost.Seen())
	var mem string
	require.NoError(t, main.QueryRowContext(t.Context(), "SELECT current_setting('work_mem')").Scan(&mem))
	require.NotEqual(t, "1234kB", mem)
}

// A call without a context of its own does not outlast a silent server for long, be it the first
// in its transaction.
func TestBegin_OfARawCallIsGivenUpAtASilentServer(t *testing.T) {
	t.Parallel()
	first, second := dbtest.New(t, "postgres"), dbtest.New(t, "postgres")
	proxy := dbtest.NewProxy(t, second.Server.Addr())
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(first), "other": conformance.ConnectionTo(proxy.Through(second))})
	other := r.DB("other")
	raw := func(ctx context.Context) error {
		return other.Conn(ctx, func(_ context.Context, c *dbfleet.Conn) error {
			proxy.Blackhole()
			return c.Raw(func(any) error { return nil })
		})
	}
	for name, do := range map[string]func() error{
		"transaction": func() error {
			return other.Transaction(t.Context(), func(ctx context.Context, _ *dbfleet.Tx) error { return raw(ctx) })
		},
		"branch": func() error { return r.Atomic(t.Context(), []string{"main", "other"}, raw) },
	} {
		require.NoError(t, other.Ping(t.Context()))
		begun := time.Now()
		require.Error(t, do(), name)
		require.Less(t, time.Since(begun), time.Minute, "%s: not after the five minutes of a statement", name)
		proxy.Heal()
	}
}
