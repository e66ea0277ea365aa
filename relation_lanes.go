package dbfleet

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// maxLanes is how many connections the relations of one query are read from at once,
// those of related records included.
const maxLanes = 4

// lanes are the goroutines that one query may have beside that of its caller.
type lanes chan struct{}

type lanesKey struct{}

// placed is a relation that knows where its statements go. ok is false where that is
// not known, or not free: then nothing else is read meanwhile.
type placed interface {
	goesTo(from origin) (connection string, ok bool)
}

// loadAll loads relations of rows: those of different connections at once, unless a
// transaction is about, or somebody wants to know the last route.
func loadAll(ctx context.Context, relations []relation, from origin, rows rowmap.Records) error {
	if len(relations) > 1 {
		if groups := byConnection(ctx, relations, from); len(groups) > 1 {
			return loadAtOnce(ctx, groups, from, rows)
		}
	}
	return loadInTurn(ctx, relations, from, rows)
}

func loadInTurn(ctx context.Context, relations []relation, from origin, rows rowmap.Records) error {
	for _, r := range relations {
		if err := r.load(ctx, from, rows); err != nil {
			return err
		}
	}
	return nil
}

// byConnection are relations by where they are read; nil if they must be loaded in turn.
func byConnection(ctx context.Context, relations []relation, from origin) (groups [][]relation) {
	if l := txsOf(ctx); l != nil && (l.tx != nil || l.wants().route != nil) {
		return nil
	}
	var names []string
	for _, r := range relations {
		p, ok := r.(placed)
		if !ok {
			return nil
		}
		name, ok := p.goesTo(from)
		if !ok {
			return nil
		}
		at := slices.Index(names, name)
		if at < 0 {
			at = len(names)
			names, groups = append(names, name), append(groups, nil)
		}
		groups[at] = append(groups[at], r)
	}
	return groups
}

// loadAtOnce loads groups of relations, each in turn in itself. The first error ends the
// others. A panic in one of them is that of the caller.
func loadAtOnce(ctx context.Context, groups [][]relation, from origin, rows rowmap.Records) error {
	free, _ := ctx.Value(lanesKey{}).(lanes)
	if free == nil {
		free = make(lanes, maxLanes-1)
		ctx = context.WithValue(ctx, lanesKey{}, free)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var once sync.Once
	var first ended
	load := func(relations []relation) {
		e := ended{exited: true}
		defer func() {
			if e.exited { // it has not come to its end
				if e.panicked = recover(); e.panicked != nil {
					e.exited = false
				}
			}
			if e.err != nil || e.panicked != nil || e.exited {
				once.Do(func() { first = e })
				cancel()
			}
		}()
		e.err = loadInTurn(ctx, relations, from, rows)
		e.exited = false
	}
	func() {
		defer all.Wait() // also when the caller's own goroutine ends within
		for _, group := range groups[1:] {
			select {
			case free <- struct{}{}:
				all.Go(func() {
					defer func() { <-free }()
					load(group)
				})
			default:
				load(group)
			}
		}
		load(groups[0])
	}()
	switch {
	case first.panicked != nil:
		panic(first.panicked)
	case first.exited:
		runtime.Goexit()
	}
	return first.err
}

// ended is how the loading of relations has ended if not well.
type ended struct {
	err      error
	panicked any
	exited   bool // by runtime.Goexit
}

// goesTo is where related records are read. It is not told for a relation that is
// read in a transaction of its own.
func (t *tie) goesTo(from origin) (connection string, ok bool) {
	if t.check() != nil || t.related.wish().tx != nil {
		return "", false
	}
	s, w := t.related.src, t.related.wish()
	switch {
	case t.follows():
		return from.connection, true
	case w.db != "":
		return w.db, true
	case s.shard != nil:
		return "the shards of " + s.table.Name, true
	}
	return s.reg.nameOr(s.connection), true
}

func (r ToMany[P, C]) goesTo(from origin) (connection string, ok bool) { return r.tie.goesTo(from) }

func (r ToOne[P, C]) goesTo(from origin) (connection string, ok bool) { return r.tie.goesTo(from) }

func (t Tally[P]) goesTo(from origin) (connection string, ok bool) {
	if r, ok := t.related.(placed); ok {
		return r.goesTo(from)
	}
	return "", false
}
