//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func count(t testing.TB, db dbtest.Database, table string) int {
	t.Helper()
	d := db.SQL(t)
	var n int
	require.NoError(t, d.QueryRow("SELECT count(*) FROM "+table).Scan(&n))
	return n
}

const createT = "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(40))"

func TestTx_CommitsAndRollsBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, createT)
		require.NoError(t, c.Begin(t.Context(), TxOptions{}))
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		require.NoError(t, c.Commit(t.Context()))
		require.ErrorIs(t, c.Commit(t.Context()), sql.ErrTxDone) // hazard 132
		require.ErrorIs(t, c.Rollback(t.Context()), sql.ErrTxDone)

		require.NoError(t, c.Begin(t.Context(), TxOptions{}))
		mustExec(t, c, "INSERT INTO t VALUES (2, 'b')")
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, c.Commit(ended), context.Canceled)
		require.NoError(t, c.Rollback(ended), "a rollback does not need a living context")
		require.ErrorIs(t, c.Rollback(t.Context()), sql.ErrTxDone)

		require.NoError(t, c.Begin(t.Context(), TxOptions{}))
		mustExec(t, c, "INSERT INTO t VALUES (3, 'c')")
		c.Release() // rolls back
		require.Equal(t, 1, count(t, db, "t"))
	})
}

// hazard 136
func TestTx_UnsupportedIsolationIsRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		levels := map[string][]sql.IsolationLevel{
			"sqlite":   {sql.LevelReadCommitted, sql.LevelSnapshot, sql.LevelLinearizable},
			"postgres": {sql.LevelWriteCommitted, sql.LevelLinearizable},
			"mysql":    {sql.LevelSnapshot, sql.LevelLinearizable},
		}[db.Dialect]
		for _, level := range levels {
			err := c.Begin(t.Context(), TxOptions{Isolation: level})
			require.Error(t, err, level)
			require.True(t, Classify(err).NotSent)
			_, err = p.DB().BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
			require.Error(t, err)
		}
		require.NoError(t, c.Begin(t.Context(), TxOptions{Isolation: sql.LevelSerializable}))
		require.NoError(t, c.Commit(t.Context()))
	})
}

// hazard 138
func TestTx_ReadOnlyRefusesWrites(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, createT)
		require.NoError(t, c.Begin(t.Context(), TxOptions{ReadOnly: true}))
		_, err := c.Exec(t.Context(), "INSERT INTO t VALUES (1, 'a')", nil)
		require.Equal(t, ReadOnly, Classify(err).Class, "%v", err)
		require.NoError(t, c.Rollback(t.Context()))
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
	})
}

func TestReadOnly_SessionRefusesWrites(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, createT)
		o := optionsFor(db)
		o.ReadOnly = true
		ro := acquire(t, open(t, o))
		_, err := ro.Exec(t.Context(), "INSERT INTO t VALUES (1, 'a')", nil)
		require.Equal(t, ReadOnly, Classify(err).Class, "%v", err)
		require.Len(t, rowsOf(t, ro, "SELECT * FROM t"), 0)
		require.NoError(t, ro.Begin(t.Context(), TxOptions{}))
		_, err = ro.Exec(t.Context(), "INSERT INTO t VALUES (1, 'a')", nil)
		require.Equal(t, ReadOnly, Classify(err).Class, "%v", err)
		require.NoError(t, ro.Rollback(t.Context()))
	})
}

