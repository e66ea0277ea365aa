//go:build dbfleet_no_sqlite

package sqlite

import (
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Database says that this build has no driver.
var Database = session.LeftOut(dialect.SQLite, "SQLite", "dbfleet_no_sqlite")
