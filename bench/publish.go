package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/bench/build/cost"
)

// buildCost is the section about the cost of builds, from the file of its own
// measurement. It is empty when there is none.
func buildCost(file string) (string, error) {
	r, err := cost.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return r.Markdown(), nil
}

// publish writes performance.md and performance.svg into a folder. section is
// what else the page has to say, as text of its own.
func (r *Report) publish(folder, section string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, "performance.svg"), []byte(r.svg()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "performance.md"), []byte(r.markdown(section)), 0o644)
}

// markdown is the whole report as a page.
func (r *Report) markdown(section string) string {
	var b strings.Builder
	b.WriteString(`# Performance

<!-- Written by make bench and make bench-build; what is changed here is lost. -->

![Times as ratios to hand-written database/sql](performance.svg)

Each figure is the median, over shuffled rounds, of the time of an operation divided by the time of hand-written
` + "`database/sql`" + ` in the same round (below 1 is faster), and the number of allocations per operation in the client.
Row ` + "`raw`" + ` has the hand-written code's own time; ` + "`raw_again`" + ` is the same code once more, the noise.
A dash is an operation that a peer does not have. Each operation of each peer is first checked to return the same rows and to leave
the same rows in the database.

`)
	fmt.Fprintf(&b, "Measured %s with %s on %s (%s, GOMAXPROCS %d), up to %d rounds. To do it again, within half an hour:\n\n    make bench\n\n",
		r.When.Format("2006-01-02"), r.Go, r.System, r.CPU, r.GOMAXPROCS, r.Rounds)
	b.WriteString(methods)
	for _, database := range r.databases() {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", titles[database], strings.TrimSuffix(about[database]+" "+r.Databases[database], " "))
		for i, row := range r.table(database) {
			for j := range row {
				if i > 0 && j == 0 && row[0] == ours {
					row[0] = "**" + ours + "**"
				}
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
			if i == 0 {
				b.WriteString("|---|" + strings.Repeat("---:|", len(row)-1) + "\n")
			}
		}
	}
	b.WriteString("\n## Where dbfleet is not ahead\n\n")
	behind := r.behind()
	if len(behind) == 0 {
		b.WriteString("Nowhere by more than the noise.\n")
	}
	for _, line := range behind {
		b.WriteString("- " + line + "\n")
	}
	if section != "" {
		b.WriteString("\n" + strings.TrimRight(section, "\n") + "\n")
	}
	b.WriteString("\n## Versions\n\n")
	for _, m := range slices.Sorted(maps.Keys(r.Versions)) {
		fmt.Fprintf(&b, "- %s %s\n", m, r.Versions[m])
	}
	return b.String()
}

var titles = map[string]string{"null": "In-memory driver", "sqlite": "SQLite", "postgres": "PostgreSQL", "mariadb": "MariaDB",
	"sqlite_memory": "SQLite in memory", "postgres_mariadb": "PostgreSQL with MariaDB",
	"postgres_cluster": "PostgreSQL", "mariadb_cluster": "MariaDB"}

var about = map[string]string{
	"null":     "A driver that answers at once: a library's own cost, without a database,",
	"sqlite":   "The pure Go driver, WAL and synchronous=NORMAL,",
	"postgres": "A private server over loopback TCP,",
	"mariadb":  "A private server over loopback TCP,",
}

const methods = `## What is measured

| operation | what it does |
|---|---|
| insert | stores one record of eight columns and reads its key back |
| insert_100 | stores a hundred records in one call |
| update | writes all columns of one record, by key |
| read | one record by key |
| read_parallel | the same, on as many goroutines as there are processors, at least four; the best of three |
| read_routed | the same, from one of two replicas' pools in turn |
| read_100 | a hundred records into a slice |
| eager_100x5 | a hundred parents with five children each |
| build | text and arguments of a SELECT with four conditions, one of them a list of ten |
| scan_10k | ten thousand rows of eight columns (three nullable, two times) into a slice |
| load_10k | stores ten thousand records by the best bulk way that the peer documents |

Hand-written code is what a careful user writes: constant texts, ` + "`QueryRowContext`" + ` and ` + "`Scan`" + `, slices sized where the size is
known, many rows in one ` + "`VALUES`" + ` list (a thousand for bulk loads), an ` + "`IN`" + ` list for the children. It keeps no prepared statements.
All peers have pools of the same size on the same driver (native pgx has its own), the same pragmas on SQLite and UTC times. GORM runs without
its default transaction, as its page on performance advises, with and without ` + "`PrepareStmt`" + `, by its classic and its generic interface;
its routed read goes through dbresolver. XORM gives no keys back from an insert of many. ent and bob are their newest releases; of bob, which
generates its models from a live database, only builder and mapper take part. The servers do not wait for the disk.
Contexts cannot be cancelled: one that can costs ` + "`database/sql`" + ` a goroutine a query. On a machine with other work, ratios of short
operations over the network vary most; so client and servers share one processor, where the system can pin them to it.
`
