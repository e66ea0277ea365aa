package position

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"
)

// set is the transactions of one source: a server's UUID and, from MySQL 8.4 on, a tag.
type set struct {
	uuid [16]byte
	tag  string
	runs []run // ascending, with a gap between two
}

// run is the transactions first to last, both included.
type run struct{ first, last uint64 }

// lastNumber is the highest number of a transaction.
const lastNumber = math.MaxInt64

func (s set) equal(o set) bool {
	return compareSource(s, o) == 0 && slices.Equal(s.runs, o.runs)
}

func compareSource(a, b set) int {
	return cmp.Or(bytes.Compare(a.uuid[:], b.uuid[:]), strings.Compare(a.tag, b.tag))
}

// ParseMySQL reads a set of GTIDs as MySQL writes it in @@global.gtid_executed:
// "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:11, …", with tags too. "" is none.
func ParseMySQL(text string) (Position, error) {
	var sets []set
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			continue
		}
		var ok bool
		if sets, ok = appendSets(sets, one); !ok {
			return Position{}, errText("GTID set", text)
		}
	}
	return setsOf(sets), nil
}

// appendSets adds those of one UUID.
func appendSets(sets []set, text string) ([]set, bool) {
	name, rest, _ := strings.Cut(text, ":")
	id, ok := parseUUID(strings.TrimSpace(name))
	if !ok {
		return nil, false
	}
	s := set{uuid: id}
	for part := range strings.SplitSeq(rest, ":") {
		part = strings.TrimSpace(part)
		if isTag(part) {
			if s.tag != "" && len(s.runs) == 0 {
				return nil, false
			}
			if len(s.runs) > 0 {
				sets = append(sets, s)
			}
			s = set{uuid: id, tag: strings.ToLower(part)}
			continue
		}
		r, ok := parseRun(part)
		if !ok {
			return nil, false
		}
		s.runs = append(s.runs, r)
	}
	return append(sets, s), len(s.runs) > 0
}

func parseUUID(text string) (id [16]byte, ok bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, false
	}
	n, err := hex.Decode(id[:], []byte(text[:8]+text[9:13]+text[14:18]+text[19:23]+text[24:]))
	return id, err == nil && n == len(id)
}

// isTag says whether text is a name of up to 32 letters, digits and underscores that
// begins with no digit.
func isTag(text string) bool {
	for i := range len(text) {
		c := text[i] | 0x20
		letter := c >= 'a' && c <= 'z' || text[i] == '_'
		if !letter && (i == 0 || text[i] < '0' || text[i] > '9') {
			return false
		}
	}
	return text != "" && len(text) <= 32
}

func parseRun(text string) (run, bool) {
	from, to, long := strings.Cut(text, "-")
	first, err := strconv.ParseUint(strings.TrimSpace(from), 10, 64)
	if err != nil {
		return run{}, false
	}
	r := run{first, first}
	if long {
		if r.last, err = strconv.ParseUint(strings.TrimSpace(to), 10, 64); err != nil {
			return run{}, false
		}
	}
	return r, r.first >= 1 && r.first <= r.last && r.last <= lastNumber
}

// setsOf is the position of sets in any order, of which several may be of one source.
// Their runs are taken over.
func setsOf(sets []set) Position {
	slices.SortStableFunc(sets, compareSource)
	var out []set
	for _, s := range sets {
		if n := len(out); n > 0 && compareSource(out[n-1], s) == 0 {
			out[n-1].runs = append(out[n-1].runs, s.runs...)
			continue
		}
		out = append(out, s)
	}
	for i := range out {
		out[i].runs = joined(out[i].runs)
	}
	if len(out) == 0 {
		return Position{}
	}
	return Position{kind: mySQL, sets: out}
}

// joined sorts runs and joins those that meet.
func joined(runs []run) []run {
	slices.SortFunc(runs, func(a, b run) int { return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.last, b.last)) })
	out := runs[:1]
	for _, r := range runs[1:] {
		if last := &out[len(out)-1]; r.first <= last.last+1 {
			last.last = max(last.last, r.last)
			continue
		}
		out = append(out, r)
	}
	return out
}

func (p Position) reachedMySQL(target Position) Answer {
	for _, want := range target.sets {
		i, found := slices.BinarySearchFunc(p.sets, want, compareSource)
		if !found || !includes(p.sets[i].runs, want.runs) {
			return No
		}
	}
	return Yes
}

// includes reports whether each of want lies within one of runs.
func includes(runs, want []run) bool {
	i := 0
	for _, w := range want {
		for i < len(runs) && runs[i].last < w.last {
			i++
		}
		if i == len(runs) || runs[i].first > w.first {
			return false
		}
	}
	return true
}

func (p Position) mergeMySQL(o Position) Position {
	all := make([]set, 0, len(p.sets)+len(o.sets))
	for _, s := range slices.Concat(p.sets, o.sets) {
		all = append(all, set{s.uuid, s.tag, slices.Clone(s.runs)})
	}
	return setsOf(all)
}

func (p Position) stringMySQL() string {
	var b []byte
	for i, s := range p.sets {
		switch {
		case i == 0:
			b = s.appendUUID(b)
		case s.uuid != p.sets[i-1].uuid:
			b = s.appendUUID(append(b, ','))
		}
		if s.tag != "" {
			b = append(append(b, ':'), s.tag...)
		}
		for _, r := range s.runs {
			b = strconv.AppendUint(append(b, ':'), r.first, 10)
			if r.last > r.first {
				b = strconv.AppendUint(append(b, '-'), r.last, 10)
			}
		}
	}
	return string(b)
}

func (s set) appendUUID(b []byte) []byte {
	for i, part := range [][]byte{s.uuid[:4], s.uuid[4:6], s.uuid[6:8], s.uuid[8:10], s.uuid[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}
