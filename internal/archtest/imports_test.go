package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/dbfleet/dbfleet"

// floors are the packages of the house, from the ground up. A package may import
// those of lower floors: an arrow goes down, never sideways, never up. A new
// package is refused until it has its place here and on the map in
// CONTRIBUTING.md, which shows these floors from the top down. A name ending in
// /... stands for all packages below a folder.
var floors = [][]string{
	{"internal/dialect", "internal/cell", "internal/value", "internal/position"},
	{"internal/lex"},
	{"internal/driver/session"},
	{"internal/driver/stmtcache", "internal/driver/netconn"},
	{"internal/driver/plain"},
	{"internal/driver/postgres", "internal/driver/mysql", "internal/driver/sqlite"},
	{"internal/sqlgen", "internal/driver", "internal/rowmap", "internal/replicaset", "internal/schema", "internal/shardmap", "internal/merge", "internal/twophase", "internal/token"},
	{"internal/table", "internal/group", "internal/config", "internal/starter"},
	{"."},
	{"examples/...", "cmd/dbfleet"},
}

// testSupport are packages that only tests may import, with the packages of the
// house that they may import themselves. A name ending in /... stands for all
// packages below a folder.
var testSupport = map[string][]string{
	"internal/archtest":          nil,
	"internal/conformance":       {".", "internal/dbtest"},
	"internal/conformance/...":   nil,
	"internal/dbtest":            nil,
	"internal/mutants":           nil,
	"internal/driver/drivertest": {"internal/dialect", "internal/driver"},
	"internal/readtest":          nil,
}

// doors are the third-party modules, with the packages whose production code may
// import them. One that is not listed has no door.
var doors = map[string][]string{
	"github.com/jackc/pgx":            {"internal/driver/postgres"},
	"github.com/go-sql-driver/mysql":  {"internal/driver/mysql"},
	"modernc.org/sqlite":              {"internal/driver/sqlite"},
	"modernc.org/libc":                {"internal/driver/sqlite"}, // what SQLite's own functions take
	"github.com/Masterminds/squirrel": {".", "internal/sqlgen"},
	"github.com/lann/builder":         {"internal/sqlgen"}, // what squirrel's statements are made of
	"golang.org/x/sync":               {"."},
	"github.com/stretchr/testify":     nil,
	"go.uber.org/goleak":              nil,
	"reflect":                         {"internal/rowmap"},
	"unsafe":                          {"internal/rowmap", "internal/driver/mysql", "internal/driver/sqlite"},
}

// exceptions are files that may import what their package may not. They find,
// once and not per row, a field that a third-party package does not export, or a nil
// pointer in an interface, pass on the types that database/sql asks for, or ask the
// system for what package syscall has no function for.
var exceptions = map[string]string{
	"internal/driver/seams.go":                 "reflect",
	"internal/driver/column_types.go":          "reflect",
	"internal/driver/plain/column_types.go":    "reflect",
	"internal/driver/postgres/column_types.go": "reflect",
	"internal/driver/mysql/status.go":          "reflect",
	"internal/driver/mysql/statement.go":       "reflect",
	"internal/driver/netconn/hangup_linux.go":  "unsafe",
	"internal/driver/sqlite/reader.go":         "reflect",
	"internal/sqlgen/squirrel.go":              "reflect",
	"internal/driver/sqlite/mutex.go":          "reflect",
}

// A file is a source file of this module.
type file struct {
	path    string // relative to the root
	pkg     string // folder relative to the root
	test    bool
	imports []string
}

func TestImports_GoDownAndThroughTheirDoors(t *testing.T) {
	t.Parallel()
	files := sourceFiles(t)
	require.Greater(t, len(files), 20, "the files were not found")
	for _, f := range files {
		for _, imported := range f.imports {
			if fault := check(f, imported); fault != "" {
				t.Errorf("%s imports %s: %s", f.path, imported, fault)
			}
		}
	}
}

// check returns what is wrong with an import, or nothing.
func check(f file, imported string) string {
	if inside, ok := insideModule(imported); ok {
		return checkInside(f, inside)
	}
	door, listed := doorOf(imported)
	switch {
	case !listed && !strings.Contains(strings.Split(imported, "/")[0], "."):
		return "" // the standard library
	case !listed:
		return "a third-party package without a door; see doors"
	case f.test || isSupport(f.pkg):
		return ""
	case slices.Contains(doors[door], f.pkg) || exceptions[f.path] == imported:
		return ""
	case len(doors[door]) == 0:
		return "for tests only"
	}
	return fmt.Sprintf("only for %s", strings.Join(doors[door], ", "))
}

func checkInside(f file, imported string) string {
	if f.pkg == imported {
		return "" // the external test of a package
	}
	if isSupport(imported) {
		if f.test || supportMayImport(f.pkg, imported) {
			return ""
		}
		return "for tests only"
	}
	to, ok := floorOf(imported)
	if !ok {
		return "a package without a floor; see floors"
	}
	if isSupport(f.pkg) {
		if f.test || supportMayImport(f.pkg, imported) {
			return ""
		}
		return "not listed in testSupport"
	}
	from, ok := floorOf(f.pkg)
	switch {
	case !ok:
		return "by a package without a floor; see floors"
	case to == from:
		return "an arrow never goes sideways"
	case to > from:
		return "an arrow never goes up"
	}
	return ""
}

