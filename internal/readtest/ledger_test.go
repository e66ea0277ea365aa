package readtest

import (
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
	fleet "github.com/dbfleet/dbfleet/internal/driver"
)

// ledger is a database's ledger, newly made.
func ledger(t *testing.T, p *fleet.Pool, db dbtest.Database) *dialect.Ledger {
	t.Helper()
	d, _ := dialect.Lookup(db.Dialect)
	l := dialect.LedgerOf(d)
	c := conn(t, p)
	defer c.Release()
	for range 2 { // the second finds it
		exec(t, c, l.Create)
		for i, text := range l.Found {
			var args []any
			if i == 0 {
				args = []any{"0123456789abcdef"}
			}
			_, err := c.Exec(t.Context(), text, args)
			require.NoError(t, err)
		}
	}
	require.Equal(t, [][]string{{l.DurableKind}}, texts(t, c, l.Durable))
	return l
}

func texts(t *testing.T, c *fleet.Conn, text string, args ...any) (all [][]string) {
	t.Helper()
	rows, err := drain(query(t, c, text, args...))
	require.Contains(t, []string{"EOF"}, err.Error(), text)
	for _, row := range rows {
		var list []string
		for _, v := range row {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			list = append(list, fmt.Sprint(v))
		}
		all = append(all, list)
	}
	return all
}

func run(t *testing.T, c *fleet.Conn, text string, args ...any) int64 {
	t.Helper()
	res, err := c.Exec(t.Context(), text, args)
	require.NoError(t, err, text)
	return res.RowsAffected
}

// What a fence says.
const (
	won     = "won"
	exists  = "exists"
	blocked = "blocked"
)

// fence fences a transaction off, as a recoverer does.
func fence(t *testing.T, p *fleet.Pool, db dbtest.Database, l *dialect.Ledger, id string) string {
	t.Helper()
	c := conn(t, p)
	defer c.Release()
	o := fleet.TxOptions{Isolation: sql.LevelReadCommitted}
	if db.Dialect == "sqlite" { // where it waits for the busy timeout
		o.Isolation = sql.LevelDefault
	}
	if l.FenceWait != "" && !l.FenceInside {
		run(t, c, l.FenceWait)
	}
	if err := c.Begin(t.Context(), o); err != nil {
		require.Equal(t, fleet.LockTimeout, fleet.Classify(err).Class, "%v", err)
		return blocked
	}
	if l.FenceInside {
		run(t, c, l.FenceWait)
	}
	_, err := c.Exec(t.Context(), l.Fence, []any{id, int64(7)})
	if err == nil {
		require.Equal(t, [][]string{{"0"}}, texts(t, c, l.Horizon))
		require.NoError(t, c.Commit(t.Context()))
		return won
	}
	require.NoError(t, c.Rollback(t.Context()))
	switch class := fleet.Classify(err).Class; class {
	case fleet.Unique:
		return exists
	case fleet.LockTimeout, fleet.Deadlock:
		return blocked
	default:
		t.Fatalf("class %v: %v", class, err)
		return ""
	}
}

// A fence never waits for the coordinator, and never misses it: at every isolation of
// the anchor's.
func TestLedger_FenceTellsALivingAnchorFromADeadOne(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, db)
		l := ledger(t, p, db)
		levels := []sql.IsolationLevel{sql.LevelDefault}
		if db.Dialect != "sqlite" {
			levels = append(levels, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable)
		}
		for i, level := range levels {
			for _, commit := range []bool{true, false} {
				id := fmt.Sprintf("dbfleet_%d_%v", i, commit)
				anchor := conn(t, p)
				require.NoError(t, anchor.BeginAnchor(t.Context(), fleet.TxOptions{Isolation: level}, nil))
				require.Len(t, texts(t, anchor, l.Read(1), id), 0) // its snapshot
				run(t, anchor, l.Decide, id, "[]", int64(7))
				start := time.Now()
				require.Equal(t, blocked, fence(t, p, db, l, id), "%v", level)
				require.Less(t, time.Since(start), 10*time.Second)
				if commit {
					require.NoError(t, anchor.Commit(t.Context()))
					require.Equal(t, exists, fence(t, p, db, l, id))
				} else {
					require.NoError(t, anchor.Rollback(t.Context()))
					require.Equal(t, won, fence(t, p, db, l, id))
					require.Equal(t, exists, fence(t, p, db, l, id))
				}
				state := texts(t, anchor, l.Read(1), id)[0][1]
				require.Equal(t, map[bool]string{true: dialect.LedgerCommit, false: dialect.LedgerAbort}[commit], state)
				anchor.Release()
			}
		}
	})
}

