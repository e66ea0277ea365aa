// Command dbfleet writes Go code to begin with from live databases:
//
//	go run github.com/dbfleet/dbfleet/cmd/dbfleet models -dsn "$DATABASE_URL" -out models.go -package models
//	go run github.com/dbfleet/dbfleet/cmd/dbfleet models -config fleet.json -tables 'user*,order*,!*_old'
//
// What models writes is a struct for each table and view, a model for each table that has
// a key, and a relation for each foreign key, by the types that keep what the columns hold. It is a
// starter: the file is the program's own from then on. A file that is there is not
// written again without -force, and one that the command did not write never.
//
// It reads the databases' catalogs alone, and changes nothing. What the code cannot say is a
// comment in it, and a warning on the standard error. "dbfleet models -h" tells all flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
)

const usage = `usage: dbfleet models [flags]

models   write structs, models and relations from live databases

dbfleet models -h tells the flags.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run is the command without its process. It returns flag.ErrHelp where it was asked how
// to be called, and told it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help" {
		fmt.Fprint(stderr, usage)
		return flag.ErrHelp
	}
	if args[0] != "models" {
		return fmt.Errorf("dbfleet: there is no command %q; there is: models", args[0])
	}
	if err := models(ctx, args[1:], stdout, stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("dbfleet models: %w", err)
	}
	return nil
}
