//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// What a vote that cannot be given leaves: nothing that is prepared, nothing that is
// written, and a connection that serves on or is given up.
func refusedVote(t *testing.T, p *Pool, db dbtest.Database, c *Conn, id BranchID) error {
	t.Helper()
	err := c.PrepareBranch(t.Context())
	require.Error(t, err)
	var unanswered *UnansweredError
	require.False(t, errors.As(err, &unanswered), "%v", err)
	require.ErrorIs(t, c.PrepareBranch(t.Context()), sql.ErrTxDone)
	require.ErrorIs(t, c.Rollback(t.Context()), sql.ErrTxDone)
	c.Release()
	r := acquire(t, p)
	require.False(t, listed(t, r, id))
	mustExec(t, r, "INSERT INTO t VALUES (1, 'free')") // no lock is left
	mustExec(t, r, "DELETE FROM t WHERE name = 'free'")
	require.Equal(t, 0, count(t, db, "t"))
	r.Release()
	return err
}

func TestBranchFault_PostgresRefusesTheVote(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code       string
		statements []string
	}{
		"deferred constraint": {"23503", []string{"INSERT INTO child VALUES (99)"}}, // hazard 308
		"temporary table":     {"0A000", []string{"CREATE TEMP TABLE tt (id INT)"}}, // hazard 307
		"notify":              {"0A000", []string{"NOTIFY x"}},
		"listen":              {"0A000", []string{"LISTEN x"}},
		"cursor with hold":    {"0A000", []string{"DECLARE cur CURSOR WITH HOLD FOR SELECT 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t, "postgres")
			p := open(t, optionsFor(db))
			mustExec(t, acquire(t, p), createT)
			mustExec(t, acquire(t, p), "CREATE TABLE child (id INT REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)")
			id := newBranchID()
			c := beginBranch(t, p, id)
			mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
			for _, query := range test.statements {
				mustExec(t, c, query)
			}
			require.Equal(t, test.code, Classify(refusedVote(t, p, db, c, id)).Code)
		})
	}
}

// hazard 304
func TestBranchFault_DuplicateNameIsRefused(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		id := newBranchID()
		first := prepared(t, p, id)
		second := acquire(t, p)
		err := second.BeginBranch(t.Context(), id, TxOptions{})
		if db.Dialect == "postgres" {
			require.NoError(t, err)
			mustExec(t, second, "INSERT INTO t VALUES (2, 'b')")
			err = second.PrepareBranch(t.Context())
			require.Equal(t, "42710", Classify(err).Code)
		} else {
			require.Equal(t, "1440", Classify(err).Code)
		}
		second.Release()
		require.NoError(t, first.CommitPrepared(t.Context(), id))
		require.Equal(t, 1, count(t, db, "t"))
	})
}

// hazard 306
func TestBranchFault_NoSlotIsFree(t *testing.T) {
	t.Parallel()
	server := dbtest.StartPostgres(t, "max_prepared_transactions=1")
	db := server.Database(t)
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	require.NoError(t, acquire(t, p).CheckBranches(t.Context()))
	a, b := newBranchID(), newBranchID()
	first := prepared(t, p, a)
	second := beginBranch(t, p, b)
	mustExec(t, second, "INSERT INTO t VALUES (2, 'b')")
	err := second.PrepareBranch(t.Context())
	require.Equal(t, Full, Classify(err).Class, "%v", err)
	require.NoError(t, first.CommitPrepared(t.Context(), a))
	require.Equal(t, 1, count(t, db, "t"))
	mustExec(t, second, "INSERT INTO t VALUES (2, 'b')")
}

