//go:build !dbfleet_no_mysql

package mysql

import (
	sqldriver "database/sql/driver"
	"reflect"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// givesValues says that a query may give values that are stored. It is prepared, though
// that costs a round trip where the statement is not kept: to a text the server tells six
// digits of a FLOAT, and to tell which columns are such it must have run it.
func givesValues(query string) bool {
	word, _ := lex.FirstWord(query, dialect.MySQL)
	switch strings.ToUpper(word) {
	case "SELECT", "WITH", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "REPLACE", "CALL", "SET", "EXECUTE", "HANDLER", "":
		return true
	}
	return false
}

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

// returns says that the rows which a statement gives may be those that it has written: MariaDB
// tells their number in no other way.
func returns(query string) bool {
	if !saysReturning(query) {
		return false
	}
	switch word, s := lex.FirstWord(query, dialect.MySQL); strings.ToUpper(word) {
	case "INSERT", "DELETE", "REPLACE", "UPDATE":
		for t := s.Next(); t.Kind != lex.End; t = s.Next() {
			if t.Is("RETURNING") {
				return true
			}
		}
	}
	return false
}

// saysReturning is a quick look for the word, wherever it stands.
func saysReturning(query string) bool {
	const word = "RETURNING"
	for {
		i := strings.IndexAny(query, "rR")
		if i < 0 || len(query)-i < len(word) {
			return false
		}
		if strings.EqualFold(query[i:i+len(word)], word) {
			return true
		}
		query = query[i+1:]
	}
}
