package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// hazard 359: no code of ours puts formatted text into SQL, but for the few
// places that quote it.
func TestHazard_NoFormattedTextBecomesSQL(t *testing.T) {
	t.Parallel()
	verbs := []string{"SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WHERE ", "FROM ", "SET ", "CREATE ", "DROP ", "ALTER ", "PRAGMA "}
	files := 0
	root := moduleRoot(t)
	var testsOwn []string
	for _, folder := range []string{"bench", "internal/conformance", "internal/dbtest"} {
		testsOwn = append(testsOwn, filepath.Join(root, filepath.FromSlash(folder)))
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (slices.Contains(testsOwn, path) || path != root && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			pkg, isName := ast.Unparen(identOf(f)).(*ast.Ident)
			if !ok || !isName || pkg.Name != "fmt" || !strings.HasPrefix(f.Sel.Name, "Sprint") && !strings.HasPrefix(f.Sel.Name, "Append") {
				return true
			}
			for _, arg := range call.Args {
				text, ok := arg.(*ast.BasicLit)
				for _, verb := range verbs {
					if ok && strings.HasPrefix(strings.TrimLeft(text.Value, "`\""), verb) {
						t.Errorf("%s: %s makes SQL of what it is given", set.Position(call.Pos()), text.Value)
					}
				}
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, files, 50)
}

// identOf is what stands before the dot.
func identOf(s *ast.SelectorExpr) ast.Expr {
	if s == nil {
		return nil
	}
	return s.X
}
