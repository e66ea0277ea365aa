// Package starter makes the text of Go structs, models and relations from what databases
// say of their tables. It does no I/O, and makes the same text of the same tables.
package starter

import (
	"cmp"
	"fmt"
	"go/format"
	"go/token"
	"path"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/schema"
)

// Header is how a starter begins. A file that begins otherwise is somebody else's.
const Header = "// A starter, yours to edit: "

// Options say how names and models are made.
type Options struct {
	Package    string // of the text
	Tables     bool   // types have the names of tables, not of one row
	SQLNull    bool   // sql.Null where a column may be NULL, not a pointer
	Untimed    bool   // created_at and updated_at are columns as any other
	SoftDelete string // the column that marks deleted rows, of the tables that have it
	Version    string // the column of versions, of the tables that have it
}

// Connection is a connection with its tables. Name is "" for the registry's default.
type Connection struct {
	Name    string
	Dialect *dialect.Dialect
	Tables  []schema.Table
}

// Selected says whether a table is one of those that patterns name, as path.Match has
// them. Those that begin with ! leave tables out again; without others, all are taken.
func Selected(patterns []string, table string) (bool, error) {
	taken, only := false, false
	for _, p := range patterns {
		without, not := strings.CutPrefix(p, "!")
		matches, err := path.Match(without, table)
		switch {
		case err != nil:
			return false, fmt.Errorf("pattern %q: %w", p, err)
		case not && matches:
			return false, nil
		case !not:
			only, taken = true, taken || matches
		}
	}
	return taken || !only, nil
}

// Make is the text of a Go file with a struct and a model for each table, and of what the
// text does not say, one line each. The connections and tables may come in any order.
func Make(connections []Connection, o Options) (text []byte, warnings []string, err error) {
	if !token.IsIdentifier(o.Package) || o.Package == "_" {
		return nil, nil, fmt.Errorf("%q is no name of a package", o.Package)
	}
	f := &file{options: o, types: names{"Models": true, "NewModels": true}, members: names{}}
	connections = slices.Clone(connections)
	slices.SortFunc(connections, func(a, b Connection) int { return cmp.Compare(a.Name, b.Name) })
	for i := range connections {
		f.add(&connections[i])
	}
	if len(f.records) == 0 {
		return nil, f.warnings, fmt.Errorf("there is no table to begin with")
	}
	f.nameTypes()
	for _, r := range f.records {
		f.describe(r)
	}
	f.relate()
	plain, err := f.text(connections)
	if err == nil {
		text, err = format.Source([]byte(plain))
	}
	return text, f.warnings, err
}

// file is what the text is made of.
type file struct {
	options   Options
	records   []*record
	types     names // of the package
	members   names // of Models
	relations []relation
	unsaid    []string // comments at the end
	warnings  []string
}

// record is the type for the rows of a table.
type record struct {
	on     *Connection
	table  *schema.Table
	name   string // of the type
	one    string // a row, as others call it
	many   string // its rows, as others call them
	member string // of Models
	fields []field
	used   names // of the struct
	key    []string
	notes  []string // of the type

	single    bool     // the key is one integer
	generated []string // ModelConfig.Generated
	defaults  []string
	timed     bool
	precision int64 // nanoseconds, 0 is the default
	mark      string
	version   string
	related   []field
}

// field is a field of a struct.
type field struct {
	name, typ, column, comment, note string
}

func (f *file) warn(r *record, column, text string) {
	where := "table " + r.table.FullName()
	if r.on.Name != "" {
		where = "connection " + r.on.Name + ", " + where
	}
	if column != "" {
		where += ", column " + column
	}
	f.warnings = append(f.warnings, where+": "+text)
}

// add takes the tables of a connection.
func (f *file) add(on *Connection) {
	tables := slices.Clone(on.Tables)
	slices.SortFunc(tables, func(a, b schema.Table) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
	})
	for i := range tables {
		r := &record{on: on, table: &tables[i], used: names{}}
		switch {
		case strings.Contains(r.table.Name, ".") || strings.Contains(r.table.Schema, "."):
			f.leave(r, "has a dot in its name, which would part a schema from a table")
		case len(r.table.Columns) == 0:
			f.leave(r, "has no columns that this account may see")
		default:
			f.records = append(f.records, r)
		}
	}
}

// leave tells of a table that the text does not have.
func (f *file) leave(r *record, why string) {
	f.warn(r, "", why+"; it is left out")
	f.unsaid = append(f.unsaid, fmt.Sprintf("Table %q %s.", r.table.FullName(), why))
}

// nameTypes names the types. Those of tables that two connections, or two schemas, have
// begin with the connection's name, or the schema's.
func (f *file) nameTypes() {
	base := func(r *record) string {
		if f.options.Tables {
			return GoName(r.table.Name)
		}
		return Singular(GoName(r.table.Name))
	}
	type where struct{ connection, schema string }
	at := map[string]map[where]bool{}
	for _, r := range f.records {
		if at[base(r)] == nil {
			at[base(r)] = map[where]bool{}
		}
		at[base(r)][where{r.on.Name, r.table.Schema}] = true
	}
	for _, r := range f.records {
		one, table := base(r), GoName(r.table.Name)
		before := ""
		for w := range at[one] {
			if w.schema != r.table.Schema {
				before = cmp.Or(r.table.Schema, before)
			}
		}
		for w := range at[one] {
			if w.connection != r.on.Name && r.on.Name != "" {
				before = r.on.Name + "_" + r.table.Schema
			}
		}
		if before != "" {
			before = GoName(before)
		}
		r.name = f.types.take(before+one, before+table)
		r.one = strings.TrimPrefix(r.name, before)
		r.many = Plural(r.one)
		member := Plural(r.name)
		r.member = f.members.take(member, member+"Model")
	}
}
