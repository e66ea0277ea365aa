//go:build dbfleet_no_postgres

package postgres

import (
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Database says that this build has no driver.
var Database = session.LeftOut(dialect.Postgres, "PostgreSQL", "dbfleet_no_postgres")