func insideModule(imported string) (pkg string, ok bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

func isSupport(pkg string) bool {
	_, ok := supportOf(pkg)
	return ok
}

// supportOf is what a package that only tests import may import itself.
func supportOf(pkg string) (may []string, ok bool) {
	if may, ok = testSupport[pkg]; ok {
		return may, true
	}
	for name, may := range testSupport {
		if tree, all := strings.CutSuffix(name, "..."); all && strings.HasPrefix(pkg, tree) {
			return may, true
		}
	}
	return nil, false
}

func supportMayImport(pkg, imported string) bool {
	may, ok := supportOf(pkg)
	return ok && slices.Contains(may, imported)
}

func floorOf(pkg string) (floor int, ok bool) {
	for i, names := range floors {
		for _, name := range names {
			if tree, all := strings.CutSuffix(name, "..."); pkg == name || all && strings.HasPrefix(pkg, tree) {
				return i, true
			}
		}
	}
	return 0, false
}

func doorOf(imported string) (door string, ok bool) {
	for door := range doors {
		if imported == door || strings.HasPrefix(imported, door+"/") {
			return door, true
		}
	}
	return "", false
}

// sourceFiles reads the imports of every Go file of this module, whatever its
// build tags. Nested modules have their own rules.
func sourceFiles(t *testing.T) []file {
	t.Helper()
	root := moduleRoot(t)
	var files []file
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			_, nested := os.Stat(filepath.Join(name, "go.mod"))
			if rel != "." && (nested == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if path.Ext(rel) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		f := file{path: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go")}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f.imports = append(f.imports, imported)
		}
		files = append(files, f)
		return nil
	})
	require.NoError(t, err)
	return files
}

func moduleRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(root, "go.mod"))
	return root
}

// The rules themselves: a table that lets everything through would prove nothing.
func TestImports_RulesRefuse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		from     string
		imported string
		want     string
	}{
		{"query.go", module + "/internal/sqlgen", ""},
		{"query.go", module + "/internal/dialect", ""},
		{"query.go", "database/sql", ""},
		{"query.go", "github.com/jackc/pgx/v5", "only for internal/driver/postgres"},
		{"query.go", "reflect", "only for internal/rowmap"},
		{"query_test.go", "reflect", ""},
		{"query_test.go", "github.com/jackc/pgx/v5/pgconn", ""},
		{"query.go", "github.com/stretchr/testify/require", "for tests only"},
		{"query.go", "github.com/jmoiron/sqlx", "a third-party package without a door; see doors"},
		{"query_test.go", "github.com/jmoiron/sqlx", "a third-party package without a door; see doors"},
		{"query.go", module + "/internal/dbtest", "for tests only"},
		{"query_test.go", module + "/internal/dbtest", ""},
		{"query.go", module + "/examples/quickstart", "an arrow never goes up"},
		{"config.go", module + "/internal/config", ""},
		{"internal/config/url.go", module + "/internal/dialect", ""},
		{"internal/config/url_test.go", module, "an arrow never goes up"},
		{"examples/service/main.go", module, ""},
		{"examples/service/main.go", module + "/examples/quickstart", "an arrow never goes sideways"},
		{"internal/driver/pool.go", module + "/internal/rowmap", "an arrow never goes sideways"},
		{"internal/driver/pool_test.go", module + "/internal/rowmap", "an arrow never goes sideways"},
		{"internal/driver/pool.go", module, "an arrow never goes up"},
		{"internal/dialect/dialect.go", module + "/internal/driver", "an arrow never goes up"},
		{"internal/driver/pool.go", module + "/internal/newcomer", "a package without a floor; see floors"},
		{"internal/newcomer/new.go", module + "/internal/dialect", "by a package without a floor; see floors"},
		{"internal/driver/mysql/status.go", "reflect", ""},
		{"internal/driver/pool.go", "github.com/jackc/pgx/v5", "only for internal/driver/postgres"},
		{"internal/driver/postgres/conn.go", module + "/internal/driver/mysql", "an arrow never goes sideways"},
		{"internal/driver/postgres/conn.go", module + "/internal/driver", "an arrow never goes up"},
		{"internal/driver/pool.go", "reflect", "only for internal/rowmap"},
		{"internal/dbtest/sql.go", "github.com/jackc/pgx/v5", ""},
		{"internal/dbtest/sql.go", module, "not listed in testSupport"},
		{"internal/conformance/fleet.go", module, ""},
		{"internal/conformance/fleet.go", module + "/internal/sqlgen", "not listed in testSupport"},
		{"internal/conformance/writes/doc.go", module, "not listed in testSupport"},
		{"internal/conformance/writes/loads_test.go", module + "/internal/conformance", ""},
		{"query.go", module + "/internal/conformance", "for tests only"},
		{"query.go", module + "/internal/conformance/writes", "for tests only"},
		{"internal/sqlgen/select.go", "github.com/Masterminds/squirrel", ""},
		{"internal/driver/pool.go", "github.com/Masterminds/squirrel", "only for ., internal/sqlgen"},
	} {
		f := file{path: tc.from, pkg: path.Dir(tc.from), test: strings.HasSuffix(tc.from, "_test.go")}
		require.Equal(t, tc.want, check(f, tc.imported), "%s imports %s", tc.from, tc.imported)
	}
}