// hazards 306, 321
func TestBranchFault_SetupIsNamed(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		require.NoError(t, acquire(t, p).CheckBranches(t.Context()))
	})
	t.Run("no slots", func(t *testing.T) {
		t.Parallel()
		server := dbtest.StartPostgres(t, "max_prepared_transactions=0")
		p := open(t, optionsFor(server.Database(t)))
		var setup *BranchSetupError
		require.ErrorAs(t, acquire(t, p).CheckBranches(t.Context()), &setup)
		require.Equal(t, "max_prepared_transactions", setup.Setting)
		require.ErrorContains(t, setup, "restart")
		c := beginBranch(t, p, newBranchID())
		require.Equal(t, "55000", Classify(c.PrepareBranch(t.Context())).Code)
	})
	t.Run("pooler", func(t *testing.T) {
		t.Parallel()
		o := optionsFor(dbtest.New(t, "mysql"))
		o.Pooler = true
		c := acquire(t, open(t, o))
		var setup *BranchSetupError
		require.ErrorAs(t, c.CheckBranches(t.Context()), &setup)
		require.Equal(t, "Pooler", setup.Setting)
		require.ErrorAs(t, c.BeginBranch(t.Context(), newBranchID(), TxOptions{}), &setup)
	})
	t.Run("read-only", func(t *testing.T) {
		t.Parallel()
		server := dbtest.StartMariaDB(t, "read-only=1")
		c := acquire(t, open(t, optionsFor(server.Database(t))))
		var setup *BranchSetupError
		require.ErrorAs(t, c.CheckBranches(t.Context()), &setup)
		require.Equal(t, "read_only", setup.Setting)
		_, err := c.ListPrepared(t.Context())
		require.ErrorIs(t, err, ErrBranchReadOnly)
		require.ErrorIs(t, c.RollbackPrepared(t.Context(), newBranchID()), ErrBranchReadOnly)
		require.Equal(t, ReadOnly, Classify(err).Class)
	})
}

// finding 3: the victim of a deadlock is rolled back, and nothing that comes after it is.
func TestBranchFault_DeadlockLosesTheBranch(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		for _, end := range []func(*Conn) error{
			func(c *Conn) error { return c.PrepareBranch(t.Context()) },
			func(c *Conn) error { return c.Commit(t.Context()) },
			func(c *Conn) error { return c.Rollback(t.Context()) },
		} {
			mustExec(t, acquire(t, p), "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
			ids := [2]BranchID{newBranchID(), newBranchID()}
			a, b := beginBranch(t, p, ids[0]), beginBranch(t, p, ids[1])
			mustExec(t, a, "UPDATE t SET name = 'x' WHERE id = 1")
			mustExec(t, b, "UPDATE t SET name = 'x' WHERE id = 2")
			errs := make(chan error, 1)
			go func() {
				_, err := a.Exec(t.Context(), "UPDATE t SET name = 'y' WHERE id = 2", nil)
				errs <- err
			}()
			_, errB := b.Exec(t.Context(), "UPDATE t SET name = 'y' WHERE id = 1", nil)
			errA := <-errs
			victim, other := a, b
			if errB != nil {
				victim, other, errA = b, a, errB
			}
			require.Equal(t, Deadlock, Classify(errA).Class)
			_, err := victim.Exec(t.Context(), "INSERT INTO t VALUES (3, 'c')", nil)
			require.Equal(t, TxLost, Classify(err).Class)
			if err := end(victim); err != nil {
				require.Equal(t, TxLost, Classify(err).Class, "%v", err)
			}
			mustExec(t, victim, "INSERT INTO t VALUES (4, 'the connection serves on')")
			require.NoError(t, other.Rollback(t.Context()))
			require.Equal(t, [][]any{{"a"}, {"b"}}, rowsOf(t, victim, "SELECT name FROM t WHERE id < 4 ORDER BY id"))
			mustExec(t, victim, "DELETE FROM t")
			for _, id := range ids {
				require.False(t, listed(t, victim, id))
			}
			victim.Release()
			other.Release()
		}
	})
}

