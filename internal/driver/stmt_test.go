//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func preparedOnServer(t *testing.T, db dbtest.Database, c *Conn) int {
	t.Helper()
	if db.Dialect == "postgres" {
		return int(rowsOf(t, c, "SELECT count(*) FROM pg_prepared_statements")[0][0].(int64))
	}
	return int(mysqlStatus(t, c, "Com_stmt_prepare") - mysqlStatus(t, c, "Com_stmt_close"))
}

// mysqlStatus is a counter of the session's.
func mysqlStatus(t testing.TB, c *Conn, name string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(rowsOf(t, c, "SHOW SESSION STATUS LIKE '"+name+"'")[0][1].(string), 10, 64)
	require.NoError(t, err)
	return n
}

func TestStatements_AreKeptPerConnectionAndBounded(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.StatementCache = 8
		c := acquire(t, open(t, o))
		mustExec(t, c, createT)
		for i := range 50 {
			q := ph(db, fmt.Sprintf("SELECT id, %d FROM t WHERE id = $1", i))
			for range 2 {
				rowsOf(t, c, q, int64(1))
			}
			mustExec(t, c, ph(db, fmt.Sprintf("DELETE FROM t WHERE id = $1 AND %d = %d", i, i)), int64(1))
		}
		require.LessOrEqual(t, preparedOnServer(t, db, c), 9)
		if db.Dialect == "mysql" {
			var n string
			require.NoError(t, db.Server.Admin().QueryRow("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'").Scan(new(string), &n))
			require.Less(t, len(n), 4, "statements pile up on the server: %s", n)
		}
	})
}

// hazards 187, 92
func TestStatements_OutliveChangesOfTheSchema(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, createT)
		mustExec(t, c, "INSERT INTO t VALUES (1, 'a')")
		q := ph(db, "SELECT * FROM t WHERE id = $1")
		for range 2 {
			require.Equal(t, [][]any{{int64(1), "a"}}, rowsOf(t, c, q, int64(1)))
		}
		_, err := p.DB().Exec("ALTER TABLE t ADD COLUMN n INT DEFAULT 5")
		require.NoError(t, err)
		require.Equal(t, [][]any{{int64(1), "a", int64(5)}}, rowsOf(t, c, q, int64(1)))
		require.NoError(t, c.Begin(t.Context(), TxOptions{}))
		rowsOf(t, c, q, int64(1))
		require.NoError(t, c.Commit(t.Context()))
		if db.Dialect == "postgres" {
			_, err := p.DB().Exec("ALTER TABLE t ALTER COLUMN n TYPE bigint")
			require.NoError(t, err)
			require.NoError(t, c.Begin(t.Context(), TxOptions{}))
			_, err = c.Query(t.Context(), q, []any{int64(1)})
			require.Equal(t, "0A000", Classify(err).Code, "a transaction is not begun again behind one's back")
			require.NoError(t, c.Rollback(t.Context()))
			require.NoError(t, c.Begin(t.Context(), TxOptions{}))
			require.Len(t, rowsOf(t, c, q, int64(1)), 1)
			require.NoError(t, c.Commit(t.Context()))
			mustExec(t, c, "DEALLOCATE ALL")
			require.Len(t, rowsOf(t, c, q, int64(1)), 1)
		}
	})
}

// hazard 192
func TestStatements_WhenTheServerPreparesNoMore(t *testing.T) {
	t.Parallel()
	s := dbtest.StartMariaDB(t)
	db := s.Database(t)
	s.Exec(t, "SET GLOBAL max_prepared_stmt_count = 2")
	p := open(t, optionsFor(db))
	for range 3 {
		c := acquire(t, p)
		mustExec(t, c, "CREATE TABLE IF NOT EXISTS p (v VARCHAR(50))")
		for i := range 6 {
			mustExec(t, c, fmt.Sprintf("INSERT INTO p VALUES (concat(?, '%d'))", i), `it's "a" \ test`)
		}
	}
	require.Equal(t, [][]any{{int64(18)}}, rowsOf(t, acquire(t, p), "SELECT count(*) FROM p WHERE v LIKE ?", `it's "a" \\ test_`))
}

// hazard 190
func TestPooler_KeepsNothingOnTheServer(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, db dbtest.Database) {
		o := optionsFor(db)
		o.Pooler = true
		c := acquire(t, open(t, o))
		mustExec(t, c, createT)
		for i := range 3 {
			mustExec(t, c, ph(db, "INSERT INTO t VALUES ($1, $2)"), int64(i), "a")
			require.Len(t, rowsOf(t, c, ph(db, "SELECT * FROM t WHERE name = $1"), "a"), i+1)
			require.Len(t, rowsOf(t, c, "SELECT * FROM t"), i+1)
		}
		require.Zero(t, preparedOnServer(t, db, c))
	})
}

func TestStatements_OfDatabaseSQLAreChecked(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		_, err := p.DB().Prepare("SELEC 1")
		require.Error(t, err)
		st, err := p.DB().Prepare(ph(db, "SELECT 1 + $1"))
		require.NoError(t, err)
		defer st.Close()
		var n int
		for range 3 {
			require.NoError(t, st.QueryRow(int64(2)).Scan(&n))
			require.Equal(t, 3, n)
		}
	})
}

func TestMySQL_ProceduresGiveSeveralSetsOfRows(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "mysql")))
	c := acquire(t, p)
	mustExec(t, c, "CREATE PROCEDURE two() BEGIN SELECT 1; SELECT 2, 3; END")
	rows, err := p.DB().Query("CALL two()")
	require.NoError(t, err)
	defer rows.Close()
	sets := 0
	for {
		sets++
		for rows.Next() {
		}
		if !rows.NextResultSet() {
			break
		}
	}
	require.NoError(t, rows.Err())
	require.Equal(t, 2, sets)
	require.NoError(t, rows.Close())
	require.Len(t, rowsOf(t, c, "CALL two()"), 1)
	mustExec(t, c, "SELECT 1")
}

// hazards 172, 175
func TestAcquire_TimesOut(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, _ dbtest.Database) {
		p.DB().SetMaxOpenConns(2)
		a, b := acquire(t, p), acquire(t, p)
		start := time.Now()
		_, err := p.Acquire(t.Context(), 100*time.Millisecond)
		var timeout *AcquireTimeoutError
		require.ErrorAs(t, err, &timeout)
		require.Equal(t, 2, timeout.Stats.InUse)
		require.Equal(t, 100*time.Millisecond, timeout.Wait)
		require.Equal(t, TooManyConnections, Classify(err).Class)
		require.True(t, Classify(err).NotSent)
		require.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond)
		require.Less(t, time.Since(start), 10*time.Second, "nothing else would end it")
		time.AfterFunc(50*time.Millisecond, a.Release)
		c, err := p.Acquire(t.Context(), 30*time.Second)
		require.NoError(t, err)
		mustExec(t, c, "SELECT 1")
		c.Release()
		b.Release()
		require.NoError(t, p.Close())
		require.NoError(t, p.Close())
		_, err = p.Acquire(t.Context(), time.Second)
		require.ErrorIs(t, err, ErrPoolClosed)
		require.Equal(t, Closed, Classify(err).Class)
	})
}

// hazard 180
func TestLifetime_IsJittered(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 200 {
		d := jitter(time.Hour)
		require.InDelta(t, time.Hour, d, float64(6*time.Minute))
		seen[d] = true
	}
	require.Greater(t, len(seen), 100)
	require.Equal(t, time.Duration(3), jitter(3))
	for range 100 {
		require.Greater(t, jitter(math.MaxInt64), 100*365*24*time.Hour)
	}
}
