package sqlgen

import (
	"cmp"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// A TableColumn is a column of a table that CreateTable makes.
type TableColumn struct {
	Name string
	Type string // as SQL has it, with what follows a type
}

// BothOrNone are the parts of a table by which two columns of a row are NULL together.
func BothOrNone(d *dialect.Dialect, pairs [][2]string) (parts []string, err error) {
	for _, pair := range pairs {
		a, errA := QuoteIdent(d, pair[0])
		b, errB := QuoteIdent(d, pair[1])
		if err := cmp.Or(errA, errB); err != nil {
			return nil, err
		}
		parts = append(parts, "CHECK (("+a+" IS NULL) = ("+b+" IS NULL))")
	}
	return parts, nil
}

// CreateTable is the statement that creates a table unless it is there. A dot in its name
// separates the schema. key are the columns of the primary key, parts more parts of the
// table as SQL has them; either may be empty.
func CreateTable(d *dialect.Dialect, table string, columns []TableColumn, key, parts []string) (string, error) {
	var faults error
	quoted := func(name string) string {
		text, err := QuoteIdent(d, name)
		if err != nil && faults == nil {
			faults = err
		}
		return text
	}
	list := make([]string, 0, len(columns)+1+len(parts))
	for _, c := range columns {
		list = append(list, quoted(c.Name)+" "+c.Type)
	}
	if len(key) > 0 {
		names := make([]string, len(key))
		for i, name := range key {
			names[i] = quoted(name)
		}
		list = append(list, "PRIMARY KEY ("+strings.Join(names, ", ")+")")
	}
	path := strings.Split(table, ".")
	for i, name := range path {
		path[i] = quoted(name)
	}
	text := "CREATE TABLE IF NOT EXISTS " + strings.Join(path, ".") + " (" + strings.Join(append(list, parts...), ", ") + ")"
	if d == dialect.MySQL {
		text += " ENGINE=InnoDB" // whatever the default is: other engines take no part in transactions
	}
	return text, faults
}