func TestBranchFault_SerializationFailureIsARefusedVote(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	mustExec(t, acquire(t, p), "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
	var conns [2]*Conn
	var ids [2]BranchID
	for i := range conns {
		ids[i] = newBranchID()
		conns[i] = acquire(t, p)
		require.NoError(t, conns[i].BeginBranch(t.Context(), ids[i], TxOptions{Isolation: sql.LevelSerializable}))
		rowsOf(t, conns[i], "SELECT * FROM t")
	}
	for i, c := range conns { // write skew
		mustExec(t, c, "UPDATE t SET name = 'x' WHERE id = $1", int64(i+1))
	}
	require.NoError(t, conns[0].PrepareBranch(t.Context()))
	err := conns[1].PrepareBranch(t.Context()) // hazard 309
	require.Equal(t, Serialization, Classify(err).Class, "%v", err)
	require.NoError(t, conns[0].CommitPrepared(t.Context(), ids[0]))
	require.Equal(t, [][]any{{"x"}, {"b"}}, rowsOf(t, conns[1], "SELECT name FROM t ORDER BY id"))
}

func TestBranchFault_OpenRowsAndEndedContextsLeaveItOpen(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		id := newBranchID()
		c := beginBranch(t, p, id)
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		over, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, c.PrepareBranch(over), context.Canceled)
		rows, err := c.Query(t.Context(), "SELECT * FROM t", nil)
		require.NoError(t, err)
		require.ErrorIs(t, c.PrepareBranch(t.Context()), ErrBusy)
		require.NoError(t, rows.Close())
		require.NoError(t, c.PrepareBranch(t.Context()))
		require.ErrorIs(t, c.CommitPrepared(over, id), context.Canceled)
		require.NoError(t, c.CommitPrepared(t.Context(), id))
		require.Equal(t, 1, count(t, db, "t"))
	})
}

func TestBranchFault_LostAnswerToTheVoteIsUnknown(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		mustExec(t, acquire(t, p), createT)
		r := acquire(t, open(t, optionsFor(db)))
		for _, action := range []dbtest.Action{dbtest.CutReply, dbtest.CutRequest} {
			id := newBranchID()
			c := beginBranch(t, p, id)
			mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
			marker := "PREPARE TRANSACTION"
			if db.Dialect == "mysql" {
				marker = "XA PREPARE"
			}
			proxy.On(dbtest.Fault{Marker: marker, Action: action, Times: 1})
			err := c.PrepareBranch(t.Context())
			var unanswered *UnansweredError
			require.ErrorAs(t, err, &unanswered)
			require.True(t, Classify(err).Unanswered)
			require.NotErrorIs(t, err, ErrCommitUnknown)
			c.Release()
			require.Equal(t, action == dbtest.CutReply, listed(t, r, id))
			if action == dbtest.CutReply {
				settled(t, r, id, true)
				require.Equal(t, 1, count(t, db, "t"))
				mustExec(t, r, "DELETE FROM t")
			} else {
				require.ErrorIs(t, r.CommitPrepared(t.Context(), id), ErrBranchUnknown)
			}
		}
	})
}

// The answers to XA END and to the end in one phase.
func TestBranchFault_LostAnswersOfOnePhase(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	proxy, o := proxied(t, db)
	p := open(t, o)
	mustExec(t, acquire(t, p), createT)
	for _, test := range []struct {
		marker string
		action dbtest.Action
		check  func(err error)
		rows   int
	}{
		{"XA END", dbtest.CutReply, func(err error) { require.Equal(t, TxLost, Classify(err).Class, "%v", err) }, 0},
		{"ONE PHASE", dbtest.CutReply, func(err error) { require.ErrorIs(t, err, ErrCommitUnknown) }, 1},
		{"ONE PHASE", dbtest.CutRequest, func(err error) { require.ErrorIs(t, err, ErrCommitUnknown) }, 1},
	} {
		c := beginBranch(t, p, newBranchID())
		mustExec(t, c, "INSERT INTO t (id, name) SELECT COUNT(*), 'a' FROM t")
		proxy.On(dbtest.Fault{Marker: test.marker, Action: test.action, Times: 1})
		test.check(c.Commit(t.Context()))
		c.Release()
		require.Equal(t, test.rows, count(t, db, "t"))
	}
}

