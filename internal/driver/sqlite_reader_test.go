//go:build !dbfleet_no_sqlite && !dbfleet_no_postgres && !dbfleet_no_mysql

package driver

import (
	sqldriver "database/sql/driver"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// If this fails after an upgrade of the driver, its rows are made in another
// way, and their values take the long way until sqliteReader knows it.
func TestSQLiteReader_KnowsTheDriversRows(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "sqlite")))
	c := acquire(t, p)
	for _, query := range []string{"SELECT 1", "SELECT 1 WHERE 1 = 0", "SELECT 1; SELECT 2"} {
		rows, err := c.Query(t.Context(), query, nil)
		require.NoError(t, err)
		require.NotZero(t, rows.(*cellCursor).src.(*sqliteRows).direct.stmt, query)
		require.NoError(t, rows.Close())
	}
}

// otherRows look like none that is known.
type otherRows struct{ sqldriver.Rows }

func TestSQLiteReader_LeavesOtherRowsToTheDriver(t *testing.T) {
	t.Parallel()
	require.Zero(t, readerOfSQLite(otherRows{}).stmt)
	require.Zero(t, readerOfSQLite(&otherRows{}).stmt)
	for _, rows := range []any{
		&struct {
			pstmt              int
			columns, decltypes []string
			c                  *struct{ tls *int }
		}{},
		&struct{ columns, decltypes []string }{},
	} {
		require.False(t, layoutOfSQLite(reflect.TypeOf(rows)).ok)
	}
}

// The values are the same when the driver reads them.
func TestSQLiteReader_ReadsWhatTheDriverReads(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "sqlite")))
	c := acquire(t, p)
	mustExec(t, c, "CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB, at DATETIME, day DATE, fine DATETIME(6), n)")
	mustExec(t, c, "INSERT INTO t VALUES (1, 0.5, 'text', x'00ff', '2024-02-29 01:02:03', '2024-02-29', '2024-02-29 01:02:03.000001', NULL)")
	mustExec(t, c, "INSERT INTO t VALUES (-1, 2, '', x'', 'yesterday', 'never', 'x', x'00')")
	fast := rowsOf(t, c, "SELECT * FROM t")
	var slow [][]any
	require.NoError(t, c.sc.Raw(func(dc any) error {
		s := dc.(*conn).s.(*sqliteSession)
		rows, err := s.rows(t.Context(), "SELECT * FROM t", nil)
		require.NoError(t, err)
		names := rows.Columns()
		by := &sqliteRows{plainRows: rows, sqliteColumns: describeSQLite(&rows, names, nil)}
		slow, err = drain(by)
		return err
	}))
	require.Equal(t, fast, slow)
	require.Equal(t, time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC), slow[0][4])
}

func TestSQLiteRows_FollowAChangeOfTheSchema(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "sqlite")))
	c := acquire(t, p)
	mustExec(t, c, "CREATE TABLE t (a TEXT)")
	mustExec(t, c, "INSERT INTO t VALUES ('2024-02-29')")
	read := func() (columns []string, types []string, values [][]any) {
		for range 3 { // kept statements
			rows, err := c.Query(t.Context(), "SELECT * FROM t WHERE 1 = ?", []any{int64(1)})
			require.NoError(t, err)
			columns, types = rows.Columns(), nil
			for i := range columns {
				types = append(types, rows.TypeName(i))
			}
			values, err = drain(rows)
			require.NoError(t, err)
		}
		return columns, types, values
	}
	columns, types, values := read()
	require.Equal(t, []string{"a"}, columns)
	require.Equal(t, []string{"TEXT"}, types)
	require.Equal(t, [][]any{{"2024-02-29"}}, values)
	mustExec(t, c, "ALTER TABLE t ADD COLUMN b DATE DEFAULT '2024-01-01'")
	columns, types, values = read()
	require.Equal(t, []string{"a", "b"}, columns)
	require.Equal(t, []string{"TEXT", "DATE"}, types)
	require.Equal(t, [][]any{{"2024-02-29", time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}}, values)
}

// Two cursors on one text have each a buffer of its own.
func TestSQLiteRows_OfOneTextDoNotShareTheirRow(t *testing.T) {
	t.Parallel()
	p := open(t, optionsFor(dbtest.New(t, "sqlite")))
	c := acquire(t, p)
	const query = "SELECT 'a' || column1 FROM (VALUES (1), (2), (3))"
	rowsOf(t, c, query)
	rowsOf(t, c, query)
	cursors := make([]*cellCursor, 2)
	for i := range cursors {
		rows, err := c.Query(t.Context(), query, nil)
		require.NoError(t, err)
		cursors[i] = rows.(*cellCursor)
	}
	row, other := make([]cell.Cell, 1), make([]cell.Cell, 1)
	require.NoError(t, cursors[0].NextCells(row))
	require.NoError(t, cursors[1].NextCells(other))
	require.NoError(t, cursors[1].NextCells(other))
	require.Equal(t, "a1", row[0].Value())
	require.Equal(t, "a2", other[0].Value())
	for _, r := range cursors {
		require.NoError(t, r.Close())
		require.ErrorIs(t, r.NextCells(row), io.EOF)
	}
}
