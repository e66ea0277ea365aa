// Quickstart is a tour through a small shop: users in one database, orders in four
// shards, events in a database with two replicas. Files of SQLite stand in for the
// servers, so it needs nothing but Go. It shows each call beside the statement that
// came of it, with its arguments, and where that went and why.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/dbfleet/dbfleet"
)

// User lives in users_db.
type User struct {
	ID                   int64
	Name, Email          string
	IsAdmin              bool
	CreatedAt, UpdatedAt time.Time

	Orders []Order // in the orders' shards
}

// Order lives on the shard of its user.
type Order struct {
	ID     int64
	UserID int64
	Total  float64
}

const shards = 4

func shardOf(userID int64) string { return fmt.Sprintf("orders_shard_%d", userID%shards+1) }

func main() {
	if err := run(context.Background(), newPrinter(os.Stdout)); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out *printer) error {
	dir, err := os.MkdirTemp("", "dbfleet-quickstart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	registry, err := dbfleet.Open(fleetIn(dir))
	if err != nil {
		return err
	}
	defer registry.Close()
	if err := createTables(ctx, registry, dir); err != nil {
		return err
	}

	// A hook sees every statement of every connection.
	registry.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { out.statement(e) })

	shop, err := newShop(registry, out)
	if err != nil {
		return err
	}
	out.begin()
	for _, step := range []func(context.Context) error{
		shop.models, shop.queries, shop.sharding, shop.replicas, shop.rawSQL, shop.transaction, shop.mistakes, shop.figures,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	out.end()
	return nil
}

// fleetIn configures the connections. On servers an entry has a host, an account
// and the hosts of its replicas instead:
//
//	{Driver: dbfleet.Postgres, Host: "db2", Database: "events", Username: "app", Password: secret,
//		ReadHosts: []string{"r1", "r2"}}
func fleetIn(dir string) dbfleet.Config {
	file := func(name string) string { return filepath.Join(dir, name+".db") }
	config := dbfleet.Config{Default: "users_db", Connections: map[string]dbfleet.ConnectionConfig{
		"users_db":  {Driver: dbfleet.SQLite, Database: file("users")},
		"analytics": {Driver: dbfleet.SQLite, Database: file("analytics")},
	}}
	for i := range shards {
		name := fmt.Sprintf("orders_shard_%d", i+1)
		config.Connections[name] = dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: file(name)}
	}
	return config
}

// createTables makes what migrations would have made, and the copies that stand in
// for replicas: a server keeps its own up to date.
func createTables(ctx context.Context, registry *dbfleet.Registry, dir string) error {
	statements := [][2]string{
		{"users_db", `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE,
			is_admin BOOLEAN NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL)`},
		{"analytics", `CREATE TABLE events (id INTEGER PRIMARY KEY, kind TEXT NOT NULL)`},
		{"analytics", `INSERT INTO events (kind) VALUES ('login'), ('login'), ('purchase')`},
	}
	for i := range shards {
		statements = append(statements, [2]string{fmt.Sprintf("orders_shard_%d", i+1),
			`CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, total REAL NOT NULL)`})
	}
	for _, s := range statements {
		if _, err := registry.DB(s[0]).ExecContext(ctx, s[1]); err != nil {
			return err
		}
	}
	var replicas []dbfleet.ReplicaConfig
	for _, name := range []string{"analytics_copy_1.db", "analytics_copy_2.db"} {
		path := filepath.Join(dir, name)
		if _, err := registry.DB("analytics").ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
			return err
		}
		replicas = append(replicas, dbfleet.ReplicaConfig{Host: path})
	}
	return registry.SetReplicas(ctx, "analytics", replicas) // ReadHosts names those that are there from the start
}
