package dbfleet

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// N1Report tells of a relation that is read for one parent after the other, where one
// statement by With or LoadInto would do: N statements after the one for the parents.
type N1Report struct {
	// Relation names it: "posts of users by user_id".
	Relation string
	// Parents is for how many different parents it was read.
	Parents int
	// Caller is where the last of them was, the first function outside of this package:
	// "shop/page.go:42 shop.(*Page).Show", the file with its folder.
	Caller string
}

// N1Options say when WithN1Check reports. The zero value is fine.
type N1Options struct {
	// Parents is for how many different parents a relation is read before it is
	// reported.
	//
	// Defaults to 3.
	Parents int
}

// WithN1Check returns a context in which a relation that is read for one parent after
// the other is reported: by a query of For, whichever verb reads it, or by LoadOne. For
// each relation report is called once, when a parent is read that makes them so many, on
// the goroutine that reads, before the statement is sent; it may be called by several at
// once. A parent that is read again does not count, and what With and LoadInto read does
// not, nor do writes. Relations of the same tables and columns are one.
//
//	ctx = dbfleet.WithN1Check(ctx, func(r dbfleet.N1Report) { t.Errorf("%+v", r) })
//
// It is meant for tests and for development, for the context of a request: what was read
// is remembered as long as that is. A context without it pays nothing. It panics if report
// is nil or the number is negative.
func WithN1Check(ctx context.Context, report func(N1Report), options ...N1Options) context.Context {
	mustHave("WithN1Check", "context", ctx != nil)
	mustHave("WithN1Check", "function", report != nil)
	o, err := atMostOne(options)
	if err != nil || o.Parents < 0 {
		panic("dbfleet: WithN1Check takes one N1Options, and no negative number in it")
	}
	if o.Parents == 0 {
		o.Parents = 3
	}
	check := &n1Check{most: o.Parents, report: report, read: map[string]map[any]bool{}}
	return askingFor(ctx, func(a *asked) { a.n1 = check })
}

// n1Check is what WithN1Check has put into a context. It is safe for concurrent use.
type n1Check struct {
	most   int
	report func(N1Report)

	mu   sync.Mutex              // protects following fields
	read map[string]map[any]bool // by relation: the parents' keys; nil once it was reported
}

// saw notes that a relation is read for one parent.
func (c *n1Check) saw(r *relates, key any) {
	name := r.String()
	c.mu.Lock()
	keys, known := c.read[name]
	if !known {
		keys = map[any]bool{}
		c.read[name] = keys
	}
	tell := false
	if keys != nil {
		keys[key] = true
		if tell = len(keys) >= c.most; tell {
			c.read[name] = nil
		}
	}
	c.mu.Unlock()
	if tell {
		c.report(N1Report{Relation: name, Parents: c.most, Caller: callerOutside()})
	}
}

// relates says which relation's related records a source is of.
type relates struct {
	to      *source // the model's own
	parents *source
	columns []string // of the related records
}

// String names the relation.
func (r *relates) String() string {
	return fmt.Sprintf("%s of %s by %s", r.to.table.Name, r.parents.table.Name, strings.Join(r.columns, ", "))
}

// relatedTo is the query of a source that knows the relation.
func (q *query) relatedTo(parents *source, columns []string) *query {
	if q.usable() != nil {
		return q
	}
	next, s := q.next(), *q.src
	s.relates = &relates{to: q.src, parents: parents, columns: columns}
	next.src = &s
	return next
}

// watched notes that a verb of a relation's query reads the records of one parent, if
// its context has a check.
func (t *trip) watched(ctx context.Context, v verb) {
	check := txsOf(ctx).wants().n1
	if check == nil || v.writes() {
		return
	}
	switch v.(type) {
	case *related, *sums, changing:
		return
	}
	r := t.q.src.relates
	if key, ok := soleKey(&t.q.q, r.columns); ok {
		check.saw(r, key)
	}
}

// soleKey is the key that the query's rows must have in columns, if it is one.
func soleKey(q *sqlgen.Query, columns []string) (key any, ok bool) {
	keys := make([]any, len(columns))
	for i, column := range columns {
		value, list, found := q.Equal(column)
		if !found || list {
			return nil, false
		}
		if keys[i], ok = rowmap.Key(value); !ok {
			return nil, false
		}
	}
	return group.TupleOf(keys, keys).Key(), true
}

// callerOutside is the first function on the stack that is not this package's.
func callerOutside() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "github.com/dbfleet/dbfleet.") {
			file := f.File
			if at := strings.LastIndexByte(file, '/'); at > 0 {
				file = file[strings.LastIndexByte(file[:at], '/')+1:]
			}
			return fmt.Sprintf("%s:%d %s", file, f.Line, f.Function[strings.LastIndexByte(f.Function, '/')+1:])
		}
		if !more {
			return "unknown"
		}
	}
}

// watchable is a relation of which it can be told that it is read for one parent.
type watchable interface {
	watch(ctx context.Context, parent any)
}

// watch notes that the relation is read for one parent, if the context has a check.
func (t *tie) watch(ctx context.Context, parent any) {
	check := txsOf(ctx).wants().n1
	if check == nil || t.check() != nil || t.related.src.relates == nil {
		return
	}
	if _, key, ok, err := t.key(parent); ok && err == nil {
		check.saw(t.related.src.relates, key)
	}
}

func (r ToMany[P, C]) watch(ctx context.Context, parent any) { r.tie.watch(ctx, parent) }

func (r ToOne[P, C]) watch(ctx context.Context, parent any) { r.tie.watch(ctx, parent) }

func (t Tally[P]) watch(ctx context.Context, parent any) {
	if r, ok := t.related.(watchable); ok {
		r.watch(ctx, parent)
	}
}

// watch notes it of the first step, as the query of For does.
func (c *chain) watch(ctx context.Context, parent any) {
	if c.check() == nil {
		c.between[0].watch(ctx, parent)
	}
}

func (r ToManyThrough[P, C]) watch(ctx context.Context, parent any) { r.chain.watch(ctx, parent) }

func (r ToOneThrough[P, C]) watch(ctx context.Context, parent any) { r.chain.watch(ctx, parent) }

func (r ToManyPivot[P, C, J]) watch(ctx context.Context, parent any) { r.chain.watch(ctx, parent) }
