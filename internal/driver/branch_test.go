//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"crypto/rand"
	"database/sql"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

func newBranchID() BranchID {
	b := make([]byte, 8)
	_, _ = rand.Read(b)
	return BranchID{Global: "dbfleet_" + hex.EncodeToString(b), Qualifier: "1"}
}

// branches runs f on a fresh database, with table t, of each server that prepares.
func branches(t *testing.T, f func(t *testing.T, p *Pool, db dbtest.Database)) {
	t.Helper()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.MaxOpen = 8
		p := open(t, o)
		c := acquire(t, p)
		mustExec(t, c, createT)
		c.Release()
		f(t, p, db)
	})
}

func beginBranch(t *testing.T, p *Pool, id BranchID) *Conn {
	t.Helper()
	c := acquire(t, p)
	require.NoError(t, c.BeginBranch(t.Context(), id, TxOptions{}))
	return c
}

// prepared is a connection whose branch has written a row and is prepared.
func prepared(t *testing.T, p *Pool, id BranchID) *Conn {
	t.Helper()
	c := beginBranch(t, p, id)
	mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
	require.NoError(t, c.PrepareBranch(t.Context()))
	return c
}

func listed(t *testing.T, c *Conn, id BranchID) bool {
	t.Helper()
	list, err := c.ListPrepared(t.Context())
	require.NoError(t, err)
	for _, b := range list {
		if b.ID == id {
			return true
		}
	}
	return false
}

// settled ends a branch from a connection that may have to wait until the session that
// prepared it is gone.
func settled(t *testing.T, c *Conn, id BranchID, commit bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		err := c.finishPrepared(t.Context(), id, commit)
		if err != nil {
			require.ErrorIs(t, err, ErrBranchHeld)
		}
		return err == nil
	}, 20*time.Second, 10*time.Millisecond)
}

func TestBranch_CommitsOnTheSameConnection(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		id := newBranchID()
		c := prepared(t, p, id)
		require.ErrorIs(t, c.Commit(t.Context()), sql.ErrTxDone)
		require.ErrorIs(t, c.Rollback(t.Context()), sql.ErrTxDone)
		require.ErrorIs(t, c.PrepareBranch(t.Context()), sql.ErrTxDone)
		other := acquire(t, p)
		require.True(t, listed(t, other, id))
		require.Equal(t, 0, count(t, db, "t"))
		require.NoError(t, c.CommitPrepared(t.Context(), id))
		require.Equal(t, 1, count(t, db, "t"))
		require.False(t, listed(t, c, id))
		mustExec(t, c, "INSERT INTO t VALUES (2, 'b')") // the connection serves on
		require.ErrorIs(t, c.CommitPrepared(t.Context(), id), ErrBranchUnknown)
		require.ErrorIs(t, other.RollbackPrepared(t.Context(), id), ErrBranchUnknown)
		require.Equal(t, UndefinedObject, Classify(other.RollbackPrepared(t.Context(), id)).Class)
	})
}

func TestBranch_RollsBackOnTheSameConnection(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		id := newBranchID()
		c := prepared(t, p, id)
		require.NoError(t, c.RollbackPrepared(t.Context(), id))
		require.Equal(t, 0, count(t, db, "t"))
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
	})
}

func TestBranch_EndsInOnePhase(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := beginBranch(t, p, newBranchID())
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		require.NoError(t, c.Commit(t.Context()))
		require.ErrorIs(t, c.PrepareBranch(t.Context()), sql.ErrTxDone)
		require.Equal(t, 1, count(t, db, "t"))

		require.NoError(t, c.BeginBranch(t.Context(), newBranchID(), TxOptions{}))
		mustExec(t, c, "INSERT INTO t VALUES (2, 'b')")
		mustExec(t, c, "SAVEPOINT s")
		mustExec(t, c, "INSERT INTO t VALUES (3, 'c')")
		mustExec(t, c, "ROLLBACK TO SAVEPOINT s")
		require.NoError(t, c.Rollback(t.Context()))
		require.Equal(t, 1, count(t, db, "t"))
		mustExec(t, c, "INSERT INTO t VALUES (2, 'b')")

		require.NoError(t, c.BeginBranch(t.Context(), newBranchID(), TxOptions{}))
		mustExec(t, c, "INSERT INTO t VALUES (4, 'd')")
		c.Release() // rolls back
		require.Equal(t, 2, count(t, db, "t"))
	})
}

