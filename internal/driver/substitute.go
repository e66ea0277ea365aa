package driver

import (
	sqldriver "database/sql/driver"
	"sync"
)

// substitutes are connectors by Options.Database; see Substitute.
var substitutes sync.Map

// Substitute puts c in the place of the server for every pool that is opened
// for that database's name until undo is called: for tests and benchmarks that
// need a driver of their own below the whole library.
func Substitute(database string, c sqldriver.Connector) (undo func()) {
	substitutes.Store(database, c)
	return func() { substitutes.Delete(database) }
}

func substituteFor(o Options) (sqldriver.Connector, bool) {
	c, ok := substitutes.Load(o.Database)
	if !ok {
		return nil, false
	}
	return c.(sqldriver.Connector), true
}
