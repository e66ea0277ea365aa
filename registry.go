package dbfleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Registry holds named connections. It is safe for concurrent use; a program
// usually has one.
type Registry struct {
	entries     atomic.Pointer[entrySet]
	defaultName string
	hooks       hookList
	models      modelList

	mu       sync.Mutex // protects following fields and every change of entries
	closed   bool
	failures map[string]*sql.DB // see failing
	leaving  map[*entry]bool    // replaced or removed, and not closed yet
	ended    chan struct{}      // closed when a shutdown has ended
	err      error              // of the shutdown
}

// drainTimeout bounds how long Close, Remove and Replace wait for running work
// where no context says otherwise.
const drainTimeout = 30 * time.Second

// Open makes a registry of the configured connections. It dials nothing: a
// node's pool opens when it is first asked, so a database that is down harms
// nobody who does not ask it. Every fault of the configuration is reported,
// joined into one error; each is a *ConfigError that names connection and key.
//
// The registry must be closed.
func Open(config Config) (*Registry, error) {
	config, err := config.prepare()
	if err != nil {
		return nil, err
	}
	r := &Registry{defaultName: config.Default, ended: make(chan struct{})}
	entries := make(map[string]*entry, len(config.Connections))
	for _, name := range slices.Sorted(maps.Keys(config.Connections)) {
		e, openErr := newEntry(r, name, config.Connections[name], &hookList{})
		err = errors.Join(err, openErr)
		entries[name] = e
	}
	if err != nil {
		return nil, err
	}
	r.store(entries)
	return r, nil
}

// entrySet is the connections that a registry has at a time. It is immutable.
type entrySet struct {
	byName map[string]*entry
	few    []*entry // the same, if they are at most fewEntries
}

// fewEntries is up to how many names are compared rather than hashed.
const fewEntries = 4

func (s *entrySet) find(name string) (*entry, bool) {
	for _, e := range s.few {
		if e.name == name {
			return e, true
		}
	}
	e, ok := s.byName[name]
	return e, ok
}

func (s *entrySet) names() []string { return slices.Sorted(maps.Keys(s.byName)) }

// store makes entries those of the registry. r.mu is held, unless nobody else
// knows r yet.
func (r *Registry) store(entries map[string]*entry) {
	s := &entrySet{byName: entries}
	if len(entries) <= fewEntries {
		s.few = slices.Collect(maps.Values(entries))
	}
	r.entries.Store(s)
}

// Names returns the names of all connections in alphabetical order.
func (r *Registry) Names() []string { return r.entries.Load().names() }

// Default returns the name of the default connection; "" is none.
func (r *Registry) Default() string { return r.defaultName }

// DB returns the handle of a connection; "" is the default. It does no I/O and
// never fails: with an unknown name every use of the handle fails with an
// *UnknownConnectionError. A handle stays valid when its connection is
// replaced.
func (r *Registry) DB(name string) *DB { return &DB{reg: r, name: r.nameOr(name)} }

func (r *Registry) nameOr(name string) string {
	if name == "" {
		return r.defaultName
	}
	return name
}

// Connect returns the handle of a connection once its primary has answered.
// Replicas are not asked.
func (r *Registry) Connect(ctx context.Context, name string) (*DB, error) {
	db := r.DB(name)
	if err := db.Ping(ctx); err != nil {
		return nil, err
	}
	return db, nil
}

// lookup returns the present generation of a connection.
func (r *Registry) lookup(name string) (*entry, error) {
	return r.lookupIn(r.entries.Load(), name)
}

func (r *Registry) lookupIn(entries *entrySet, name string) (*entry, error) {
	if e, ok := entries.find(name); ok {
		return e, nil
	}
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("dbfleet: connection %q: the registry is closed: %w", name, ErrClosed)
	}
	return nil, &UnknownConnectionError{Name: name, Known: entries.names()}
}