func TestBranch_KeepsItsOptions(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		o := TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true}
		require.NoError(t, c.BeginBranch(t.Context(), newBranchID(), o))
		_, err := c.Exec(t.Context(), "INSERT INTO t VALUES (1, 'a')", nil)
		require.Equal(t, ReadOnly, Classify(err).Class, "%v", err)
		require.NoError(t, c.Rollback(t.Context()))
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		require.Error(t, c.BeginBranch(t.Context(), newBranchID(), TxOptions{Isolation: sql.LevelLinearizable}))
		mustExec(t, c, "INSERT INTO t VALUES (2, 'a')")
	})
}

// hazard 298: options that were set for a branch which could not begin are not the next
// transaction's.
func TestBranch_FailedBeginCostsTheConnection(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	id := newBranchID()
	a := prepared(t, p, id)
	b := acquire(t, p)
	err := b.BeginBranch(t.Context(), id, TxOptions{ReadOnly: true}) // 1440
	require.Error(t, err)
	require.False(t, isNotSent(err))
	_, err = b.Exec(t.Context(), "INSERT INTO t VALUES (2, 'b')", nil)
	require.Error(t, err)
	b.Release()
	mustExec(t, acquire(t, p), "INSERT INTO t VALUES (2, 'b')")
	require.NoError(t, a.RollbackPrepared(t.Context(), id))
}

// hazard 298
func TestBranch_PreparedConnectionSendsNothingElse(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	id := newBranchID()
	c := prepared(t, p, id)
	_, err := c.Exec(t.Context(), "INSERT INTO t VALUES (2, 'b')", nil)
	require.Equal(t, TxLost, Classify(err).Class)
	require.ErrorIs(t, err, errPrepared)
	_, err = c.Exec(t.Context(), "ROLLBACK TO SAVEPOINT s", nil)
	require.ErrorIs(t, err, errPrepared)
	require.Error(t, c.Begin(t.Context(), TxOptions{}))
	require.Error(t, c.BeginBranch(t.Context(), newBranchID(), TxOptions{}))
	require.Error(t, c.CommitPrepared(t.Context(), newBranchID()), "of another branch")
	c.Release()

	r := acquire(t, p)
	require.True(t, listed(t, r, id))
	settled(t, r, id, true)
	require.Equal(t, 1, count(t, db, "t"))
}

// finding 5: what a session still holds is neither done nor gone.
func TestBranch_HeldByALivingSessionIsSaidSo(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	id := newBranchID()
	c := prepared(t, p, id)
	r := acquire(t, p)
	for _, commit := range []bool{true, false} {
		err := r.finishPrepared(t.Context(), id, commit)
		require.ErrorIs(t, err, ErrBranchHeld)
		require.NotErrorIs(t, err, ErrBranchUnknown)
		require.Equal(t, LockTimeout, Classify(err).Class)
	}
	require.NoError(t, c.CommitPrepared(t.Context(), id))
	require.ErrorIs(t, r.CommitPrepared(t.Context(), id), ErrBranchUnknown)
}

// hazards 302, 319: the marker row makes a branch one that has written.
func TestBranch_ThatOnlyReadIsRolledBackOnceItsSessionIsGone(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	id := newBranchID()
	c := beginBranch(t, p, id)
	require.Empty(t, rowsOf(t, c, "SELECT * FROM t"))
	require.NoError(t, c.PrepareBranch(t.Context()))
	c.Release()
	r := acquire(t, p)
	var err error
	require.Eventually(t, func() bool {
		err = r.CommitPrepared(t.Context(), id)
		return err != nil && !isHeld(err)
	}, 20*time.Second, 10*time.Millisecond)
	require.ErrorIs(t, err, ErrBranchRolledBack)
	require.False(t, listed(t, r, id))
	mustExec(t, r, "INSERT INTO t VALUES (1, 'a')")

	id = newBranchID()
	c = beginBranch(t, p, id)
	require.Empty(t, rowsOf(t, c, "SELECT * FROM t WHERE id = 9"))
	require.NoError(t, c.PrepareBranch(t.Context()))
	require.NoError(t, c.CommitPrepared(t.Context(), id), "on its own session")
}

