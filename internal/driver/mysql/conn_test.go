//go:build !dbfleet_no_mysql

package mysql

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func TestLiteral_QuotesWhatIsNoNumber(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{`a'b\c`: `'a''b\\c'`, "12": "12", "NaN": "'NaN'", "1_0": "'1_0'", "off": "off", "": "''"} {
		require.Equal(t, want, literal(value))
	}
}

// connect opens a session on a fresh database.
func connect(t *testing.T) *conn {
	t.Helper()
	db := dbtest.New(t, "mysql")
	b, err := open(session.Options{
		Name: "test", Dialect: dialect.MySQL, Host: db.Host, Port: db.Port, Database: db.Name, Username: db.Username,
		Password: func() string { return db.Password }, ConnectTimeout: 5 * time.Second, StatementCache: 8,
	})
	require.NoError(t, err)
	s, err := b.Open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s.(*conn)
}

func TestConn_KnowsItsServer(t *testing.T) {
	t.Parallel()
	s := connect(t)
	require.Positive(t, s.maxPacket)
	require.EqualValues(t, 1, s.step)
	require.NotEmpty(t, s.version)
}
