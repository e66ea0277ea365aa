// Command bench measures dbfleet beside hand-written database/sql, native pgx
// and the peers that Go programs use for databases, on an in-memory driver,
// SQLite, PostgreSQL and MariaDB. It starts the servers by itself.
//
//	go run . -quick
//	go run . -db sqlite,postgres -op read,insert -peer dbfleet,sqlx -rounds 20
//
// Every operation of every peer is first checked to do the same work. The times
// are ratios to hand-written code within one round, whose order is shuffled;
// raw_again, which is the same code once more, shows the noise.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are what the command line asks for.
type options struct {
	plan      Plan
	databases []string
	ops       []Operation
	peers     []*Peer
	json      string
	from      string
	docs      string
	build     string

	transactions, replicas, relations string
}

func run(ctx context.Context, args []string, stdout, progress io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	var report *Report
	if o.from != "" {
		if report, err = readReport(o.from); err != nil {
			return err
		}
	} else {
		if report, err = o.measure(ctx, progress); err != nil {
			return err
		}
		if err := report.write(o.json); err != nil {
			return err
		}
	}
	report.print(stdout)
	if o.docs == "" {
		return nil
	}
	section, err := transactionCost(o.transactions)
	if err != nil {
		return err
	}
	spread, err := replicaCost(o.replicas)
	if err != nil {
		return err
	}
	relations, err := relationCost(o.relations)
	if err != nil {
		return err
	}
	builds, err := buildCost(o.build)
	if err != nil {
		return err
	}
	section = strings.TrimSpace(section + "\n" + spread + "\n" + relations + "\n" + builds)
	return report.publish(o.docs, section)
}

func parse(args []string) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	tx := flags.Bool("transactions", false, "the operations of transactions, on their databases, of dbfleet alone")
	replicas := flags.Bool("replicas", false, "a read that is spread over replicas, and in a session, of dbfleet alone")
	relations := flags.Bool("relations", false, "the operations of relations, of the peers that have them")
	quick := flags.Bool("quick", false, "few rounds: the order of things within three minutes")
	databases := flags.String("db", strings.Join(Databases, ","), "the databases")
	ops := flags.String("op", "", "the operations, all by default: "+joined(Operations))
	peers := flags.String("peer", "", "the peers beside raw and raw_again, all by default")
	rounds := flags.Int("rounds", 0, "rounds, 25 by default and 4 with -quick")
	flags.Uint64Var(&o.plan.Seed, "seed", 1, "of the order in which the peers have their turns")
	flags.StringVar(&o.json, "json", "", "the `file` for the results, results/<time>.json by default")
	flags.StringVar(&o.from, "from", "", "measure nothing, show the results of that `file`")
	flags.StringVar(&o.docs, "docs", "", "the `folder` for performance.md and performance.svg")
	flags.StringVar(&o.build, "build", filepath.Join("results", "build.json"), "the `file` that make bench-build has left, for performance.md")
	flags.StringVar(&o.transactions, "with", filepath.Join("results", "transactions.json"), "the `file` that make bench-transactions has left, for performance.md")
	flags.StringVar(&o.replicas, "with-replicas", filepath.Join("results", "replicas.json"), "the `file` that make bench-replicas has left, for performance.md")
	flags.StringVar(&o.relations, "with-relations", filepath.Join("results", "relations.json"), "the `file` that make bench-relations has left, for performance.md")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected %q", flags.Args())
	}
	o.plan.Rounds, o.plan.Budget = 25, 25*time.Millisecond
	if *quick {
		o.plan.Rounds, o.plan.Budget = 4, 5*time.Millisecond
	}
	if *rounds > 0 {
		o.plan.Rounds = *rounds
	}
	o.plan.HeavyRounds = o.plan.Rounds
	if *quick {
		o.plan.HeavyRounds = min(o.plan.Rounds, 3)
	}
	known, of, compared := Operations, Databases, Peers()
	switch {
	case *tx:
		known, of = Transactions, TransactionDatabases
		if *peers == "" {
			*peers = ours
		}
	case *replicas:
		known, of, compared = Spreads, ReplicaDatabases, ReplicaPeers()
	case *relations:
		known, of, compared = Relations, RelationDatabases, RelationPeers()
	}
	if (*tx || *replicas || *relations) && *databases == strings.Join(Databases, ",") {
		*databases = ""
	}
	var err error
	if o.databases, err = chosen("database", *databases, of, func(s string) string { return s }); err != nil {
		return nil, err
	}
	if o.ops, err = chosen("operation", *ops, known, func(op Operation) string { return string(op) }); err != nil {
		return nil, err
	}
	if *peers != "" {
		*peers = raw + "," + rawAgain + "," + *peers
	}
	if o.peers, err = chosen("peer", *peers, compared, func(p *Peer) string { return p.Name }); err != nil {
		return nil, err
	}
	if o.json == "" {
		o.json = filepath.Join("results", time.Now().UTC().Format("2006-01-02T150405Z")+".json")
	}
	return o, nil
}

// chosen returns those of all that a list names, in the order of all; an empty
// list names all.
func chosen[T any](what, list string, all []T, name func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	names := strings.Split(list, ",")
	var out []T
	for _, v := range all {
		if i := slices.Index(names, name(v)); i >= 0 {
			out = append(out, v)
			names = slices.DeleteFunc(names, func(s string) bool { return s == name(v) })
		}
	}
	if len(names) > 0 {
		var known []string
		for _, v := range all {
			known = append(known, name(v))
		}
		return nil, fmt.Errorf("no %s is called %s; there are %s", what, names[0], strings.Join(known, ", "))
	}
	return out, nil
}

func joined[S ~string](list []S) string {
	var out []string
	for _, s := range list {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}

func (o *options) measure(ctx context.Context, progress io.Writer) (*Report, error) {
	report := newReport(o.plan)
	for _, database := range o.databases {
		start := time.Now()
		skipped, err := hosted(ctx, func(t testing.TB) {
			s := startServer(t, database)
			for _, p := range places {
				if err := o.measurePlace(ctx, t, s, p, report); err != nil {
					t.Fatal(err)
				}
			}
			if err := o.countTrips(ctx, t, s, report); err != nil {
				t.Fatal(err)
			}
		})
		switch {
		case err != nil:
			return nil, err
		case skipped != "":
			fmt.Fprintf(progress, "%s is left out: %s\n", database, skipped)
		default:
			fmt.Fprintf(progress, "%s: %v\n", database, time.Since(start).Round(time.Second))
		}
	}
	return report, nil
}

func (o *options) measurePlace(ctx context.Context, t testing.TB, s *server, p place, report *Report) (err error) {
	if !slices.ContainsFunc(o.ops, func(op Operation) bool { return op.place() == p }) {
		return nil
	}
	l, err := openLab(ctx, t, s, p, o.peers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	report.Databases[s.database] = l.version(ctx)
	if err := l.checkAll(ctx, o.ops); err != nil {
		return err
	}
	all, err := l.measure(ctx, o.ops, o.plan)
	if err != nil {
		return err
	}
	for _, op := range o.ops {
		if samples, ok := all[op]; ok {
			report.add(s.database, op, samples)
		}
	}
	return nil
}
