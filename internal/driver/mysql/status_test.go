//go:build !dbfleet_no_mysql

package mysql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// If this fails after an upgrade of the driver, its field has another name or
// type, and a transaction that the server has ended is not noticed any more.
func TestStatus_FollowsTheTransaction(t *testing.T) {
	t.Parallel()
	s := connect(t)
	require.NotNil(t, s.status, "the driver's field has changed")
	require.Empty(t, Database.Fallback())
	require.Equal(t, session.TxNone, s.TxStatus())
	require.NoError(t, s.Begin(t.Context(), session.TxOptions{}))
	require.Equal(t, session.TxOpen, s.TxStatus())
	_, err := s.Exec(t.Context(), "CREATE TABLE u (id INT)", nil)
	require.NoError(t, err)
	require.Equal(t, session.TxNone, s.TxStatus(), "DDL commits")
	require.NoError(t, s.Rollback(t.Context()))
}
