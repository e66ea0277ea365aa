//go:build !dbfleet_no_sqlite

package sqlite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// hazard 123
// SQLite itself says how a transaction has ended that nobody ended by Commit or Rollback.
func TestConn_TellsHowATransactionHasEnded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]session.TxStatus{
		"SELECT 1": session.TxOpen, "SAVEPOINT a; ROLLBACK TO a; RELEASE a": session.TxOpen, "COMMIT": session.TxCommitted, "ROLLBACK": session.TxRolledBack,
		"ROLLBACK; BEGIN": session.TxRolledBack, "COMMIT; BEGIN": session.TxNone, "COMMIT; BEGIN IMMEDIATE; ROLLBACK": session.TxNone, "COMMIT; INSERT INTO a VALUES (1)": session.TxCommitted,
	} {
		s := connect(t)
		_, err := s.Exec(t.Context(), "CREATE TABLE a (v)", nil)
		require.NoError(t, err)
		require.NoError(t, s.Begin(t.Context(), session.TxOptions{}))
		require.Equal(t, session.TxOpen, s.TxStatus())
		_, err = s.Exec(t.Context(), text, nil)
		require.NoError(t, err, text)
		if !s.in.known() && want == session.TxNone {
			want = s.TxStatus() // it is over, which is what counts
			require.True(t, want.Over(), text)
		}
		require.Equal(t, want, s.TxStatus(), text)
		require.NoError(t, s.Rollback(t.Context()), text)
		require.NoError(t, s.Begin(t.Context(), session.TxOptions{ReadOnly: true}), text)
		require.NoError(t, s.Commit(t.Context()))
		_, err = s.Exec(t.Context(), "INSERT INTO a VALUES (1)", nil)
		require.NoError(t, err, "%s: it writes again", text)
	}
}

// What others would meet is known without words.
func TestConn_KnowsWhatItLeaves(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"SELECT 1": false, "CREATE TABLE a (v)": false, "VACUUM": false, "SELECT * FROM temp.sqlite_master": false, "CREATE TEMP TABLE a (v)": true, "CREATE VIEW temp.v AS SELECT 1": true,
		"ATTACH ':memory:' AS b": true, "CREATE TEMP TABLE a (v); DROP TABLE temp.a": false, "BEGIN; CREATE TEMP TABLE a (v); ROLLBACK": false,
	} {
		s := connect(t)
		require.False(t, s.Strayed())
		_, err := s.Exec(t.Context(), text, nil)
		require.NoError(t, err, text)
		require.Equal(t, want && s.in.known(), s.Strayed(), text)
	}
}
