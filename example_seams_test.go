package dbfleet_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/dbfleet/dbfleet"
)

// What belongs to a session stays on one connection.
func ExampleDB_Conn() {
	registry, end := exampleFleet()
	defer end()
	err := registry.DB("main").Conn(context.Background(), func(ctx context.Context, c *dbfleet.Conn) error {
		if _, err := c.ExecContext(ctx, "CREATE TEMPORARY TABLE wanted (name TEXT)"); err != nil {
			return err
		}
		if _, err := c.ExecContext(ctx, "INSERT INTO wanted VALUES (?), (?)", "ada", "bob"); err != nil {
			return err
		}
		var n int
		if err := c.QueryRowContext(ctx, "SELECT COUNT(*) FROM wanted").Scan(&n); err != nil {
			return err
		}
		fmt.Println(n, "wanted")
		return nil
	})
	fmt.Println(err)
	// Output:
	// 2 wanted
	// <nil>
}

// Notifications of PostgreSQL, until ctx ends.
func ExampleDB_Conn_listen() {
	listen := func(ctx context.Context, db *dbfleet.DB, each func(payload string)) error {
		return db.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
			if _, err := c.ExecContext(ctx, "LISTEN orders"); err != nil {
				return err
			}
			return c.Raw(func(driverConn any) error {
				for {
					n, err := driverConn.(*pgx.Conn).WaitForNotification(ctx)
					if err != nil {
						return err
					}
					each(n.Payload)
				}
			})
		})
	}
	_ = listen
}

// Rows by PostgreSQL's COPY, in the transaction that the context carries.
func ExampleConn_Raw() {
	load := func(ctx context.Context, db *dbfleet.DB, rows [][]any) error {
		return db.Conn(ctx, func(ctx context.Context, c *dbfleet.Conn) error {
			return c.Raw(func(driverConn any) error {
				_, err := driverConn.(*pgx.Conn).CopyFrom(ctx, pgx.Identifier{"events"}, []string{"id", "kind"}, pgx.CopyFromRows(rows))
				return err
			})
		})
	}
	_ = load
}

// A database behind a bastion. The client of golang.org/x/crypto/ssh dials so.
func ExampleConnectionConfig_tunnel() {
	var bastion interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	}
	config := dbfleet.ConnectionConfig{
		Driver: dbfleet.Postgres, Host: "db.internal", Database: "app", Username: "app", Password: "…",
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return bastion.DialContext(ctx, network, address)
		},
	}
	_ = config
}

// A password that something else rotates, read anew for each connection.
func ExampleConnectionConfig_passwordFunc() {
	config := dbfleet.ConnectionConfig{
		Driver: dbfleet.Postgres, Host: "db.example.com", Database: "app", Username: "app",
		PasswordFunc: func(context.Context, string) (string, error) {
			password, err := os.ReadFile("/run/secrets/db-password")
			return strings.TrimSpace(string(password)), err
		},
	}
	_ = config
}

// Types that are not PostgreSQL's own are registered with pgx.
func ExampleConnectionConfig_onConnect() {
	config := dbfleet.ConnectionConfig{
		Driver: dbfleet.Postgres, Host: "db.example.com", Database: "app", Username: "app", Password: "…",
		OnConnect: func(ctx context.Context, driverConn any) error {
			conn := driverConn.(*pgx.Conn)
			types, err := conn.LoadTypes(ctx, []string{"address", "_address"})
			if err == nil {
				conn.TypeMap().RegisterTypes(types)
			}
			return err
		},
	}
	_ = config
}

// Each connection to a file gets a larger cache.
func ExampleConnectionConfig_onConnectSQLite() {
	registry, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": {
		Driver: dbfleet.SQLite, Database: ":memory:",
		OnConnect: func(ctx context.Context, driverConn any) error {
			_, err := driverConn.(driver.ExecerContext).ExecContext(ctx, "PRAGMA cache_size = -64000", nil)
			return err
		},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	defer registry.Close()
	var size int
	err = registry.DB("main").QueryRowContext(context.Background(), "PRAGMA cache_size").Scan(&size)
	fmt.Println(size, err)
	// Output: -64000 <nil>
}

// A database for tests that answers from memory. Those of sqlmock and its like are
// a driver.Connector as well.
func ExampleConnectionConfig_connector() {
	registry, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{
		"main": {Driver: dbfleet.MySQL, Connector: memory{"name": "ada"}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer registry.Close()
	rows, err := registry.DB("main").Table("accounts").Get(context.Background())
	fmt.Println(rows, err)
	_, err = registry.DB("main").ExecContext(context.Background(), "DELETE FROM accounts")
	fmt.Println(err)
	// Output:
	// [map[name:ada]] <nil>
	// dbfleet: exec on "main": this database is only read
}

// memory is a database with one row, which answers every query.
type memory map[string]string

func (m memory) Connect(context.Context) (driver.Conn, error) { return m, nil }
func (m memory) Driver() driver.Driver                        { return nil }
func (m memory) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (m memory) Begin() (driver.Tx, error)                    { return nil, errors.ErrUnsupported }
func (m memory) Close() error                                 { return nil }

func (m memory) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return nil, errors.New("this database is only read")
}

func (m memory) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &memoryRows{m: m}, nil
}

type memoryRows struct {
	m    memory
	read bool
}

func (r *memoryRows) Columns() []string { return []string{"name"} }
func (r *memoryRows) Close() error      { return nil }

func (r *memoryRows) Next(dest []driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read, dest[0] = true, r.m["name"]
	return nil
}
