package dbfleet

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
)

// failing is a connector whose every connection fails with err: what stands
// behind the raw handle of a connection that cannot be had.
type failing struct{ err error }

func (f failing) Connect(context.Context) (sqldriver.Conn, error) { return nil, f.err }
func (f failing) Driver() sqldriver.Driver                        { return f }
func (f failing) Open(string) (sqldriver.Conn, error)             { return nil, f.err }

// failing returns the pool that fails with err, one per connection's name; the
// registry's end closes it.
func (r *Registry) failing(name string, err error) *sql.DB {
	r.mu.Lock()
	defer r.mu.Unlock()
	if db, ok := r.failures[name]; ok {
		return db
	}
	db := sql.OpenDB(failing{err})
	if r.closed {
		_ = db.Close()
		return db
	}
	if r.failures == nil {
		r.failures = map[string]*sql.DB{}
	}
	r.failures[name] = db
	return db
}

// failedRow returns a row whose Scan fails with err.
func failedRow(err error) *sql.Row {
	db := sql.OpenDB(failing{err})
	defer func() { _ = db.Close() }()
	return db.QueryRowContext(context.Background(), "")
}
