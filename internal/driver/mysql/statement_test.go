//go:build !dbfleet_no_mysql

package mysql

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// If this fails after an upgrade of the driver, its field has another name: see whether
// its Exec passes the rows of a prepared statement over by now.
func TestGivesRows_KnowsWhatTheDriverKeeps(t *testing.T) {
	t.Parallel()
	s := connect(t)
	_, err := s.Exec(t.Context(), "CREATE TABLE u (id INT)", nil)
	require.NoError(t, err)
	for text, want := range map[string]bool{
		"SELECT id FROM u FOR UPDATE": true, "EXPLAIN SELECT id FROM u": true,
		"INSERT INTO u VALUES (1)": false, "UPDATE u SET id = 2": false,
		"INSERT INTO u VALUES (1) RETURNING id": false, // whose columns are described each time
	} {
		stmt, err := s.Conn.Prepare(text)
		require.NoError(t, err, text)
		require.Equal(t, want, givesRows(stmt), text)
		require.NoError(t, stmt.Close())
	}
}
