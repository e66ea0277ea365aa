// Command build measures what a record type costs the build of a program that
// uses a library: CPU time and peak memory of the compiler, and bytes of the
// linked program. It writes programs with more and more types, each of which
// takes the usual calls, for dbfleet, hand-written database/sql and the peers.
// The largest programs of some peers take minutes and 11 GB of memory.
//
//	go run ./build -types 1,10 -library dbfleet,sqlx
//
// It compiles what they import beforehand and calls the compiler by itself, so
// that only the packages with the types count.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/bench/build/cost"
)

func main() {
	if file := os.Getenv(meterVariable); file != "" {
		if err := meter(file, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, progress io.Writer) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	types := flags.String("types", "1,10,50,200", "how many record types")
	names := flags.String("library", "", "the libraries, all by default: "+joined(libraries))
	runs := flags.Int("runs", 3, "runs of the compiler for a figure, which is the least of them")
	patience := flags.Duration("patience", 30*time.Second, "CPU time after which no further run begins")
	module := flags.String("module", ".", "the `folder` of the module bench")
	file := flags.String("json", "", "the `file` for the results, where those of what is not measured now stay; none by default")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected %q", flags.Args())
	}
	p := plan{runs: max(*runs, 1), patience: *patience}
	var err error
	if p.types, err = numbers(*types); err != nil {
		return err
	}
	if p.libraries, err = chosen(*names); err != nil {
		return err
	}
	report, err := p.measure(ctx, *module, progress)
	if err != nil {
		return err
	}
	if *file != "" {
		if old, err := cost.Read(*file); err == nil {
			report.Keep(old)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := report.Write(*file); err != nil {
			return err
		}
	}
	fmt.Fprint(stdout, report.Markdown())
	return nil
}

func numbers(list string) ([]int, error) {
	var out []int
	for s := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no number of types", s)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// chosen returns the libraries that a list names; an empty list names all.
func chosen(list string) ([]library, error) {
	if list == "" {
		return libraries, nil
	}
	var out []library
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(libraries, func(l library) bool { return l.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no library is called %s; there are %s", name, joined(libraries))
		}
		out = append(out, libraries[i])
	}
	return out, nil
}

func joined(list []library) string {
	var names []string
	for _, l := range list {
		names = append(names, l.name)
	}
	return strings.Join(names, ", ")
}
