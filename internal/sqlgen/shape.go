package sqlgen

import (
	"slices"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Shapes keeps the texts of one table's recent queries by their shape: all that
// a text is made of but the values. A query whose shape is known is not rendered
// again, only its arguments are collected. The zero value is ready. It is safe
// for concurrent use, without locks.
type Shapes struct {
	slots [128]atomic.Pointer[knownShape]
}

// knownShape is a shape and its text. It is immutable.
type knownShape struct {
	d     *dialect.Dialect
	table string
	limit int64
	more  *parts
	marks []mark
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

// find returns the text of a query whose shape is known, and its arguments.
func (s *Shapes) find(q *Query, env *Env) (text string, args []any, ok bool) {
	k := s.slot(q, env.Dialect).Load()
	if k == nil || k.d != env.Dialect || k.limit != q.limit || k.table != q.Table() || !k.more.same(q.more) {
		return "", nil, false
	}
	var a arguments
	a.of(env)
	if k.args > 0 {
		a.args = make([]any, 0, k.args)
	}
	marks, ok := a.follow(k.marks, q.steps.all())
	if ok && q.more != nil {
		marks, ok = a.follow(marks, q.more.having)
	}
	if !ok || len(marks) > 0 {
		return "", nil, false
	}
	return k.text, a.args, true
}

// follow collects the arguments of steps that look as the marks say. rest are
// the marks after theirs; ok is false when one looks otherwise or has a fault.
func (a *arguments) follow(marks []mark, list []Cond) (rest []mark, ok bool) {
	for i := range list {
		c := &list[i]
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
			if m.class == plainValue && m.field >= 0 && c.op <= GtEq && c.val != nil && a.fits(c, int(m.field)) {
				continue
			}
			if n, class, ok := a.value(c, int(m.field)); !ok || n != m.n || class != m.class {
				return nil, false
			}
		case columns:
			if m.other != c.deep().text {
				return nil, false
			}
		case order:
			if c.val != nil {
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

// fits appends the argument of a comparison as most are: a value of a usual
// type, for a column that the table knows. ok is false for others, of which it
// appends nothing.
func (a *arguments) fits(c *Cond, field int) (ok bool) {
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

// value appends the argument of a comparison, or those of its list, and tells
// what the text shows of them. ok is false for SQL and subqueries, and for a
// value with a fault.
func (a *arguments) value(c *Cond, field int) (n int32, of class, ok bool) {
	switch c.val.(type) {
	case nil, string, int, int64, bool, float64:
	case Subquery, *Expr:
		return 0, 0, false
	}
	switch c.op {
	case In, NotIn:
		return a.listValue(c, field)
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

func (a *arguments) listValue(c *Cond, field int) (n int32, of class, ok bool) {
	first := len(a.args)
	list, hasNull, err := a.list(c, field, a.d.ArrayIn)
	if err != nil || len(a.args)-first > maxShaped {
		return 0, 0, false
	}
	n, of = int32(len(a.args)-first), elements
	if list != nil {
		of = array
		a.args = append(a.args, list)
	}
	if hasNull {
		of++
	}
	return n, of, true
}

// keep keeps the text that r has rendered for q, unless there is SQL, a
// subquery or a union in it.
func (s *Shapes) keep(r *renderer, q *Query) {
	if len(r.buf) > maxText || r.d.MaxParams > 0 && len(r.args) > r.d.MaxParams || q.more != nil && !q.more.simple() {
		return
	}
	sent := len(r.args)
	marks, ok := r.marks(nil, q.steps.all())
	if ok && q.more != nil {
		marks, ok = r.marks(marks, q.more.having)
	}
	clear(r.args[sent:])
	r.args = r.args[:sent]
	if ok {
		s.slot(q, r.d).Store(&knownShape{r.d, q.Table(), q.limit, q.more, marks, sent, texts.intern(r.buf)})
	}
}

// marks appends the marks of steps; it leaves arguments behind.
func (r *renderer) marks(marks []mark, list []Cond) ([]mark, bool) {
	for i := range list {
		c := &list[i]
		m := mark{kind: c.kind, op: c.op, or: c.or, col: c.col}
		switch c.kind {
		case compare:
			field := r.field(c.col)
			n, class, ok := r.value(c, field)
			if !ok {
				return nil, false
			}
			m.field, m.n, m.class = int32(field), n, class
		case columns:
			m.other = c.deep().text
		case order:
			if c.val != nil {
				return nil, false
			}
		case group, negation:
			m.n = int32(len(c.deep().conds))
			var ok bool
			if marks, ok = r.marks(append(marks, m), c.deep().conds); !ok {
				return nil, false
			}
			continue
		default:
			return nil, false
		}
		marks = append(marks, m)
	}
	return marks, true
}

// slot is where a shape is kept. Shapes that share a slot drive each other out.
func (s *Shapes) slot(q *Query, d *dialect.Dialect) *atomic.Pointer[knownShape] {
	h := mix(uint64(d.Index), uint64(q.limit))
	list := q.steps.all()
	for i := range list {
		c := &list[i]
		x := uint64(c.kind) | uint64(c.op)<<8 | uint64(len(c.col))<<16
		if n := len(c.col); n > 0 {
			x |= uint64(c.col[0])<<32 | uint64(c.col[n-1])<<40
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
		}
		h = mix(h, x)
	}
	if p := q.more; p != nil {
		h = mix(h, uint64(p.offset)<<8|uint64(p.lock))
		for i := range p.columns {
			h = mix(h, uint64(len(p.columns[i].Name)))
		}
	}
	return &s.slots[(h>>32^h)%uint64(len(s.slots))]
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

// same says that q's parts look the same in a text as the simple parts p, their
// conditions apart.
func (p *parts) same(o *parts) bool {
	if p == o {
		return true
	}
	return p != nil && o != nil && o.simple() && p.alias == o.alias && p.offset == o.offset && p.lock == o.lock && p.unique == o.unique && len(p.having) == len(o.having) &&
		slices.Equal(p.columns, o.columns) && slices.Equal(p.joins, o.joins) && slices.Equal(p.groups, o.groups)
}
