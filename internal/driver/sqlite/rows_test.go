//go:build !dbfleet_no_sqlite

package sqlite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/cell"
)

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
