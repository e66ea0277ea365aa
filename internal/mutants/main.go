// Command mutants asks how much of the production code the tests watch. It
// breaks the code in one place after another, each time in a copy, and runs the
// tests that can reach the place. A mutant that no test notices is printed: there
// is a line whose meaning nobody checks.
//
//	go run ./internal/mutants -n 40 -seed 1
//
// Most of the time goes into the tests on databases. With -light a few minutes are
// enough for as many mutants, in the packages that need none.
//
// The sample depends on the seed and on the code itself, not on its position: a
// change elsewhere leaves a mutant in the sample or out of it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
)

// settings are what the command line says.
type settings struct {
	n        int
	seed     uint64
	packages []string // folders, "." is the root; none means all
	light    bool     // only what is tested without a database, by such tests
	jobs     int
	budget   time.Duration // 0 means without an end
	timeout  time.Duration // of the run of one package's tests
	bar      float64
	verbose  bool
}

func main() {
	s, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, s, os.Stdout); err != nil {
		stop()
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func parse(args []string, out io.Writer) (settings, error) {
	var s settings
	var packages string
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&s.n, "n", 40, "how many mutants to try")
	flags.Uint64Var(&s.seed, "seed", 1, "which of them")
	flags.StringVar(&packages, "package", "", "only in these folders, separated by commas; . is the root")
	flags.BoolVar(&s.light, "light", false, "only in packages whose own tests need neither a database nor the root, and only by such tests, in their short form")
	flags.IntVar(&s.jobs, "j", 1, "mutants at a time")
	flags.DurationVar(&s.budget, "budget", 0, "begin no mutant after this time")
	flags.DurationVar(&s.timeout, "timeout", 5*time.Minute, "of one package's tests; running into it counts as noticed")
	flags.Float64Var(&s.bar, "bar", 0, "fail when so few are noticed that it must be less than this share of all, and not the sample's chance (one of twenty)")
	flags.BoolVar(&s.verbose, "v", false, "show those that are noticed too, and by which test")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.packages = strings.FieldsFunc(packages, func(r rune) bool { return r == ',' })
	if flags.NArg() > 0 || s.n < 1 || s.jobs < 1 || s.bar < 0 || s.bar >= 1 {
		fmt.Fprintln(out, "mutants: no arguments but flags; -n and -j are at least 1, -bar is less than that")
		return s, errors.New("usage")
	}
	return s, nil
}

// run tries a sample of mutants and prints what became of them.
func run(ctx context.Context, s settings, out io.Writer) error {
	sampling := context.Background()
	if s.budget > 0 {
		var stop context.CancelFunc
		sampling, stop = context.WithTimeout(sampling, s.budget)
		defer stop()
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	tree, err := loadTree(ctx, root)
	if err != nil {
		return err
	}
	if s.light {
		tree = tree.lightened()
	}
	all, err := tree.candidates(s.packages)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "dbfleet-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	t := newTrial(tree, scratch, s.timeout)
	c := count{wanted: s.n, candidates: len(all)}
	err = tryAll(ctx, sampling, t, shuffle(all, s.seed), s.n, s.jobs, func(m mutant, v verdict) {
		c.add(v)
		if v.survived() || s.verbose {
			fmt.Fprint(out, describe(m, v))
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, c)
	return c.check(s.bar)
}
