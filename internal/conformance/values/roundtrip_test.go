package values

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/conformance"
)

var (
	update = flag.Bool("update", false, "write docs/types.md anew, on all databases")
	// matching is for who works on a type: the whole table takes many minutes.
	matching = flag.String("columns", "", "try all pairs of the columns whose type matches this pattern, and no others; -update keeps what the page says of the others")
)

// typesPage is where the outcomes stand.
var typesPage = filepath.Join("..", "..", "..", "docs", "types.md")

// An outcome says what becomes of values of a Go type in a column type.
type outcome uint8

const (
	kept    outcome = iota // all that is read is found again and written back unchanged
	refused                // nothing is read or written: always an error
	other                  // something is read that is found or written otherwise
)

// sampleTime is how long a sample takes on a database.
const sampleTime = 12 * time.Second

// truth 409, 410, 412
// What is read is found again by all conditions and written back by all writes,
// unchanged, or refused; docs/types.md names what is neither. make torture tries all
// types, any other run a sample.
func TestRoundTrip_WhatWasReadIsWrittenBackAndFoundAgain(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(typesPage)
	if !*update {
		require.NoError(t, err)
	}
	want := parseTypes(string(page))
	var mu sync.Mutex
	all := map[string]map[string]outcome{}
	t.Cleanup(func() {
		if *update && len(all) == 3 && !t.Failed() {
			for dialect, cells := range want {
				for cell, v := range cells {
					if _, tried := all[dialect][cell]; !tried && *matching != "" {
						all[dialect][cell] = v
					}
				}
			}
			require.NoError(t, os.WriteFile(typesPage, []byte(formatTypes(all)), 0o644))
		}
	})
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		got := tryTypes(t, fl)
		mu.Lock()
		all[fl.Database.Dialect] = got
		mu.Unlock()
		if *update {
			return
		}
		for cell, v := range got {
			if want[fl.Database.Dialect][cell] == other {
				continue // which may depend on values, and on whether a statement was prepared
			}
			require.Equal(t, want[fl.Database.Dialect][cell], v, "%s: 0 is right, 1 refused, 2 otherwise; make types accepts it", cell)
		}
	})
}

// tryTypes tries the pairs of types, or some of them, and returns their outcomes.
func tryTypes(t *testing.T, fl conformance.Fleet) map[string]outcome {
	t.Helper()
	dialect := fl.Database.Dialect
	fl.Create(t, before[dialect]...)
	whole := os.Getenv("DBFLEET_TORTURE") != "" || *update || *matching != ""
	chosen := regexp.MustCompile(*matching)
	deadline := time.Now().Add(sampleTime)
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	got := map[string]outcome{}
	var sum cellResult
	var failures []string
	columns := columnsOf(dialect)
	for _, i := range rng.Perm(len(columns)) {
		if !whole && time.Now().After(deadline) {
			break
		}
		if !chosen.MatchString(columns[i].name()) {
			continue
		}
		b := set(t, fl, columns[i], i)
		for _, g := range goTypes {
			if !whole && (rng.IntN(5) != 0 || time.Now().After(deadline)) {
				continue
			}
			r := g.try(b)
			cell := columns[i].name() + " × " + g.name
			got[cell] = r.outcome()
			sum.right += r.right
			sum.refused += r.refused
			for _, f := range r.failures {
				failures = append(failures, cell+": "+f)
			}
			for _, f := range r.shapeless {
				sum.shapeless = append(sum.shapeless, cell+": "+f)
			}
		}
	}
	t.Logf("%s, seed %d: %d pairs of types; values found and written as they are %d, refused %d, otherwise %d",
		dialect, seed, len(got), sum.right, sum.refused, len(failures))
	if path := os.Getenv("DBFLEET_TORTURE_LOG"); path != "" {
		require.NoError(t, os.WriteFile(path+"."+dialect, []byte(strings.Join(failures, "\n")+"\n"), 0o600))
	}
	require.Empty(t, sum.shapeless, "refused without a table, or model, and column")
	return got
}

func (r *cellResult) outcome() outcome {
	switch {
	case len(r.failures) > 0:
		return other
	case r.right == 0:
		return refused
	}
	return kept
}

// set makes the tables of a column and stores its literals.
func set(t *testing.T, fl conformance.Fleet, c column, i int) *bench {
	t.Helper()
	b := &bench{
		fl: fl, ctx: context.Background(), column: c, table: fmt.Sprintf("cell%d", i), lastID: 1000,
		stored: map[int64]string{}, alike: map[int64][]int64{},
	}
	end := ""
	if c.strict {
		end = " STRICT"
	}
	fl.Create(t, fmt.Sprintf("CREATE TABLE %s (id {id}, v %s)%s", b.table, c.typ, end))
	if c.typ == "SERIAL" {
		fl.Create(t, "ALTER TABLE "+b.table+" ALTER COLUMN v DROP NOT NULL")
	}
	if !c.keyless {
		b.keys = fmt.Sprintf("keys%d", i)
		fl.Create(t, fmt.Sprintf("CREATE TABLE %s (v %s NOT NULL PRIMARY KEY, id {bigint})%s", b.keys, strings.TrimSuffix(c.typ, " NULL"), end))
	}
	for i, literal := range c.literals {
		id := int64(i + 1)
		fl.Create(t, lax(fl)+fmt.Sprintf("INSERT INTO %s (id, v) VALUES (%d, %s)", b.table, id, literal))
		text, err := b.text(id)
		require.NoError(t, err, c.typ)
		b.stored[id] = text
	}
	for id := range b.stored {
		b.alike[id], _ = b.equals(id)
	}
	return b
}

