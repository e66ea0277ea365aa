// Shop is a small shop on three databases: accounts has its users, store its products,
// carts and orders, and history what happened. Read it file by file; each explains one
// thing:
//
//	records.go   what is stored, and what a record says of itself
//	shop.go      models, typed columns, relations across databases, tables
//	catalogue.go a page of products, with counts over two databases
//	cart.go      a many-to-many relation whose rows have a quantity, and one that toggles
//	order.go     a transaction that takes stock, optimistic locking, an outbox
//	history.go   the other end of the outbox, in another database
//	report.go    sums and groups
//	api.go       the same over HTTP, where everybody reads what they have written
//	story.go     a day in the shop
//
// Files of SQLite stand in for the servers; the tests run it on PostgreSQL, MariaDB and
// SQLite at once.
//
//	go run ./examples/shop                          # a day in the shop
//	go run ./examples/shop -listen 127.0.0.1:8080   # the API, until an interrupt
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dbfleet/dbfleet"
)

// The connections.
const (
	accounts = "accounts"
	store    = "store"
	history  = "history"
)

func main() {
	listen := flag.String("listen", "", "address to serve the API at; empty plays a day in the shop")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := inFiles(ctx, *listen, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// inFiles runs the shop on files of SQLite that are gone at the end.
func inFiles(ctx context.Context, listen string, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "dbfleet-shop-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config := dbfleet.Config{Default: store, Connections: map[string]dbfleet.ConnectionConfig{}}
	for _, name := range []string{accounts, store, history} {
		config.Connections[name] = dbfleet.ConnectionConfig{Driver: dbfleet.SQLite, Database: filepath.Join(dir, name+".db")}
	}
	return run(ctx, config, listen, out)
}

// run opens the databases, plays a day or serves, and closes them.
func run(ctx context.Context, config dbfleet.Config, listen string, out io.Writer) (err error) {
	// They sign what clients carry: sessions and cursors. A service reads them from where
	// its secrets are.
	config.SessionKeys = []dbfleet.Secret{"a key of 32 characters and more..."}
	registry, err := dbfleet.Open(config)
	if err != nil {
		return err
	}
	// Close waits for statements and transactions that run, at the end of all else.
	defer func() { err = errors.Join(err, registry.Close()) }()
	shop, err := openShop(ctx, registry)
	if err != nil {
		return err
	}
	if listen == "" {
		return shop.day(ctx, out)
	}
	return shop.serve(ctx, listen, out)
}

// serve answers requests and delivers events until ctx ends, then lets those that run
// finish.
func (s *Shop) serve(ctx context.Context, listen string, out io.Writer) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s\n", listener.Addr())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{Handler: s.api(), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 2)
	go func() {
		defer stop() // if one fails, the other ends, too
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			ended <- err
			return
		}
		ended <- nil
	}()
	go func() {
		defer stop()
		ended <- s.deliverUntil(ctx)
	}()
	<-ctx.Done()
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(deadline), <-ended, <-ended)
}
