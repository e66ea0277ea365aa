//go:build !dbfleet_no_sqlite

package sqlite

import (
	sqldriver "database/sql/driver"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// connect opens a session on a fresh file.
func connect(t *testing.T) *conn {
	t.Helper()
	b, err := open(session.Options{
		Name: "test", Dialect: dialect.SQLite, Database: dbtest.New(t, "sqlite").Name, StatementCache: 8,
		SQLite: session.SQLite{JournalMode: "WAL", Synchronous: "NORMAL", BusyTimeout: 2 * time.Second},
	})
	require.NoError(t, err)
	s, err := b.Open(t.Context(), "")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, b.Close())
	})
	return s.(*conn)
}

func named(args []any) []sqldriver.NamedValue {
	list := make([]sqldriver.NamedValue, len(args))
	for i, v := range args {
		list[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return list
}

func mustExec(t *testing.T, s *conn, query string, args ...any) {
	t.Helper()
	_, err := s.Exec(t.Context(), query, named(args))
	require.NoError(t, err, query)
}

func query(t *testing.T, s *conn, query string, args ...any) *rows {
	t.Helper()
	r, err := s.Query(t.Context(), query, named(args))
	require.NoError(t, err, query)
	return r.(*rows)
}

func rowsOf(t *testing.T, s *conn, text string, args ...any) [][]any {
	t.Helper()
	return drain(t, query(t, s, text, args...))
}

// drain reads all rows; []byte are copied as strings.
func drain(t *testing.T, r *rows) [][]any {
	t.Helper()
	var out [][]any
	dest := make([]sqldriver.Value, len(r.Columns()))
	for {
		err := r.Next(dest)
		if err == io.EOF {
			require.NoError(t, r.Close())
			return out
		}
		require.NoError(t, err)
		row := make([]any, len(dest))
		for i, v := range dest {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			row[i] = v
		}
		out = append(out, row)
	}
}
