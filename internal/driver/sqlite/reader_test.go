//go:build !dbfleet_no_sqlite && !dbfleet_plain_sqlite

package sqlite

import (
	sqldriver "database/sql/driver"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
