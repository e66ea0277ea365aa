package starter

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"unicode"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// text is the file as Go, not yet formatted.
func (f *file) text(connections []Connection) (string, error) {
	var body strings.Builder
	for _, r := range f.records {
		f.typeText(&body, r)
	}
	f.modelsText(&body)
	for _, r := range f.records {
		if r.key == nil {
			f.tableText(&body, r)
		}
	}
	for _, u := range f.unsaid {
		body.WriteString("\n" + comment(u))
	}
	var b strings.Builder
	b.WriteString(Header + "dbfleet models wrote it from live tables, and writes it again\n// only if it is told to by -force." + named(connections) + "\n\n")
	fmt.Fprintf(&b, "// Package %s has the records and models of a database.\npackage %s\n\nimport (\n", f.options.Package, f.options.Package)
	packages, err := used(body.String())
	if err != nil {
		return "", err
	}
	for _, path := range []string{"database/sql", "errors", "time"} {
		if packages[path[strings.LastIndexByte(path, '/')+1:]] {
			fmt.Fprintf(&b, "%q\n", path)
		}
	}
	b.WriteString("\n\"github.com/dbfleet/dbfleet\"\n)\n")
	b.WriteString(body.String())
	return b.String(), nil
}

// used are the names before a dot in the declarations of Go code.
func used(code string) (map[string]bool, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+code, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				found[x.Name] = true
			}
		}
		return true
	})
	return found, nil
}

// named tells the connections, on lines of their own.
func named(connections []Connection) (text string) {
	for _, c := range connections {
		if c.Name != "" {
			text += "\n// Connection " + strconv.Quote(c.Name) + ": " + c.Dialect.Name + "."
		}
	}
	return text
}

// comment is a text as lines of a comment: nothing in it can end that.
func comment(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.ToValidUTF8(text, "�"), "\n") {
		b.WriteString("// " + oneLine(line) + "\n")
	}
	return b.String()
}

// oneLine is a text without what would break a line.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	return strings.TrimSpace(text)
}

func (f *file) typeText(b *strings.Builder, r *record) {
	kind := "table"
	if r.table.Viewed {
		kind = "view"
	}
	fmt.Fprintf(b, "\n// %s is a row of %s %s", r.name, kind, strconv.Quote(r.table.FullName()))
	if r.on.Name != "" {
		fmt.Fprintf(b, " on connection %s", strconv.Quote(r.on.Name))
	}
	b.WriteString(".\n")
	if r.table.Comment != "" {
		b.WriteString("//\n" + comment(r.table.Comment))
	}
	for _, n := range r.notes {
		b.WriteString("//\n" + comment(n))
	}
	fmt.Fprintf(b, "type %s struct {\n", r.name)
	for _, field := range r.fields {
		if field.comment != "" {
			b.WriteString(comment(field.comment))
		}
		fmt.Fprintf(b, "%s %s%s", field.name, field.typ, tag(field))
		if field.note != "" {
			b.WriteString(" // " + oneLine(field.note))
		}
		b.WriteString("\n")
	}
	if len(r.related) > 0 {
		b.WriteString("\n// What With loads.\n\n")
		for _, field := range r.related {
			fmt.Fprintf(b, "%s %s\n", field.name, field.typ)
		}
	}
	b.WriteString("}\n")
}

// tag is the tag of a field that needs one: the column's name is not the field's, or it
// is an array.
func tag(f field) string {
	array := strings.HasPrefix(f.typ, "[]") && f.typ != "[]byte"
	if rowmap.ColumnName(f.name) == f.column && !array {
		return ""
	}
	text := "db:" + strconv.Quote(f.column)
	if strings.ContainsRune(text, '`') || !strconv.CanBackquote(text) {
		return " " + strconv.Quote(text)
	}
	return " `" + text + "`"
}

