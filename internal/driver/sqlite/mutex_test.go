//go:build !dbfleet_no_sqlite && !dbfleet_plain_sqlite

package sqlite

import (
	sqldriver "database/sql/driver"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// If this fails after an upgrade of the driver, its connections are made in
// another way, and keep their mutex until withoutMutex knows it.
func TestMutex_IsTakenOffOnce(t *testing.T) {
	t.Parallel()
	connector, err := sqlite.NewConnector("file:" + dbtest.New(t, "sqlite").Name)
	require.NoError(t, err)
	dc, err := connector.Connect(t.Context())
	require.NoError(t, err)
	require.True(t, withoutMutex(dc))
	require.False(t, withoutMutex(dc), "there is none any more")
	_, err = dc.(sqldriver.ExecerContext).ExecContext(t.Context(), "CREATE TABLE t (id INTEGER)", nil)
	require.NoError(t, err)
	require.NoError(t, dc.Close())
	require.False(t, withoutMutex(dc), "it is closed")
}

// The connections of a session have none.
func TestMutex_SessionsHaveNone(t *testing.T) {
	t.Parallel()
	db := reflect.ValueOf(connect(t).Conn).Elem().FieldByName("db").Uint()
	require.NotZero(t, db)
	require.Zero(t, sqlite3.Xsqlite3_db_mutex(nil, uintptr(db)))
}

// otherConn is no connection that is known.
type otherConn struct {
	sqldriver.Conn
	db  string
	tls *int
}

func TestMutex_LeavesOtherConnectionsAlone(t *testing.T) {
	t.Parallel()
	require.False(t, withoutMutex(&otherConn{db: "x", tls: new(int)}))
	require.False(t, withoutMutex(otherConn{}))
	require.False(t, withoutMutex((*otherConn)(nil)))
	require.False(t, withoutMutex(&struct {
		sqldriver.Conn
		db uintptr
	}{db: 1}))
}
