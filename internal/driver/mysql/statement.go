//go:build !dbfleet_no_mysql

package mysql

import (
	sqldriver "database/sql/driver"
	"reflect"
)

// givesRows says that a statement which the driver has prepared gives rows, and that the
// server will not describe their columns again when it runs: MariaDB leaves that out for
// a client that has kept them. The driver's Exec waits for the description all the same
// (go-sql-driver/mysql 1.10.1, mysqlStmt.Exec): it takes rows for it, and an error among
// them too, and then waits for what never comes. Its Query does not, so such a statement
// is run as a query.
//
// It relies on the driver's field columns, which holds what was kept. Without that field
// it says no, and TestGivesRows_KnowsWhatTheDriverKeeps fails.
func givesRows(s sqldriver.Stmt) bool {
	v := reflect.ValueOf(s)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return false
	}
	columns := v.Elem().FieldByName("columns")
	return columns.Kind() == reflect.Slice && columns.Len() > 0
}
