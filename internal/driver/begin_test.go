//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// anotherOf gives connections of a pool, and counts them.
type anotherOf struct {
	p *Pool
	n int
}

func (a *anotherOf) Another(ctx context.Context) (*Conn, error) {
	a.n++
	return a.p.Acquire(ctx, 5*time.Second)
}

// beginFixture is a database behind a proxy, a pool, and a table of what has happened.
type beginFixture struct {
	db    dbtest.Database
	proxy *dbtest.Proxy
	pool  *Pool
	other *Conn // past the proxy
}

func setupBegin(t *testing.T, change ...func(*Options)) *beginFixture {
	t.Helper()
	db := dbtest.New(t, "postgres")
	f := &beginFixture{db: db, other: acquire(t, open(t, optionsFor(db)))}
	mustExec(t, f.other, createT)
	mustExec(t, f.other, "CREATE SEQUENCE happened")
	mustExec(t, f.other, "CREATE FUNCTION happens(n bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('happened') + n $$")
	proxy, o := proxied(t, db)
	for _, f := range change {
		f(&o)
	}
	f.proxy, f.pool = proxy, open(t, o)
	return f
}

// served is a connection of the pool on which a statement was sent before.
func (f *beginFixture) served(t *testing.T) *Conn {
	t.Helper()
	c, err := f.pool.Acquire(t.Context(), 5*time.Second)
	require.NoError(t, err)
	t.Cleanup(c.Release)
	mustExec(t, c, "SELECT 1")
	return c
}

// happenings is how often something happened beyond a transaction.
func (f *beginFixture) happenings(t *testing.T) any {
	t.Helper()
	return rowsOf(t, f.other, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM happened")[0][0]
}

const insertT = "INSERT INTO t (id, name) VALUES ($1, $2)"

// firsts are statements that a transaction may begin with. Each inserts the row with that
// id, and reports its error.
var firsts = map[string]func(ctx context.Context, c *Conn, id int64) error{
	"exec": func(ctx context.Context, c *Conn, id int64) error {
		_, err := c.Exec(ctx, insertT, []any{id, "x"})
		return err
	},
	"a read": func(ctx context.Context, c *Conn, id int64) error {
		rows, err := c.Query(ctx, "SELECT name FROM t WHERE id = $1", []any{id})
		if err == nil {
			_, err = drain(rows)
		}
		if err == nil {
			_, err = c.Exec(ctx, insertT, []any{id, "x"})
		}
		return err
	},
	"a text": func(ctx context.Context, c *Conn, id int64) error {
		_, err := c.Exec(ctx, fmt.Sprintf("INSERT INTO t (id, name) VALUES (%d, 'x')", id), nil)
		return err
	},
	"rows": func(ctx context.Context, c *Conn, id int64) error {
		rows, err := c.Query(ctx, insertT+" RETURNING id", []any{id, "x"})
		if err == nil {
			_, err = drain(rows)
		}
		return err
	},
	"rows by arrays": func(ctx context.Context, c *Conn, id int64) error {
		rows, _, err := c.InsertRows(ctx, "INSERT INTO t (id, name) VALUES ($1, $2), ($3, $4) RETURNING id", []any{id, "x", -id, "x"}, insertT+" RETURNING id")
		if err == nil {
			_, err = drain(rows)
		}
		return err
	},
	"a load": func(ctx context.Context, c *Conn, id int64) error {
		l, err := c.Load(LoadTarget{Table: "t", Columns: []string{"id", "name"}, Insert: func(int) (string, error) { return insertT, nil }})
		if err == nil {
			err = l.Add(ctx, []any{id, "x"})
		}
		if err == nil {
			_, err = l.Done(ctx)
		}
		return err
	},
	"a savepoint": func(ctx context.Context, c *Conn, id int64) error {
		if _, err := c.Exec(ctx, "SAVEPOINT s", nil); err != nil {
			return err
		}
		_, err := c.Exec(ctx, insertT, []any{id, "x"})
		return err
	},
	"a group": func(ctx context.Context, c *Conn, id int64) error {
		g, err := c.NewGroup(ctx)
		if err != nil {
			return err
		}
		defer g.End(sql.ErrTxDone)
		return g.QueryRow(ctx, insertT+" RETURNING id", id, "x").Scan(&id)
	},
	"the question of its isolation": func(ctx context.Context, c *Conn, id int64) error {
		if _, err := c.Isolation(ctx); err != nil {
			return err
		}
		_, err := c.Exec(ctx, insertT, []any{id, "x"})
		return err
	},
	"what calls a function": func(ctx context.Context, c *Conn, id int64) error {
		_, err := c.Exec(ctx, "INSERT INTO t (id, name) SELECT $1::bigint, 'x' WHERE happens($1::bigint) > 0", []any{id})
		return err
	},
}

// along are those with which BEGIN is sent together.
var along = map[string]bool{"a read": true}

func (f *beginFixture) ids(t *testing.T) map[int64]bool {
	t.Helper()
	ids := map[int64]bool{}
	for _, row := range rowsOf(t, f.other, "SELECT id FROM t WHERE id > 0") {
		ids[row[0].(int64)] = true
	}
	return ids
}

// A transaction is what it was, whatever comes first in it.
func TestBeginLate_WhateverComesFirstIsInTheTransaction(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"as it is": func(*Options) {}, "behind a pooler": func(o *Options) { o.Pooler = true }, "nothing kept": func(o *Options) { o.StatementCache = 0 },
	} {
		f := setupBegin(t, change)
		want, id := map[int64]bool{}, int64(0)
		for range 3 {
			for what, first := range firsts {
				c := f.served(t)
				id++
				require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, nil))
				require.NoError(t, first(t.Context(), c, id), "%s, %s", name, what)
				require.NoError(t, c.Rollback(t.Context()))
				require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, nil))
				id++
				require.NoError(t, first(t.Context(), c, id), "%s, %s", name, what)
				mustExec(t, c, insertT, id+1000, "more")
				require.NoError(t, c.Commit(t.Context()))
				want[id], want[id+1000] = true, true
				require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, nil))
				require.NoError(t, first(t.Context(), c, id+5000), "%s, %s", name, what)
				c.Release() // rolls back
			}
		}
		require.Equal(t, want, f.ids(t), name)
	}
}

