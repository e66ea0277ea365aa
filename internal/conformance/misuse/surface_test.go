package misuse

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// call is an exported function or method.
type call struct {
	name     string // "Query.Where", "NewModel"
	function string
	params   []string // their names
	variadic bool
	recv     func(w *world) any // nil for a function
	pointer  bool               // the receiver is one
	isData   bool               // the receiver's zero value is a value like others
}

// data are types whose zero value is one like others. Errors are, too.
var data = map[string]bool{
	"Args": true, "Config": true, "ConnectionConfig": true, "BinaryUUID": true, "Date": true, "JSON": true, "PoolConfig": true,
	"Cases": true, "Route": true, "Secret": true, "ErrorClass": true, "Outcome": true, "QueryEvent": true, "SQLiteConfig": true, "TLSConfig": true,
	"ReadsConfig": true, "ReplicaConfig": true, "TenantsConfig": true,
	"Encrypted": true,
}

// surface is what testdata/api.txt lists. A new function joins world.functions, a new
// type with methods receivers; a new kind of argument world.good.
func surface(t *testing.T) (calls []*call) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "api.txt"))
	require.NoError(t, err)
	functions := newWorld(t).functions()
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "func ") && !strings.HasPrefix(line, "method ") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc "+line[strings.Index(line, " ")+1:], 0)
		require.NoError(t, err, line)
		d := file.Decls[0].(*ast.FuncDecl)
		c := &call{name: d.Name.Name, function: d.Name.Name}
		if d.Recv != nil {
			of := receiver(d.Recv.List[0].Type)
			c.name, c.recv = of+"."+c.name, receivers[of]
			require.NotNil(t, c.recv, "receivers lacks %s", of)
			_, c.pointer = d.Recv.List[0].Type.(*ast.StarExpr)
			c.isData = data[of] || strings.HasSuffix(of, "Error")
		} else {
			require.Equal(t, reflect.Func, functions[c.name].Kind(), "functions lacks %s", c.name)
		}
		for _, p := range d.Type.Params.List {
			_, c.variadic = p.Type.(*ast.Ellipsis)
			for _, name := range p.Names {
				c.params = append(c.params, name.Name)
			}
		}
		calls = append(calls, c)
	}
	return calls
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	}
	return e.(*ast.Ident).Name
}
