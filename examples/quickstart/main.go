// Quickstart runs a small shop on three embedded databases: users, orders in
// four shards, and analytics. It needs nothing but Go, and prints what it does
// and where each statement went.
package main

import (
	"context"
	"errors"
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
	ID        int64
	UserID    int64
	Total     float64
	CreatedAt time.Time
}

// Event lives in analytics.
type Event struct {
	ID        int64
	EventType string
	UserID    int64
	Data      dbfleet.JSON[map[string]string]
	CreatedAt time.Time
}

const shards = 4

func shardOf(userID int64) string { return fmt.Sprintf("orders_shard_%d", userID%shards+1) }

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "dbfleet-quickstart-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	// One registry, six databases. Nothing is opened before it is used.
	file := func(name string) dbfleet.ConnectionConfig {
		return dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(dir, name+".db")}
	}
	config := dbfleet.Config{Default: "users_db", Connections: map[string]dbfleet.ConnectionConfig{
		"users_db":  file("users"),
		"analytics": file("analytics"),
	}}
	for i := range shards {
		name := fmt.Sprintf("orders_shard_%d", i+1)
		config.Connections[name] = file(name)
	}
	registry, err := dbfleet.Open(config)
	if err != nil {
		return err
	}
	defer registry.Close()
	if err := createTables(ctx, registry); err != nil {
		return err
	}

	// A hook sees every statement, on every connection.
	registry.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		fmt.Printf("    %-14s %s\n", e.Route.Connection, e.SQL)
	})

	users, err := dbfleet.NewModel[User](registry, dbfleet.ModelConfig{
		Table: "users", Connection: "users_db", Fillable: []string{"name", "email"}, Timestamps: true,
	})
	if err != nil {
		return err
	}
	orders, err := dbfleet.NewModel[Order](registry, dbfleet.ModelConfig{
		Table: "orders", Shard: dbfleet.ShardBy("user_id", shardOf), Timestamps: true,
	})
	if err != nil {
		return err
	}
	events, err := dbfleet.NewModel[Event](registry, dbfleet.ModelConfig{
		Table: "events", Connection: "analytics", Timestamps: true,
	})
	if err != nil {
		return err
	}
	ordersOf := dbfleet.HasMany(users, orders, dbfleet.On("user_id"), func(u *User) *[]Order { return &u.Orders })

	fmt.Println("Users are created in users_db, what happens is noted in analytics:")
	people := []User{{Name: "Ada", Email: "ada@example.com", IsAdmin: true}, {Name: "Grace", Email: "grace@example.com"}, {Name: "Edsger", Email: "edsger@example.com"}}
	for i := range people {
		if err := users.Create(ctx, &people[i]); err != nil {
			return err
		}
		event := Event{EventType: "user_created", UserID: people[i].ID, Data: dbfleet.JSONOf(map[string]string{"name": people[i].Name})}
		if err := events.Create(ctx, &event); err != nil {
			return err
		}
	}

	fmt.Println("\nOrders go to the shard of their user:")
	for i, u := range people {
		for n := range i + 1 {
			if err := orders.Create(ctx, &Order{UserID: u.ID, Total: float64(10*(n+1)) + 0.5}); err != nil {
				return err
			}
		}
	}

	fmt.Println("\nA user, and the orders of all users, each from where it lives:")
	ada, err := users.Find(ctx, people[0].ID)
	if err != nil {
		return err
	}
	fmt.Printf("  -> %s, admin: %v\n", ada.Name, ada.IsAdmin)
	everybody, err := users.OrderBy("name", dbfleet.Asc).With(ordersOf).Get(ctx)
	if err != nil {
		return err
	}
	for _, u := range everybody {
		spent, err := orders.Where("user_id", "=", u.ID).Sum(ctx, "total")
		if err != nil {
			return err
		}
		fmt.Printf("  -> %-6s %d orders, %.2f\n", u.Name, len(u.Orders), spent)
	}

	fmt.Println("\nA report on analytics without a model:")
	report, err := registry.DB("analytics").Table("events").Select("event_type").SelectRaw("COUNT(*) AS n").
		GroupBy("event_type").OrderBy("n", dbfleet.Desc).Get(ctx)
	if err != nil {
		return err
	}
	for _, row := range report {
		fmt.Printf("  -> %v: %v\n", row["event_type"], row["n"])
	}

	fmt.Println("\nA transaction that fails changes nothing:")
	err = registry.Transaction(ctx, "users_db", func(ctx context.Context, tx *dbfleet.Tx) error {
		if _, err := users.Where("id", "=", ada.ID).Update(ctx, dbfleet.Row{"name": "Nobody"}); err != nil {
			return err
		}
		return errors.New("changed my mind")
	})
	fmt.Println("  ->", err)
	again, err := users.Find(ctx, ada.ID)
	if err != nil {
		return err
	}
	fmt.Println("  -> she is still", again.Name)

	fmt.Println("\nWhat would be wrong is refused before it is sent:")
	_, err = users.Where("nmae", "=", "Ada").Get(ctx)
	fmt.Println("  ->", err)
	_, err = users.Query().Delete(ctx)
	fmt.Println("  ->", err)
	_, err = orders.Get(ctx)
	fmt.Println("  ->", err)

	fmt.Println("\nHealth:", registry.Health(ctx).Status)
	return nil
}

func createTables(ctx context.Context, registry *dbfleet.Registry) error {
	tables := map[string]string{
		"users_db": `CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE,
			is_admin BOOLEAN NOT NULL, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL)`,
		"analytics": `CREATE TABLE events (id INTEGER PRIMARY KEY, event_type TEXT NOT NULL, user_id INTEGER,
			data TEXT, created_at DATETIME NOT NULL)`,
	}
	for i := range shards {
		tables[fmt.Sprintf("orders_shard_%d", i+1)] = `CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL,
			total REAL NOT NULL, created_at DATETIME NOT NULL)`
	}
	for name, sql := range tables {
		db, err := registry.Connect(ctx, name)
		if err != nil {
			return err
		}
		if _, err := db.ExecContext(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
