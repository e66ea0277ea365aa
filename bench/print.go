package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// print writes the tables and what is to be said about them.
func (r *Report) print(w io.Writer) {
	fmt.Fprintf(w, "%s on %s, %s, GOMAXPROCS %d; medians of up to %d rounds, seed %d\n", r.Go, r.System, r.CPU, r.GOMAXPROCS, r.Rounds, r.Seed)
	fmt.Fprintf(w, "Times are ratios to hand-written database/sql (raw) within a round, below 1 is faster; then allocations per operation.\n")
	for _, database := range r.databases() {
		fmt.Fprintf(w, "\n%s (%s)\n", database, r.Databases[database])
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, row := range r.table(database) {
			fmt.Fprintln(t, strings.Join(row, "\t")+"\t")
		}
		_ = t.Flush()
	}
	fmt.Fprintf(w, "\nWhere %s is not ahead:\n", ours)
	behind := r.behind()
	if len(behind) == 0 {
		fmt.Fprintln(w, "  nowhere")
	}
	for _, b := range behind {
		fmt.Fprintln(w, "  "+b)
	}
}

// databases are those with results, in their order.
func (r *Report) databases() []string {
	all := slices.Concat(Databases, TransactionDatabases, ReplicaDatabases)
	slices.Sort(all)
	all = slices.Compact(all)
	slices.SortStableFunc(all, func(a, b string) int { return rank(a) - rank(b) })
	return slices.DeleteFunc(all, func(d string) bool {
		return !slices.ContainsFunc(r.Results, func(x Result) bool { return x.Database == d })
	})
}

// operations are those with results for a database, in their order.
func (r *Report) operations(database string) []Operation {
	return slices.DeleteFunc(slices.Concat(Operations, Transactions, Spreads, Relations[1:]), func(op Operation) bool { return r.find(database, op, raw) == nil })
}

// table is a database's results, a row for each peer.
func (r *Report) table(database string) [][]string {
	head := []string{"peer"}
	ops := r.operations(database)
	for _, op := range ops {
		head = append(head, string(op))
	}
	rows := [][]string{head}
	for _, p := range slices.Concat(Peers(), ReplicaPeers()[3:]) {
		row := []string{p.Name}
		found := false
		for _, op := range ops {
			x := r.find(database, op, p.Name)
			switch {
			case x == nil:
				row = append(row, "–")
				continue
			case p.Name == raw:
				row = append(row, fmt.Sprintf("%s; %.0f", shortTime(x.Ns), x.Allocs))
			default:
				row = append(row, fmt.Sprintf("%.2f; %.0f", x.Ratio, x.Allocs))
			}
			found = true
		}
		if found {
			rows = append(rows, row)
		}
	}
	return rows
}

func shortTime(ns float64) string {
	d := time.Duration(ns)
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d)
	case d < 100*time.Microsecond:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", ns/1e3)
	default:
		return fmt.Sprintf("%.1f ms", ns/1e6)
	}
}

// noise is how far from 1 the hand-written code measures itself to be.
func (r *Report) noise(database string, op Operation) float64 {
	x := r.find(database, op, rawAgain)
	if x == nil {
		return 0
	}
	return max(math.Abs(1-x.Low), math.Abs(x.High-1))
}

// behind says where a peer, or hand-written code, is faster than dbfleet by more
// than the noise.
func (r *Report) behind() []string {
	var out []string
	for _, database := range r.databases() {
		for _, op := range r.operations(database) {
			us := r.find(database, op, ours)
			if us == nil {
				continue
			}
			var ahead []string
			for _, p := range Peers() {
				x := r.find(database, op, p.Name)
				if x == nil || p.Name == ours || p.Name == rawAgain {
					continue
				}
				if us.Ratio > x.Ratio*(1+r.noise(database, op)) {
					ahead = append(ahead, fmt.Sprintf("%s %.2f", p.Name, x.Ratio))
				}
			}
			if ahead != nil {
				out = append(out, fmt.Sprintf("%s %s: %.2f (noise %.2f); %s", database, op, us.Ratio, r.noise(database, op), strings.Join(ahead, ", ")))
			}
		}
	}
	return out
}

// rank is where a database stands in a report.
func rank(database string) int {
	if i := slices.Index(Databases, database); i >= 0 {
		return 2 * i
	}
	return 2*slices.Index(slices.Concat(TransactionDatabases, ReplicaDatabases), database) + 1
}
