package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a user can name must be explained where it is named: go doc of the package
// shows no field and no method of a type that stands somewhere below internal.
func TestSurface_NamesNothingInternal(t *testing.T) {
	t.Parallel()
	s := surface{imports: exports(t)}
	require.Empty(t, s.faults(t, module, rootSources(t)))
	require.Greater(t, s.looked, 400, "the surface was not found")
}

// The test above finds each kind of fault.
func TestSurface_FaultsAreFound(t *testing.T) {
	t.Parallel()
	imports := exports(t)
	for source, want := range map[string]string{
		"type ColumnError = rowmap.ColumnError":                                                           "ColumnError is rowmap.ColumnError",
		"func F() *rowmap.ColumnError { return nil }":                                                     "F names rowmap.ColumnError",
		"func F(fn func([]rowmap.ColumnError)) {}":                                                        "F names rowmap.ColumnError",
		"type T struct{ C map[string]rowmap.ColumnError }":                                                "T.C names rowmap.ColumnError",
		"type T struct{ rowmap.ColumnError }":                                                             "T.ColumnError names rowmap.ColumnError",
		"type t struct{}\nfunc (t) Of(rowmap.ColumnError) {}\ntype T struct{ t }":                         "T.Of names rowmap.ColumnError",
		"type T[V any] struct{ v V }\nfunc (*T[V]) M(V) rowmap.ColumnError { panic(0) }":                  "T.M names rowmap.ColumnError",
		"type T rowmap.ColumnError":                                                                       "T is a struct of package rowmap",
		"var V rowmap.ColumnError":                                                                        "V names rowmap.ColumnError",
		"type hidden struct{}\nfunc F() hidden { return hidden{} }":                                       "F names hidden, which is not exported",
		"type hidden interface{ m() }\n// I is sealed.\ntype I interface{ hidden }":                       "I embeds hidden, which is not exported",
		"// I says nothing.\ntype I interface{ m() }":                                                     "I is sealed and does not say so",
		"// I is sealed.\ntype I interface{ m(rowmap.ColumnError) }":                                      "",
		"type T struct{ c rowmap.ColumnError }\nfunc (t T) m() rowmap.ColumnError { return t.c }":         "",
		"func F[V any](v V) { _ = rowmap.ColumnError{} }\ntype E = error\nfunc G(e E) error { return e }": "",
	} {
		s := surface{imports: imports}
		text := "package dbfleet\n\nimport \"" + module + "/internal/rowmap\"\n\nvar _ rowmap.ColumnError\n\n" + source + "\n"
		got := s.faults(t, module, map[string]string{"fake.go": text})
		if want == "" {
			require.Empty(t, got, source)
			continue
		}
		require.Contains(t, got, want, source)
	}
}

// surface walks the exported declarations of a package.
type surface struct {
	imports map[string]string // import path to its export data
	looked  int
	list    []string
	docs    map[string]string // of the types
}

func (s *surface) faults(t *testing.T, path string, sources map[string]string) []string {
	t.Helper()
	set := token.NewFileSet()
	var files []*ast.File
	for name, text := range sources {
		file, err := parser.ParseFile(set, name, text, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, file)
	}
	s.docs = map[string]string{}
	for _, file := range files {
		for _, decl := range file.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range d.Specs {
				if ts, ok := spec.(*ast.TypeSpec); ok {
					s.docs[ts.Name.Name] = d.Doc.Text() + ts.Doc.Text()
				}
			}
		}
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(s.imports[path]) }
	conf := types.Config{Importer: importer.ForCompiler(set, "gc", lookup), FakeImportC: true}
	pkg, err := conf.Check(path, set, files, nil)
	require.NoError(t, err)
	for _, name := range pkg.Scope().Names() {
		if o := pkg.Scope().Lookup(name); o.Exported() {
			s.object(o)
		}
	}
	slices.Sort(s.list)
	return slices.Compact(s.list)
}

