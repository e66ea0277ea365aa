//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// syncMessage is PostgreSQL's Sync, which commits.
const syncMessage = "S\x00\x00\x00\x04"

// keyedFault is a connection through a proxy, whose statements are prepared
// already, and one that sees what came of them.
type keyedFault struct {
	db    dbtest.Database
	proxy *dbtest.Proxy
	c     *Conn
	in    *KeyedInsert
	other *Conn
}

func setupKeyedFault(t *testing.T) *keyedFault {
	db := dbtest.New(t, "postgres")
	proxy, o := proxied(t, db)
	f := &keyedFault{db: db, proxy: proxy, c: acquire(t, open(t, o)), other: acquire(t, open(t, optionsFor(db)))}
	keyedTable(t, f.other, db, "t")
	f.in = keyedInto(t, db, "t", 2, "name")
	for i := range 2 {
		requireKeyed(t, f.c, f.in, names(2, fmt.Sprint("before ", i)))
	}
	return f
}

// requireCommitted says whether the row of that name has persisted. An INSERT of the
// same waits for the end of the transaction that may be open still.
func (f *keyedFault) requireCommitted(t *testing.T, committed bool, name string) {
	t.Helper()
	_, err := f.other.Exec(t.Context(), "INSERT INTO t (name) VALUES ($1)", []any{name})
	if committed {
		require.Equal(t, Unique, Classify(err).Class, "%v", err)
		return
	}
	require.NoError(t, err)
}

func requireUndone(t *testing.T, made Keyed, err error, class Class) {
	t.Helper()
	require.Error(t, err)
	require.True(t, made.Undone, "%v", err)
	var undone *UndoneError
	require.ErrorAs(t, err, &undone)
	require.Equal(t, Problem{Class: class}, Classify(err), "%v", err)
	require.Contains(t, made.Sent, "INSERT INTO t")
}

func requireUnknown(t *testing.T, made Keyed, err error, class Class) {
	t.Helper()
	require.Error(t, err)
	require.False(t, made.Undone, "%v", err)
	require.False(t, made.OK)
	var unanswered *UnansweredError
	require.ErrorAs(t, err, &unanswered)
	require.Equal(t, class, Classify(err).Class, "%v", err)
	require.True(t, Classify(err).Unanswered)
	require.Contains(t, made.Sent, "INSERT INTO t")
}

// The rows are in the table, and nobody sees them, until the Sync has come.
func TestInsertKeyed_IsSeenByNobodyBeforeItsCommit(t *testing.T) {
	t.Parallel()
	f := setupKeyedFault(t)
	tr := f.proxy.On(dbtest.Fault{Marker: syncMessage, Action: dbtest.HoldRequest, Times: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type outcome struct {
		made Keyed
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		made, err := f.c.InsertKeyed(ctx, f.in, names(2, "marked"))
		done <- outcome{made, err}
	}()
	<-tr.Fired()
	require.Len(t, rowsOf(t, f.other, "SELECT name FROM t"), 4)
	mustExec(t, f.other, "SET lock_timeout = '50ms'")
	_, err := f.other.Exec(t.Context(), "INSERT INTO t (name) VALUES ('marked 0')", nil)
	require.Equal(t, LockTimeout, Classify(err).Class, "it is there, and not committed: %v", err)
	mustExec(t, f.other, "SET lock_timeout = 0")
	cancel()
	o := <-done
	requireUnknown(t, o.made, o.err, Canceled)
	f.proxy.Heal() // closes what was held
	f.requireCommitted(t, false, "marked 0")
}

func TestInsertKeyed_LosesItsConnection(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		marker             string
		action             dbtest.Action
		unknown, committed bool
	}{
		"before the insert":              {"marked", dbtest.CutRequest, false, false},
		"instead of its keys":            {"marked", dbtest.CutReply, false, false},
		"before the commit":              {syncMessage, dbtest.CutRequest, true, false},
		"instead of the commit's answer": {syncMessage, dbtest.CutReply, true, true},
	} {
		for _, reset := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " ", reset), func(t *testing.T) {
				t.Parallel()
				f := setupKeyedFault(t)
				tr := f.proxy.On(dbtest.Fault{Marker: tc.marker, Action: tc.action, Reset: reset, Times: 1})
				made, err := f.c.InsertKeyed(t.Context(), f.in, names(2, "marked"))
				if tc.unknown {
					requireUnknown(t, made, err, Connection)
				} else {
					requireUndone(t, made, err, Connection)
				}
				require.Positive(t, tr.Seen())
				f.requireCommitted(t, tc.committed, "marked 1")
			})
		}
	}
}

