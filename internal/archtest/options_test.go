package archtest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Options are given one way: a struct, as the last parameter, variadic, at most one.
func TestOptions_AreTheLastParameterAndVariadic(t *testing.T) {
	t.Parallel()
	surface, err := os.ReadFile(filepath.Join(moduleRoot(t), "testdata", "api.txt"))
	require.NoError(t, err)
	found := 0
	for line := range bytes.Lines(surface) {
		line := strings.TrimSpace(string(line))
		n, fault := optionsOf(t, line)
		found += n
		require.Empty(t, fault, line)
	}
	require.Greater(t, found, 5)
}

func TestOptions_OfOtherShapesAreTold(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"func A(x int, options ...TxOptions) error":                  "",
		"method (q *Query[T]) A(ctx context.Context, c ...Conflict)": "",
		"func A(options TxOptions)":                                  "options is not variadic",
		"func A(options *TxOptions)":                                 "options is not variadic",
		"func A(options []dbfleet.TxOptions)":                        "options is not variadic",
		"func A(options TxOptions, more ...int)":                     "options is not the last",
		"method (q *Query[T]) A(record *T, conflict Conflict) error": "conflict is not variadic",
		"func A(x int)": "",
		"type X struct": "",
	} {
		_, fault := optionsOf(t, line)
		require.Equal(t, want, fault, line)
	}
}

// optionsOf counts the parameters of a line of the surface that are options, and tells
// what is wrong with one.
func optionsOf(t *testing.T, line string) (found int, fault string) {
	t.Helper()
	if !strings.HasPrefix(line, "func ") && !strings.HasPrefix(line, "method ") {
		return 0, ""
	}
	file, err := parser.ParseFile(token.NewFileSet(), "api.go", "package api\n"+strings.Replace(line, "method ", "func ", 1), 0)
	require.NoError(t, err, line)
	params := file.Decls[0].(*ast.FuncDecl).Type.Params.List
	for i, p := range params {
		typ, variadic := p.Type, false
		if e, ok := typ.(*ast.Ellipsis); ok {
			typ, variadic = e.Elt, true
		}
		if name := typeName(typ); !strings.HasSuffix(name, "Options") && name != "Conflict" {
			continue
		}
		found++
		switch {
		case i != len(params)-1:
			fault = p.Names[0].Name + " is not the last"
		case !variadic:
			fault = p.Names[0].Name + " is not variadic"
		}
	}
	return found, fault
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ArrayType:
		return typeName(e.Elt)
	}
	return ""
}