func (s *surface) fault(format string, args ...any) {
	s.list = append(s.list, fmt.Sprintf(format, args...))
}

func (s *surface) object(o types.Object) {
	s.looked++
	name, ok := o.(*types.TypeName)
	switch {
	case !ok:
		s.mentions(o.Name(), o.Type(), nil)
		return
	case name.IsAlias():
		if named, ok := types.Unalias(o.Type()).(*types.Named); ok && isInternal(named) {
			s.fault("%s is %s", o.Name(), shortName(named))
		}
		return
	}
	named := o.Type().(*types.Named)
	switch u := named.Underlying().(type) {
	case *types.Struct:
		for f := range u.Fields() {
			if f.Exported() {
				s.looked++
				s.mentions(o.Name()+"."+f.Name(), f.Type(), nil)
				if f.Pkg() != o.Pkg() {
					s.fault("%s is a struct of package %s", o.Name(), f.Pkg().Name())
				}
			}
		}
	case *types.Interface:
		s.contract(o, u)
	default:
		s.mentions(o.Name(), u, nil)
	}
	for m := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		if m.Obj().Exported() {
			s.looked++
			s.mentions(o.Name()+"."+m.Obj().Name(), m.Obj().Type(), nil)
		}
	}
}

// contract looks at an interface: what it embeds can be named, and whoever cannot
// implement it is told.
func (s *surface) contract(o types.Object, u *types.Interface) {
	for e := range u.EmbeddedTypes() {
		if named, ok := types.Unalias(e).(*types.Named); ok && named.Obj().Pkg() == o.Pkg() && !named.Obj().Exported() {
			s.fault("%s embeds %s, which is not exported", o.Name(), named.Obj().Name())
		}
	}
	for m := range u.ExplicitMethods() {
		if !m.Exported() && !strings.Contains(s.docs[o.Name()], "sealed") {
			s.fault("%s is sealed and does not say so", o.Name())
		}
	}
}

// mentions looks for types that nobody outside can look up.
func (s *surface) mentions(where string, typ types.Type, inside []types.Type) {
	if slices.Contains(inside, typ) {
		return
	}
	inside = append(inside, typ)
	each := func(list ...types.Type) {
		for _, t := range list {
			s.mentions(where, t, inside)
		}
	}
	switch t := types.Unalias(typ).(type) {
	case *types.Named:
		switch o := t.Obj(); {
		case isInternal(t):
			s.fault("%s names %s", where, shortName(t))
		case o.Pkg() != nil && o.Pkg().Path() == module && !o.Exported():
			s.fault("%s names %s, which is not exported", where, o.Name())
		}
		for arg := range t.TypeArgs().Types() {
			each(arg)
		}
	case *types.Pointer:
		each(t.Elem())
	case *types.Slice:
		each(t.Elem())
	case *types.Array:
		each(t.Elem())
	case *types.Chan:
		each(t.Elem())
	case *types.Map:
		each(t.Key(), t.Elem())
	case *types.Signature:
		for v := range t.Params().Variables() {
			each(v.Type())
		}
		for v := range t.Results().Variables() {
			each(v.Type())
		}
	case *types.Struct:
		for f := range t.Fields() {
			each(f.Type())
		}
	}
}

func isInternal(t *types.Named) bool {
	return t.Obj().Pkg() != nil && strings.HasPrefix(t.Obj().Pkg().Path(), module+"/internal/")
}

func shortName(t *types.Named) string { return t.Obj().Pkg().Name() + "." + t.Obj().Name() }

// exports are the files of what the root package imports, as compiled.
func exports(t *testing.T) map[string]string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", ".")
	list.Dir = moduleRoot(t)
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	require.NoError(t, err, stderr.String())
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		files[path] = file
	}
	return files
}

// rootSources are the root package's files.
func rootSources(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(moduleRoot(t), "*.go"))
	require.NoError(t, err)
	sources := map[string]string{}
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			sources[filepath.Base(name)] = string(text)
		}
	}
	return sources
}