func TestBranchFault_LostAnswerToTheEndCanBeAskedAgain(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		mustExec(t, acquire(t, p), createT)
		r := acquire(t, open(t, optionsFor(db)))
		for _, commit := range []bool{true, false} {
			for _, action := range []dbtest.Action{dbtest.CutReply, dbtest.CutRequest} {
				id := newBranchID()
				c := prepared(t, p, id)
				marker := "PREPARED"
				if db.Dialect == "mysql" {
					marker = map[bool]string{true: "XA COMMIT", false: "XA ROLLBACK"}[commit]
				}
				proxy.On(dbtest.Fault{Marker: marker, Action: action, Times: 1})
				err := c.finishPrepared(t.Context(), id, commit)
				var unanswered *UnansweredError
				require.ErrorAs(t, err, &unanswered)
				c.Release()
				if action == dbtest.CutReply {
					require.ErrorIs(t, r.finishPrepared(t.Context(), id, commit), ErrBranchUnknown)
				} else {
					settled(t, r, id, commit)
				}
				require.Equal(t, map[bool]int{true: 1, false: 0}[commit], count(t, db, "t"))
				mustExec(t, r, "DELETE FROM t")
			}
		}
	})
}

func TestBranchFault_DisconnectBeforeTheVoteRollsBack(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		id := newBranchID()
		c := beginBranch(t, p, id)
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		require.NotZero(t, db.KillConnections(t))
		err := c.PrepareBranch(t.Context())
		require.Error(t, err)
		c.Release()
		r := acquire(t, p)
		require.False(t, listed(t, r, id))
		require.ErrorIs(t, r.RollbackPrepared(t.Context(), id), ErrBranchUnknown)
		require.Equal(t, 0, count(t, db, "t"))
	})
}

func TestBranchFault_DisconnectAfterTheVoteKeepsIt(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		for _, commit := range []bool{true, false} {
			id := newBranchID()
			c := prepared(t, p, id)
			require.NotZero(t, db.KillConnections(t))
			err := c.CommitPrepared(t.Context(), id)
			require.Equal(t, Connection, Classify(err).Class, "%v", err)
			require.NotErrorIs(t, err, ErrBranchUnknown)
			c.Release()
			r := acquire(t, p)
			settled(t, r, id, commit)
			require.Equal(t, map[bool]int{true: 1, false: 0}[commit], count(t, db, "t"))
			mustExec(t, r, "DELETE FROM t")
			r.Release()
		}
	})
}

func TestBranchFault_CrashAfterTheVoteKeepsIt(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) *dbtest.Server{
		"postgres":           func(t testing.TB) *dbtest.Server { return dbtest.StartPostgres(t) },
		"mysql":              func(t testing.TB) *dbtest.Server { return dbtest.StartMariaDB(t) },
		"mysql with its log": func(t testing.TB) *dbtest.Server { return dbtest.StartMariaDB(t, "log-bin=binlog") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := start(t)
			db := server.Database(t)
			p := open(t, optionsFor(db))
			mustExec(t, acquire(t, p), createT)
			a, b, unprepared := newBranchID(), newBranchID(), newBranchID()
			first := prepared(t, p, a)
			second := beginBranch(t, p, b)
			mustExec(t, second, "INSERT INTO t VALUES (2, 'b')")
			require.NoError(t, second.PrepareBranch(t.Context()))
			third := beginBranch(t, p, unprepared)
			mustExec(t, third, "INSERT INTO t VALUES (3, 'c')")
			server.Kill(t)
			require.Error(t, third.PrepareBranch(t.Context()))
			require.Error(t, first.CommitPrepared(t.Context(), a))
			for _, c := range []*Conn{first, second, third} {
				c.Release()
			}
			server.Start(t)
			r := acquire(t, p)
			require.True(t, listed(t, r, a))
			require.True(t, listed(t, r, b))
			require.False(t, listed(t, r, unprepared))
			require.NoError(t, r.CommitPrepared(t.Context(), a))
			require.NoError(t, r.RollbackPrepared(t.Context(), b))
			require.Equal(t, [][]any{{int64(1)}}, rowsOf(t, r, "SELECT id FROM t"))
		})
	}
}