func isHeld(err error) bool { return Classify(err).Class == LockTimeout }

// hazard 301: what a failed statement costs is what it costs in any transaction.
func TestBranch_StatementErrorIsAsInATransaction(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		mustExec(t, acquire(t, p), "INSERT INTO t VALUES (9, 'there')")
		id := newBranchID()
		c := beginBranch(t, p, id)
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		_, err := c.Exec(t.Context(), "INSERT INTO t VALUES (9, 'twice')", nil)
		require.Equal(t, Unique, Classify(err).Class)
		err = c.PrepareBranch(t.Context())
		if db.Dialect == "mysql" {
			require.NoError(t, err)
			require.NoError(t, c.CommitPrepared(t.Context(), id))
			require.Equal(t, 2, count(t, db, "t"))
			return
		}
		var lost *TxLostError // finding 2
		require.ErrorAs(t, err, &lost)
		require.False(t, listed(t, c, id))
		require.Equal(t, 1, count(t, db, "t"))
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
	})
}

// finding 2: the session's own word decides where this package has seen nothing.
func TestBranch_VoteOfAnAbortedTransactionIsNo(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	p := open(t, optionsFor(db))
	c := acquire(t, p)
	b := c.inner.s.(session.Brancher)
	id := newBranchID()
	_, err := b.PrepareBranch(t.Context(), id) // in no transaction
	var lost *TxLostError
	require.ErrorAs(t, err, &lost)
	require.NoError(t, b.BeginBranch(t.Context(), id, TxOptions{}))
	_, err = c.inner.s.Exec(t.Context(), "SELECT 1/0", nil)
	require.Error(t, err)
	_, err = b.PrepareBranch(t.Context(), id)
	require.ErrorAs(t, err, &lost)
	require.False(t, listed(t, c, id))
}

// hazard 299: what the server refuses inside of a branch changes nothing.
func TestBranch_RefusesWhatWouldEndIt(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	id := newBranchID()
	c := beginBranch(t, p, id)
	mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
	for _, query := range []string{"BEGIN", "COMMIT", "ROLLBACK", "CREATE TABLE u (id INT)", "LOCK TABLES t WRITE", "XA START 'dbfleet_x','1'", "TRUNCATE t"} {
		_, err := c.Exec(t.Context(), query, nil)
		var refused *CommitsError // before it was sent
		if !errors.As(err, &refused) {
			require.Equal(t, "1399", Classify(err).Code, query)
		}
		require.Equal(t, session.TxOpen, c.inner.s.TxStatus(), query)
	}
	mustExec(t, c, "INSERT INTO t VALUES (2, 'b')")
	require.NoError(t, c.PrepareBranch(t.Context()))
	require.NoError(t, c.CommitPrepared(t.Context(), id))
	require.Equal(t, 2, count(t, db, "t"))
}

// A transaction that is open already takes no branch, and a branch no transaction.
func TestBranch_IsATransactionOfItsOwn(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		require.NoError(t, c.Begin(t.Context(), TxOptions{}))
		require.Error(t, c.BeginBranch(t.Context(), newBranchID(), TxOptions{}))
		require.Error(t, c.PrepareBranch(t.Context()), "it was not begun as a branch")
		require.Error(t, c.CommitPrepared(t.Context(), newBranchID()), "inside of a transaction")
		_, err := c.ListPrepared(t.Context())
		require.Error(t, err)
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		require.NoError(t, c.Commit(t.Context()))
		require.NoError(t, c.BeginBranch(t.Context(), newBranchID(), TxOptions{}))
		require.Error(t, c.Begin(t.Context(), TxOptions{}))
		require.NoError(t, c.Rollback(t.Context()))
		require.Equal(t, 1, count(t, db, "t"))
	})
}

