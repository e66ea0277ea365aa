package dbfleet

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"sync/atomic"
)

// failing is a connector whose every connection fails with err: what stands
// behind the raw handle of a connection that cannot be had.
type failing struct {
	err    error
	closed atomic.Bool // who was given the handle has closed it
}

func (f *failing) Connect(context.Context) (sqldriver.Conn, error) { return nil, f.err }
func (f *failing) Driver() sqldriver.Driver                        { return f }
func (f *failing) Open(string) (sqldriver.Conn, error)             { return nil, f.err }
func (f *failing) Close() error                                    { f.closed.Store(true); return nil }

// failure is a pool that fails.
type failure struct {
	db        *sql.DB
	connector *failing
}

// maxFailures is how many failing pools a registry keeps. Names may come from
// requests, and each pool has a goroutine.
const maxFailures = 64

// failures are the last failing pools by the connection's name.
type failures struct {
	pools map[string]failure
	names []string // from the oldest
}

// failing returns the pool that fails with err, one per connection's name. The
// registry's end closes it, and so does the making of maxFailures others.
func (r *Registry) failing(name string, err error) *sql.DB {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := &r.failures
	known, ok := f.pools[name]
	if ok && !known.connector.closed.Load() {
		return known.db
	}
	connector := &failing{err: err}
	db := sql.OpenDB(connector)
	if r.closed {
		_ = db.Close()
		return db
	}
	if ok {
		f.pools[name] = failure{db, connector}
		return db
	}
	if f.pools == nil {
		f.pools = map[string]failure{}
	}
	if len(f.names) >= maxFailures {
		oldest := f.names[0]
		_ = f.pools[oldest].db.Close()
		delete(f.pools, oldest)
		f.names = f.names[1:]
	}
	f.pools[name] = failure{db, connector}
	f.names = append(f.names, name)
	return db
}

func (f *failures) close() {
	for _, pool := range f.pools {
		_ = pool.db.Close()
	}
}

// failedRow returns a row whose Scan fails with err.
func failedRow(err error) *sql.Row {
	db := sql.OpenDB(&failing{err: err})
	defer func() { _ = db.Close() }()
	return db.QueryRowContext(context.Background(), "")
}
