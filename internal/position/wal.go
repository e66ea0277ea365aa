package position

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// What a page of WAL begins with counts to the position where the next record will be
// inserted, and not to the end of the last one, which is what a standby tells: at the
// border of a page the two would never meet. No record ends at either of these offsets
// and another one between them and the page's beginning, so that both stand for the
// beginning. The page is that of every server that was not built with another size.
const (
	walPage       = 8192
	walHeader     = 24
	walLongHeader = 40 // of a segment's first page
)

// WAL is a position in PostgreSQL's write-ahead log. Timeline 0 is an unknown one; an
// lsn of 0 is none.
func WAL(timeline uint32, lsn uint64) Position {
	if lsn == 0 {
		return Position{}
	}
	return Position{kind: wal, timeline: timeline, lsn: endOf(lsn)}
}

// endOf is where the last record before lsn ends.
func endOf(lsn uint64) uint64 {
	if at := lsn % walPage; lsn > walPage && (at == walHeader || at == walLongHeader) {
		return lsn - at
	}
	return lsn
}

// ParseWAL reads a pg_lsn as the server writes it: "16/B374D848". "" is none.
func ParseWAL(timeline uint32, text string) (Position, error) {
	if text == "" {
		return Position{}, nil
	}
	high, low, ok := strings.Cut(text, "/")
	if !ok || len(high) > 8 || len(low) > 8 {
		return Position{}, errText("position in the WAL", text)
	}
	h, err := strconv.ParseUint(high, 16, 32)
	if err != nil {
		return Position{}, errText("position in the WAL", text)
	}
	l, err := strconv.ParseUint(low, 16, 32)
	if err != nil {
		return Position{}, errText("position in the WAL", text)
	}
	return WAL(timeline, h<<32|l), nil
}

// LSN is the place in the write-ahead log as the server writes it, without the
// timeline; ok is false if p is no such place.
func (p Position) LSN() (lsn string, ok bool) {
	if p.kind != wal {
		return "", false
	}
	return fmt.Sprintf("%X/%X", p.lsn>>32, uint32(p.lsn)), true
}

// Timeline is PostgreSQL's; 0 is unknown, and that of every other position.
func (p Position) Timeline() uint32 { return p.timeline }

func (p Position) reachedWAL(target Position) Answer {
	switch {
	case p.timeline == 0, p.timeline != target.timeline:
		return Unknown
	case p.lsn >= target.lsn:
		return Yes
	}
	return No
}

func (p Position) mergeWAL(o Position) (Position, bool) {
	switch {
	case p.Equal(o):
		return p, true
	case p.timeline == 0, p.timeline != o.timeline:
		return Position{}, false
	case cmp.Less(p.lsn, o.lsn):
		return o, true
	}
	return p, true
}

func (p Position) lineWAL() string {
	if p.timeline == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(p.timeline), 10)
}

func (p Position) stringWAL() string {
	lsn, _ := p.LSN()
	return p.lineWAL() + ":" + lsn
}