func TestBranch_TakesOnlyItsOwnNames(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		for _, id := range []BranchID{
			{}, {Global: "dbfleet_a"}, {Global: "dbfleet_", Qualifier: "1"}, {Global: "other_a", Qualifier: "1"},
			{Global: "dbfleet_a'; DROP TABLE t; --", Qualifier: "1"}, {Global: "dbfleet_A", Qualifier: "1"},
			{Global: "dbfleet_a", Qualifier: "01"}, {Global: "dbfleet_a", Qualifier: "1'"}, {Global: "dbfleet_a", Qualifier: "-1"},
			{Global: "dbfleet_" + string(make([]byte, 60)), Qualifier: "1"},
		} {
			require.False(t, id.Valid(), "%q", id)
			for _, err := range []error{c.BeginBranch(t.Context(), id, TxOptions{}), c.CommitPrepared(t.Context(), id), c.RollbackPrepared(t.Context(), id)} {
				require.True(t, Classify(err).NotSent, "%v", err)
			}
		}
		long := BranchID{Global: "dbfleet_" + hex.EncodeToString(make([]byte, 28)), Qualifier: "123456789"}
		require.Len(t, long.Global, 64)
		parsed, ok := session.ParseBranchID(long.String())
		require.True(t, ok)
		require.Equal(t, long, parsed)
		require.NoError(t, c.BeginBranch(t.Context(), long, TxOptions{}))
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		require.NoError(t, c.PrepareBranch(t.Context()))
		require.NoError(t, c.RollbackPrepared(t.Context(), long))
	})
}

// Those of others, in this database or another one, are not ours to end.
func TestBranch_ForeignOnesAreNotListed(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		foreign := "other" + newBranchID().Global
		raw := db.SQL(t)
		c, err := raw.Conn(t.Context())
		require.NoError(t, err)
		run := func(queries ...string) {
			for _, q := range queries {
				_, err := c.ExecContext(t.Context(), q)
				require.NoError(t, err, q)
			}
		}
		own := newBranchID()
		ours := prepared(t, p, own)
		if db.Dialect == "postgres" {
			run("BEGIN", "INSERT INTO t VALUES (7, 'x')", "PREPARE TRANSACTION '"+foreign+"'")
			run("BEGIN", "INSERT INTO t VALUES (8, 'x')", "PREPARE TRANSACTION '"+own.Global+"_x'")
		} else {
			run("XA START '"+foreign+"','1'", "INSERT INTO t VALUES (7, 'x')", "XA END '"+foreign+"','1'", "XA PREPARE '"+foreign+"','1'")
		}
		list, err := acquire(t, p).ListPrepared(t.Context())
		require.NoError(t, err)
		for _, b := range list {
			require.True(t, b.ID.Valid())
			require.NotContains(t, b.ID.String(), foreign)
			if b.ID == own && db.Dialect == "postgres" {
				require.Equal(t, db.Username, b.Owner)
				require.WithinDuration(t, time.Now(), b.Since, time.Minute)
				require.Less(t, b.Age, time.Minute)
				require.GreaterOrEqual(t, b.Age, time.Duration(0))
			}
		}
		require.True(t, listed(t, acquire(t, p), own))
		require.NoError(t, ours.RollbackPrepared(t.Context(), own))
		if db.Dialect == "postgres" {
			run("ROLLBACK PREPARED '"+foreign+"'", "ROLLBACK PREPARED '"+own.Global+"_x'")
		} else {
			run("XA ROLLBACK '" + foreign + "','1'")
		}
		require.NoError(t, c.Close())
	})
}

func TestBranch_SQLiteHasNone(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "sqlite")
	p := open(t, optionsFor(db))
	c := acquire(t, p)
	require.ErrorIs(t, c.CheckBranches(t.Context()), ErrNoBranches)
	require.ErrorIs(t, c.BeginBranch(t.Context(), newBranchID(), TxOptions{}), ErrNoBranches)
	_, err := c.ListPrepared(t.Context())
	require.ErrorIs(t, err, ErrNoBranches)
	mustExec(t, c, createT)
}

