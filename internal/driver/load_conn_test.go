//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestLoad_NeedsATransaction(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		_, err := acquire(t, p).Load(loadTarget(db, "items", "id"))
		require.ErrorIs(t, err, errNoTransaction)
	})
}

// While the rows are on their way the connection serves nothing else, and says
// so instead of waiting for ever.
func TestLoad_KeepsTheConnectionToItself(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		ctx := t.Context()
		c := acquire(t, p)
		mustExec(t, c, "CREATE TABLE items (id INTEGER PRIMARY KEY)")
		require.NoError(t, c.Begin(ctx, TxOptions{}))
		l, err := c.Load(loadTarget(db, "items", "id"))
		require.NoError(t, err)
		require.NoError(t, l.Add(ctx, []any{int64(1)}))
		_, err = c.Exec(ctx, "SELECT 1", nil)
		if db.Dialect == "sqlite" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, ErrBusy)
			require.ErrorIs(t, c.Commit(ctx), ErrBusy)
		}
		_, err = l.Done(ctx)
		require.NoError(t, err)
		require.NoError(t, c.Commit(ctx))
		require.Len(t, rowsOf(t, c, "SELECT id FROM items"), 1)
	})
}

func TestLoad_StopsWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, "CREATE TABLE items (id INTEGER PRIMARY KEY, b TEXT)")
		require.NoError(t, c.Begin(t.Context(), TxOptions{}))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		start := time.Now()
		_, err := loadAll(ctx, c, loadTarget(db, "items", "id", "b"), 1_000_000, func(i int) []any {
			if i == 20_000 {
				cancel()
			}
			return []any{int64(i), "some text"}
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, Canceled, Classify(err).Class)
		require.Less(t, time.Since(start), 10*time.Second)
		_ = c.Rollback(t.Context())
		c.Release()
		require.Equal(t, "[[0]]", fmt.Sprint(rowsOf(t, acquire(t, p), "SELECT COUNT(*) FROM items")))
	})
}

func TestLoad_ConnectionLostIsToldAsEverywhere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		if db.Dialect == "sqlite" {
			t.Skip("has no connection to lose")
		}
		ctx := t.Context()
		c := acquire(t, p)
		mustExec(t, c, "CREATE TABLE items (id INTEGER PRIMARY KEY, b TEXT)")
		require.NoError(t, c.Begin(ctx, TxOptions{}))
		_, err := loadAll(ctx, c, loadTarget(db, "items", "id", "b"), 1_000_000, func(i int) []any {
			if i == 20_000 {
				db.KillConnections(t)
			}
			return []any{int64(i), "some text"}
		})
		require.Equal(t, Connection, Classify(err).Class, "%v", err)
		_ = c.Rollback(ctx)
		c.Release()
		require.Equal(t, "[[0]]", fmt.Sprint(rowsOf(t, acquire(t, p), "SELECT COUNT(*) FROM items")))
	})
}

// A server that has nothing to say while it is fed is not silent.
func TestLoad_OfASlowProgramOutlivesTheStatementTimeout(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.StatementTimeout = 3 * time.Second // less than all pauses together
		ctx := t.Context()
		c := acquire(t, open(t, o))
		mustExec(t, c, "CREATE TABLE items (id INTEGER PRIMARY KEY)")
		require.NoError(t, c.Begin(ctx, TxOptions{}))
		n, err := loadAll(ctx, c, loadTarget(db, "items", "id"), 4, func(i int) []any {
			pause := time.NewTimer(time.Second)
			defer pause.Stop()
			<-pause.C
			return []any{int64(i)}
		})
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
		require.NoError(t, c.Commit(ctx))
	})
}