// deadlock makes two transactions wait for each other. It returns the one that
// the server chose to end, and the error; the other is rolled back.
func deadlock(t *testing.T, p *Pool) (victim *Conn, err error) {
	t.Helper()
	a, b := acquire(t, p), acquire(t, p)
	mustExec(t, a, "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
	require.NoError(t, a.Begin(t.Context(), TxOptions{}))
	require.NoError(t, b.Begin(t.Context(), TxOptions{}))
	mustExec(t, a, "INSERT INTO t VALUES (10, 'of a')")
	mustExec(t, b, "INSERT INTO t VALUES (11, 'of b')")
	mustExec(t, a, "UPDATE t SET name = 'x' WHERE id = 1")
	mustExec(t, b, "UPDATE t SET name = 'x' WHERE id = 2")
	errs := make(chan error, 1)
	go func() {
		_, err := a.Exec(t.Context(), "UPDATE t SET name = 'y' WHERE id = 2", nil)
		errs <- err
	}()
	_, errB := b.Exec(t.Context(), "UPDATE t SET name = 'y' WHERE id = 1", nil)
	errA := <-errs
	if errB != nil {
		require.NoError(t, errA)
		require.NoError(t, a.Rollback(t.Context()))
		return b, errB
	}
	require.NoError(t, b.Rollback(t.Context()))
	return a, errA
}

// hazard: finding 3, 129
func TestTx_DeadlockVictimSendsNothingMore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		if db.Dialect == "sqlite" {
			t.Skip("has one writer and no deadlocks")
		}
		c := acquire(t, p)
		mustExec(t, c, createT)
		victim, err := deadlock(t, p)
		require.Equal(t, Deadlock, Classify(err).Class, "%v", err)
		_, err = victim.Exec(t.Context(), "INSERT INTO t VALUES (99, 'autocommitted')", nil)
		var txLost *TxLostError
		require.ErrorAs(t, err, &txLost)
		require.Equal(t, Deadlock, Classify(txLost.Err).Class)
		require.Equal(t, TxLost, Classify(err).Class)
		require.ErrorAs(t, victim.Commit(t.Context()), &txLost)
		require.ErrorIs(t, victim.Rollback(t.Context()), sql.ErrTxDone)
		require.Equal(t, [][]any{{int64(1)}, {int64(2)}}, rowsOf(t, victim, "SELECT id FROM t ORDER BY id"))
	})
}

// hazard 121
func TestTx_LockTimeoutPoisonsUntilRollbackTo(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	o := optionsFor(db)
	o.Params = map[string]string{"innodb_lock_wait_timeout": "1"}
	p := open(t, o)
	a, b := acquire(t, p), acquire(t, p)
	mustExec(t, a, createT)
	mustExec(t, a, "INSERT INTO t VALUES (1, 'a')")
	require.NoError(t, a.Begin(t.Context(), TxOptions{}))
	mustExec(t, a, "UPDATE t SET name = 'x' WHERE id = 1")
	require.NoError(t, b.Begin(t.Context(), TxOptions{}))
	mustExec(t, b, "INSERT INTO t VALUES (2, 'b')")
	mustExec(t, b, "SAVEPOINT s")
	_, err := b.Exec(t.Context(), "UPDATE t SET name = 'y' WHERE id = 1", nil)
	require.Equal(t, LockTimeout, Classify(err).Class, "%v", err)
	_, err = b.Exec(t.Context(), "INSERT INTO t VALUES (3, 'c')", nil)
	require.Equal(t, TxLost, Classify(err).Class, "%v", err)
	mustExec(t, b, "ROLLBACK TO SAVEPOINT s")
	mustExec(t, b, "INSERT INTO t VALUES (4, 'd')")
	require.NoError(t, b.Commit(t.Context()))
	require.NoError(t, a.Rollback(t.Context()))
	require.Equal(t, [][]any{{int64(1)}, {int64(2)}, {int64(4)}}, rowsOf(t, a, "SELECT id FROM t ORDER BY id"))
}

func TestTx_PostgresAbortedStateCannotCommit(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	p := open(t, optionsFor(db))
	c := acquire(t, p)
	mustExec(t, c, createT)
	require.NoError(t, c.Begin(t.Context(), TxOptions{}))
	mustExec(t, c, "INSERT INTO t VALUES ($1, 'a')", int64(1))
	mustExec(t, c, "SAVEPOINT s")
	_, err := c.Exec(t.Context(), "INSERT INTO t VALUES ($1, 'a')", []any{int64(1)})
	require.Equal(t, Unique, Classify(err).Class)
	require.Equal(t, "t_pkey", Classify(err).Constraint)
	_, err = c.Query(t.Context(), "SELECT 1", nil)
	require.Equal(t, TxLost, Classify(err).Class)
	mustExec(t, c, "rollback to savepoint s")
	mustExec(t, c, "INSERT INTO t VALUES ($1, 'a')", int64(2))
	_, err = c.Exec(t.Context(), "SELECT 1/0", nil)
	require.Equal(t, InvalidValue, Classify(err).Class)
	var lost *TxLostError
	require.ErrorAs(t, c.Commit(t.Context()), &lost)
	require.Equal(t, 0, count(t, db, "t"))
	// The same through database/sql.
	tx, err := p.DB().Begin()
	require.NoError(t, err)
	_, err = tx.Exec("SELECT 1/0")
	require.Error(t, err)
	require.ErrorAs(t, tx.Commit(), &lost)
}