// An anchor that comes after the fence cannot decide, whatever its snapshot shows.
func TestLedger_FenceHoldsTheAnchorOff(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, db)
		l := ledger(t, p, db)
		levels := []sql.IsolationLevel{sql.LevelDefault}
		if db.Dialect != "sqlite" {
			levels = append(levels, sql.LevelReadCommitted, sql.LevelRepeatableRead, sql.LevelSerializable)
		}
		for i, level := range levels {
			id := fmt.Sprintf("dbfleet_%d", i)
			anchor := conn(t, p)
			if db.Dialect == "sqlite" { // one writer: the fence is before it or after it
				require.Equal(t, won, fence(t, p, db, l, id))
			}
			require.NoError(t, anchor.BeginAnchor(t.Context(), fleet.TxOptions{Isolation: level}, nil))
			if db.Dialect != "sqlite" {
				texts(t, anchor, l.Horizon) // its snapshot; a serializable read of MariaDB's locks no more than that row
				require.Equal(t, won, fence(t, p, db, l, id))
			}
			_, err := anchor.Exec(t.Context(), l.Decide, []any{id, "[]", int64(7)})
			require.Contains(t, []fleet.Class{fleet.Unique, fleet.Serialization}, fleet.Classify(err).Class, "%v", err)
			require.NoError(t, anchor.Rollback(t.Context()))
			require.Equal(t, dialect.LedgerAbort, texts(t, anchor, l.Read(1), id)[0][1])
			anchor.Release()
		}
	})
}

// Several recoverers may fence the same transaction: at most one wins, and one does in
// the end.
func TestLedger_OneFenceWins(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, db)
		l := ledger(t, p, db)
		for round := range 10 {
			id := fmt.Sprintf("dbfleet_%d", round)
			var wg sync.WaitGroup
			var answers [3]string
			for i := range answers {
				wg.Go(func() { answers[i] = fence(t, p, db, l, id) })
			}
			wg.Wait()
			wins := 0
			for _, a := range answers {
				if a == won {
					wins++
				}
			}
			require.LessOrEqual(t, wins, 1, "%v", answers)
			if wins == 0 {
				require.Equal(t, won, fence(t, p, db, l, id))
			}
			require.Equal(t, exists, fence(t, p, db, l, id))
		}
	})
}

