//go:build !dbfleet_no_postgres

package postgres

import (
	"bytes"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// connect opens a session that keeps so many statements on a fresh database.
func connect(t *testing.T, kept int) *conn {
	t.Helper()
	db := dbtest.New(t, "postgres")
	b, err := open(session.Options{
		Name: "test", Dialect: dialect.Postgres, Host: db.Host, Port: db.Port, Database: db.Name, Username: db.Username,
		Password: func() string { return db.Password }, ConnectTimeout: 30 * time.Second, StatementCache: kept,
	})
	require.NoError(t, err)
	s, err := b.Open(t.Context(), db.Password)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, b.Close())
	})
	return s.(*conn)
}

func (s *conn) ask(t *testing.T, query string, args ...any) ([][]any, error) {
	t.Helper()
	list := make([]sqldriver.NamedValue, len(args))
	for i, v := range args {
		list[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: v}
	}
	rows, err := s.Query(t.Context(), query, list)
	if err != nil {
		return nil, err
	}
	defer func() { require.NoError(t, rows.Close()) }()
	var out [][]any
	for {
		row := make([]sqldriver.Value, len(rows.Columns()))
		switch err := rows.Next(row); {
		case err == io.EOF:
			return out, nil
		case err != nil:
			return out, err
		}
		values := make([]any, len(row))
		for i, v := range row {
			if b, ok := v.([]byte); ok { // it belongs to the driver
				v = bytes.Clone(b)
			}
			values[i] = v
		}
		out = append(out, values)
	}
}

func (s *conn) must(t *testing.T, query string, args ...any) [][]any {
	t.Helper()
	out, err := s.ask(t, query, args...)
	require.NoError(t, err, query)
	return out
}

// writes counts what is sent: a request is one write.
type writes struct {
	net.Conn
	n int
}

func (w *writes) Write(b []byte) (int, error) {
	w.n++
	return w.Conn.Write(b)
}

// A working set that is too large is kept as far as there is room. The rest costs
// one round trip, as what is kept does.
func TestStatements_AboveTheRoomTakeOneRoundTrip(t *testing.T) {
	t.Parallel()
	const room, set, rounds = 16, 40, 30
	s := connect(t, room)
	sent := &writes{Conn: s.net.Conn}
	s.net.Conn = sent
	for round := range rounds {
		before := sent.n
		for i := range set {
			require.Equal(t, [][]any{{int64(i + round)}}, s.must(t, fmt.Sprintf("SELECT %d + $1::int8", i), int64(round)))
		}
		if round > 0 {
			require.LessOrEqual(t, sent.n-before, set+2, "round %d", round)
		}
	}
	require.LessOrEqual(t, s.names, room+set/4, "prepared for keeps")
	require.LessOrEqual(t, s.must(t, "SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")[0][0], int64(room))
}

// truth 808
// What is sent whole follows a change of the schema, and never shows a value of
// the one type as one of the other.
func TestStatements_ThatAreSentWholeFollowTheSchema(t *testing.T) {
	t.Parallel()
	s := connect(t, 1)
	hog := func() {
		for range 20 { // it has the room for itself
			s.must(t, "SELECT 1 WHERE $1::int4 = 1", int64(1))
		}
	}
	hog()
	s.must(t, "CREATE TABLE t (id int4, n int4)")
	s.must(t, "INSERT INTO t VALUES (1, 7)")
	const query = "SELECT * FROM t WHERE id = $1"
	described := func() {
		hog()
		for range 2 {
			s.must(t, query, int64(1))
		}
		require.NotNil(t, s.described.Get(query))
	}
	alter := func(change string) { // as somebody else would
		_, err := s.pc.Exec(t.Context(), change).ReadAll()
		require.NoError(t, err)
	}
	described()
	alter("ALTER TABLE t ADD COLUMN x text DEFAULT 'a'")
	require.Equal(t, [][]any{{int64(1), int64(7), []byte("a")}}, texts(s.must(t, query, int64(1))))
	described()
	alter("ALTER TABLE t ALTER COLUMN n TYPE int8")
	require.Equal(t, int64(7), s.must(t, query, int64(1))[0][1])
	described()
	alter("ALTER TABLE t ALTER COLUMN n TYPE numeric")
	_, err := s.ask(t, query, int64(1))
	require.ErrorContains(t, err, "type has changed")
	require.Equal(t, "7", fmt.Sprintf("%s", s.must(t, query, int64(1))[0][1]), "it is described anew")
	described()
	alter("ALTER TABLE t DROP COLUMN x")
	s.must(t, "BEGIN")
	_, err = s.ask(t, query, int64(1))
	var pe *pgconn.PgError
	require.True(t, errors.As(err, &pe), "a transaction is not begun again behind one's back: %v", err)
	s.must(t, "ROLLBACK")
	require.Len(t, s.must(t, query, int64(1))[0], 2)
}

// texts makes the texts of rows equal to []byte.
func texts(rows [][]any) [][]any {
	for _, row := range rows {
		for i, v := range row {
			if s, ok := v.(string); ok {
				row[i] = []byte(s)
			}
		}
	}
	return rows
}

// What the server has parsed under no name is gone with the next statement.
func TestStatements_WithoutANameAreNotMistaken(t *testing.T) {
	t.Parallel()
	s := connect(t, 0)
	for _, between := range []func(){
		func() {},
		func() { require.NoError(t, s.Ping(t.Context())) },
		func() { s.must(t, "SELECT 'other', $1::text", "x") },
		func() {
			_, err := s.Prepare(t.Context(), "SELECT 'prepared', $1::text")
			require.NoError(t, err)
		},
	} {
		n, err := s.Prepare(t.Context(), "SELECT $1::int8")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		between()
		require.Equal(t, [][]any{{int64(5)}}, s.must(t, "SELECT $1::int8", int64(5)))
	}
}