func TestTx_MySQLImplicitCommitIsNoticed(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "mysql")))
	c := acquire(t, p)
	mustExec(t, c, createT)
	require.NoError(t, c.Begin(t.Context(), TxOptions{}))
	mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
	_, err := c.Exec(t.Context(), "CREATE TABLE u (id INT)", nil)
	var refused *CommitsError
	require.ErrorAs(t, err, &refused)
	require.True(t, Classify(err).NotSent)
	_, err = c.Exec(t.Context(), "EXECUTE IMMEDIATE 'CREATE TABLE u (id INT)'", nil)
	require.ErrorIs(t, err, ErrTxEnded)
	_, err = c.Exec(t.Context(), "INSERT INTO t VALUES (2, 'b')", nil)
	require.ErrorIs(t, err, ErrTxEnded)
	require.ErrorIs(t, c.Rollback(t.Context()), ErrTxEnded)
	c.Release()
	c = acquire(t, p)
	require.Equal(t, [][]any{{int64(1)}}, rowsOf(t, c, "SELECT id FROM t"))
}

// finding 4, hazard 123
func TestTx_SQLiteOwnRollbackIsNoticed(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "sqlite")
	p := open(t, optionsFor(db))
	c := acquire(t, p)
	mustExec(t, c, createT)
	mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
	require.NoError(t, c.Begin(t.Context(), TxOptions{}))
	mustExec(t, c, "INSERT INTO t VALUES (2, 'b')")
	_, err := c.Exec(t.Context(), "INSERT OR ROLLBACK INTO t VALUES (1, 'c')", nil)
	require.Equal(t, Unique, Classify(err).Class, "%v", err)
	require.Equal(t, "t", Classify(err).Table)
	require.Equal(t, "id", Classify(err).Column)
	_, err = c.Exec(t.Context(), "INSERT INTO t VALUES (3, 'autocommitted')", nil)
	require.Equal(t, TxLost, Classify(err).Class)
	_, err = c.Exec(t.Context(), "ROLLBACK TO SAVEPOINT x", nil)
	require.Equal(t, TxLost, Classify(err).Class)
	require.NoError(t, c.Rollback(t.Context()))

	require.NoError(t, c.Begin(t.Context(), TxOptions{}))
	mustExec(t, c, "INSERT INTO t VALUES (4, 'd')")
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // it has begun by then
	defer cancel()
	_, err = c.Exec(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) INSERT INTO t SELECT i+100, 'x' FROM n", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = c.Exec(t.Context(), "INSERT INTO t VALUES (5, 'autocommitted')", nil)
	require.Equal(t, TxLost, Classify(err).Class)
	var lost *TxLostError
	require.ErrorAs(t, c.Commit(t.Context()), &lost)
	require.Equal(t, [][]any{{int64(1)}}, rowsOf(t, c, "SELECT id FROM t"))
}

// hazards 140, 142
func TestTx_OpenRowsMakeTheConnectionBusy(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, createT)
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
		require.NoError(t, c.Begin(t.Context(), TxOptions{}))
		q := ph(db, "SELECT id FROM t WHERE id > $1 ORDER BY id")
		rows, err := c.Query(t.Context(), q, []any{int64(0)})
		require.NoError(t, err)
		more, err := c.Query(t.Context(), q, []any{int64(0)})
		if db.Dialect == "sqlite" {
			require.NoError(t, err)
			got, err := drain(more)
			require.NoError(t, err)
			require.Len(t, got, 2)
		} else {
			require.ErrorIs(t, err, ErrBusy)
			require.Equal(t, Busy, Classify(err).Class)
			require.ErrorIs(t, c.Commit(t.Context()), ErrBusy)
		}
		got, err := drain(rows)
		require.NoError(t, err)
		require.Len(t, got, 2)
		mustExec(t, c, "INSERT INTO t VALUES (3, 'c')")
		require.NoError(t, c.Commit(t.Context()))
	})
}

// Seen: the rollback of a *sql.Tx whose context had ended waited for a silent server without an
// end, and kept its place in the pool.
func TestTx_OfDatabaseSQLIsGivenUpAtASilentServer(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		tx, err := p.DB().BeginTx(ctx, nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(ctx, "SELECT 1")
		require.NoError(t, err)
		require.Equal(t, 1, p.DB().Stats().InUse)
		proxy.Blackhole()
		cancel()
		require.Eventually(t, func() bool { return p.DB().Stats().InUse == 0 }, 30*time.Second, time.Millisecond)
	})
}
