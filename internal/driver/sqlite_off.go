//go:build dbfleet_no_sqlite

package driver

func newSQLite(Options) (backend, error) {
	return nil, &NotLinkedError{Driver: "SQLite", Tag: "dbfleet_no_sqlite"}
}

func classifySQLite(error) (Problem, bool) { return Problem{}, false }

func sqliteMessage(error) (raw, shown string, ok bool) { return "", "", false }

const sqliteLinked = false
