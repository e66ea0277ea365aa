//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	sqldriver "database/sql/driver"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// optionsFor are the options that open db as dbfleet would.
func optionsFor(db dbtest.Database) Options {
	d, _ := dialect.Lookup(db.Dialect)
	return Options{
		Name: "test", Dialect: d, Host: db.Host, Port: db.Port, Database: db.Name, Username: db.Username,
		Password:       func() string { return db.Password },
		ConnectTimeout: 30 * time.Second, MaxOpen: 4, MaxIdle: 4, StatementCache: 32,
		SQLite: SQLite{JournalMode: "WAL", Synchronous: "NORMAL", BusyTimeout: 2 * time.Second},
	}
}

func open(t testing.TB, o Options) *Pool {
	t.Helper()
	p, err := Open(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// acquire takes a connection that goes back when the test ends.
func acquire(t testing.TB, p *Pool) *Conn {
	t.Helper()
	c, err := p.Acquire(t.Context(), 10*time.Second)
	require.NoError(t, err)
	t.Cleanup(c.Release)
	return c
}

func mustExec(t testing.TB, c *Conn, query string, args ...any) Result {
	t.Helper()
	res, err := c.Exec(t.Context(), query, args)
	require.NoError(t, err, query)
	return res
}

// rowsOf reads all rows; []byte are copied as strings.
func rowsOf(t testing.TB, c *Conn, query string, args ...any) [][]any {
	t.Helper()
	rows, err := c.Query(t.Context(), query, args)
	require.NoError(t, err, query)
	out, err := drain(rows)
	require.NoError(t, err, query)
	return out
}

func drain(rows Rows) ([][]any, error) {
	defer rows.Close()
	var out [][]any
	dest := make([]sqldriver.Value, len(rows.Columns()))
	for {
		err := rows.Next(dest)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
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

// each runs f on a pool on a fresh database of every dialect.
func each(t *testing.T, f func(t *testing.T, p *Pool, db dbtest.Database)) {
	t.Helper()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) { f(t, open(t, optionsFor(db)), db) })
}

// ph writes the placeholders of a statement as the dialect has them.
func ph(db dbtest.Database, numbered string) string {
	if db.Dialect == "postgres" {
		return numbered
	}
	out := []byte{}
	for i := 0; i < len(numbered); i++ {
		if numbered[i] == '$' {
			out = append(out, '?')
			i++
			continue
		}
		out = append(out, numbered[i])
	}
	return string(out)
}
