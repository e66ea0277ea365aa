//go:build !dbfleet_no_sqlite

package sqlite

import (
	sqldriver "database/sql/driver"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/cell"
)

// If this fails after an upgrade of the driver, its rows are made in another
// way, and their values take the long way until reader knows it.
func TestReader_KnowsTheDriversRows(t *testing.T) {
	t.Parallel()
	s := connect(t)
	for _, text := range []string{"SELECT 1", "SELECT 1 WHERE 1 = 0", "SELECT 1; SELECT 2"} {
		r := query(t, s, text)
		require.NotZero(t, r.direct.stmt, text)
		require.NoError(t, r.Close())
	}
}

// otherRows look like none that is known.
type otherRows struct{ sqldriver.Rows }

func TestReader_LeavesOtherRowsToTheDriver(t *testing.T) {
	t.Parallel()
	require.Zero(t, readerOf(otherRows{}).stmt)
	require.Zero(t, readerOf(&otherRows{}).stmt)
	for _, rows := range []any{
		&struct {
			pstmt              int
			columns, decltypes []string
			c                  *struct{ tls *int }
		}{},
		&struct{ columns, decltypes []string }{},
	} {
		require.False(t, layoutOf(reflect.TypeOf(rows)).ok)
	}
}

// The values are the same when the driver reads them.
func TestReader_ReadsWhatTheDriverReads(t *testing.T) {
	t.Parallel()
	s := connect(t)
	mustExec(t, s, "CREATE TABLE t (i INTEGER, r REAL, s TEXT, b BLOB, at DATETIME, day DATE, fine DATETIME(6), n)")
	mustExec(t, s, "INSERT INTO t VALUES (1, 0.5, 'text', x'00ff', '2024-02-29 01:02:03', '2024-02-29', '2024-02-29 01:02:03.000001', NULL)")
	mustExec(t, s, "INSERT INTO t VALUES (-1, 2, '', x'', 'yesterday', 'never', 'x', x'00')")
	fast := rowsOf(t, s, "SELECT * FROM t")
	plain, err := s.Read(t.Context(), "SELECT * FROM t", nil)
	require.NoError(t, err)
	slow := drain(t, &rows{Rows: plain, columns: describe(&plain, plain.Columns(), nil)})
	require.Equal(t, fast, slow)
	require.Equal(t, time.Date(2024, 2, 29, 1, 2, 3, 0, time.UTC), slow[0][4])
}

func TestRows_FollowAChangeOfTheSchema(t *testing.T) {
	t.Parallel()
	s := connect(t)
	mustExec(t, s, "CREATE TABLE t (a TEXT)")
	mustExec(t, s, "INSERT INTO t VALUES ('2024-02-29')")
	read := func() (columns []string, types []string, values [][]any) {
		for range 3 { // kept statements
			r := query(t, s, "SELECT * FROM t WHERE 1 = ?", int64(1))
			columns, types = r.Columns(), nil
			for i := range columns {
				types = append(types, r.TypeName(i))
			}
			values = drain(t, r)
		}
		return columns, types, values
	}
	columns, types, values := read()
	require.Equal(t, []string{"a"}, columns)
	require.Equal(t, []string{"TEXT"}, types)
	require.Equal(t, [][]any{{"2024-02-29"}}, values)
	mustExec(t, s, "ALTER TABLE t ADD COLUMN b DATE DEFAULT '2024-01-01'")
	columns, types, values = read()
	require.Equal(t, []string{"a", "b"}, columns)
	require.Equal(t, []string{"TEXT", "DATE"}, types)
	require.Equal(t, [][]any{{"2024-02-29", time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)}}, values)
}

// Two cursors on one text have each a buffer of its own.
func TestRows_OfOneTextDoNotShareTheirRow(t *testing.T) {
	t.Parallel()
	s := connect(t)
	const text = "SELECT 'a' || column1 FROM (VALUES (1), (2), (3))"
	rowsOf(t, s, text)
	rowsOf(t, s, text)
	cursors := []*rows{query(t, s, text), query(t, s, text)}
	row, other := make([]cell.Cell, 1), make([]cell.Cell, 1)
	require.NoError(t, cursors[0].NextCells(row))
	require.NoError(t, cursors[1].NextCells(other))
	require.NoError(t, cursors[1].NextCells(other))
	require.Equal(t, "a1", row[0].Value())
	require.Equal(t, "a2", other[0].Value())
	for _, r := range cursors {
		require.NoError(t, r.Close())
	}
}
