//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// A working set above the cache degrades gently: only what there is no room for is
// prepared again. How PostgreSQL does it is tested in its own package.
func TestStatements_AboveTheRoomKeepWhatTheyHave(t *testing.T) {
	t.Parallel()
	const room, set, rounds = 16, 24, 30
	const most = room + (set-room)*rounds + set/2 // all of them would be set*rounds
	t.Run("mysql", func(t *testing.T) {
		t.Parallel()
		o := optionsFor(dbtest.New(t, "mysql"))
		o.StatementCache = room
		c := acquire(t, open(t, o))
		before := mysqlStatus(t, c, "Com_stmt_prepare")
		for i := range set * rounds {
			rowsOf(t, c, fmt.Sprintf("SELECT %d + ?", i%set), int64(1))
		}
		require.LessOrEqual(t, mysqlStatus(t, c, "Com_stmt_prepare")-before, int64(most))
		require.LessOrEqual(t, preparedOnServer(t, dbtest.Database{Dialect: "mysql"}, c), room)
	})
	t.Run("any driver", func(t *testing.T) {
		t.Parallel()
		d := &preparing{}
		p := OpenConnector(Options{MaxOpen: 1, MaxIdle: 1, StatementCache: room}, d)
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		c := acquire(t, p)
		for i := range set * rounds {
			mustExec(t, c, fmt.Sprintf("INSERT %d", i%set), int64(1))
			require.LessOrEqual(t, d.open, room+1)
		}
		require.LessOrEqual(t, d.prepared, most)
	})
}

// preparing is a driver that counts its statements.
type preparing struct{ prepared, open int }

func (d *preparing) Connect(context.Context) (sqldriver.Conn, error) { return d, nil }
func (d *preparing) Driver() sqldriver.Driver                        { return nil }
func (d *preparing) Close() error                                    { return nil }
func (d *preparing) Begin() (sqldriver.Tx, error)                    { return nil, nil }

func (d *preparing) Prepare(string) (sqldriver.Stmt, error) {
	d.prepared++
	d.open++
	return &preparedStmt{d}, nil
}

type preparedStmt struct{ d *preparing }

func (s *preparedStmt) NumInput() int { return 1 }
func (s *preparedStmt) Exec([]sqldriver.Value) (sqldriver.Result, error) {
	return sqldriver.ResultNoRows, nil
}
func (s *preparedStmt) Query([]sqldriver.Value) (sqldriver.Rows, error) { return nil, nil }

func (s *preparedStmt) Close() error {
	s.d.open--
	return nil
}
