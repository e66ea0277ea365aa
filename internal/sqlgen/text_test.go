package sqlgen

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// vetted are the expressions, other than constants, that may become text of a
// statement. Each is a keyword of ours, a number, a quoted name, or SQL that
// the caller gave as SQL. What is added here must not depend on a value.
var vetted = []string{
	"opNames[c.op]", "opNames[op]", // keywords, by number
	"r.d.NullSafeEqual", "r.d.LimitRequired", "r.d.DefaultValues", "dialect.SortedWhole", "dialect.SortedWholeHint", // constants of a dialect
	"j.kind", "c.Func", // keywords that Query's methods give
	"quoted", "list", // names that Table has quoted
	"text[start:t.At]", "text[start:]", // raw SQL around its placeholders
	"functionNames[f]", "unitNames[p.Unit]", "unitNames[t.Unit]", "unitFormats[p.Unit]", "mysqlCuts[t.Unit]", "sqliteCuts[t.Unit]", // constants, by number
	"postgresKinds[v.Kind]", "postgresCasts[v.Kind]", "postgresCasts[h.Kind]", "mysqlKinds[v.Kind]", "sqliteKinds[v.Kind]", "sqliteKinds[h.Kind]", // constants, by number
	"castOf(a)", "r.d.InNothing", "r.d.NotInNothing", "castOf(r.args[before])", `cmp.Or(castOf(r.args[before]), "::text")`, // types, by the argument's Go type
	"strconv.AppendInt", "strconv.AppendUint", "hex.AppendEncode", "appendIdent", // digits and quoted names
	"d.Append",         // the digits of a value.Decimal
	"r.itemOf(c).text", // what the select list says of it already
}

// hazard 359: no value reaches a statement's text but through the functions
// that quote it.
func TestText_OnlyVettedExpressionsBecomeSQL(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	used := map[string]bool{}
	writes := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		require.NoError(t, err)
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, src, 0)
		require.NoError(t, err)
		check := func(e ast.Expr) {
			writes++
			if text := show(set, e); !constant(e) {
				if !slices.Contains(vetted, text) {
					t.Errorf("%s: %s becomes SQL text", set.Position(e.Pos()), text)
				}
				used[text] = true
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if show(set, n.Fun) == "r.str" {
					check(n.Args[0])
				}
			case *ast.AssignStmt:
				if len(n.Lhs) != 1 || show(set, n.Lhs[0]) != "r.buf" {
					return true
				}
				call, ok := n.Rhs[0].(*ast.CallExpr)
				switch {
				case !ok:
					require.Regexp(t, `^(r\.buf\[:mark\]|make\(.*)$`, show(set, n.Rhs[0]), set.Position(n.Pos()))
				case show(set, call.Fun) == "append":
					for _, a := range call.Args[1:] {
						if name == "renderer.go" && show(set, a) == "s" {
							continue // str itself
						}
						check(a)
					}
				case show(set, call.Fun) != "make":
					check(call.Fun)
				}
			case *ast.BinaryExpr:
				if n.Op == token.ADD && (speaksSQL(n.X) || speaksSQL(n.Y)) {
					t.Errorf("%s: %s is SQL put together", set.Position(n.Pos()), show(set, n))
				}
			}
			return true
		})
	}
	require.Greater(t, writes, 100, "the writes were not found")
	for _, v := range vetted {
		require.True(t, used[v], "%q is vetted and not used", v)
	}
}

func show(set *token.FileSet, n ast.Node) string {
	var b bytes.Buffer
	_ = printer.Fprint(&b, set, n)
	return b.String()
}

// constant says whether an expression is a literal, or picks one of several.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return true
	case *ast.IndexExpr:
		if list, ok := e.X.(*ast.CompositeLit); ok {
			for _, item := range list.Elts {
				if !constant(item) {
					return false
				}
			}
			return true
		}
	}
	return false
}

// speaksSQL says whether an expression is a literal with SQL in it.
func speaksSQL(e ast.Expr) bool {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return false
	}
	for _, word := range []string{"SELECT ", " FROM ", "WHERE ", "INSERT ", "DELETE ", " SET ", "ORDER BY"} {
		if strings.Contains(lit.Value, word) {
			return true
		}
	}
	return false
}
