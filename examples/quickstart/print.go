package main

import (
	"database/sql"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet"
)

// width is how many columns a line may have, its margin included.
const width = 96

// margin is before the text of a line: room for its label.
const margin = 9

// printer writes the tour, in colours on a terminal.
type printer struct {
	w       io.Writer
	colours bool
	steps   int
}

func newPrinter(f *os.File) *printer { return &printer{w: f, colours: wantsColours(f)} }

// wantsColours says whether what is written to f is seen on a terminal by somebody
// who did not ask for none; see https://no-color.org.
func wantsColours(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// A colour is the number of a terminal's escape sequence.
type colour string

const (
	plain  colour = ""
	bold   colour = "1"
	dim    colour = "2"
	red    colour = "31"
	green  colour = "32"
	yellow colour = "33"
	cyan   colour = "36"
)

func (p *printer) paint(c colour, text string) string {
	if !p.colours || c == plain {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// line writes words beside a label, on several lines where they are many.
func (p *printer) line(label string, c colour, words ...string) {
	for _, part := range wrap(words, width-margin) {
		fmt.Fprintf(p.w, "   %s %s\n", p.paint(dim, fmt.Sprintf("%-*s", margin-4, label)), p.paint(c, part))
		label = ""
	}
}

// begin says what is going to be shown.
func (p *printer) begin() {
	fmt.Fprintln(p.w, p.paint(bold, "A tour of dbfleet: a shop on many databases."))
	fmt.Fprintln(p.w, "Files of SQLite stand in for the servers; their tables are there. Below each call of Go are the")
	fmt.Fprintln(p.w, "statements that came of it, their arguments, and where they went: the server, its role, and why.")
}

// step begins a part of the tour.
func (p *printer) step(title string) {
	p.steps++
	number := fmt.Sprint(p.steps)
	fmt.Fprintln(p.w)
	for _, part := range wrap(words(title), width-3) {
		fmt.Fprintln(p.w, p.paint(bold, fmt.Sprintf("%-2s %s", number, part)))
		number = ""
	}
}

// call shows a line of Go, which is run next.
func (p *printer) call(code string) {
	fmt.Fprintln(p.w)
	p.line("Go", cyan, words(code)...)
}

// statement shows what a call sent, and where.
func (p *printer) statement(e dbfleet.QueryEvent) {
	p.line("SQL", green, words(e.SQL)...)
	var args []string
	for i, a := range e.Args {
		args = append(args, argument(a))
		if i < len(e.Args)-1 {
			args[i] += ","
		}
	}
	if args != nil {
		p.line("args", plain, args...)
	}
	p.line("to", yellow, words(e.Route.String())...)
}

func argument(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case time.Time:
		return v.Format("2006-01-02T15:04:05Z07:00")
	}
	return fmt.Sprint(value)
}

// result shows what a call returned.
func (p *printer) result(format string, args ...any) {
	p.line("->", bold, words(fmt.Sprintf(format, args...))...)
}

// failure shows the error that a call returned.
func (p *printer) failure(err error) { p.line("error", red, words(fmt.Sprint(err))...) }

// pools shows the figures of the pools that were opened.
func (p *printer) pools(stats map[string]sql.DBStats) {
	p.line("pools", dim, fmt.Sprintf("%-22s %5s %7s %6s %7s", "server", "open", "in use", "idle", "waited"))
	for _, name := range slices.Sorted(maps.Keys(stats)) {
		s := stats[name]
		p.line("", plain, fmt.Sprintf("%-22s %5d %7d %6d %7d", name, s.OpenConnections, s.InUse, s.Idle, s.WaitCount))
	}
}

func (p *printer) end() {
	fmt.Fprintf(p.w, "\n%s\n", p.paint(bold, "What to read next"))
	for _, next := range [][2]string{
		{"examples/quickstart/shop.go", "the code of this tour"},
		{"go doc -all . | less", "the guide, with the reference behind it"},
		{"docs/tasks.md", "twelve tasks, beside GORM, Bun, ent and sqlc"},
		{"examples/service", "a web service; go run ./examples/service"},
		{"examples/integrations", "sqlc, GORM, goose and others on dbfleet's connections; testing"},
		{"README.md", "configuration, errors, and what dbfleet does not do"},
	} {
		fmt.Fprintf(p.w, "   %s  %s\n", p.paint(cyan, fmt.Sprintf("%-27s", next[0])), next[1])
	}
}

func words(text string) []string { return strings.Split(text, " ") }

// wrap joins words to lines of at most so many columns; a longer word is a line.
func wrap(words []string, columns int) []string {
	lines := []string{words[0]}
	for _, word := range words[1:] {
		last := &lines[len(lines)-1]
		if len(*last)+1+len(word) > columns {
			lines = append(lines, word)
			continue
		}
		*last += " " + word
	}
	return lines
}
