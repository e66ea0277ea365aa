package dbfleet

import (
	"cmp"
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
	entries     entries
	grouped     atomic.Bool // one of them is, or was, of tenants
	defaultName string
	hooks       hookList
	models      modelList
	plain       plainReads
	owned       ownedTables
	sessionKeys [][]byte // of tokens; the first signs

	mu       sync.Mutex // protects following fields and every change of entries
	closed   bool
	failures failures
	leaving  map[*entry]bool // replaced or removed, and not closed yet
	ended    chan struct{}   // closed when a shutdown has ended
	err      error           // of the shutdown
	recovery *background     // of atomic commits, nil without one
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
	r := &Registry{defaultName: config.Default, sessionKeys: bytesOf(config.SessionKeys), ended: make(chan struct{})}
	for _, name := range slices.Sorted(maps.Keys(config.Connections)) {
		e, openErr := r.made(name, config.Connections[name], nil)
		err = errors.Join(err, openErr)
		r.entries.put(name, e)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Names returns the names of all connections in alphabetical order, but for those of
// AddTenants, which are none by themselves.
func (r *Registry) Names() []string {
	must("Registry.Names", r.usable())
	names := []string{}
	r.entries.all(func(name string, e *entry) {
		if e.tenants == nil {
			names = append(names, name)
		}
	})
	slices.Sort(names)
	return names
}

// known are the names of all connections.
func (r *Registry) known() []string {
	names := []string{}
	r.entries.all(func(name string, _ *entry) { names = append(names, name) })
	slices.Sort(names)
	return names
}

// Default returns the name of the default connection; "" is none.
func (r *Registry) Default() string {
	must("Registry.Default", r.usable())
	return r.defaultName
}

// DB returns the handle of a connection; "" is the default. It does no I/O and
// never fails: with an unknown name every use of the handle fails with an
// *UnknownConnectionError. A handle stays valid when its connection is
// replaced.
func (r *Registry) DB(name string) *DB { return &DB{reg: r, name: r.nameOr(name)} }

func (r *Registry) nameOr(name string) string {
	if name == "" && r != nil {
		return r.defaultName
	}
	return name
}

// Connect returns the handle of a connection once its primary has answered, as to
// DB.Ping. Replicas are not asked.
func (r *Registry) Connect(ctx context.Context, name string) (*DB, error) {
	db := r.DB(name)
	if err := db.Ping(ctx); err != nil {
		return nil, err
	}
	return db, nil
}

// lookup returns the present generation of a connection.
func (r *Registry) lookup(name string) (*entry, error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	if e, ok := r.entries.find(name); ok {
		return e, nil
	}
	if g, _ := r.groupOf(name); g != nil {
		if e, ok := r.entries.find(g.name); ok { // what holds of all tenants
			return e, nil
		}
	}
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return nil, errorf("connection %q: the registry is closed: %w", name, ErrClosed)
	}
	return nil, &UnknownConnectionError{Name: name, Known: r.known()}
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
	if err := checkContext(ctx, name); err != nil {
		return err
	}
	if err := r.waitsForItself(ctx, "Replace", name); err != nil {
		return err
	}
	old, err := r.put(name, config, func(old *entry) error {
		if old == nil {
			return &UnknownConnectionError{Name: name, Known: r.known()}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.closeLeaving(ctx, old)
}

// waitsForItself refuses what would wait for the transaction in whose function it is
// called.
func (r *Registry) waitsForItself(ctx context.Context, method, name string) error {
	return waitsFor(txOf(ctx, r, name), method, name)
}

// waitsFor refuses what would wait for a transaction in whose function it is called, nil
// for none.
func waitsFor(tx *Tx, method, name string) error {
	if tx == nil || tx.isOver() || !insideClosure() {
		return nil
	}
	return errorf("connection %q: %s would wait for the transaction in its context: %w", name, method, ErrBusy)
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

// made is the entry of a prepared configuration, which may stand for a group of tenants.
// old is the one whose place it takes, nil for none. Whoever changes the entries calls it.
func (r *Registry) made(name string, config ConnectionConfig, old *entry) (*entry, error) {
	if err := r.apart(name, old, config.Tenants != nil); err != nil {
		return nil, err
	}
	hooks := &hookList{}
	if old != nil {
		hooks = old.hooks
	}
	if config.Tenants == nil {
		return newEntry(r, name, config, hooks)
	}
	e, err := newEntry(r, name, nobodysDatabase(config.Driver).withDefaults(), hooks)
	if err != nil {
		return nil, err
	}
	e.tenants = newTenantGroup(r, name, config, hooks)
	r.grouped.Store(true)
	return e, nil
}

func (r *Registry) put(name string, config ConnectionConfig, check func(old *entry) error) (*entry, error) {
	if err := r.usable(); err != nil {
		return nil, err
	}
	config, err := config.prepare(name)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errorf("connection %q: the registry is closed: %w", name, ErrClosed)
	}
	old, _ := r.entries.find(name)
	if err := check(old); err != nil {
		return nil, err
	}
	e, err := r.made(name, config, old)
	if err != nil {
		return nil, err
	}
	r.entries.put(name, e)
	if old != nil {
		r.leavesLocked(old)
	}
	return old, nil
}

// Remove takes a connection out of the registry: new work finds it unknown,
// running work goes on, and its pools are closed when that is done or ctx
// ends. The default connection can be removed too. In the function of a transaction on
// the connection Remove, Replace and Shutdown with its context are ErrBusy: they would
// wait for their caller.
func (r *Registry) Remove(ctx context.Context, name string) error {
	if err := cmp.Or(r.usable(), checkContext(ctx, name)); err != nil {
		return err
	}
	if err := r.waitsForItself(ctx, "Remove", name); err != nil {
		return err
	}
	r.mu.Lock()
	old, ok := r.entries.find(name)
	if !ok || r.closed {
		r.mu.Unlock()
		_, err := r.lookup(name)
		return err
	}
	r.entries.put(name, nil)
	r.leavesLocked(old)
	r.mu.Unlock()
	r.models.leave(name)
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
// goroutine of the registry is left, but for those that wait for a function of the program's
// which has not returned though its context has ended; a hook, OnRecovery and Connect of
// tenants, which are waited for until ctx ends, are named in the error. The error is
// the context's if work was cut off: a transaction that still runs then is sent nothing
// more and rolled back, a connection whose rows are still open is closed with them. A statement that
// the server is still working on then ends when it does, or with its own context;
// its connection is closed after it.
func (r *Registry) Shutdown(ctx context.Context) error {
	if err := cmp.Or(r.usable(), checkContext(ctx, "")); err != nil {
		return err
	}
	for _, name := range r.known() {
		if err := r.waitsForItself(ctx, "Shutdown", name); err != nil {
			return err
		}
	}
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
	recovery := r.recovery
	entries := slices.Collect(maps.Keys(r.leaving))
	r.entries.all(func(_ string, e *entry) { entries = append(entries, e) })
	r.entries.clear()
	r.failures.close()
	r.mu.Unlock()

	if recovery != nil {
		r.err = recovery.stopWithin(ctx)
	}
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

// Stats returns the pool figures of every node of every connection whose pool
// has been opened, by the node's name.
func (r *Registry) Stats() map[string]sql.DBStats {
	must("Registry.Stats", r.usable())
	out := map[string]sql.DBStats{}
	r.entries.all(func(_ string, e *entry) { e.stats(out) })
	return out
}

// String tells the names of the connections.
func (r *Registry) String() string {
	if r.usable() != nil {
		return "dbfleet.Registry(nil)"
	}
	return fmt.Sprintf("dbfleet.Registry%q", r.Names())
}

// GoString is String: nothing of a configuration is shown.
func (r *Registry) GoString() string { return r.String() }

// Format writes String for every verb.
func (r *Registry) Format(f fmt.State, _ rune) { fmt.Fprint(f, r.String()) }
