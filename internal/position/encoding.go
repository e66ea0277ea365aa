package position

import (
	"encoding/binary"
	"strings"
)

// Append writes p in a compact form behind b, which Decode reads. One position has one
// form.
func (p Position) Append(b []byte) []byte {
	b = append(b, byte(p.kind))
	switch p.kind {
	case wal:
		b = binary.AppendUvarint(b, uint64(p.timeline))
		b = binary.AppendUvarint(b, p.lsn)
	case mariaDB:
		b = binary.AppendUvarint(b, uint64(len(p.domains)))
		for _, g := range p.domains {
			b = binary.AppendUvarint(b, uint64(g.domain))
			b = binary.AppendUvarint(b, uint64(g.server))
			b = binary.AppendUvarint(b, g.seq)
		}
	case mySQL:
		b = binary.AppendUvarint(b, uint64(len(p.sets)))
		for _, s := range p.sets {
			b = append(b, s.uuid[:]...)
			b = append(append(b, byte(len(s.tag))), s.tag...)
			b = binary.AppendUvarint(b, uint64(len(s.runs)))
			before := uint64(0)
			for _, r := range s.runs {
				b = binary.AppendUvarint(b, r.first-before)
				b = binary.AppendUvarint(b, r.last-r.first)
				before = r.last
			}
		}
	}
	return b
}

// Decode reads what Append has written at the beginning of b, and gives what is behind
// it. It takes no other bytes, and asks for no more memory than a few times their
// number.
func Decode(b []byte) (p Position, rest []byte, err error) {
	d := decoder{b: b}
	switch p.kind = kind(d.byte()); p.kind {
	case none:
	case wal:
		p.timeline, p.lsn = d.uint32(), d.uint()
		d.must(p.lsn != 0 && endOf(p.lsn) == p.lsn)
	case mariaDB:
		p.domains = d.domains()
	case mySQL:
		p.sets = d.sets()
	default:
		d.must(false)
	}
	if d.bad {
		return Position{}, nil, errDecode
	}
	return p, d.b, nil
}

// decoder takes one thing after the other from b, and nothing any more once one of them
// was bad.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) must(ok bool) {
	if !ok {
		d.bad, d.b = true, nil
	}
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.must(false)
		return nil
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

// uint takes a number in the shortest form only.
func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || n > 1 && d.b[n-1] == 0 {
		d.must(false)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	v := d.uint()
	d.must(v <= 1<<32-1)
	return uint32(v)
}

// count is the number of things that follow, of at least size bytes each.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n == 0 || n > uint64(len(d.b)/size) {
		d.must(false)
		return 0
	}
	return int(n)
}

func (d *decoder) domains() []gtid {
	list := make([]gtid, 0, d.count(3))
	for range cap(list) {
		g := gtid{d.uint32(), d.uint32(), d.uint()}
		if d.must(len(list) == 0 || list[len(list)-1].domain < g.domain); d.bad {
			return nil
		}
		list = append(list, g)
	}
	return list
}

func (d *decoder) sets() []set {
	list := make([]set, 0, d.count(20))
	for range cap(list) {
		var s set
		copy(s.uuid[:], d.take(len(s.uuid)))
		s.tag = string(d.take(int(d.byte())))
		s.runs = d.runs()
		d.must(s.tag == "" || isTag(s.tag) && s.tag == strings.ToLower(s.tag))
		if d.must(len(list) == 0 || compareSource(list[len(list)-1], s) < 0); d.bad {
			return nil
		}
		list = append(list, s)
	}
	return list
}

func (d *decoder) runs() []run {
	list := make([]run, 0, d.count(2))
	last := uint64(0)
	for range cap(list) {
		gap, length := d.uint(), d.uint()
		d.must(gap <= lastNumber-last && length <= lastNumber-last-gap)
		d.must(gap >= 1 && (len(list) == 0 || gap >= 2)) // one of 1 would have been joined
		if d.bad {
			return nil
		}
		r := run{last + gap, last + gap + length}
		list, last = append(list, r), r.last
	}
	return list
}
