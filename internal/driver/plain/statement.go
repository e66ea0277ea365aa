package plain

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// Preparable reports whether a statement without arguments is of a kind that is
// worth preparing when it comes again.
func Preparable(query string, d *dialect.Dialect) bool {
	word, _ := lex.FirstWord(query, d)
	switch strings.ToUpper(word) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "VALUES":
		return true
	}
	return false
}
