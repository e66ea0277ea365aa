package writes_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// thing is a record of a table whose schema changes.
type thing struct {
	ID   int64  `db:"id"`
	Name string `db:"name"`
	N    int64  `db:"n"`
}

func things(t *testing.T, fl conformance.Fleet) *dbfleet.Model[thing] {
	t.Helper()
	fl.Create(t, `CREATE TABLE things (id {id}, name {text}, n {int})`, `CREATE INDEX things_n ON things (n)`)
	return conformance.Model[thing](t, fl.Registry, dbfleet.ModelConfig{Table: "things"})
}

// uses writes, reads, changes and deletes by every kind of statement.
func uses(t *testing.T, fl conformance.Fleet, m *dbfleet.Model[thing], at string) {
	t.Helper()
	ctx := t.Context()
	a := thing{Name: "a " + at, N: 7}
	require.NoError(t, m.Create(ctx, &a), at)
	got, err := m.Find(ctx, a.ID)
	require.NoError(t, err, at)
	require.Equal(t, a, got, at)
	a.N = 8
	require.NoError(t, m.Save(ctx, &a), at)
	list := []thing{{Name: "b", N: 1}, {Name: "c", N: 2}}
	require.NoError(t, m.CreateMany(ctx, list), at)
	all, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
	require.NoError(t, err, at)
	require.Equal(t, append([]thing{a}, list...), all, at)
	row, err := fl.DB("main").Table("things").Where("n", "=", 8).First(ctx)
	require.NoError(t, err, at)
	require.Equal(t, a.Name, fmt.Sprint(row["name"]), at)
	require.Equal(t, "8", fmt.Sprint(row["n"]), at)
	n, err := m.Where("name", "=", "b").Update(ctx, map[string]any{"n": 9})
	require.NoError(t, err, at)
	require.EqualValues(t, 1, n, at)
	sum, err := m.Query().Sum(ctx, "n")
	require.NoError(t, err, at)
	require.Equal(t, "19", fmt.Sprint(sum), at)
	n, err = m.Where("n", ">", 0).Delete(ctx)
	require.NoError(t, err, at)
	require.EqualValues(t, 3, n, at)
}

// truth 803
func TestSchema_ChangesAreKnownToTheNextUse(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := things(t, fl)
		for range 3 {
			uses(t, fl, m, "before")
		}
		retype := map[string]string{
			"postgres": `ALTER TABLE things ALTER COLUMN n TYPE BIGINT`, "mysql": `ALTER TABLE things MODIFY n BIGINT`, "sqlite": `ALTER TABLE things ADD COLUMN more {text}`,
		}[fl.Database.Dialect]
		dropIndex := map[string]string{"mysql": `DROP INDEX things_n ON things`}[fl.Database.Dialect]
		if dropIndex == "" {
			dropIndex = `DROP INDEX things_n`
		}
		for _, changes := range [][]string{
			{`ALTER TABLE things ADD COLUMN extra {text}`},
			{dropIndex},
			{`ALTER TABLE things DROP COLUMN extra`},
			{retype},
			{`DROP TABLE things`, `CREATE TABLE things (n {bigint}, extra {int}, name {text}, id {id})`},
			{`DROP TABLE things`, `CREATE TABLE things (id {id}, n {text}, name {text})`, `DROP TABLE things`, `CREATE TABLE things (id {id}, name {text}, n {int})`},
			{`ALTER TABLE things RENAME COLUMN n TO old`, `ALTER TABLE things ADD COLUMN n {bigint}`},
		} {
			for _, s := range changes { // by somebody else
				fl.Database.Exec(t, conformance.DDL(fl.Database.Dialect, s))
			}
			uses(t, fl, m, changes[0])
			uses(t, fl, m, changes[0])
		}
	})
}

// truth 804
func TestSchema_ChangesInATransactionAreKnownToItsNextStatement(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "mysql" {
			return // there a change of the schema ends the transaction
		}
		m := things(t, fl)
		ctx := t.Context()
		a := thing{Name: "a", N: 1}
		require.NoError(t, m.Create(ctx, &a))
		columns := func(ctx context.Context) int {
			row, err := fl.DB("main").Table("things").Where("id", "=", a.ID).First(ctx)
			require.NoError(t, err)
			return len(row)
		}
		for range 3 {
			columns(ctx)
		}
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.Equal(t, 3, columns(ctx))
			for _, s := range []string{`ALTER TABLE things ADD COLUMN extra TEXT`, `ALTER TABLE things ADD COLUMN more TEXT`} {
				_, err := tx.ExecContext(ctx, s)
				require.NoError(t, err)
				require.Equal(t, a, first(t, ctx, m))
			}
			require.Equal(t, 5, columns(ctx))
			undo := fmt.Errorf("undo")
			require.ErrorIs(t, tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, `ALTER TABLE things ADD COLUMN last TEXT`)
				require.NoError(t, err)
				require.Equal(t, 6, columns(ctx))
				return undo
			}), undo)
			require.Equal(t, 5, columns(ctx))
			return nil
		}))
		require.Equal(t, 5, columns(ctx))
	})
}

func first(t *testing.T, ctx context.Context, m *dbfleet.Model[thing]) thing {
	t.Helper()
	got, err := m.First(ctx)
	require.NoError(t, err)
	return got
}

// truth 805
func TestSchema_ChangesByOthersInATransactionCanBeRunAgain(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := things(t, fl)
		ctx := t.Context()
		a := thing{Name: "a", N: 1}
		require.NoError(t, m.Create(ctx, &a))
		for i, change := range []string{`ALTER TABLE things ADD COLUMN extra {text}`, `ALTER TABLE things DROP COLUMN extra`} {
			ask := func(ctx context.Context) (dbfleet.Row, error) {
				return fl.DB("main").Table("things").Where("id", "=", a.ID).First(ctx)
			}
			for range 3 {
				_, err := ask(ctx)
				require.NoError(t, err)
			}
			fl.Database.Exec(t, conformance.DDL(fl.Database.Dialect, change))
			run := func(retries int) error {
				return fl.DB("main").Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
					row, err := ask(ctx)
					if err == nil {
						require.Len(t, row, 4-i)
					}
					return err
				}, dbfleet.TxOptions{Retries: retries})
			}
			if err := run(0); err != nil {
				require.ErrorIs(t, err, dbfleet.ErrSerialization)
				require.ErrorContains(t, err, "the schema has changed since the statement was prepared: run the transaction again")
				require.True(t, dbfleet.IsRetryable(err))
			}
			require.NoError(t, run(3))
		}
	})
}