func TestWrote_TellsWritersFromReaders(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, createT)
		wrote := func() bool {
			w, err := c.Wrote(t.Context())
			require.NoError(t, err)
			return w
		}
		require.True(t, wrote(), "no transaction that it watches")
		require.NoError(t, c.BeginAnchor(t.Context(), TxOptions{}, nil))
		require.False(t, wrote())
		require.Empty(t, rowsOf(t, c, "SELECT id FROM t WHERE id > 3"))
		mustExec(t, c, "SAVEPOINT s")
		mustExec(t, c, "ROLLBACK TO SAVEPOINT s")
		mustExec(t, c, "RELEASE SAVEPOINT s")
		require.False(t, wrote())
		require.False(t, c.Changed())
		mustExec(t, c, ph(db, "INSERT INTO t VALUES ($1, 'a')"), int64(1))
		require.True(t, c.Changed())
		require.True(t, wrote())
		require.Empty(t, rowsOf(t, c, "SELECT id FROM t WHERE id > 3"))
		require.True(t, wrote())
		require.NoError(t, c.Rollback(t.Context()))

		require.NoError(t, c.BeginAnchor(t.Context(), TxOptions{}, nil))
		require.Empty(t, rowsOf(t, c, "WITH x AS (SELECT id FROM t) SELECT id FROM x"))
		require.False(t, wrote())
		_, back, err := c.Lend()
		require.NoError(t, err)
		back()
		require.False(t, c.Changed())
		require.True(t, wrote(), "nobody knows what was sent by the driver's own connection")
		require.NoError(t, c.Rollback(t.Context()))
	})
}

func TestWrote_CountsNotify(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "postgres")))
	c := acquire(t, p)
	require.NoError(t, c.BeginAnchor(t.Context(), TxOptions{}, nil))
	mustExec(t, c, "SELECT pg_notify($1, $2)", "a", "b")
	w, err := c.Wrote(t.Context())
	require.NoError(t, err)
	require.True(t, w)
	require.NoError(t, c.Rollback(t.Context()))
}

// A bulk load is not seen as a statement, and a table may have any name.
func TestWrote_CountsLoads(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		table := map[string]string{"mysql": "`select`"}[db.Dialect]
		if table == "" {
			table = `"select"`
		}
		mustExec(t, c, "CREATE TABLE "+table+" (id INTEGER PRIMARY KEY)")
		id := newBranchID()
		if db.Dialect == "sqlite" {
			require.NoError(t, c.BeginAnchor(t.Context(), TxOptions{}, nil))
		} else {
			require.NoError(t, c.BeginBranch(t.Context(), id, TxOptions{}))
		}
		l, err := c.Load(loadTarget(db, table, "id"))
		require.NoError(t, err)
		require.NoError(t, l.Add(t.Context(), []any{int64(1)}))
		_, err = l.Done(t.Context())
		require.NoError(t, err)
		wrote, err := c.Wrote(t.Context())
		require.NoError(t, err)
		require.True(t, wrote)
		if db.Dialect == "sqlite" {
			require.NoError(t, c.Commit(t.Context()))
		} else {
			require.NoError(t, c.PrepareBranch(t.Context()))
			require.NoError(t, c.CommitPrepared(t.Context(), id))
		}
		require.Len(t, rowsOf(t, c, "SELECT id FROM "+table), 1)
	})
}

// The decision of a commit over several databases must outlive a power failure.
func TestAnchor_OfSQLiteIsOnTheDisk(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "sqlite")
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	c := acquire(t, p)
	level := func() string {
		t.Helper()
		rows, err := c.Query(t.Context(), "PRAGMA synchronous", nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, rows.Close()) }()
		row := make([]sqldriver.Value, 1)
		require.NoError(t, rows.Next(row))
		return fmt.Sprint(row[0])
	}
	require.Equal(t, "1", level())
	for _, end := range []func(context.Context) error{c.Commit, c.Rollback} {
		require.NoError(t, c.BeginAnchor(t.Context(), TxOptions{}, nil))
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a') ON CONFLICT DO NOTHING")
		require.Equal(t, "2", level())
		require.NoError(t, end(t.Context()))
		require.Equal(t, "1", level())
	}
}

func TestBranch_KnowsNotifyInAnyCase(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"NOTIFY x": true, "SELECT pg_Notify('a', 'b')": true, "f notify": true, "fnotif notify": true, "notif": false, "UPDATE f SET f = 1": false, "": false, "f": false,
		"SELECT nottify": false, "xfynotify": true,
	} {
		require.Equal(t, want, mentionsNotify(query), query)
	}
}