// Two recoverers: one ends the branch, the other is told that it is gone or held.
func TestBranchFault_TwoSessionsEndTheSameBranch(t *testing.T) {
	t.Parallel()
	branches(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		rs := [2]*Conn{acquire(t, p), acquire(t, p)}
		for range 20 {
			id := newBranchID()
			c := prepared(t, p, id)
			c.Release()
			require.Eventually(t, func() bool { // nobody's any more
				var errs [2]error
				var wg sync.WaitGroup
				for i := range rs {
					wg.Go(func() { errs[i] = rs[i].CommitPrepared(t.Context(), id) })
				}
				wg.Wait()
				done := 0
				for _, err := range errs {
					switch {
					case err == nil:
						done++
					case !errors.Is(err, ErrBranchHeld):
						require.ErrorIs(t, err, ErrBranchUnknown)
					}
				}
				require.LessOrEqual(t, done, 1)
				return done == 1
			}, 20*time.Second, time.Millisecond)
			require.Equal(t, 1, count(t, db, "t"))
			mustExec(t, rs[0], "DELETE FROM t")
		}
	})
}

// hazard 305
func TestBranchFault_OthersMayNotEndIt(t *testing.T) {
	t.Parallel()
	server := dbtest.StartPostgres(t)
	db, other := server.Database(t), server.Database(t)
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	id := newBranchID()
	c := prepared(t, p, id)

	elsewhere := optionsFor(db)
	elsewhere.Database = "postgres"
	r := acquire(t, open(t, elsewhere))
	require.False(t, listed(t, r, id))
	require.ErrorIs(t, r.RollbackPrepared(t.Context(), id), ErrBranchElsewhere)

	server.Exec(t, "GRANT CONNECT ON DATABASE "+db.Name+" TO "+other.Username)
	stranger := optionsFor(other)
	stranger.Database = db.Name
	s := acquire(t, open(t, stranger))
	require.True(t, listed(t, s, id))
	err := s.CommitPrepared(t.Context(), id)
	require.ErrorIs(t, err, ErrBranchDenied)
	require.Equal(t, Auth, Classify(err).Class)
	require.NoError(t, c.CommitPrepared(t.Context(), id))
}

// A standby shows no prepared transactions, and is no place to look for any.
func TestBranchFault_StandbyIsRefused(t *testing.T) {
	t.Parallel()
	cluster := dbtest.PostgresCluster(t, 1)
	db := cluster.Primary.Database(t)
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	id := newBranchID()
	c := prepared(t, p, id)
	cluster.WaitCaughtUp(t)
	r := acquire(t, open(t, optionsFor(db.On(cluster.Replicas[0]))))
	_, err := r.ListPrepared(t.Context())
	require.ErrorIs(t, err, ErrBranchReadOnly)
	require.ErrorIs(t, r.CommitPrepared(t.Context(), id), ErrBranchReadOnly)
	var setup *BranchSetupError
	require.ErrorAs(t, r.CheckBranches(t.Context()), &setup)
	require.NoError(t, c.CommitPrepared(t.Context(), id))
}

