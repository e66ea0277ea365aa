// Transfer shows work in several databases that must not end half done: a user who moves
// from one to another, a snapshot in a third that follows, and a user who comes with
// orders that are kept elsewhere. Files of SQLite stand in for the servers.
//
//	go run ./examples/transfer
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/dbfleet/dbfleet"
)

const (
	usersDB   = "users_db"
	archive   = "archive" // of users, too
	ordersDB  = "orders_db"
	analytics = "analytics"
)

func main() {
	dir, err := os.MkdirTemp("", "dbfleet-transfer-")
	if err != nil {
		log.Fatal(err)
	}
	config := dbfleet.Config{Default: usersDB, Connections: map[string]dbfleet.ConnectionConfig{}}
	for _, name := range []string{usersDB, archive, ordersDB, analytics} {
		config.Connections[name] = dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(dir, name+".db")}
	}
	err = run(context.Background(), config, os.Stdout)
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, config dbfleet.Config, out io.Writer) (err error) {
	registry, err := dbfleet.Open(config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, registry.Close()) }()
	if err := createTables(ctx, registry); err != nil {
		return err
	}
	shop, err := newShop(ctx, registry)
	if err != nil {
		return err
	}

	ada, err := shop.signUp(ctx, "request-1", User{Name: "Ada", Email: "ada@example.org"}, []Order{{ProductID: 7, Quantity: 1}, {ProductID: 8, Quantity: 2}})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s has signed up with her orders.\n", ada.Name)
	_, err = shop.signUp(ctx, "request-2", User{Name: "Bob", Email: "bob@example.org"}, []Order{{ProductID: 7, Quantity: 0}})
	fmt.Fprintf(out, "Bob has not: %v\n", err)
	if _, err := shop.signUp(ctx, "request-1", User{}, nil); err != nil { // the client asks again
		return err
	}

	if err := shop.rename(ctx, ada.ID, "Ada Lovelace"); err != nil {
		return err
	}
	changes, err := shop.deliver(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Analytics has heard of %d changes.\n", changes)

	how, err := shop.move(ctx, ada.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s has moved to the archive %s.\n", ada.Name, how)
	_, err = shop.move(ctx, ada.ID)
	fmt.Fprintf(out, "She cannot move twice: %t.\n", errors.Is(err, dbfleet.ErrNotFound))
	return shop.report(ctx, out)
}

// report counts what is where.
func (s *shop) report(ctx context.Context, out io.Writer) error {
	for _, place := range [][2]string{{usersDB, "users"}, {archive, "users"}, {ordersDB, "orders"}, {analytics, "user_snapshots"}} {
		n, err := s.registry.DB(place[0]).Table(place[1]).Count(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %d %s\n", place[0], n, place[1])
	}
	return nil
}