// lax is what stands before a statement of others, who may have stored what this
// library's sessions refuse.
func lax(fl conformance.Fleet) string {
	if fl.Database.Dialect == "mysql" {
		return "SET STATEMENT sql_mode = '' FOR "
	}
	return ""
}

var sections = []struct{ dialect, title string }{{"sqlite", "SQLite"}, {"postgres", "PostgreSQL"}, {"mysql", "MySQL and MariaDB"}}

const typesHead = `# Column types and Go types

What a field of a Go type does on a column type. The table is made by a test, which stores values by SQL and by every write of the library, reads
them in every way, finds them by every condition, and writes back what it has read.

- **Kept**: what is read is found again by every condition and written back unchanged; a value of which that is not so is an error, as is one that does
  not fit. A number is unchanged as a number: NUMERIC of PostgreSQL may lose zeros behind the point. A text in a field for numbers must be written as the
  number is: '7' is read, '007' and '1abc' are errors, as are 0.1234567890123456789 in a float64 and the first instant of the year 1, which is Go's zero time.
- **Refused**: always an error, which names table, or model, and column.
- **Otherwise**: some value is read that is found or written otherwise. What is left there, and what to take instead:
  times of SQLite with a T or in another zone than UTC (a string, or write them anew: ` + "`" + `UPDATE events SET at = datetime(at)` + "`" + `, to the second);
  documents (dbfleet.JSON) in PostgreSQL's TEXT and JSON and MySQL's JSON, which databases compare by their text, and in which Go writes its own layout and all
  fields of a struct (JSONB on PostgreSQL; json.RawMessage, which keeps the text; or find rows by JSONPath); FLOAT of MySQL in a
  float64, which is not found by it (a float32); and the zero of its DATETIME(6) as text: the server loses it where a condition names the column twice (NULL for no time, or a []byte).

Whole numbers that MySQL finds in a column of texts are those that the texts begin with: a field of a whole number does not read '01' and '1abc', and no write
changes them by 1, but Count, Exists, Pluck and sums by = and IN take them for 1. Take a string, or compare with the text: ` + "`" + `WhereRaw("code = ?", "1")` + "`" + `.

A UUID stands as text or as 16 bytes. A [16]byte, and most libraries' UUID types, write text, so that a read of bytes is an error: take
dbfleet.BinaryUUID for BINARY(16), BLOB and bytea, which converts to and from them. Conditions by = and IN find both forms, ranges that which is written.
A time of SQLite is a text, and SQLite orders and compares the texts. Written is 2006-01-02 15:04:05.999999 of UTC, as CURRENT_TIMESTAMP writes it too.
Conditions find that; the date alone as its midnight; the fraction filled up with zeros to three or six digits; the nanoseconds of a time that has some, beside
its microsecond; and each with +00:00 behind it, as Bun and mattn's driver write times of UTC. These are in one order. What is of another layout (a T, a Z) or zone is read, but not found by the time that is read, and
is in its own place in an order, until a Save writes it anew.

A read is so strict where its columns are those of the fields: Find, First, Get, Iter, relations. A select list of your own, SQL, Pluck and aggregates
give what they compute, converted as far as nothing is lost. In SQL of your own a UUID, and a time on SQLite, is compared in the one form that is sent.
A value that a field would not give back can be read by an expression:

    rows, err := dbfleet.Select[struct{ Month int }](ctx, db, "SELECT SUBSTRING(day, 6, 2) AS month FROM events") // '05' is 5

What the table does not show: A SQLite TEXT keeps 15 digits of a float. ExecContext hands slices to the driver of PostgreSQL, which writes them in its own
way: as an array of JSON for a column of JSON.

Types of users that are named here: "UUID type (text)" has a Value method that gives text, "UUID type (bytes)" one that gives bytes; "Scanner and
Valuer" is a decimal by its text.
`

// formatTypes writes the page.
func formatTypes(all map[string]map[string]outcome) string {
	var b strings.Builder
	b.WriteString(typesHead)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| column | kept | refused | otherwise |\n|---|---|---|---|\n", s.title)
		for _, c := range columnsOf(s.dialect) {
			lists := [3][]string{}
			for _, g := range goTypes {
				v := all[s.dialect][c.name()+" × "+g.name]
				lists[v] = append(lists[v], g.name)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c.name(), strings.Join(lists[0], ", "), strings.Join(lists[1], ", "), strings.Join(lists[2], ", "))
		}
	}
	return b.String()
}

// parseTypes reads it.
func parseTypes(page string) map[string]map[string]outcome {
	all := map[string]map[string]outcome{}
	dialect := ""
	for line := range strings.Lines(page) {
		for _, s := range sections {
			if strings.TrimSpace(line) == "## "+s.title {
				dialect = s.dialect
				all[dialect] = map[string]outcome{}
			}
		}
		parts := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if dialect == "" || len(parts) != 4 || strings.HasPrefix(parts[0], "---") || parts[0] == " column " {
			continue
		}
		for v, list := range parts[1:] {
			for _, g := range strings.Split(list, ",") {
				if g = strings.TrimSpace(g); g != "" {
					all[dialect][strings.TrimSpace(parts[0])+" × "+g] = outcome(v)
				}
			}
		}
	}
	return all
}

// truth 412
func TestTypesPage_IsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	all := map[string]map[string]outcome{}
	for _, s := range sections {
		all[s.dialect] = map[string]outcome{}
		for i, c := range columnsOf(s.dialect) {
			for j, g := range goTypes {
				all[s.dialect][c.name()+" × "+g.name] = outcome((i + j) % 3)
			}
		}
	}
	require.Equal(t, all, parseTypes(formatTypes(all)))
	require.Equal(t, []string{"mysql", "postgres", "sqlite"}, slices.Sorted(maps.Keys(all)))
}