// A transaction of four statements that are prepared, of which the first is a read, takes five
// messages, and one without a statement none.
func TestBeginLate_TakesNoMessageOfItsOwn(t *testing.T) {
	t.Parallel()
	f := setupBegin(t)
	c := f.served(t)
	id := int64(0)
	transaction := func() {
		require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, nil))
		for range 2 {
			require.Len(t, rowsOf(t, c, "SELECT name FROM t WHERE id = $1", id), min(1, int(id)))
			id++
			mustExec(t, c, insertT, id, "x")
		}
		require.NoError(t, c.Commit(t.Context()))
	}
	for range 3 {
		transaction()
	}
	sent := f.proxy.On(dbtest.Fault{})
	begins := f.proxy.On(dbtest.Fault{Marker: "BEGIN"})
	transaction()
	require.Equal(t, 5, sent.Seen())
	require.Equal(t, 1, begins.Seen())
	require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, nil))
	require.NoError(t, c.Commit(t.Context()))
	require.NoError(t, c.BeginAnchor(t.Context(), TxOptions{}, nil))
	wrote, err := c.Wrote(t.Context())
	require.NoError(t, err)
	require.False(t, wrote)
	require.NoError(t, c.Rollback(t.Context()))
	require.Equal(t, 5, sent.Seen())
	require.Len(t, f.ids(t), int(id))
}