func TestInsertKeyed_ContextEnds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		marker             string
		action             dbtest.Action
		unknown, committed bool
	}{
		"before the insert arrives": {"marked", dbtest.HoldRequest, false, false},
		"before its keys come":      {"marked", dbtest.HoldReply, false, false},
		"before the commit arrives": {syncMessage, dbtest.HoldRequest, true, false},
		"before it is answered":     {syncMessage, dbtest.HoldReply, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setupKeyedFault(t)
			tr := f.proxy.On(dbtest.Fault{Marker: tc.marker, Action: tc.action, Times: 1})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { <-tr.Fired(); cancel() }()
			made, err := f.c.InsertKeyed(ctx, f.in, names(2, "marked"))
			require.ErrorIs(t, err, context.Canceled)
			if tc.unknown {
				requireUnknown(t, made, err, Canceled)
			} else {
				requireUndone(t, made, err, Canceled)
			}
			f.proxy.Heal() // closes what was held
			f.requireCommitted(t, tc.committed, "marked 1")
		})
	}
}

// endsUnseen is a context that has ended when it is asked for the second time, and
// interrupts nothing.
type endsUnseen struct {
	context.Context
	asked int
}

func (c *endsUnseen) Err() error {
	if c.asked++; c.asked > 1 {
		return context.Canceled
	}
	return nil
}

// promise: nothing is committed once the context has ended.
func TestInsertKeyed_ContextEndsBetweenTheKeysAndTheCommit(t *testing.T) {
	t.Parallel()
	f := setupKeyedFault(t)
	sync := f.proxy.On(dbtest.Fault{Marker: syncMessage})
	marked := f.proxy.On(dbtest.Fault{Marker: "marked"})
	made, err := f.c.InsertKeyed(&endsUnseen{Context: context.Background()}, f.in, names(2, "marked"))
	requireUndone(t, made, err, Canceled)
	f.requireCommitted(t, false, "marked 0")
	require.Equal(t, 2, marked.Seen(), "both rows were sent")
	require.Zero(t, sync.Seen(), "the commit was not")

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	made, err = f.other.InsertKeyed(canceled, f.in, names(2, "never"))
	require.True(t, Classify(err).NotSent, "%v", err)
	require.True(t, made.Undone)
	require.Empty(t, made.Sent)
	f.requireCommitted(t, false, "never 0")
}

// A server that ends the connection says so before the commit or, in its stead, a
// word that leaves it open.
func TestInsertKeyed_ServerEndsTheConnection(t *testing.T) {
	t.Parallel()
	for _, deferred := range []bool{false, true} {
		f := setupKeyedFault(t)
		mustExec(t, f.other, `CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.name = 'marked 0' AND current_setting('application_name') <> 'other' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NULL; END $$`)
		mustExec(t, f.other, "SET application_name = 'other'")
		when := "INITIALLY IMMEDIATE"
		if deferred {
			when = "INITIALLY DEFERRED"
		}
		mustExec(t, f.other, "CREATE CONSTRAINT TRIGGER a AFTER INSERT ON t DEFERRABLE "+when+" FOR EACH ROW EXECUTE FUNCTION leave()")
		made, err := f.c.InsertKeyed(t.Context(), f.in, names(2, "marked"))
		require.Equal(t, "57P01", Classify(err).Code, "%v", err)
		require.Equal(t, !deferred, made.Undone)
		require.Equal(t, deferred, Classify(err).Unanswered)
		f.requireCommitted(t, false, "marked 0")
	}
}

// hazard 166
func TestInsertKeyed_CancelRacingTheAnswer(t *testing.T) {
	t.Parallel()
	keyedDialects(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		keyedTable(t, c, db, "t")
		in := keyedInto(t, db, "t", 2, "name")
		known := map[string]bool{} // whether it is there
		for i := range 300 {
			name := fmt.Sprint("n", i)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(1500))*time.Microsecond)
			var made Keyed
			c, err := p.Acquire(ctx, time.Second)
			if err == nil {
				made, err = c.InsertKeyed(ctx, in, names(2, name))
				c.Release()
			} else {
				made.Undone = true
			}
			cancel()
			var unanswered *UnansweredError
			switch {
			case err == nil:
				known[name] = made.OK
			case made.Undone:
				require.False(t, errors.As(err, &unanswered), "%v", err)
				known[name] = false
			default:
				require.ErrorAs(t, err, &unanswered)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
		}
		stored := map[string]int{}
		for _, row := range rowsOf(t, c, "SELECT name FROM t") {
			name := row[0].(string)
			stored[name[:len(name)-2]]++
		}
		for name, n := range stored {
			require.Equal(t, 2, n, name)
		}
		for name, there := range known {
			require.Equal(t, there, stored[name] == 2, name)
		}
	})
}
