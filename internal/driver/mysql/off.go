//go:build dbfleet_no_mysql

package mysql

import (
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Database says that this build has no driver.
var Database = session.LeftOut(dialect.MySQL, "MySQL", "dbfleet_no_mysql")
