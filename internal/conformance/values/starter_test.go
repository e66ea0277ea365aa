package values

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// starterTables are tables as programs have them, parents first.
var starterTables = []string{
	"CREATE TABLE teams (id {id}, title VARCHAR(40) NOT NULL UNIQUE, score {decimal} NOT NULL DEFAULT 0, active {bool} NOT NULL DEFAULT TRUE)",
	"CREATE TABLE users (id {id}, team_id {bigint} REFERENCES teams (id), boss_id {bigint}, name {text} NOT NULL, userURL {text}, visits {int} NOT NULL DEFAULT 3, created_at {time} NOT NULL, updated_at {time} NOT NULL, deleted_at {time}," +
		" version {bigint} NOT NULL DEFAULT 1, FOREIGN KEY (team_id) REFERENCES teams (id), FOREIGN KEY (boss_id) REFERENCES users (id))",
	"CREATE TABLE profiles (user_id {bigint} PRIMARY KEY, about {long}, settings {json} NOT NULL, FOREIGN KEY (user_id) REFERENCES users (id))",
	"CREATE TABLE posts (id {id}, author_id {bigint} NOT NULL, editor_id {bigint}, \"2fa type\" {text} NOT NULL, straße {text}, имя {text}, title {text} NOT NULL DEFAULT 'draft', born {date}, FOREIGN KEY (author_id) REFERENCES users (id), FOREIGN KEY (editor_id) REFERENCES users (id))",
	"CREATE TABLE tags (id {id}, label {text} NOT NULL)",
	"CREATE TABLE posts_tags (post_id {bigint} NOT NULL, tag_id {bigint} NOT NULL, added_at {time} NOT NULL, PRIMARY KEY (post_id, tag_id), FOREIGN KEY (post_id) REFERENCES posts (id), FOREIGN KEY (tag_id) REFERENCES tags (id))",
	"CREATE TABLE categories (id {id}, parent_id {bigint}, name {text} NOT NULL, FOREIGN KEY (parent_id) REFERENCES categories (id))",
	"CREATE TABLE \"order\" (tenant_id {bigint} NOT NULL, nr {bigint} NOT NULL, total {decimal} NOT NULL, twice {decimal} GENERATED ALWAYS AS (total * 2) STORED, PRIMARY KEY (tenant_id, nr))",
	"CREATE TABLE order_lines (id {id}, tenant_id {bigint} NOT NULL, order_nr {bigint} NOT NULL, \"func\" {text} NOT NULL, FOREIGN KEY (tenant_id, order_nr) REFERENCES \"order\" (tenant_id, nr))",
	"CREATE TABLE logs (at {time} NOT NULL, message {text})",
	"CREATE INDEX i1 ON users (team_id)", "CREATE INDEX i2 ON users (boss_id)", "CREATE INDEX i3 ON posts (author_id)", "CREATE INDEX i4 ON posts (editor_id)",
	"CREATE INDEX i5 ON posts_tags (tag_id)", "CREATE INDEX i6 ON categories (parent_id)", "CREATE INDEX i7 ON order_lines (order_nr, tenant_id)",
	"CREATE VIEW active_users AS SELECT id, name FROM users",
	"INSERT INTO teams (id, title, active) VALUES (1, 'one', FALSE)",
	"INSERT INTO users (id, team_id, boss_id, name, created_at, updated_at) VALUES (1, 1, NULL, 'Ann', '2024-05-06 07:08:09', '2024-05-06 07:08:09'), (2, NULL, 1, 'Bob', '2024-05-06 07:08:09', '2024-05-06 07:08:09')",
	"INSERT INTO profiles (user_id, settings) VALUES (1, '{\"a\": [1, null]}')",
	"INSERT INTO posts (id, author_id, editor_id, \"2fa type\", straße, имя, born) VALUES (1, 1, 1, 'x', 'y', 'z', '2024-05-06')",
	"INSERT INTO tags (id, label) VALUES (1, 'go')",
	"INSERT INTO posts_tags VALUES (1, 1, '2024-05-06 07:08:09')",
	"INSERT INTO categories (id, parent_id, name) VALUES (1, NULL, 'all'), (2, 1, 'some')",
	"INSERT INTO \"order\" (tenant_id, nr, total) VALUES (7, 1, 2.5)",
	"INSERT INTO order_lines (id, tenant_id, order_nr, \"func\") VALUES (1, 7, 1, 'f')",
	"INSERT INTO logs VALUES ('2024-05-06 07:08:09', 'x')",
}

