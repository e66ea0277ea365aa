package readtest

import (
	"context"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
	fleet "github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func open(t testing.TB, db dbtest.Database) *fleet.Pool {
	t.Helper()
	d, _ := dialect.Lookup(db.Dialect)
	p, err := fleet.Open(fleet.Options{
		Name: "test", Dialect: d, Host: db.Host, Port: db.Port, Database: db.Name, Username: db.Username,
		Password:       func() string { return db.Password },
		ConnectTimeout: 30 * time.Second, MaxOpen: 4, MaxIdle: 4, MaxIdleTime: time.Minute, StatementCache: 64,
		SQLite: fleet.SQLite{JournalMode: "WAL", Synchronous: "NORMAL", BusyTimeout: 2 * time.Second},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// conn is a connection of p until the test ends.
func conn(t testing.TB, p *fleet.Pool) *fleet.Conn {
	t.Helper()
	c, err := p.Acquire(context.Background(), 10*time.Second)
	require.NoError(t, err)
	t.Cleanup(c.Release)
	return c
}

func exec(t testing.TB, c *fleet.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		_, err := c.Exec(context.Background(), s, nil)
		require.NoError(t, err, s)
	}
}

func query(t testing.TB, c *fleet.Conn, text string, args ...any) fleet.Rows {
	t.Helper()
	rows, err := c.Query(t.Context(), text, args)
	require.NoError(t, err, text)
	return rows
}

// plainly hides that rows can be read as cells.
func plainly(rows fleet.Rows) rowmap.Source { return plainRows{rows} }

type plainRows struct{ fleet.Rows }

func (p plainRows) Dialect() *dialect.Dialect {
	return p.Rows.(interface{ Dialect() *dialect.Dialect }).Dialect()
}

// drain reads all rows as driver values, with []byte of their own.
func drain(rows rowmap.Source) (all [][]driver.Value, err error) {
	defer rows.Close()
	dest := make([]driver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(dest); err != nil {
			return all, err
		}
		row := make([]driver.Value, len(dest))
		for i, v := range dest {
			if b, ok := v.([]byte); ok {
				v = append(make([]byte, 0, len(b)), b...)
			}
			row[i] = v
		}
		all = append(all, row)
	}
}
