//go:build !dbfleet_no_mysql

package mysql

import (
	sqldriver "database/sql/driver"
	"encoding/json"
	"strings"
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
		Password: func() string { return db.Password }, ConnectTimeout: 30 * time.Second, StatementCache: 8,
	})
	require.NoError(t, err)
	s, err := b.Open(t.Context(), db.Password)
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

// A statement that the server would cut the connection for is not sent. What a
// value adds is counted whatever its type.
func TestConn_RefusesWhatExceedsThePacket(t *testing.T) {
	t.Parallel()
	const most = 1000
	s := &conn{maxPacket: most}
	big := strings.Repeat("x", most)
	args := func(values ...any) (list []sqldriver.NamedValue) {
		for _, v := range values {
			list = append(list, sqldriver.NamedValue{Value: v})
		}
		return list
	}
	for _, fits := range [][]any{nil, {1, nil, 2.5, true}, {big[:500]}, {[]byte(big[:500])}, {json.RawMessage(big[:500])}, {big[:400], big[:400]}} {
		require.NoError(t, s.fits("SELECT ?", args(fits...)))
	}
	for _, exceeds := range [][]any{{big}, {[]byte(big)}, {json.RawMessage(big)}, {big[:500], 1, []byte(big[:500])}, make([]any, 100)} {
		err := s.fits("SELECT ?", args(exceeds...))
		var sent *session.NotSentError
		require.ErrorAs(t, err, &sent)
		require.ErrorContains(t, err, "max_allowed_packet of 1000")
	}
	require.Error(t, s.fits(big, nil))
	s.maxPacket = 0 // not known
	require.NoError(t, s.fits(big, args(big)))
}
