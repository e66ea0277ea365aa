package dbfleet_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const tasksPage = "docs/tasks.md"

var (
	shownCode  = regexp.MustCompile(`(?s)<!-- code: (\w+) ([\w. ]+) -->\n(.*?)<!-- end -->`)
	shownLines = regexp.MustCompile(`(?s)<!-- lines -->\n(.*?)<!-- end -->`)
	sqlcQuery  = regexp.MustCompile(`(?s)-- name: (\w+) .*?;\n`)
)

// Pages show code that is compiled and tested elsewhere. make docs copies it again.

func TestShown_TasksAreTheCompiledCode(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(tasksPage)
	require.NoError(t, err)
	libraries := map[string]taskCode{}
	lines := map[string]int{} // by library and heading
	heading := ""
	var headings []string
	fresh := regexp.MustCompile(`(?m)^## .*$|`+shownCode.String()).ReplaceAllStringFunc(string(text), func(part string) string {
		m := shownCode.FindStringSubmatch(part)
		if m == nil {
			heading = strings.TrimPrefix(part, "## ")
			headings = append(headings, heading)
			return part
		}
		library, names := m[1], m[2]
		if _, known := libraries[library]; !known {
			libraries[library] = readTaskCode(t, filepath.Join("bench", "tasks", library))
		}
		code := libraries[library].show(t, strings.Fields(names))
		lines[library+heading] += linesOf(code)
		return fmt.Sprintf("<!-- code: %s %s -->\n%s<!-- end -->", library, names, code)
	})
	require.Len(t, libraries, 5)
	fresh = shownLines.ReplaceAllLiteralString(fresh, "<!-- lines -->\n"+lineTable(headings, lines)+"<!-- end -->")
	requirePage(t, tasksPage, fresh, string(text))
}

// requirePage compares a page with what it should be, or makes it that.
func requirePage(t *testing.T, page, want, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o600))
		return
	}
	require.Equal(t, want, got, "accept it with: make docs")
}

func TestShown_ReadmeHasTheCompiledExamples(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_first_test.go")
	require.NoError(t, err)
	examples := map[string]string{}
	for _, m := range regexp.MustCompile(`(?sm)^func (Example_\w+)\(\) \{\n(.*?)^}\n`).FindAllStringSubmatch(string(source), -1) {
		_, shown, found := strings.Cut(m[2], "\n\n") // what stands before is for the example alone
		require.True(t, found, m[1])
		examples[m[1]] = regexp.MustCompile(`(?m)^\t`).ReplaceAllString(shown, "")
	}
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	shown := map[string]bool{}
	fresh := regexp.MustCompile(`(?s)<!-- code: (\w+) -->\n.*?<!-- end -->`).ReplaceAllStringFunc(string(text), func(part string) string {
		name := strings.Fields(part)[2]
		require.Contains(t, examples, name)
		shown[name] = true
		return "<!-- code: " + name + " -->\n```go\n" + examples[name] + "```\n<!-- end -->"
	})
	require.Len(t, shown, len(examples))
	requirePage(t, "README.md", fresh, string(text))
}

// taskCode are the declarations and queries of a library's folder, by name.
type taskCode struct{ golang, sql map[string]string }

func readTaskCode(t *testing.T, dir string) taskCode {
	t.Helper()
	code := taskCode{map[string]string{}, map[string]string{}}
	for _, file := range []string{"ent/schema/schema.go", "shop.go"} {
		text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, file, text, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range parsed.Decls {
			source := string(text[files.Position(d.Pos()).Offset:files.Position(d.End()).Offset])
			for _, name := range declared(d) {
				code.golang[name] = source
			}
		}
	}
	for _, file := range []string{"schema.sql", "queries.sql"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		code.sql[file] = strings.TrimSpace(string(text))
		for _, m := range sqlcQuery.FindAllStringSubmatch(string(text), -1) {
			code.sql["query."+m[1]] = strings.TrimSpace(m[0])
		}
	}
	return code
}

// declared are the names by which the page asks for a declaration: a task by its
// own, a method of another type than Shop as Type.Method, a type also as type.Type.
func declared(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return []string{d.Name.Name}
		}
		switch of := d.Recv.List[0].Type.(type) {
		case *ast.StarExpr:
			return []string{d.Name.Name}
		case *ast.Ident:
			return []string{of.Name + "." + d.Name.Name}
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok {
				names = append(names, "type."+s.Name.Name)
			}
		}
	}
	return names
}

// show writes code as blocks of the page: SQL, then Go.
func (c taskCode) show(t *testing.T, names []string) string {
	t.Helper()
	var golang, sql []string
	for _, name := range names {
		if text, ok := c.sql[name]; ok {
			sql = append(sql, text)
			continue
		}
		require.Contains(t, c.golang, name)
		golang = append(golang, c.golang[name])
	}
	page := ""
	if sql != nil {
		page += "```sql\n" + strings.Join(sql, "\n\n") + "\n```\n"
	}
	if golang != nil {
		page += "```go\n" + strings.Join(golang, "\n\n") + "\n```\n"
	}
	return page
}

// linesOf counts the lines of code that are not empty.
func linesOf(page string) (n int) {
	for line := range strings.Lines(page) {
		if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "```") {
			n++
		}
	}
	return n
}

func lineTable(headings []string, lines map[string]int) string {
	libraries := []string{"dbfleet", "GORM", "Bun", "ent", "sqlc"}
	table := "\n| | " + strings.Join(libraries, " | ") + " |\n|---|" + strings.Repeat("---:|", len(libraries)) + "\n"
	for _, heading := range headings {
		table += "| " + heading
		for _, library := range libraries {
			table += fmt.Sprintf(" | %d", lines["with"+strings.ToLower(library)+heading])
		}
		table += " |\n"
	}
	return table + "\n"
}

// The blocks of docs/replicas.md, each in a scope of its own, beside what the guide takes
// to be there.
func TestShown_CodeAboutReplicasCompiles(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	page, err := os.ReadFile("docs/replicas.md")
	require.NoError(t, err)
	body, blocks := "", 0
	for _, m := range fenced.FindAllSubmatch(page, -1) {
		if string(m[1]) == "go" {
			body += "{\n" + string(m[2]) + "}\n"
			blocks++
		}
	}
	require.Greater(t, blocks, 4)
	prelude := strings.Replace(guidePrelude, `import (`, `import ("errors"; "net/http"; `, 1)
	types := "type User struct { ID int64 }\ntype Post struct { ID int64 }\nvar _, _ = errors.Is, http.NewServeMux\n"
	file := filepath.Join(t.TempDir(), "replicas.go")
	require.NoError(t, os.WriteFile(file, []byte(prelude+types+"func main() {\n"+body+"}\n"), 0o600))
	out, _ := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-e", "-o", os.DevNull, file).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(line, "declared and not used") {
			t.Errorf("%s", line)
		}
	}
}
