package rowmap

import (
	"reflect"
	"slices"
	"unsafe"
)

// A Snapshot is what records were, to restore them. What their pointers, slices and
// maps lead to is not copied, but for embedded structs that columns lie in.
type Snapshot struct {
	plan         *Plan
	records, old slice
	own          slice // old, with embedded structs of its own; none if the plan has no pointers to them
	scratch      any   // that old lies in, a *T; nil for none
}

// Snapshot copies the records of *list, a *[]T.
func (p *Plan) Snapshot(list any) Snapshot {
	records, err := p.listAt(list)
	if err != nil {
		panic("rowmap: " + err.Error())
	}
	return p.snapshot(*records)
}

// SnapshotOne copies a record into what GiveBack takes back.
func (p *Plan) SnapshotOne(record any) Snapshot {
	was := p.scratch.Get()
	if was == nil {
		was = p.New()
	}
	p.Copy(was, record)
	return p.owning(Snapshot{plan: p, records: slice{p.mustRecord(record), 1, 1}, old: slice{p.mustRecord(was), 1, 1}, scratch: was})
}

// GiveBack takes what SnapshotOne made, which is of no use from then on. It need not be
// called.
func (s Snapshot) GiveBack() {
	if s.scratch != nil {
		Clear(s.scratch)
		s.plan.scratch.Put(s.scratch)
	}
}

// Records are the records themselves.
func (s Snapshot) Records() Records { return s.plan.recordsOf(s.records) }

func (p *Plan) snapshot(records slice) Snapshot {
	return p.owning(Snapshot{plan: p, records: records, old: p.copied(records)})
}

// owning is the snapshot with embedded structs of its own.
func (p *Plan) owning(s Snapshot) Snapshot {
	if records := s.records; p.Embeds() {
		s.own = p.copied(records)
		for i := range s.own.len {
			p.ownEmbedded(unsafe.Add(s.own.data, uintptr(i)*p.size))
		}
	}
	return s
}

func (p *Plan) copied(records slice) slice {
	if records.len == 1 {
		return slice{reflect.ValueOf(p.Clone(reflect.NewAt(p.typ, records.data).Interface())).UnsafePointer(), 1, 1}
	}
	old := p.makeList(records.len)
	reflect.Copy(p.shown(old), p.shown(records))
	return old
}

// Restore makes the records what they were.
func (s Snapshot) Restore() {
	p := s.plan
	reflect.Copy(p.shown(s.records), p.shown(s.old))
	for i := range s.own.len {
		record, was := unsafe.Add(s.records.data, uintptr(i)*p.size), unsafe.Add(s.own.data, uintptr(i)*p.size)
		for n := range p.changing {
			c := &p.changing[n]
			if len(c.via) == 0 {
				continue
			}
			to, from := c.at(record, false), c.at(was, false)
			if to != nil && from != nil && !(c.pointer && led(to, from)) {
				c.copy(to, from)
			}
		}
	}
}

// Embeds says whether columns lie behind embedded pointers, which a copy of a record
// shares with it.
func (p *Plan) Embeds() bool {
	return p.pointers > 0
}

// OwnEmbedded gives a copy of a record, a *T, embedded structs of its own that columns
// lie in.
func (p *Plan) OwnEmbedded(copied any) {
	if p.Embeds() {
		p.ownEmbedded(p.mustRecord(copied))
	}
}

// ownEmbedded gives a copy of a record embedded structs of its own.
func (p *Plan) ownEmbedded(base unsafe.Pointer) {
	for _, c := range slices.Backward(p.changing[len(p.fields) : len(p.fields)+p.pointers]) { // the outermost first
		at := (*unsafe.Pointer)(c.at(base, false))
		if at == nil || *at == nil {
			continue
		}
		fresh := reflect.New(c.typ.Elem())
		fresh.Elem().Set(reflect.NewAt(c.typ.Elem(), *at).Elem())
		*at = fresh.UnsafePointer()
	}
}
