package dbfleet_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

var (
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
	testName     = regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Z_]\\w*)`")
)

// testsHere are the names of all tests of the repository.
func testsHere(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, text := range testFiles(t) {
		for _, m := range testFunction.FindAllStringSubmatch(text, -1) {
			names[m[1]] = true
		}
	}
	return names
}

// testFiles are the texts of all files of tests.
func testFiles(t *testing.T) (texts []string) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		texts = append(texts, string(text))
		return err
	})
	require.NoError(t, err)
	return texts
}

// tableRows are the lines of a page's tables, by their first cell.
func tableRows(t *testing.T, page string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	out := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		first, rest, _ := strings.Cut(strings.TrimPrefix(line, "| "), " |")
		if first == "#" {
			continue // the head of a table
		}
		require.NotContains(t, out, first, "%s: a row that is there twice", page)
		out[first] = rest
	}
	return out
}

func TestDocs_PromisesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	tests, table := testsHere(t), tableRows(t, "docs/promises.md")
	for _, promise := range strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 19 22 23 24 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50") {
		names := testName.FindAllStringSubmatch(table[promise], -1)
		require.NotEmpty(t, names, "promise %s names no test", promise)
		for _, n := range names {
			require.True(t, tests[n[1]], "promise %s: there is no %s", promise, n[1])
		}
	}
}

func TestDocs_HazardsNameTestsThatExistOrAReason(t *testing.T) {
	t.Parallel()
	tests := testsHere(t)
	for number, row := range tableRows(t, "docs/hazards.md") {
		names := testName.FindAllStringSubmatch(row, -1)
		if len(names) == 0 {
			require.Contains(t, row, "Does not apply: ", "hazard %s names neither a test nor a reason", number)
		}
		for _, n := range names {
			require.True(t, tests[n[1]], "hazard %s: there is no %s", number, n[1])
		}
	}
}

// A line of docs/truth.md stands for a way to be wrong in silence. Each names its
// tests, and a test that cites a line cites one that is there.
func TestDocs_TruthAndItsTestsNameEachOther(t *testing.T) {
	t.Parallel()
	tests, rows := testsHere(t), tableRows(t, "docs/truth.md")
	require.NotEmpty(t, rows)
	cited := truthsCited(t)
	for number, row := range rows {
		names := testName.FindAllStringSubmatch(row, -1)
		require.NotEmpty(t, names, "truth %s names no test", number)
		for _, n := range names {
			require.True(t, tests[n[1]], "truth %s: there is no %s", number, n[1])
		}
		require.True(t, cited[number], "truth %s: no test cites it", number)
	}
	for number := range cited {
		require.Contains(t, rows, number, "a test cites a line of docs/truth.md that is not there")
	}
}

var truthComment = regexp.MustCompile(`(?m)^\s*// truth ([\d, ]+)`)

// truthsCited are the numbers of docs/truth.md that comments of tests name.
func truthsCited(t *testing.T) map[string]bool {
	t.Helper()
	cited := map[string]bool{}
	for _, text := range testFiles(t) {
		for _, m := range truthComment.FindAllStringSubmatch(text, -1) {
			for number := range strings.FieldsFuncSeq(m[1], func(c rune) bool { return c == ',' || c == ' ' }) {
				cited[number] = true
			}
		}
	}
	return cited
}

var fenced = regexp.MustCompile("(?s)```(\\w*)\n(.*?)```")

func TestReadme_ItsProgramPrintsWhatItSays(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var program, output string
	for _, m := range fenced.FindAllSubmatch(text, -1) {
		switch {
		case string(m[1]) == "go" && program == "":
			program = string(m[2])
		case program != "" && string(m[1]) == "" && output == "":
			output = string(m[2])
		}
	}
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "run", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, output, string(out))
}

// Whoever may not have the library make its table makes it by the page.
func TestDocs_AtomicHasTheStatementsOfTheLedger(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/atomic.md")
	require.NoError(t, err)
	for _, database := range []string{"postgres", "mysql", "sqlite"} {
		golden, err := os.ReadFile("internal/dialect/testdata/golden/ledger_" + database + ".golden")
		require.NoError(t, err)
		create, _, found := strings.Cut(strings.TrimPrefix(string(golden), "# create\n"), "\n")
		require.True(t, found)
		require.Contains(t, create, "CREATE TABLE")
		require.Contains(t, string(page), "\n"+create+"\n", database)
	}
}

// A name in the documentation that the package does not have would mislead.
func TestReadme_NamesOnlyWhatThePackageHas(t *testing.T) {
	t.Parallel()
	api, err := os.ReadFile("testdata/api.txt")
	require.NoError(t, err)
	name := regexp.MustCompile(`[^.\w](Err[A-Z]\w+|\*[A-Z]\w+Error)\b`)
	for _, page := range []string{"README.md", "doc.go", "CHANGELOG.md", "docs/promises.md"} {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, n := range name.FindAllStringSubmatch(string(text), -1) {
			known := regexp.MustCompile(`\b` + strings.TrimPrefix(n[1], "*") + `\b`).Match(api)
			require.True(t, known, "%s names %s", page, n[1])
		}
	}
}

// The table of docs/models.md tells what NewModel makes of a name.
func TestDocs_ModelsTellHowColumnsAreCalled(t *testing.T) {
	t.Parallel()
	type names struct {
		Name, UserID, HTTPServer, UserIDs, DNSServers, IPv4Addr, ID2, S3Key, X509Cert, SHA256Sum, OAuthToken, OAuth2Client, APIURL, B2BSales, User_Name string
		CreatedAt                                                                                                                                       string
	}
	r, err := dbfleet.Open(dbfleet.Config{Default: "main", Connections: map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: ":memory:"}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	rows, told := tableRows(t, "docs/models.md"), 0
	typ := reflect.TypeFor[names]()
	for i := range typ.NumField() {
		field := typ.Field(i).Name
		row, ok := rows["`"+field+"`"]
		require.True(t, ok, field)
		column := strings.Split(row, "`")[1]
		_, err := dbfleet.NewModel[names](r, dbfleet.ModelConfig{Table: "names", PrimaryKey: []string{column}})
		require.NoError(t, err, "%s is %s", field, column)
		told++
	}
	require.Equal(t, typ.NumField(), told)
}
