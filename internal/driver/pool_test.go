//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

func TestConn_WritesAndReads(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		c := acquire(t, p)
		mustExec(t, c, map[string]string{
			"sqlite":   "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL, at DATETIME, f DOUBLE, ok BOOLEAN, raw BLOB)",
			"postgres": "CREATE TABLE t (id BIGSERIAL PRIMARY KEY, name TEXT NOT NULL, at TIMESTAMPTZ, f FLOAT8, ok BOOLEAN, raw BYTEA)",
			"mysql":    "CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL, at DATETIME(6), f DOUBLE, ok BOOLEAN, raw BLOB)",
		}[db.Dialect])
		at := time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.FixedZone("x", 3600))
		var atArg any = at
		insert := ph(db, "INSERT INTO t (name, at, f, ok, raw) VALUES ($1, $2, $3, $4, $5)")
		for range 3 {
			res := mustExec(t, c, insert, "Ünï😀", atArg, 1.5, true, []byte{0, 1, 255})
			require.EqualValues(t, 1, res.RowsAffected)
			require.EqualValues(t, 1, res.IDStep)
		}
		mustExec(t, c, insert, "nothing", nil, nil, nil, nil)
		for range 3 {
			rows := rowsOf(t, c, ph(db, "SELECT id, name, at, f, raw FROM t WHERE id <> $1 ORDER BY id"), int64(99))
			require.Len(t, rows, 4)
			for _, row := range rows[:3] {
				name := row[1]
				require.Equal(t, "Ünï😀", name)
				require.True(t, at.Equal(row[2].(time.Time)), "%v", row[2])
				require.Equal(t, time.UTC, row[2].(time.Time).Location())
				require.Equal(t, 1.5, row[3])
				require.Equal(t, "\x00\x01\xff", row[4])
			}
			require.Equal(t, []any{nil, nil, nil}, rows[3][2:])
		}
		res := mustExec(t, c, ph(db, "UPDATE t SET f = $1"), 1.5)
		require.EqualValues(t, 4, res.RowsAffected)
		res = mustExec(t, c, ph(db, "UPDATE t SET f = $1"), 1.5)
		require.EqualValues(t, 4, res.RowsAffected, "rows found, not rows changed")
	})
}

func TestDB_ServesTheSamePool(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p *Pool, db dbtest.Database) {
		d := p.DB()
		_, err := d.ExecContext(t.Context(), "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(20))")
		require.NoError(t, err)
		for i := range 5 {
			_, err = d.ExecContext(t.Context(), ph(db, "INSERT INTO t VALUES ($1, $2)"), i, "n")
			require.NoError(t, err)
		}
		tx, err := d.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		st, err := tx.PrepareContext(t.Context(), ph(db, "SELECT name FROM t WHERE id = $1"))
		require.NoError(t, err)
		for i := range 5 {
			var name string
			require.NoError(t, st.QueryRowContext(t.Context(), i).Scan(&name))
			require.Equal(t, "n", name)
		}
		require.NoError(t, st.Close())
		require.NoError(t, tx.Commit())
		var n int
		require.NoError(t, d.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n))
		require.Equal(t, 5, n)
		require.NoError(t, d.PingContext(t.Context()))
	})
}
