package dbfleet

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var updateAPI = flag.Bool("update", false, "rewrite testdata/api.txt")

const apiFile = "testdata/api.txt"

// The exported surface is a promise: a change to it must be meant, and seen in
// review.
func TestAPI_IsAsPinned(t *testing.T) {
	t.Parallel()
	got := exportedSurface(t, ".")
	if *updateAPI {
		require.NoError(t, os.WriteFile(apiFile, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(apiFile)
	if err != nil || got != string(want) {
		added, removed := lineDiff(string(want), got)
		t.Fatalf("the exported surface differs from %s (%v).\nIf that is meant, accept it with: make api\n\n%s%s",
			apiFile, err, prefixed("- ", removed), prefixed("+ ", added))
	}
}

func TestAPI_ShowsExportedDeclarationsOnly(t *testing.T) {
	t.Parallel()
	got := surfaceOf(t, map[string]string{"a.go": `package a

// T is documented.
type T[V any] struct {
	A, B int // how many
	c    int
	D    struct{ E, f int }
	*G
	Cut func(n int) (rest []V, err error)
}

type G struct{}
type hidden struct{}
type I interface {
	M(x int) error
	sealed()
}

func (t *T[V]) Method(first, second V, rest ...int) (err error) { return nil }
func (t T[V]) unexported()                                      {}
func (h hidden) Visible()                                       {}
func New[V any](v V) *T[V]                                      { return nil }
func helper()                                                   {}

const (
	First Kind = iota
	Second
	third
)

type Kind int

var (
	ErrA = New(1)
	errB = New(2)
)
`, "a_test.go": `package a

func TestX() {}
`})
	require.Equal(t, `const First Kind = iota
const Second
func New[V any](v V) *T[V]
method (t *T[V]) Method(first, second V, rest ...int) (err error)
type G struct {
}
type I interface {
	M(x int) error
	// has unexported methods
}
type Kind int
type T[V any] struct {
	A, B	int
	D	struct {
		E int
	}
	*G
	Cut	func(n int) (rest []V, err error)
	// has unexported fields
}
var ErrA
`, got)
}

// exportedSurface returns the exported declarations of the package in dir, for
// all build tags, one after the other in the order of their names.
func exportedSurface(t *testing.T, dir string) string {
	t.Helper()
	sources := map[string]string{}
	entries, err := fs.Glob(os.DirFS(dir), "*.go")
	require.NoError(t, err)
	for _, name := range entries {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		sources[name] = string(text)
	}
	return surfaceOf(t, sources)
}

func surfaceOf(t *testing.T, sources map[string]string) string {
	t.Helper()
	files := token.NewFileSet()
	var lines []string
	for name, text := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(files, name, text, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range parsed.Decls {
			lines = append(lines, declared(t, files, decl)...)
		}
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n") + "\n"
}

// declared returns a text for each exported name that decl declares.
func declared(t *testing.T, files *token.FileSet, decl ast.Decl) (texts []string) {
	t.Helper()
	show := func(node any) string { return shown(t, files, node) }
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() || d.Recv != nil && !exportedReceiver(d.Recv.List[0].Type) {
			return nil
		}
		text := show(&ast.FuncDecl{Recv: d.Recv, Name: d.Name, Type: d.Type})
		if d.Recv != nil {
			text = "method" + strings.TrimPrefix(text, "func")
		}
		return []string{text}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					trimmed := *s
					trimmed.Doc, trimmed.Comment = nil, nil
					trimmed.Type = withoutUnexported(s.Type)
					texts = append(texts, "type "+show(&trimmed))
				}
			case *ast.ValueSpec:
				for i, name := range s.Names {
					if name.IsExported() {
						texts = append(texts, d.Tok.String()+" "+name.Name+valueOf(d.Tok, s, i, show))
					}
				}
			}
		}
	}
	return texts
}

// valueOf returns the type of a constant or variable where it is written down,
// and a constant's value, which callers compile in.
func valueOf(tok token.Token, s *ast.ValueSpec, i int, show func(any) string) (text string) {
	if s.Type != nil {
		text += " " + show(s.Type)
	}
	if tok == token.CONST && i < len(s.Values) {
		text += " = " + show(s.Values[i])
	}
	return text
}

func exportedReceiver(expr ast.Expr) bool {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return exportedReceiver(e.X)
	case *ast.IndexExpr:
		return exportedReceiver(e.X)
	case *ast.IndexListExpr:
		return exportedReceiver(e.X)
	case *ast.Ident:
		return e.IsExported()
	}
	return false
}

// withoutUnexported returns a type without the fields and methods that nobody
// outside can name; a remark stands for them.
func withoutUnexported(expr ast.Expr) ast.Expr {
	switch e := expr.(type) {
	case *ast.StructType:
		return &ast.StructType{Fields: exportedFields(e.Fields, "// has unexported fields")}
	case *ast.InterfaceType:
		return &ast.InterfaceType{Methods: exportedFields(e.Methods, "// has unexported methods")}
	}
	return expr
}

func exportedFields(list *ast.FieldList, remark string) *ast.FieldList {
	kept := &ast.FieldList{}
	hidden := false
	for _, field := range list.List {
		f := *field
		f.Doc, f.Comment, f.Names = nil, nil, nil
		f.Type = withoutUnexported(field.Type)
		for _, name := range field.Names {
			if name.IsExported() {
				f.Names = append(f.Names, ast.NewIdent(name.Name))
			}
		}
		if len(f.Names) > 0 || len(field.Names) == 0 { // an embedded type has no names
			kept.List = append(kept.List, &f)
		} else {
			hidden = true
		}
	}
	if hidden {
		kept.List = append(kept.List, &ast.Field{Type: ast.NewIdent(remark)})
	}
	return kept
}

func shown(t *testing.T, files *token.FileSet, node any) string {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, (&printer.Config{Mode: printer.RawFormat}).Fprint(&text, files, node))
	return blankLines.ReplaceAllString(text.String(), "\n")
}

var blankLines = regexp.MustCompile(`\n\s*\n+`)

// lineDiff returns the lines that only one of two texts has.
func lineDiff(old, now string) (added, removed []string) {
	before, after := strings.Split(old, "\n"), strings.Split(now, "\n")
	only := func(lines, others []string) (rest []string) {
		left := map[string]int{}
		for _, l := range others {
			left[l]++
		}
		for _, l := range lines {
			if left[l]--; left[l] < 0 {
				rest = append(rest, l)
			}
		}
		return rest
	}
	return only(after, before), only(before, after)
}

func prefixed(prefix string, lines []string) (text string) {
	for _, l := range lines {
		text += prefix + l + "\n"
	}
	return text
}