// A primary that has become read-only commits nothing, and rolls nothing back by that.
func TestBranchFault_ReadOnlyServerKeepsWhatIsPrepared(t *testing.T) {
	t.Parallel()
	server := dbtest.StartMariaDB(t)
	db := server.Database(t)
	p := open(t, optionsFor(db))
	mustExec(t, acquire(t, p), createT)
	a, b, d := newBranchID(), newBranchID(), newBranchID()
	first := prepared(t, p, a)
	second := beginBranch(t, p, b)
	mustExec(t, second, "INSERT INTO t VALUES (2, 'b')")
	third := beginBranch(t, p, d)
	mustExec(t, third, "INSERT INTO t VALUES (3, 'c')")
	server.Exec(t, "SET GLOBAL read_only = 1")
	require.NoError(t, second.PrepareBranch(t.Context()), "which it can always take back")
	require.Equal(t, ReadOnly, Classify(third.Commit(t.Context())).Class)
	require.ErrorIs(t, first.CommitPrepared(t.Context(), a), ErrBranchReadOnly)
	second.Release()
	server.Exec(t, "GRANT READ ONLY ADMIN ON *.* TO '"+db.Username+"'@'%'")
	privileged := acquire(t, open(t, optionsFor(db)))
	require.ErrorIs(t, privileged.CommitPrepared(t.Context(), b), ErrBranchReadOnly, "a replica's is the primary's to end")
	server.Exec(t, "SET GLOBAL read_only = 0")
	require.NoError(t, first.CommitPrepared(t.Context(), a), "on the same connection")
	r := acquire(t, p)
	settled(t, r, b, false)
	within, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err := r.Exec(within, "INSERT INTO t VALUES (3, 'no lock is left')", nil) // third is not released
	require.NoError(t, err)
	mustExec(t, r, "DELETE FROM t WHERE id = 3")
	require.Equal(t, [][]any{{int64(1)}}, rowsOf(t, r, "SELECT id FROM t"))
}

// hazard 121: what the transaction is worth without the statement is not for the vote to
// say.
func TestBranchFault_LockTimeoutIsARefusedVote(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	o := optionsFor(db)
	o.Params = map[string]string{"innodb_lock_wait_timeout": "1"}
	p := open(t, o)
	mustExec(t, acquire(t, p), createT)
	mustExec(t, acquire(t, p), "INSERT INTO t VALUES (1, 'a')")
	holder := acquire(t, p)
	require.NoError(t, holder.Begin(t.Context(), TxOptions{}))
	mustExec(t, holder, "UPDATE t SET name = 'x' WHERE id = 1")
	id := newBranchID()
	c := beginBranch(t, p, id)
	mustExec(t, c, "INSERT INTO t VALUES (2, 'b')")
	_, err := c.Exec(t.Context(), "UPDATE t SET name = 'y' WHERE id = 1", nil)
	require.Equal(t, LockTimeout, Classify(err).Class)
	var lost *TxLostError
	require.ErrorAs(t, c.PrepareBranch(t.Context()), &lost)
	require.False(t, listed(t, c, id))
	require.NoError(t, holder.Rollback(t.Context()))
	require.Equal(t, 1, count(t, db, "t"))
	mustExec(t, c, "INSERT INTO t VALUES (3, 'the connection serves on')")
}

// hazard 324: a context that ends while the server is silent leaves it open what it did.
func TestBranchFault_ContextThatEndsDuringTheVote(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		proxy, o := proxied(t, db)
		p := open(t, o)
		mustExec(t, acquire(t, p), createT)
		id := newBranchID()
		c := beginBranch(t, p, id)
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		marker := map[string]string{"postgres": "PREPARE TRANSACTION", "mysql": "XA PREPARE"}[db.Dialect]
		held := proxy.On(dbtest.Fault{Marker: marker, Action: dbtest.HoldReply, Times: 1})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			<-held.Fired()
			cancel()
		}()
		err := c.PrepareBranch(ctx)
		var unanswered *UnansweredError
		require.ErrorAs(t, err, &unanswered)
		require.ErrorIs(t, err, context.Canceled)
		c.Release()
		r := acquire(t, open(t, optionsFor(db)))
		require.Eventually(t, func() bool { return listed(t, r, id) }, 20*time.Second, 10*time.Millisecond)
		db.KillConnections(t) // the proxy still has the session's
		r = acquire(t, open(t, optionsFor(db)))
		settled(t, r, id, false)
		require.Equal(t, 0, count(t, db, "t"))
	})
}