// modelsText is the type that has all models and relations, and what makes it.
func (f *file) modelsText(b *strings.Builder) {
	b.WriteString("\n// Models are the models of the tables, and how they are related.\ntype Models struct {\n")
	made := 0
	for _, r := range f.records {
		if r.key != nil {
			fmt.Fprintf(b, "%s *dbfleet.Model[%s]\n", r.member, r.name)
			made++
		}
	}
	if len(f.relations) > 0 {
		b.WriteString("\n// What foreign keys tell.\n\n")
	}
	for _, rel := range f.relations {
		fmt.Fprintf(b, "%s dbfleet.%s[%s, %s", rel.member, rel.typ, rel.parent.name, rel.to.name)
		if rel.pivot != nil {
			b.WriteString(", " + rel.pivot.name)
		}
		b.WriteString("]\n")
	}
	b.WriteString("\nregistry *dbfleet.Registry\n}\n\n// NewModels makes the models, and tells all faults at once. It does no I/O.\n")
	b.WriteString("func NewModels(registry *dbfleet.Registry) (*Models, error) {\nm := &Models{registry: registry}\n")
	if made > 0 {
		fmt.Fprintf(b, "var errs [%d]error\n", made)
	}
	made = 0
	for _, r := range f.records {
		if r.key != nil {
			fmt.Fprintf(b, "m.%s, errs[%d] = dbfleet.NewModel[%s](registry, dbfleet.ModelConfig{\n%s})\n", r.member, made, r.name, settings(r))
			made++
		}
	}
	if made > 0 {
		b.WriteString("if err := errors.Join(errs[:]...); err != nil {\nreturn nil, err\n}\n")
	}
	for _, rel := range f.relations {
		models := "m." + rel.parent.member + ", m." + rel.to.member
		if rel.pivot != nil {
			models += ", m." + rel.pivot.member
		}
		fmt.Fprintf(b, "m.%s = dbfleet.%s(%s, %s, func(r *%s) *%s { return &r.%s })\n",
			rel.member, rel.verb, models, strings.Join(rel.links, ", "), rel.parent.name, rel.field.typ, rel.field.name)
	}
	b.WriteString("return m, nil\n}\n")
}

// settings are the fields of a record's ModelConfig.
func settings(r *record) string {
	var b strings.Builder
	set := func(name, value string) { fmt.Fprintf(&b, "%s: %s,\n", name, value) }
	list := func(name string, columns []string) {
		if len(columns) > 0 {
			quoted := make([]string, len(columns))
			for i, c := range columns {
				quoted[i] = strconv.Quote(c)
			}
			set(name, "[]string{"+strings.Join(quoted, ", ")+"}")
		}
	}
	set("Table", strconv.Quote(r.table.FullName()))
	if r.on.Name != "" {
		set("Connection", strconv.Quote(r.on.Name))
	}
	if len(r.key) != 1 || r.key[0] != "id" {
		list("PrimaryKey", r.key)
	}
	if r.timed {
		set("Timestamps", "true")
	}
	if r.precision > 0 {
		set("TimePrecision", precision(r.precision))
	}
	list("Generated", r.generated)
	list("Defaults", r.defaults)
	if r.mark != "" {
		set("SoftDelete", strconv.Quote(r.mark))
	}
	if r.version != "" {
		set("Version", strconv.Quote(r.version))
	}
	return b.String()
}

// precision is a duration of nanoseconds, a power of ten, as Go.
func precision(n int64) string {
	unit := "time.Microsecond"
	n /= 1000
	for _, larger := range []string{"time.Millisecond", "time.Second"} {
		if n >= 1000 {
			unit, n = larger, n/1000
		}
	}
	if n == 1 {
		return unit
	}
	return strconv.FormatInt(n, 10) + " * " + unit
}

// tableText is the method that reads what has no model.
func (f *file) tableText(b *strings.Builder, r *record) {
	fmt.Fprintf(b, "\n// %s is the query for the rows of %s, which have no model.\n", r.member, strconv.Quote(r.table.FullName()))
	fmt.Fprintf(b, "func (m *Models) %s() *dbfleet.Query[%s] {\nreturn dbfleet.Table[%s](m.registry.DB(%q), %q)\n}\n",
		r.member, r.name, r.name, r.on.Name, r.table.FullName())
}