// promise: at most one execution
// Wherever the connection is lost in the first exchange, what the transaction has done is
// done once and is what was told; what a function does beyond the transaction happens at
// most once.
func TestBeginLate_GoesToAnotherConnectionWhereverItsOwnIsLost(t *testing.T) {
	t.Parallel()
	f := setupBegin(t)
	var faults []dbtest.Fault
	for _, reset := range []bool{false, true} {
		faults = append(faults, dbtest.Fault{Action: dbtest.CutRequest, Reset: reset}, dbtest.Fault{Action: dbtest.CutReply, Reset: reset})
	}
	for packets := 1; packets < 7; packets++ {
		faults = append(faults, dbtest.Fault{Action: dbtest.CutReply, Packets: packets, Dialect: "postgres"})
	}
	want, id := map[int64]bool{}, int64(0)
	for _, fault := range faults {
		for what, first := range firsts {
			where := fmt.Sprintf("%s, %+v", what, fault)
			c := f.served(t)
			a := &anotherOf{p: f.pool}
			id++
			calls := f.happenings(t)
			require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, a))
			fault.Marker, fault.Times = "BEGIN", 1
			lost := f.proxy.On(fault)
			err := first(t.Context(), c, id)
			require.Equal(t, 1+a.n, lost.Seen(), where)
			f.proxy.Heal()
			answered := 2 // packets of the answer to BEGIN
			if along[what] {
				answered = 3
			}
			if fault.Packets < answered {
				require.NoError(t, err, where)
				require.Equal(t, 1, a.n, where)
			}
			if err == nil {
				want[id] = true
				require.NoError(t, c.Commit(t.Context()), where)
			} else {
				require.Zero(t, a.n, where)
				require.Equal(t, Connection, Classify(err).Class, "%s: %v", where, err)
				require.Error(t, c.Commit(t.Context()), where)
			}
			c.Release()
			require.LessOrEqual(t, f.happenings(t), calls.(int64)+1, where)
			require.Equal(t, want, f.ids(t), where)
		}
	}
}

// Nobody else's transaction goes on elsewhere: after an error that was told, on a connection
// that was new, when its time is over, or without another one.
func TestBeginLate_IsLostWithItsConnectionWhereItCannotGoOn(t *testing.T) {
	t.Parallel()
	f := setupBegin(t)
	cut := dbtest.Fault{Marker: "BEGIN", Action: dbtest.CutRequest, Times: 1}

	c := f.served(t)
	require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, nil))
	f.proxy.On(cut)
	_, err := c.Exec(t.Context(), insertT, []any{int64(1), "x"})
	require.Equal(t, Connection, Classify(err).Class, "%v", err)
	_, err = c.Exec(t.Context(), insertT, []any{int64(1), "x"})
	require.Equal(t, TxLost, Classify(err).Class, "%v", err)
	require.Equal(t, TxLost, Classify(c.Commit(t.Context())).Class)
	c.Release()

	a := &anotherOf{p: f.pool}
	for range 4 { // all that were idle are in use, so that the next is new
		f.served(t)
		if f.pool.DB().Stats().InUse == f.pool.DB().Stats().OpenConnections {
			break
		}
	}
	fresh, err := open(t, func() Options { _, o := f.proxy, optionsFor(f.proxy.Through(f.db)); return o }()).Acquire(t.Context(), time.Second)
	require.NoError(t, err)
	t.Cleanup(fresh.Release)
	require.NoError(t, fresh.BeginLate(t.Context(), TxOptions{}, a))
	f.proxy.On(cut)
	_, err = fresh.Exec(t.Context(), insertT, []any{int64(2), "x"})
	require.Equal(t, Connection, Classify(err).Class, "%v", err)
	require.Zero(t, a.n)

	c = f.served(t)
	require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, a))
	held := f.proxy.On(dbtest.Fault{Marker: "BEGIN", Action: dbtest.HoldReply, Times: 1})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-held.Fired()
		cancel()
	}()
	_, err = c.Exec(ctx, insertT, []any{int64(3), "x"})
	require.ErrorIs(t, err, context.Canceled)
	f.proxy.Heal()
	_, err = c.Exec(t.Context(), insertT, []any{int64(3), "x"})
	require.Equal(t, TxLost, Classify(err).Class, "the caller was told so: %v", err)
	require.Zero(t, a.n)
	c.Release()

	c = f.served(t)
	require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, &anotherOf{p: f.pool}))
	f.proxy.On(cut)
	f.proxy.Retarget("127.0.0.1:1")
	_, err = c.Exec(t.Context(), insertT, []any{int64(4), "x"})
	require.Equal(t, Connection, Classify(err).Class, "%v", err)
	f.proxy.Retarget(f.db.Server.Addr())
	_, err = c.Exec(t.Context(), insertT, []any{int64(5), "x"})
	require.Equal(t, TxLost, Classify(err).Class, "%v", err)
	require.Equal(t, TxLost, Classify(c.Commit(t.Context())).Class)
	c.Release()
	require.Empty(t, f.ids(t))
}

