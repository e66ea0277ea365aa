package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // registers "sqlite"
)

// statementTimeout bounds what this package itself asks of a server.
const statementTimeout = 30 * time.Second

func contextWithin(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

// open returns a plain pool for db. It does not connect.
func open(db Database) *sql.DB {
	switch db.Dialect {
	case "postgres":
		return openPostgres(db)
	case "mysql":
		return openMySQL(db)
	case "sqlite":
		path := url.URL{Scheme: "file", OmitHost: true, Path: db.Name}
		pool, err := sql.Open("sqlite", path.String()+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_time_format=sqlite")
		if err != nil {
			panic(err) // cannot be: the driver is linked
		}
		return pool
	}
	panic("dbtest: unknown dialect " + db.Dialect)
}

// connectTimeout is long: a busy machine first serves the connections and cancel requests
// of hundreds that a test has left behind, each of which costs PostgreSQL a process.
const connectTimeout = 30 * time.Second

func openPostgres(db Database) *sql.DB { return stdlib.OpenDB(*postgresConfig(db)) }

func postgresConfig(db Database) *pgx.ConnConfig {
	// All that matters is set: nothing comes from PGHOST and its like.
	config, err := pgx.ParseConfig("host=" + db.Host + " sslmode=disable")
	if err != nil {
		panic(err)
	}
	config.Port, config.Database = uint16(db.Port), db.Name
	config.User, config.Password = db.Username, db.Password
	config.ConnectTimeout = connectTimeout
	config.RuntimeParams = map[string]string{"timezone": "UTC", "application_name": "dbtest"}
	return config
}

// openPgBouncerConsole speaks the simple protocol, the only one the console knows.
func openPgBouncerConsole(b *PgBouncer) *sql.DB {
	config, err := pgx.ParseConfig("host=" + b.Host + " sslmode=disable")
	if err != nil {
		panic(err)
	}
	config.Port, config.Database = uint16(b.Port), "pgbouncer"
	config.User, config.Password = adminName, b.server.adminPassword
	config.ConnectTimeout = connectTimeout
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	config.RuntimeParams = map[string]string{}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxIdleConns(0)
	return pool
}

func openMySQL(db Database) *sql.DB {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort(db.Host, strconv.Itoa(db.Port))
	config.User, config.Passwd, config.DBName = db.Username, db.Password, db.Name
	config.Timeout, config.ParseTime, config.Loc = connectTimeout, true, time.UTC
	config.Params = map[string]string{
		"time_zone": "'+00:00'",
		"sql_mode":  "'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
	}
	config.Logger = &mysql.NopLogger{} // servers that are killed are no news here
	connector, err := mysql.NewConnector(config)
	if err != nil {
		panic(err)
	}
	return sql.OpenDB(connector)
}

func execAll(pool *sql.DB, statements ...string) error {
	ctx, cancel := contextWithin(statementTimeout)
	defer cancel()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%.200s: %w", statement, err)
		}
	}
	return nil
}

func queryStrings(pool *sql.DB, query string, args ...any) ([]string, error) {
	ctx, cancel := contextWithin(statementTimeout)
	defer cancel()
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// queryRow reads the first row of a query into dest.
func queryRow(pool *sql.DB, dest []any, query string, args ...any) error {
	ctx, cancel := contextWithin(statementTimeout)
	defer cancel()
	return pool.QueryRowContext(ctx, query, args...).Scan(dest...)
}

// A session is one connection as its server sees it.
type session struct {
	id                             int64
	user, application, state, text string
}

func (s session) String() string {
	return fmt.Sprintf("%d user=%s application=%q state=%q last=%q", s.id, s.user, s.application, s.state, s.text)
}

func querySessions(pool *sql.DB, query string, args ...any) ([]session, error) {
	ctx, cancel := contextWithin(statementTimeout)
	defer cancel()
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []session
	for rows.Next() {
		var s session
		if err := rows.Scan(&s.id, &s.user, &s.application, &s.state, &s.text); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}