func TestLedger_LivesItsLife(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		p := open(t, db)
		l := ledger(t, p, db)
		c := conn(t, p)
		identity := texts(t, c, l.Identity)
		require.Equal(t, "0123456789abcdef", identity[0][0])
		require.Equal(t, identity[0][1], identity[0][2])
		require.EqualValues(t, 0, run(t, c, l.Rename, "new", "another"))
		require.EqualValues(t, 1, run(t, c, l.Rename, "fedcba9876543210", "0123456789abcdef"))
		require.Equal(t, "fedcba9876543210", texts(t, c, l.Identity)[0][0])

		names := func(rows [][]string) (list []string) {
			for _, row := range rows {
				list = append(list, row[0])
			}
			return list
		}
		run(t, c, l.Decide, "dbfleet_a", `[{"n":1,"name":"ü"}]`, int64(5))
		run(t, c, l.Decide, "dbfleet_b", "[]", int64(6))
		run(t, c, l.Lost, "dbfleet_c", int64(7), "[1]")
		run(t, c, l.Mark, "dbfleet_a", int64(2), int64(5))
		run(t, c, l.Mark, "dbfleet_a", int64(1), int64(5))
		require.Equal(t, []string{"1", "2"}, names(texts(t, c, l.Marked, "dbfleet_a")))
		require.Equal(t, []string{"dbfleet_a"}, names(texts(t, c, l.Marks)))
		require.ElementsMatch(t, []string{"dbfleet_a", "dbfleet_b", "dbfleet_c"}, names(texts(t, c, l.Open)))

		row := texts(t, c, l.Read(2), "dbfleet_a", "dbfleet_x")
		require.Len(t, row, 1)
		require.Equal(t, []string{"dbfleet_a", "commit", `[{"n":1,"name":"ü"}]`, "5"}, row[0][:4])
		require.Equal(t, []string{"<nil>", ""}, row[0][5:])
		var created int64
		_, err := fmt.Sscan(row[0][4], &created)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), time.UnixMilli(created), time.Minute)
		require.Empty(t, texts(t, c, l.Read(0)))

		require.EqualValues(t, 0, run(t, c, l.Finish, "abort", "dbfleet_a"), "another decision")
		require.EqualValues(t, 0, run(t, c, l.Finish, "abort", "dbfleet_c"), "it has incidents")
		require.EqualValues(t, 1, run(t, c, l.Finish, "commit", "dbfleet_a"))
		require.EqualValues(t, 1, run(t, c, l.Finish, "commit", "dbfleet_b"))
		require.Equal(t, []string{"dbfleet_c"}, names(texts(t, c, l.Open)))
		require.Empty(t, texts(t, c, l.Old, int64(3600_000)))
		require.ElementsMatch(t, []string{"dbfleet_a", "dbfleet_b"}, names(texts(t, c, l.Old, int64(-3600_000))))

		require.NoError(t, c.Begin(t.Context(), fleet.TxOptions{}))
		require.Len(t, texts(t, c, l.Lock, "dbfleet_b"), 1)
		require.EqualValues(t, 1, run(t, c, l.Incident, "[2]", "dbfleet_b"))
		require.NoError(t, c.Commit(t.Context()))
		require.ElementsMatch(t, []string{"dbfleet_b", "dbfleet_c"}, names(texts(t, c, l.Open)))

		require.EqualValues(t, 1, run(t, c, l.Forget, "dbfleet_a"))
		require.EqualValues(t, 0, run(t, c, l.Forget, "dbfleet_b"), "it is open")
		for _, made := range []int64{9, 5} {
			run(t, c, l.Raise, made)
			require.Equal(t, [][]string{{"9"}}, texts(t, c, l.Horizon))
		}
		keys := texts(t, c, l.Keys(1), "dbfleet_a")
		require.Len(t, keys, 2)
		for _, key := range keys {
			require.EqualValues(t, 1, run(t, c, l.Unmark, key[0], key[1]))
		}
		require.Empty(t, texts(t, c, l.Marks))
	})
}

// The table is InnoDB's also where another engine is the default.
func TestLedger_KnowsTransactionsWhateverTheDefaultEngine(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	p := open(t, db)
	c := conn(t, p)
	l := dialect.LedgerOf(dialect.MySQL)
	exec(t, c, "SET default_storage_engine = MyISAM", l.Create)
	require.Equal(t, [][]string{{l.DurableKind}}, texts(t, c, l.Durable))
	exec(t, c, "DROP TABLE "+dialect.LedgerTable, "CREATE TABLE "+dialect.LedgerTable+" (id INT) ENGINE = MyISAM", l.Create)
	require.Equal(t, [][]string{{"MyISAM"}}, texts(t, c, l.Durable), "one of others is noticed")
}

// What writes to the ledger is on the disk when its COMMIT is answered, whatever the
// session is set to; what waits for more than that still does.
func TestLedger_WaitsForTheDisk(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	p := open(t, db)
	l := ledger(t, p, db)
	c := conn(t, p)
	setting := func() string { return texts(t, c, "SELECT current_setting('synchronous_commit')")[0][0] }
	for i, set := range []string{"off", "local", "on", "remote_apply"} {
		want := map[string]string{"off": "on"}[set]
		if want == "" {
			want = set
		}
		exec(t, c, "SET synchronous_commit = "+set)
		id := fmt.Sprint("dbfleet_", i)
		for _, text := range []struct {
			sql  string
			args []any
		}{
			{l.Decide, []any{id, "[]", int64(7)}}, {l.Finish, []any{dialect.LedgerCommit, id}},
			{l.Fence, []any{id + "b", int64(7)}}, {l.Lost, []any{id + "c", int64(7), "[]"}}, {l.Mark, []any{id, int64(1), int64(7)}},
		} {
			require.NoError(t, c.Begin(t.Context(), fleet.TxOptions{}))
			require.Equal(t, set, setting())
			require.EqualValues(t, 1, run(t, c, text.sql, text.args...))
			require.Equal(t, want, setting(), text.sql)
			require.NoError(t, c.Commit(t.Context()))
			require.Equal(t, set, setting())
		}
	}
}