// Add registers one more connection, under the rules of Open. A name that is
// taken is an error.
func (r *Registry) Add(name string, config ConnectionConfig) error {
	_, err := r.put(name, config, func(old *entry) error {
		if old != nil {
			return &ConfigError{Connection: name, Reason: "the name is taken"}
		}
		return nil
	})
	return err
}

// Replace puts a new configuration under a name. What starts from now on uses
// the new one; what is running goes on with the old one, which is closed when
// it is done or ctx ends. Hooks stay. A registry's handles and models need no
// change.
//
// The error is a fault of the configuration (nothing has changed then) or, if
// ctx ended first, the context's: the replacement holds, and what still ran
// was cut off.
func (r *Registry) Replace(ctx context.Context, name string, config ConnectionConfig) error {
	old, err := r.put(name, config, func(old *entry) error {
		if old == nil {
			return &UnknownConnectionError{Name: name, Known: r.Names()}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.closeLeaving(ctx, old)
}

// closeLeaving closes an entry that has left the registry.
func (r *Registry) closeLeaving(ctx context.Context, e *entry) error {
	err := e.close(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.leaving, e)
	return err
}

// leavesLocked notes that an entry has left, so that a shutdown waits for it too.
func (r *Registry) leavesLocked(e *entry) {
	if r.leaving == nil {
		r.leaving = map[*entry]bool{}
	}
	r.leaving[e] = true
}

func (r *Registry) put(name string, config ConnectionConfig, check func(old *entry) error) (*entry, error) {
	config, err := config.prepare(name)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fmt.Errorf("dbfleet: connection %q: the registry is closed: %w", name, ErrClosed)
	}
	entries := maps.Clone(r.entries.Load().byName)
	old := entries[name]
	if err := check(old); err != nil {
		return nil, err
	}
	hooks := &hookList{}
	if old != nil {
		hooks = old.hooks
	}
	e, err := newEntry(r, name, config, hooks)
	if err != nil {
		return nil, err
	}
	entries[name] = e
	r.store(entries)
	if old != nil {
		r.leavesLocked(old)
	}
	return old, nil
}

// Remove takes a connection out of the registry: new work finds it unknown,
// running work goes on, and its pools are closed when that is done or ctx
// ends. The default connection can be removed too.
func (r *Registry) Remove(ctx context.Context, name string) error {
	r.mu.Lock()
	entries := maps.Clone(r.entries.Load().byName)
	old, ok := entries[name]
	if !ok || r.closed {
		r.mu.Unlock()
		_, err := r.lookup(name)
		return err
	}
	delete(entries, name)
	r.store(entries)
	r.leavesLocked(old)
	r.mu.Unlock()
	return r.closeLeaving(ctx, old)
}

// Close shuts down with a bound of 30 seconds; see Shutdown.
func (r *Registry) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	return r.Shutdown(ctx)
}

// Shutdown refuses new work with ErrClosed, waits for running work until ctx
// ends, and closes every pool. It may be called several times and by several
// goroutines: all of them get the first one's result. When it has returned, no
// goroutine of the registry is left. The error is the context's if work was
// cut off: a transaction that still runs then is sent nothing more and rolled
// back, a connection whose rows are still open is closed with them.
func (r *Registry) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		select {
		case <-r.ended:
			return r.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.closed = true
	entries := slices.AppendSeq(slices.Collect(maps.Keys(r.leaving)), maps.Values(r.entries.Load().byName))
	r.store(nil)
	for _, db := range r.failures {
		_ = db.Close()
	}
	r.mu.Unlock()

	errs := make(chan error, len(entries))
	for _, e := range entries {
		go func() { errs <- e.close(ctx) }()
	}
	for range entries {
		r.err = errors.Join(r.err, <-errs)
	}
	close(r.ended)
	return r.err
}

// String tells the names of the connections.
func (r *Registry) String() string { return fmt.Sprintf("dbfleet.Registry%q", r.Names()) }

// GoString is String: nothing of a configuration is shown.
func (r *Registry) GoString() string { return r.String() }

// Format writes String for every verb.
func (r *Registry) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.String()) }
