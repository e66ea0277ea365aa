package dbfleet

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// ModelDescription tells where a model lives.
type ModelDescription struct {
	Model      string // the Go type
	Table      string
	Connection string // "" for a sharded model
	Driver     Driver // "" when the connection is not known (any more)
	ShardKey   string // "" when not sharded
	PrimaryKey []string
	Columns    []string
	// Relations are those whose parents are the model's records, as far as the program has made
	// them by now: HasMany, BelongsTo and the others tell them. They are in order of kind and table.
	Relations []RelationDescription
}

// modelList is what Describe tells: the first model of each Go type, and the others that
// are in use. It keeps none but the first, so that models which are made for each request
// cost nothing once they are dropped, and what Check says of those that a program makes
// once does not depend on when Go collects them: a test may make them and only call Check.
type modelList struct {
	mu   sync.Mutex // protects following fields
	list map[int]weak.Pointer[source]
	kept map[*rowmap.Plan]*source
	next int

	scoped atomic.Bool // one of the models has, or had, scopes
}

func (l *modelList) add(s *source) {
	if len(s.scopes) > 0 {
		l.scoped.Store(true)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.list == nil {
		l.list, l.kept = map[int]weak.Pointer[source]{}, map[*rowmap.Plan]*source{}
	}
	if l.kept[s.table.Plan] == nil {
		l.kept[s.table.Plan] = s
	}
	l.next++
	l.list[l.next] = weak.Make(s)
	runtime.AddCleanup(s, l.remove, l.next)
}

func (l *modelList) remove(number int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.list, number)
}

// leave keeps no longer what lives on a connection that is removed.
func (l *modelList) leave(connection string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.kept, func(_ *rowmap.Plan, s *source) bool {
		return s.shard == nil && s.reg.nameOr(s.connection) == connection
	})
}

// sources are the models in the order in which they were made.
func (l *modelList) sources() []*source {
	l.mu.Lock()
	defer l.mu.Unlock()
	numbers := make([]int, 0, len(l.list))
	for n := range l.list {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	var out []*source
	for _, n := range numbers {
		if s := l.list[n].Value(); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// Elsewhere implements sqlgen.Models.
func (l *modelList) Elsewhere(connection, beside, name string) (there string) {
	here := false
	for _, s := range l.sources() {
		on := s.reg.nameOr(s.connection)
		here = here || s.table.Name == beside && s.shard == nil && on == connection
		if s.table.Name != name {
			continue
		}
		if there = on; s.shard != nil || on == connection {
			return ""
		}
	}
	if !here {
		return ""
	}
	return there
}

// Have implements sqlgen.Models. A sharded model is one of every connection.
func (l *modelList) Have(connection, name, column string) (has, known bool) {
	for _, s := range l.sources() {
		if s.table.Name == name && (s.shard != nil || s.reg.nameOr(s.connection) == connection) {
			known = true
			has = has || s.table.Known(column)
		}
	}
	return has, known
}

// Key implements sqlgen.Models.
func (l *modelList) Key(connection, beside, name string) (key []string) {
	sharded := false
	for _, s := range l.sources() {
		sharded = sharded || s.table.Name == beside && s.shard != nil
		if s.table.Name != name || !s.table.HasModel() {
			continue
		}
		if s.shard != nil || s.reg.nameOr(s.connection) == connection {
			return s.table.KeyNames()
		}
		if key == nil {
			key = s.table.KeyNames()
		}
	}
	if !sharded {
		return nil
	}
	return key
}

// Encrypted implements sqlgen.Models.
func (l *modelList) Encrypted(connection, name, column string) bool {
	for _, s := range l.sources() {
		if s.table.Encrypts() && s.table.Name == name && (s.shard != nil || s.reg.nameOr(s.connection) == connection) && s.table.Encrypted(column) {
			return true
		}
	}
	return false
}

// Describe lists the models of the registry with their relations, in order of connection
// and model: the first that was made of each Go type, until its connection is removed, and
// of the others those that are in use.
func (r *Registry) Describe() []ModelDescription {
	must("Registry.Describe", r.usable())
	sources := r.models.sources()
	out := make([]ModelDescription, len(sources))
	for i, s := range sources {
		t := s.table
		d := ModelDescription{Model: t.Model, Table: t.Name, PrimaryKey: slices.Clone(t.KeyNames()), Columns: slices.Clone(t.Columns())}
		for _, rel := range s.relations.all() {
			d.Relations = append(d.Relations, rel.describe())
		}
		if s.shard != nil {
			d.ShardKey = s.shard.column()
		} else {
			d.Connection = r.nameOr(s.connection)
			if e, err := r.lookup(d.Connection); err == nil {
				d.Driver = Driver(e.dialect.Name)
			}
		}
		out[i] = d
	}
	slices.SortStableFunc(out, func(a, b ModelDescription) int {
		return cmp.Or(cmp.Compare(a.Connection, b.Connection), cmp.Compare(a.Model, b.Model))
	})
	return out
}
