// Service is a small web service on seven databases: users, a replica of them,
// analytics, and orders in four shards.
//
//	go run ./examples/service                      # SQLite files in a temporary folder
//	go run ./examples/service -dir ./data          # SQLite files that stay
//	DB_CONNECTION=users_db DB_USERS_DB_HOST=… go run ./examples/service
//
// If any variable that begins with DB_ is set, all connections come from the
// environment: users_db (DB_USERS_DB_HOST, …), analytics (DB_ANALYTICS_HOST, …),
// orders_shard_1 to orders_shard_4 (DB_ORDERS_SHARD_1_HOST, …), and replica
// (DB_REPLICA_HOST, …), which may be left out.
//
// It answers
//
//	POST /users                 {"name": "Ada", "email": "ada@example.com"}
//	GET  /users/{id}            with ?resilient from the replica if the primary is down
//	GET  /users/{id}/stats      a user with figures from another database
//	POST /orders                {"user_id": 1, "total_amount": 12.50}
//	GET  /orders/{user}/{id}    from the user's shard
//	GET  /dashboard             three queries in parallel
//	GET  /search?q=ada          in users, orders of all shards, and events
//	GET  /health                healthy or degraded, node by node
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dbfleet/dbfleet"
)

// shutdownTimeout bounds how long running requests are waited for at the end.
const shutdownTimeout = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx ends, then lets running requests finish and closes the
// databases.
func run(ctx context.Context, args []string, logs io.Writer) (err error) {
	flags := flag.NewFlagSet("service", flag.ContinueOnError)
	flags.SetOutput(logs)
	addr := flags.String("addr", "127.0.0.1:8080", "address to listen on; port 0 takes a free one")
	dir := flags.String("dir", "", "folder of the SQLite files; empty is a temporary one")
	tables := flags.Bool("create-tables", true, "create tables that are not there")
	if err := flags.Parse(args); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(logs, nil))

	config, cleanUp, err := loadConfig(*dir)
	if err != nil {
		return err
	}
	defer cleanUp()
	registry, err := dbfleet.Open(config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, registry.Close()) }()
	registry.OnQuery(dbfleet.LogQueries(logger, dbfleet.LogOptions{OnlySlow: true}))
	store, err := newStore(registry, logger)
	if err != nil {
		return err
	}
	if *tables {
		createTables(ctx, registry, logger)
	}

	listener, err := net.Listen("tcp", *addr) //nolint:noctx // it returns at once
	if err != nil {
		return err
	}
	logger.Info("listening", "url", "http://"+listener.Addr().String())
	server := &http.Server{
		Handler:           newHandler(store, logger),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	logger.Info("shutting down")
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	return server.Shutdown(deadline)
}
