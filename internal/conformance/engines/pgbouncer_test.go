package engines

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// behindPgBouncer are programs that share two sessions of a server.
func behindPgBouncer(t *testing.T, mode string, programs int) (*dbtest.PgBouncer, dbtest.Database, []*program) {
	t.Helper()
	direct := dbtest.New(t, "postgres")
	createAccounts(t, direct)
	bouncer := dbtest.StartPgBouncer(t, direct.Server, dbtest.PgBouncerConfig{Mode: mode, PoolSize: 2})
	db := bouncer.Through(t, direct)
	var all []*program
	for range programs {
		all = append(all, newProgram(t, db, func(c *dbfleet.ConnectionConfig) { c.Pooler = mode == "transaction" }))
	}
	return bouncer, direct, all
}

func TestPgBouncer_ReadsWritesAndTransactionsInTransactionMode(t *testing.T) {
	t.Parallel()
	bouncer, direct, programs := behindPgBouncer(t, "transaction", 2)
	one, two := programs[0], programs[1]
	ann := one.create(t, "ann")
	two.finds(t, ann)

	require.NoError(t, one.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
		if _, err := one.try(ctx, "bob"); err != nil {
			return err
		}
		ann.Balance = 7
		return one.accounts.Save(ctx, &ann)
	}))
	two.finds(t, ann)

	undone := errors.New("undone")
	require.ErrorIs(t, one.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
		gone := ann
		return errors.Join(one.accounts.Delete(ctx, &gone), undone)
	}), undone)
	two.finds(t, ann)
	require.Equal(t, []string{"ann", "bob"}, conformance.Owners(t, direct))
	require.LessOrEqual(t, bouncer.Servers(t, direct), 2)
}

// Sessions that programs are given in turn have nothing that another one left: no
// prepared statement of the same name and another text, no setting, no transaction.
func TestPgBouncer_SessionsCarryNothingFromOneProgramToAnother(t *testing.T) {
	t.Parallel()
	_, direct, programs := behindPgBouncer(t, "transaction", 3)
	const workers = 4
	each := rounds(25, 500)
	var wg sync.WaitGroup
	failed := make(chan error, len(programs)*workers)
	for i, p := range programs {
		for w := range workers {
			wg.Go(func() { failed <- p.traffic(t.Context(), fmt.Sprintf("%d-%d", i, w), each) })
		}
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	require.Len(t, conformance.Owners(t, direct), len(programs)*workers*each)
}

// traffic writes and reads with statements of several texts, as fast as it can.
func (p *program) traffic(ctx context.Context, name string, rounds int) error {
	for i := range rounds {
		owner := fmt.Sprintf("%s-%d", name, i)
		a, err := p.try(ctx, owner)
		if err != nil {
			return fmt.Errorf("create: %w", err)
		}
		var level string
		err = p.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			a.Balance += int64(i)
			if err := p.accounts.Save(ctx, &a); err != nil {
				return err
			}
			return tx.QueryRowContext(ctx, "SHOW transaction_isolation").Scan(&level)
		}, dbfleet.TxOptions{Isolation: isolations[i%2]})
		if err != nil {
			return fmt.Errorf("transaction: %w", err)
		}
		if want := levels[i%2]; level != want {
			return fmt.Errorf("the transaction was %s, not %s", level, want)
		}
		found, err := p.accounts.Where("owner", "=", owner).Where("balance", ">=", i).Get(ctx)
		if err != nil || len(found) != 1 || found[0] != a {
			return fmt.Errorf("get: %v, not %v: %w", found, a, err)
		}
		n, err := p.accounts.WhereIn("owner", []string{owner, "nobody"}).Count(ctx)
		if err != nil || n != 1 {
			return fmt.Errorf("count: %d: %w", n, err)
		}
	}
	return nil
}

var (
	isolations = []sql.IsolationLevel{sql.LevelReadCommitted, sql.LevelRepeatableRead}
	levels     = []string{"read committed", "repeatable read"}
)

func TestPgBouncer_SessionModeIsAServer(t *testing.T) {
	t.Parallel()
	_, direct, programs := behindPgBouncer(t, "session", 1)
	p := programs[0]
	ann := p.create(t, "ann")
	for range 10 { // prepared by then
		p.finds(t, ann)
	}
	require.Equal(t, []string{"ann"}, conformance.Owners(t, direct))
}

func TestPgBouncer_ComesBackAfterItWasKilled(t *testing.T) {
	t.Parallel()
	bouncer, _, programs := behindPgBouncer(t, "transaction", 1)
	p := programs[0]
	ann := p.create(t, "ann")
	for range rounds(1, 10) {
		bouncer.Kill(t)
		_, err := p.accounts.First(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrConnection)
		bouncer.Start(t)
		p.finds(t, ann)
	}
}
