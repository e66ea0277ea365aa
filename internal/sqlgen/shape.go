package sqlgen

import (
	"slices"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Shapes keeps the texts of one table's recent queries by their shape: all that
// a text is made of but the values. A query whose shape is known is not rendered
// again, only its arguments are collected. It serves one Table, whose fields its
// marks name. The zero value is ready. It is safe for concurrent use, without
// locks.
type Shapes struct {
	slots [128]atomic.Pointer[knownShape]
}

// knownShape is a shape and its text. It is immutable.
type knownShape struct {
	d     *dialect.Dialect
	table string
	limit int64
	more  *parts
	marks []mark // of conditions, of HAVING and of ORDER BY
	args  int
	text  string
}

// mark is what the text says of one step.
type mark struct {
	col, other string
	field      int32 // of the table, -1 for a column that it does not know
	n          int32 // elements of a list, or conditions of a group
	kind       kind
	op         Op
	or         bool
	class      class
}

// class is what the text shows of a value.
type class uint8

const (
	plainValue class = iota
	null
	array
	arrayWithNull
	elements
	elementsWithNull
)

// maxShaped is the longest list that a shape may have.
const maxShaped = 1024

// mark notes a condition as it is written, while the statement is one that may
// be kept: a value may be another one when it is asked for twice. The caller adds
// what the value shows.
func (r *renderer) mark(c *Cond) *mark {
	if !r.marking {
		return &r.unmarked
	}
	r.marks = append(r.marks, mark{kind: c.kind, op: c.op, or: c.or, col: c.col})
	return &r.marks[len(r.marks)-1]
}

func listClass(list any, hasNull bool) class {
	of := elements
	if list != nil {
		of = array
	}
	if hasNull {
		of++
	}
	return of
}

// find returns the text of a query whose shape is known, and its arguments.
func (s *Shapes) find(q *Query, env *Env) (text string, args []any, ok bool) {
	at := slotOf(q, env.Dialect)
	for _, i := range [...]int{at, at ^ 1} {
		k := s.slots[i].Load()
		if k == nil || k.d != env.Dialect || k.limit != q.limit || k.table != q.Table() || !k.more.same(q.more) {
			continue
		}
		var a arguments
		a.of(env)
		if k.args > 0 {
			a.args = make([]any, 0, k.args)
		}
		if a.followAll(k, q) {
			return k.text, a.args, true
		}
	}
	return "", nil, false
}

func (a *arguments) followAll(k *knownShape, q *Query) bool {
	list := q.steps.all()
	marks, ok := a.follow(k.marks, list)
	if ok && q.more != nil {
		marks, ok = a.follow(marks, q.more.having)
	}
	if !ok {
		return false
	}
	for i := range list {
		c := &list[i]
		if c.kind != order {
			continue
		}
		if len(marks) == 0 || marks[0].kind != order || marks[0].or != c.or || marks[0].col != c.col || c.val != nil {
			return false
		}
		marks = marks[1:]
	}
	return len(marks) == 0 && len(a.args) == k.args
}

// follow collects the arguments of conditions that look as the marks say. rest
// are the marks after theirs; ok is false when one looks otherwise or has a
// fault. Orders are passed over.
func (a *arguments) follow(marks []mark, list []Cond) (rest []mark, ok bool) {
	for i := range list {
		c := &list[i]
		if c.kind == order {
			continue
		}
		if len(marks) == 0 {
			return nil, false
		}
		m := &marks[0]
		marks = marks[1:]
		if m.kind != c.kind || m.op != c.op || m.or != c.or || m.col != c.col {
			return nil, false
		}
		switch c.kind {
		case compare:
			if m.class == plainValue && m.field >= 0 && c.op <= GtEq && a.appendPlain(c, int(m.field)) {
				continue
			}
			if n, of, ok := a.appendValue(c, int(m.field)); !ok || n != m.n || of != m.class {
				return nil, false
			}
		case columns:
			if m.other != c.deep().text {
				return nil, false
			}
		default:
			if int(m.n) != len(c.deep().conds) {
				return nil, false
			}
			if marks, ok = a.follow(marks, c.deep().conds); !ok {
				return nil, false
			}
		}
	}
	return marks, true
}

// appendPlain appends the argument of a comparison as most are: a value of a
// usual type, for a column that the table knows. ok is false for others, of
// which it appends nothing.
func (a *arguments) appendPlain(c *Cond, field int) (ok bool) {
	switch c.val.(type) {
	case string, int, int64, bool, float64:
	default:
		return false
	}
	arg, err := a.table.Operand(field, c.val, a.d)
	if err != nil || arg == nil {
		return false
	}
	a.args = append(a.args, arg)
	return true
}

// appendValue appends the argument of a comparison, or those of its list, and
// tells what the text shows of them. ok is false for SQL and subqueries, and for
// a value with a fault.
func (a *arguments) appendValue(c *Cond, field int) (n int32, of class, ok bool) {
	switch c.val.(type) {
	case nil, string, int, int64, bool, float64:
	case Subquery, *Expr:
		return 0, 0, false
	}
	switch c.op {
	case In, NotIn:
		first := len(a.args)
		list, hasNull, err := a.list(c, field, a.d.ArrayIn)
		if err != nil || len(a.args)-first > maxShaped {
			return 0, 0, false
		}
		n = int32(len(a.args) - first)
		if list != nil {
			a.args = append(a.args, list)
		}
		return n, listClass(list, hasNull), true
	case Between, NotBetween:
		return 0, plainValue, a.pair(c, field) == nil
	}
	arg, err := a.operand(c, field)
	if err != nil || arg == nil {
		return 0, null, err == nil
	}
	a.args = append(a.args, arg)
	return 0, plainValue, true
}

// keep keeps the text that r has rendered for q, if all of it could be marked.
func (s *Shapes) keep(r *renderer, q *Query) {
	if !r.marking || len(r.buf) > maxText || r.d.MaxParams > 0 && len(r.args) > r.d.MaxParams {
		return
	}
	k := &knownShape{r.d, q.Table(), q.limit, q.more.withoutValues(), slices.Clone(r.marks), len(r.args), texts.intern(r.buf)}
	// Of two shapes with one hash, the second takes the place beside the first's;
	// a third drives it out.
	at := slotOf(q, r.d)
	if s.slots[at].CompareAndSwap(nil, k) {
		return
	}
	s.slots[at^1].Store(k)
}

// slotOf is where a shape is looked for first.
func slotOf(q *Query, d *dialect.Dialect) int {
	h := mix(uint64(d.Index), uint64(q.limit))
	list := q.steps.all()
	for i := range list {
		c := &list[i]
		x := uint64(c.kind) | uint64(c.op)<<8 | uint64(len(c.col))<<16
		if c.or {
			x |= 1 << 7
		}
		if n := len(c.col); n > 0 {
			x |= uint64(c.col[0])<<24 | uint64(c.col[n-1])<<32 | uint64(c.col[n/2])<<40
		}
		switch v := c.val.(type) {
		case nil:
			x |= 1 << 48
		case []int64:
			x |= uint64(len(v)) << 48
		case []int:
			x |= uint64(len(v)) << 48
		case []string:
			x |= uint64(len(v)) << 48
		case []any:
			x |= uint64(len(v)) << 48
		case *deep:
			x |= uint64(len(v.conds)) << 48
		}
		h = mix(h, x)
	}
	if p := q.more; p != nil {
		h = mix(h, uint64(p.offset)<<8|uint64(p.lock))
		x := uint64(len(p.joins))<<8 | uint64(len(p.groups))<<16 | uint64(len(p.having))<<24 | uint64(len(p.alias))<<32
		if p.unique {
			x |= 1
		}
		h = mix(h, x)
		for i := range p.columns {
			h = mix(h, uint64(len(p.columns[i].Name))<<8|uint64(len(p.columns[i].Func)))
		}
	}
	return int((h>>32 ^ h) % uint64(len(Shapes{}.slots)))
}

// mix is a step of the FNV-1a hash, on words.
func mix(h, x uint64) uint64 { return (h ^ x) * 1099511628211 }

// simple says that the parts are nothing but names and conditions.
func (p *parts) simple() bool {
	if p.from != nil || len(p.unions) > 0 {
		return false
	}
	for i := range p.columns {
		if c := &p.columns[i]; c.Sub != nil || c.Expr != nil && c.Expr != one {
			return false
		}
	}
	for i := range p.joins {
		if p.joins[i].expr != nil {
			return false
		}
	}
	return true
}

// same says that o looks the same in a text as p, the simple parts of a shape,
// their conditions apart.
func (p *parts) same(o *parts) bool {
	if p == nil || o == nil {
		return p == o
	}
	return o.simple() && p.alias == o.alias && p.offset == o.offset && p.lock == o.lock && p.unique == o.unique && len(p.having) == len(o.having) &&
		slices.Equal(p.columns, o.columns) && slices.Equal(p.joins, o.joins) && slices.Equal(p.groups, o.groups)
}

// withoutValues returns simple parts that keep no value of a condition alive.
func (p *parts) withoutValues() *parts {
	if p == nil || len(p.having) == 0 {
		return p
	}
	out := *p
	out.having = make([]Cond, len(p.having))
	return &out
}