// starterMore are tables of one database alone.
var starterMore = map[string][]string{
	"postgres": {
		"CREATE TABLE counters (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stamped timestamptz(3))", "INSERT INTO counters (stamped) VALUES (now())",
		"COMMENT ON TABLE counters IS E'Counts.\\n*/ // `x`'", "COMMENT ON COLUMN counters.stamped IS E'when\\nit was'",
	},
	"mysql": {
		"CREATE TABLE counters (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, stamped DATETIME COMMENT 'when\nit was') COMMENT 'Counts.'", "INSERT INTO counters VALUES (4, '2024-05-06 07:08:09')",
	},
	"sqlite": {"CREATE TABLE counters (id INTEGER PRIMARY KEY, n BIGINT)", "INSERT INTO counters VALUES (4, 5)"},
}

// everything is a table of all types of columns, once without and once with NULL.
func everything(dialect string) (statements []string) {
	for _, strict := range []bool{false, true} {
		var columns, names, values []string
		for i, c := range columnsOf(dialect) {
			if c.strict != strict {
				continue
			}
			typ := strings.TrimSuffix(c.typ, " NULL")
			columns = append(columns, fmt.Sprintf("c%d %s NOT NULL, n%d %s NULL", i, typ, i, strings.ReplaceAll(typ, "SERIAL", "INTEGER")))
			names, values = append(names, fmt.Sprintf("c%d", i)), append(values, c.literals[0])
		}
		if len(columns) == 0 {
			continue
		}
		name, end := "everything", ""
		if strict {
			name, end = "everything_strict", " STRICT"
		}
		statements = append(statements, conformance.DDL(dialect, "CREATE TABLE "+name+" (id {id}, "+strings.Join(columns, ", ")+")"+end),
			"INSERT INTO "+name+" ("+strings.Join(names, ", ")+") VALUES ("+strings.Join(values, ", ")+")")
	}
	return statements
}

// A program made of a starter finds nothing to complain of, and reads, saves and creates
// the rows of all types and tables, on all databases at once.
func TestStarter_ItsModelsFitTheTablesThatItWasMadeOf(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	trees := map[string]any{}
	for _, dialect := range []string{"sqlite", "postgres", "mysql"} {
		db := dbtest.New(t, dialect)
		var statements []string
		for _, s := range starterTables {
			if s = conformance.DDL(dialect, s); dialect == "mysql" && !strings.Contains(s, "profiles") {
				s = strings.ReplaceAll(s, `"`, "`")
			}
			statements = append(statements, s)
		}
		db.Exec(t, slices.Concat(before[dialect], everything(dialect), statements, starterMore[dialect])...)
		c := conformance.ConnectionTo(db)
		tree := map[string]any{"driver": c.Driver, "database": c.Database}
		if dialect != "sqlite" {
			tree["host"], tree["port"], tree["username"], tree["password"] = c.Host, c.Port, c.Username, string(c.Password)
		}
		trees[dialect] = tree
	}
	text, err := json.Marshal(map[string]any{"default": "sqlite", "connections": trees})
	require.NoError(t, err)
	file := filepath.Join(folder, "fleet.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))

	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	command := func(args ...string) string {
		c := exec.CommandContext(t.Context(), "go", args...)
		c.Dir = root
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	binary, models := filepath.Join(folder, "dbfleet"), filepath.Join(folder, "models.go")
	command("build", "-o", binary, "./cmd/dbfleet")
	out, err := exec.CommandContext(t.Context(), binary, "models", "-config", file, "-out", models, "-package", "main",
		"-soft-delete", "deleted_at", "-version-column", "version").CombinedOutput()
	require.NoError(t, err, "%s", out)
	if os.Getenv("DBFLEET_TEST_SHOW") != "" {
		t.Logf("%s", out)
	}
	code, err := os.ReadFile(models)
	require.NoError(t, err)

	requireKept(t, string(code))

	program, err := os.ReadFile("testdata/starter/main.go.txt")
	require.NoError(t, err)
	main := filepath.Join(folder, "main.go")
	require.NoError(t, os.WriteFile(main, append(program, everyModel(t, string(code))...), 0o600))
	virtual := filepath.Join(root, "internal", "conformance", "values", "started")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(virtual, "main.go"): main, filepath.Join(virtual, "models.go"): models}})
	require.NoError(t, err)
	overlaid := filepath.Join(folder, "overlay.json")
	require.NoError(t, os.WriteFile(overlaid, overlay, 0o600))
	if to := os.Getenv("DBFLEET_TEST_SHOW"); to != "" {
		require.NoError(t, os.WriteFile(to, code, 0o600))
	}
	command("build", "-overlay", overlaid, "-o", filepath.Join(folder, "started"), "./internal/conformance/values/started")
	out, err = exec.CommandContext(t.Context(), filepath.Join(folder, "started"), file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}

