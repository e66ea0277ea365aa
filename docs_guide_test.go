package dbfleet_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadme_ErrorTableIsComplete(t *testing.T) {
	t.Parallel()
	api, err := os.ReadFile("testdata/api.txt")
	require.NoError(t, err)
	var exported []string
	for _, m := range regexp.MustCompile(`(?m)^(?:var (Err\w+)|method \(\w+ (\*?\w+)\) Error\(\) string)`).FindAllStringSubmatch(string(api), -1) {
		exported = append(exported, m[1]+m[2])
	}
	slices.Sort(exported)
	require.Greater(t, len(exported), 40)

	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(readme), "\n## Errors\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var told []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| ") {
			for _, m := range regexp.MustCompile("`(Err[A-Z]\\w*|\\*[A-Z]\\w*)`").FindAllStringSubmatch(line, -1) {
				told = append(told, m[1])
			}
		}
	}
	slices.Sort(told)
	require.Equal(t, exported, slices.Compact(told))
}

// The guide of doc.go leads to every exported name: it names it, or what it names
// does, in a comment or in the declaration.
func TestGuide_LeadsToEveryExportedName(t *testing.T) {
	t.Parallel()
	guide, texts := guideAndDeclarations(t)
	word := regexp.MustCompile(`\b[A-Z]\w*`)
	reached, queue := map[string]bool{}, word.FindAllString(guide, -1)
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if text, exported := texts[name]; exported && !reached[name] {
			reached[name] = true
			queue = append(queue, word.FindAllString(text, -1)...)
		}
	}
	var lost []string
	for name := range texts {
		if !reached[name] {
			lost = append(lost, name)
		}
	}
	slices.Sort(lost)
	require.Empty(t, lost, "nothing in the guide of doc.go leads to these")
}

// guideAndDeclarations are the package's comment, and of each exported name its
// declaration, with the methods of a type, and their comments.
func guideAndDeclarations(t *testing.T) (guide string, texts map[string]string) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	texts = map[string]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		files := token.NewFileSet()
		parsed, err := parser.ParseFile(files, name, source, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		if name == "doc.go" {
			guide = parsed.Doc.Text()
		}
		cut := func(from, to token.Pos) string {
			return string(source[files.Position(from).Offset:files.Position(to).Offset])
		}
		for _, decl := range parsed.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				owner := d.Name.Name
				if d.Recv != nil {
					owner = regexp.MustCompile(`\w+`).FindString(strings.TrimLeft(cut(d.Recv.List[0].Type.Pos(), d.Recv.End()), "*"))
				}
				if ast.IsExported(owner) && d.Name.IsExported() {
					texts[owner] += d.Doc.Text() + cut(d.Name.Pos(), d.Type.End()) + "\n"
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() {
							texts[s.Name.Name] += d.Doc.Text() + s.Doc.Text() + cut(s.Pos(), s.End()) + "\n"
						}
					case *ast.ValueSpec:
						for _, n := range s.Names {
							if n.IsExported() {
								texts[n.Name] += s.Doc.Text() + cut(s.Pos(), s.End()) + "\n"
							}
							// A type's constants stand in its doc.
							if of, ok := s.Type.(*ast.Ident); ok && n.IsExported() && of.IsExported() {
								texts[of.Name] += " " + n.Name
							}
						}
					}
				}
			}
		}
	}
	return guide, texts
}

// Each section of the guide links to something that has an example, which runs.
func TestGuide_EachSectionHasAnExample(t *testing.T) {
	t.Parallel()
	guide, _ := guideAndDeclarations(t)
	examples := map[string]bool{}
	for name := range testsHere(t) {
		if rest, ok := strings.CutPrefix(name, "Example"); ok {
			rest, _, _ = strings.Cut(rest, "_")
			examples[rest] = true
		}
	}
	sections := strings.Split(guide, "\n# ")[1:]
	require.Greater(t, len(sections), 8)
	for _, section := range sections {
		title, _, _ := strings.Cut(section, "\n")
		var linked []string
		for _, m := range regexp.MustCompile(`\[\*?([A-Z]\w*)`).FindAllStringSubmatch(section, -1) {
			linked = append(linked, m[1])
		}
		require.True(t, slices.ContainsFunc(linked, func(name string) bool { return examples[name] }), "%s: no example of %v", title, linked)
	}
}

// Around the code of the guide: what it takes to be there.
const guidePrelude = `package main

import ("context"; "fmt"; "log/slog"; "time"; "github.com/dbfleet/dbfleet")

type Order struct { ID, UserID int64; Paid bool; Total float64 }
type Entry struct { ID int64 }

var (
	ctx      context.Context
	secret   dbfleet.Secret
	registry *dbfleet.Registry
	users    *dbfleet.Model[User]
	posts    *dbfleet.Model[Post]
	orders   *dbfleet.Model[Order]
	audit    *dbfleet.Model[Entry]
	john     User
	entry    Entry
	err      error
	admins   *dbfleet.Query[User]
	age      dbfleet.Col[int]
	postsOf  dbfleet.ToMany[User, Post]
)

func count(node string, class dbfleet.ErrorClass, d time.Duration) {}

func welcome(User) {}

var _, _ = fmt.Sprint, slog.Default
`

// The blocks of the guide, each in a scope of its own, with its types outside.
func TestGuide_ItsCodeCompiles(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	guide, _ := guideAndDeclarations(t)
	program, body := guidePrelude, ""
	for _, block := range regexp.MustCompile(`(?m)(?:^\t.*\n|^\n)+`).FindAllString(guide, -1) {
		block = strings.ReplaceAll(block, "…", "")
		types := regexp.MustCompile(`(?ms)^\ttype \w+ struct \{.*?^\t\}\n`)
		program += strings.Join(types.FindAllString(block, -1), "")
		body += "{" + types.ReplaceAllString(block, "") + "}\n"
	}
	program += "func main() {\n" + body + "}\n"
	require.Greater(t, strings.Count(body, "dbfleet."), 20)
	file := filepath.Join(t.TempDir(), "guide.go")
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	out, _ := exec.CommandContext(t.Context(), "go", "build", "-gcflags=-e", "-o", os.DevNull, file).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(line, "declared and not used") {
			t.Errorf("%s", line)
		}
	}
	if t.Failed() {
		t.Log(program)
	}
}