// A server that goes away while nothing was sent yet takes nothing with it.
func TestBeginLate_OutlivesAServersFarewellBeforeItsFirstStatement(t *testing.T) {
	t.Parallel()
	f := setupBegin(t)
	for i, first := range []string{insertT, "SELECT happens($1), $2"} {
		c := f.served(t)
		a := &anotherOf{p: f.pool}
		require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, a))
		require.NotZero(t, f.db.KillConnections(t))
		require.Eventually(t, func() bool { return c.inner.s.(interface{ Alive() bool }).Alive() == false }, 5*time.Second, time.Millisecond)
		time.Sleep(2 * idleCheck)
		_, err := c.Exec(t.Context(), first, []any{int64(i + 1), "x"})
		require.NoError(t, err, first)
		require.Equal(t, 1, a.n)
		require.NoError(t, c.Commit(t.Context()))
		c.Release()
		f.other = acquire(t, open(t, optionsFor(f.db)))
	}
	require.Len(t, f.ids(t), 1)
}

// A connection that is lent is busy, and not waited for, whether its transaction has begun
// or not.
func TestBeginLate_IsBusyWhileTheConnectionIsLent(t *testing.T) {
	t.Parallel()
	f := setupBegin(t)
	c := f.served(t)
	for range 2 {
		require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, &anotherOf{p: f.pool}))
		_, back, err := c.Lend()
		require.NoError(t, err)
		for what, first := range firsts {
			require.ErrorIs(t, first(t.Context(), c, 1), ErrBusy, what)
		}
		_, _, err = c.Lend()
		require.ErrorIs(t, err, ErrBusy)
		back()
		mustExec(t, c, insertT, int64(1), "x")
		require.NoError(t, c.Rollback(t.Context()))
		require.Empty(t, f.ids(t))
	}
}

// What is refused in the first exchange is told as ever, and breaks the transaction.
func TestBeginLate_RefusedStatementIsTold(t *testing.T) {
	t.Parallel()
	f := setupBegin(t)
	mustExec(t, f.other, insertT, int64(1), "x")
	for range 4 {
		c := f.served(t)
		require.NoError(t, c.BeginLate(t.Context(), TxOptions{}, &anotherOf{p: f.pool}))
		_, err := c.Exec(t.Context(), insertT, []any{int64(1), "x"})
		require.Equal(t, Unique, Classify(err).Class, "%v", err)
		_, err = c.Exec(t.Context(), insertT, []any{int64(2), "x"})
		require.Equal(t, TxLost, Classify(err).Class, "%v", err)
		require.Equal(t, TxLost, Classify(c.Commit(t.Context())).Class)
		require.NoError(t, c.BeginLate(t.Context(), TxOptions{ReadOnly: true}, nil))
		_, err = c.Exec(t.Context(), insertT, []any{int64(2), "x"})
		require.Equal(t, ReadOnly, Classify(err).Class, "%v", err)
		require.NoError(t, c.Rollback(t.Context()))
		c.Release()
	}
	require.Len(t, f.ids(t), 1)
}
