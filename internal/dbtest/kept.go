package dbtest

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Each connection costs PostgreSQL a process, and most of those that tests make are there
// for one statement of a test's own, or ask again and again how far a standby is. They are
// kept until the test ends: as good as new after each use, made anew where the server has
// ended them, and not counted while nobody uses them.

const (
	keptName = "dbtest kept" // the application_name of connections that may be kept
	forget   = "DISCARD ALL" // the last that one has done which nobody uses
)

// mayKeep says that connections to the database are worth it, and in nobody's way: a proxy's
// test looks at those that pass.
func (db Database) mayKeep() bool {
	s := db.Server
	return db.Dialect == "postgres" && s != nil && db.Host == s.Host && db.Port == s.Port
}

// openKept is open with one connection kept, where that may be.
func openKept(db Database) *sql.DB {
	if !db.mayKeep() {
		pool := open(db)
		pool.SetMaxIdleConns(0)
		return pool
	}
	config := postgresConfig(db)
	config.RuntimeParams["application_name"] = keptName
	config.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec // what is discarded is prepared nowhere
	pool := sql.OpenDB(keptConnector{stdlib.GetConnector(*config, alive)})
	pool.SetMaxIdleConns(1)
	return pool
}

// alive has a connection that has ended not be used again.
var alive = stdlib.OptionResetSession(func(ctx context.Context, c *pgx.Conn) error {
	if c.Ping(ctx) != nil {
		return driver.ErrBadConn
	}
	return nil
})

// openHouse is open for an administrator, who leaves nothing in a session.
func openHouse(db Database) *sql.DB {
	if db.Dialect != "postgres" {
		return open(db)
	}
	return stdlib.OpenDB(*postgresConfig(db), alive)
}

type keptConnector struct{ driver.Connector }

func (c keptConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return keptConn{conn.(*stdlib.Conn)}, nil
}

type keptConn struct{ *stdlib.Conn }

// IsValid is asked when the connection is given back: nothing of a session is left then,
// no lock, no temporary table and no setting, or the connection is closed.
func (c keptConn) IsValid() bool {
	conn := c.Conn.Conn().PgConn()
	if conn.IsClosed() || conn.IsBusy() || conn.TxStatus() != 'I' {
		return false
	}
	ctx, cancel := contextWithin(statementTimeout)
	defer cancel()
	_, err := conn.Exec(ctx, forget).ReadAll()
	return err == nil
}

// ownPool is what Exec uses for db. It is closed by closeOwn.
func (db Database) ownPool() (pool *sql.DB, done func()) {
	if !db.mayKeep() {
		pool := open(db)
		return pool, func() { pool.Close() }
	}
	s := db.Server
	s.mu.Lock()
	defer s.mu.Unlock()
	pool = s.own[db]
	if pool == nil {
		pool = openKept(db)
		if s.own == nil {
			s.own = map[Database]*sql.DB{}
		}
		s.own[db] = pool
	}
	return pool, func() {}
}

// closeOwn closes what Exec has kept for the database of a name.
func (s *Server) closeOwn(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for db, pool := range s.own {
		if db.Name == name {
			pool.Close()
			delete(s.own, db)
		}
	}
}