var (
	modelLine    = regexp.MustCompile(`(?m)^\t(\w+)\s+\*dbfleet\.Model\[`)
	relationLine = regexp.MustCompile(`(?m)^\tm\.(\w+) = dbfleet\.\w+\(m\.(\w+), .*&r\.(\w+) \}\)$`)
	methodLine   = regexp.MustCompile(`(?m)^func \(m \*Models\) (\w+)\(\)`)
	tableLine    = regexp.MustCompile(`(?m)^\tm\.(\w+), errs.*\n\t\tTable: +"(\w+)"`)
)

// everyModel is the function of the program that goes through what a starter has.
func everyModel(t *testing.T, code string) string {
	t.Helper()
	var order []string // of tables, parents first
	for _, s := range starterTables {
		if name, ok := strings.CutPrefix(s, "CREATE TABLE "); ok {
			name, _, _ = strings.Cut(name, " ")
			order = append(order, strings.Trim(name, `"`))
		}
	}
	tables := map[string]string{}
	for _, m := range tableLine.FindAllStringSubmatch(code, -1) {
		tables[m[1]] = m[2]
	}
	var models []string
	for _, m := range modelLine.FindAllStringSubmatch(code, -1) {
		models = append(models, m[1])
	}
	require.Greater(t, len(models), 30)
	slices.SortStableFunc(models, func(a, b string) int { return slices.Index(order, tables[a]) - slices.Index(order, tables[b]) })
	var b strings.Builder
	b.WriteString("\nfunc every(ctx context.Context, m *Models) {\n\tall := []taken{\n")
	for _, m := range models {
		fmt.Fprintf(&b, "\t\trowsOf(ctx, %q, m.%s),\n", m, m)
	}
	b.WriteString("\t}\n")
	relations := relationLine.FindAllStringSubmatch(code, -1)
	require.Greater(t, len(relations), 40)
	for _, r := range relations {
		fmt.Fprintf(&b, "\tloads(ctx, %q, %q, m.%s, m.%s)\n", r[1], r[3], r[2], r[1])
	}
	for _, m := range methodLine.FindAllStringSubmatch(code, -1) {
		fmt.Fprintf(&b, "\treads(ctx, %q, m.%s())\n", m[1], m[1])
	}
	b.WriteString("\tfor i := range all {\n\t\tall[len(all)-1-i].delete()\n\t}\n\tfor _, a := range all {\n\t\ta.create()\n\t}\n}\n")
	return b.String()
}

// notKept are the pairs of types that a starter takes although docs/types.md does not hold
// them for kept, as nothing of Go's own would be better.
var notKept = []string{
	"sqlite: DATETIME × time.Time", "sqlite: TIMESTAMP × time.Time", "sqlite: TIMESTAMP WITH TIME ZONE × time.Time", // of other libraries, in other forms
	"sqlite: JSON × dbfleet.JSON", "postgres: JSON × dbfleet.JSON", "postgres: JSONB × dbfleet.JSON", "mysql: JSON × dbfleet.JSON", // written anew, a document has other blanks
}

var typeLine = regexp.MustCompile(`(?m)^\tC(\d+) +(\S+)`)

// requireKept compares the types of all columns with docs/types.md.
func requireKept(t *testing.T, code string) {
	t.Helper()
	page, err := os.ReadFile(typesPage)
	require.NoError(t, err)
	cells, known := parseTypes(string(page)), map[string]bool{}
	for _, g := range goTypes {
		known[g.name] = true
	}
	var others []string
	for _, s := range sections {
		title := strings.ToUpper(s.dialect[:1]) + s.dialect[1:]
		seen := 0
		for _, structure := range []string{title + "Everything", "EverythingStrict"} {
			_, body, found := strings.Cut(code, "type "+structure+" struct {")
			if !found || structure == "EverythingStrict" && s.dialect != "sqlite" {
				continue
			}
			body, _, _ = strings.Cut(body, "\n}")
			for _, m := range typeLine.FindAllStringSubmatch(body, -1) {
				i, err := strconv.Atoi(m[1])
				require.NoError(t, err)
				seen++
				typ := strings.TrimSuffix(m[2], "[any]")
				cell := columnsOf(s.dialect)[i].name() + " × " + typ
				if known[typ] && cells[s.dialect][cell] != kept {
					others = append(others, s.dialect+": "+cell)
				}
			}
		}
		require.Equal(t, len(columnsOf(s.dialect)), seen)
	}
	require.ElementsMatch(t, notKept, others)
}
