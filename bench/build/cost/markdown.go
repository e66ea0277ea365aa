package cost

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// ours is the library whose row stands out.
const ours = "dbfleet"

// Markdown is the report as a section of a page.
func (r *Report) Markdown() string {
	var b strings.Builder
	b.WriteString("## What a record type costs a build\n\n")
	fmt.Fprintf(&b, intro, r.When.Format("2006-01-02"), r.Go, r.System, r.Runs)
	r.section(&b, "together", "A package with record types and the usual calls of each")
	r.section(&b, "apart", "A package that uses the types of another one by two calls each")
	return b.String()
}

const intro = `A generic library is compiled anew for each type of its user, in each package that uses it. Measured are programs with more and more record
types of nine fields, compiled one package at a time as ` + "`go build`" + ` does, after everything that they import: CPU time and peak memory of the
compiler, and the growth of the linked program with its debug information. The figures are what **one further type** costs, as the difference between
two sizes of the same program; functions are those that the compiler emits. Each type takes the usual calls, as far as a library has
them: create one and several, save a record and some of its columns, find by key, a query with conditions joined by AND and OR, a list, NULL, order, limit and offset,
read by get, first, count and exists, update and delete rows, delete a record, upsert, iterate, and create in a transaction.

ent's figures are those of the code that it generates and of the package that calls it, added up, their memory the largest of all; bob's models are
generated from a live database, so its row has its builder and mapper only.

Measured %s with %s on %s, each figure the least of up to %d runs. To do it again:

    make bench-build

`

// section writes the table of a layout: a row a library, the columns between two
// sizes each.
func (r *Report) section(b *strings.Builder, layout, title string) {
	sizes, libraries := r.axes(layout)
	steps := steps(sizes)
	if len(steps) == 0 {
		return
	}
	fmt.Fprintf(b, "### %s\n\n", title)
	head, line := "| per further type |", "|---|"
	for _, s := range steps {
		for _, what := range []string{"CPU", "memory", "binary", "functions"} {
			head += fmt.Sprintf(" %d→%d: %s |", s[0], s[1], what)
			line += "---:|"
		}
	}
	total := sizes[len(sizes)-1]
	head += fmt.Sprintf(" all %d: CPU | memory |", total)
	fmt.Fprintf(b, "%s\n%s---:|---:|\n", head, line)
	for _, l := range libraries {
		name := l
		if l == ours {
			name = "**" + l + "**"
		}
		fmt.Fprintf(b, "| %s |", name)
		for _, s := range steps {
			few, many := r.find(l, layout, s[0]), r.find(l, layout, s[1])
			if few == nil || many == nil {
				b.WriteString(" – | – | – | – |")
				continue
			}
			x := Between(*few, *many)
			fmt.Fprintf(b, " %.0f ms | %.1f MB | %.1f KB | %.0f |", x.CPU*1e3, x.Memory/1e6, x.Binary/1e3, x.Functions)
		}
		if x := r.find(l, layout, total); x != nil {
			fmt.Fprintf(b, " %.1f s | %.0f MB |\n", x.CPU, x.Memory/1e6)
		} else {
			b.WriteString(" – | – |\n")
		}
	}
	b.WriteString("\n")
}

// axes are the sizes and the libraries of a layout.
func (r *Report) axes(layout string) (sizes []int, libraries []string) {
	for _, x := range r.Results {
		if x.Layout != layout {
			continue
		}
		if !slices.Contains(sizes, x.Types) {
			sizes = append(sizes, x.Types)
		}
		if !slices.Contains(libraries, x.Library) {
			libraries = append(libraries, x.Library)
		}
	}
	slices.Sort(sizes)
	slices.SortStableFunc(libraries, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	return sizes, libraries
}

// order is that of the rows; what is not in it comes last.
var order = []string{ours, "database/sql by hand", "sqlx", "GORM", "GORM generics", "Bun", "ent", "bob"}

func place(library string) int {
	if i := slices.Index(order, library); i >= 0 {
		return i
	}
	return len(order)
}

// steps are the pairs of sizes that are shown: from one to the last but one, and
// from there to the last. With few sizes there is one.
func steps(sizes []int) [][2]int {
	switch n := len(sizes); n {
	case 0, 1:
		return nil
	case 2:
		return [][2]int{{sizes[0], sizes[1]}}
	default:
		return [][2]int{{sizes[0], sizes[n-2]}, {sizes[n-2], sizes[n-1]}}
	}
}