// A trigger that talks for each row must not bring both sides to wait for each
// other.
func TestLoad_TakesNoticesOfTheServer(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	ctx := t.Context()
	c := acquire(t, open(t, optionsFor(db)))
	mustExec(t, c, "CREATE TABLE items (id INTEGER PRIMARY KEY)")
	mustExec(t, c, `CREATE FUNCTION talk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		RAISE NOTICE '%', repeat('x', 1000); IF NEW.id % 1000 = 7 THEN RETURN NULL; END IF; RETURN NEW; END $$`)
	mustExec(t, c, `CREATE TRIGGER talk BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION talk()`)
	require.NoError(t, c.Begin(ctx, TxOptions{}))
	n, err := loadAll(ctx, c, loadTarget(db, "items", "id"), 20_000, func(i int) []any { return []any{int64(i)} })
	require.NoError(t, err)
	require.EqualValues(t, 20_000-20, n, "rows that a trigger skips are not counted")
	require.NoError(t, c.Commit(ctx))
}

// Where the server does not take a file of the client, the rows are inserted.
func TestLoad_InsertsWhereLocalInfileIsOff(t *testing.T) {
	t.Parallel()
	db := dbtest.StartMariaDB(t, "local-infile=0").Database(t)
	ctx := t.Context()
	c := acquire(t, open(t, optionsFor(db)))
	mustExec(t, c, "CREATE TABLE items (id INTEGER PRIMARY KEY, b VARCHAR(10))")
	into := loadTarget(db, "items", "id", "b")
	for round := range 2 {
		require.NoError(t, c.Begin(ctx, TxOptions{}))
		n, err := loadAll(ctx, c, into, 1234, func(i int) []any { return []any{int64(i + round*10_000), "\t"} })
		require.NoError(t, err)
		require.EqualValues(t, 1234, n)
		require.NoError(t, c.Commit(ctx))
		require.EqualValues(t, 1, mysqlStatus(t, c, "Com_load"), "is not asked again")
	}
	require.Equal(t, "[[2468]]", fmt.Sprint(rowsOf(t, c, "SELECT COUNT(*) FROM items WHERE b = ?", "\t")))

	require.NoError(t, c.Begin(ctx, TxOptions{}))
	_, err := loadAll(ctx, c, into, 1000, func(i int) []any { return []any{int64(i + 50_000), strings.Repeat("x", i/77)} })
	var row *RowError
	require.ErrorAs(t, err, &row)
	require.EqualValues(t, 847, row.Row)
	require.Equal(t, InvalidValue, Classify(err).Class)
	require.NoError(t, c.Rollback(ctx))
}

func TestLoad_InsertsBehindAPooler(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.Pooler = true
		ctx := t.Context()
		c := acquire(t, open(t, o))
		mustExec(t, c, "CREATE TABLE items (id INTEGER PRIMARY KEY, b"+map[string]string{"postgres": " BYTEA)", "mysql": " BLOB)", "sqlite": " BLOB)"}[db.Dialect])
		require.NoError(t, c.Begin(ctx, TxOptions{}))
		n, err := loadAll(ctx, c, loadTarget(db, "items", "id", "b"), 1234, func(i int) []any { return []any{int64(i), []byte{0}} })
		require.NoError(t, err)
		require.EqualValues(t, 1234, n)
		require.NoError(t, c.Commit(ctx))
		require.Len(t, rowsOf(t, c, "SELECT id FROM items"), 1234)
	})
}

// Rows that are too large to share a statement, or a block, are taken.
func TestLoad_TakesLargeRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		ctx := t.Context()
		c := acquire(t, p)
		mustExec(t, c, "CREATE TABLE items (id INTEGER PRIMARY KEY, b "+map[string]string{"postgres": "BYTEA", "mysql": "LONGBLOB", "sqlite": "BLOB"}[db.Dialect]+", c "+map[string]string{"postgres": "TEXT", "mysql": "LONGTEXT", "sqlite": "TEXT"}[db.Dialect]+")")
		require.NoError(t, c.Begin(ctx, TxOptions{}))
		blob, text := []byte(strings.Repeat("\x00\n\\\xff", 500_000)), strings.Repeat("é\n\\", 300_000)
		n, err := loadAll(ctx, c, loadTarget(db, "items", "id", "b", "c"), 12, func(i int) []any { return []any{int64(i), blob, text} })
		require.NoError(t, err)
		require.EqualValues(t, 12, n)
		require.NoError(t, c.Commit(ctx))
		require.Equal(t, [][]any{{string(blob), text}}, rowsOf(t, c, "SELECT b, c FROM items WHERE id = 11"))
	})
}
