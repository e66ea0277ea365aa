package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// A mutant is one small change of one file.
type mutant struct {
	pkg    string // folder relative to the root
	file   string // path relative to the root
	fn     string // the function or declaration that it is in
	kind   string
	source []byte // of the whole file, shared by its mutants
	start  int    // the bytes of source that are replaced
	end    int
	with   string
	nth    int // among those of the function that are otherwise the same
}

// name tells a mutant from all others, wherever in its package it stands.
func (m mutant) name() string {
	return fmt.Sprintf("%s %s %s %q %q %d", m.pkg, m.fn, m.kind, m.source[m.start:m.end], m.with, m.nth)
}

// text returns the file with the change.
func (m mutant) text() []byte {
	return slices.Concat(m.source[:m.start], []byte(m.with), m.source[m.end:])
}

// line is the number of the first line that is changed.
func (m mutant) line() int { return 1 + strings.Count(string(m.source[:m.start]), "\n") }

// diff shows the lines before and after the change.
func (m mutant) diff() string {
	from := 1 + strings.LastIndexByte(string(m.source[:m.start]), '\n')
	to := len(m.source)
	if i := strings.IndexByte(string(m.source[m.end:]), '\n'); i >= 0 {
		to = m.end + i
	}
	var b strings.Builder
	for line := range strings.SplitSeq(string(m.source[from:to]), "\n") {
		fmt.Fprintf(&b, "  - %s\n", line)
	}
	after := string(m.source[from:m.start]) + m.with + string(m.source[m.end:to])
	for line := range strings.SplitSeq(after, "\n") {
		fmt.Fprintf(&b, "  + %s\n", line)
	}
	return b.String()
}

// number sets nth of each mutant, in the order of the source.
func number(all []mutant) {
	seen := map[string]int{}
	for i := range all {
		name := all[i].name()
		all[i].nth = seen[name]
		seen[name]++
	}
}

// shuffle returns the mutants in an order that the seed and their names decide.
func shuffle(all []mutant, seed uint64) []mutant {
	type ranked struct {
		mutant
		rank [sha256.Size]byte
	}
	order := make([]ranked, len(all))
	for i, m := range all {
		order[i] = ranked{m, sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), m.name()...))}
	}
	slices.SortFunc(order, func(a, b ranked) int {
		return cmp.Or(slices.Compare(a.rank[:], b.rank[:]), cmp.Compare(a.start, b.start))
	})
	shuffled := make([]mutant, len(all))
	for i, r := range order {
		shuffled[i] = r.mutant
	}
	return shuffled
}
