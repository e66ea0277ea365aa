package dbfleet_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// hazards 78, 79, 81: a name means itself, whatever characters and meaning it
// has elsewhere.
func TestHazard_NamesOfEveryKindAreNames(t *testing.T) {
	t.Parallel()
	names := []string{
		"userId", "select", "order", "true", "null", "rowid", "oid", "a b", "a-b", "1st", "ünï", "x'y", `x"y`, "x`y", "x;y", "x?y", "$1", "a--b", `a\b`, "%s", "/*c*/",
	}
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		quote := func(name string) string {
			q := map[string]string{"sqlite": `"`, "postgres": `"`, "mysql": "`"}[fl.db.Dialect]
			return q + strings.ReplaceAll(name, q, q+q) + q
		}
		columns := make([]string, len(names))
		for i, n := range names {
			columns[i] = quote(n) + " {int}"
		}
		table := "Some `Table\""
		fl.create(t, "CREATE TABLE "+quote(table)+" ("+strings.Join(columns, ", ")+")")
		rows := fl.DB("main").Table(table)
		row := dbfleet.Row{}
		for i, n := range names {
			row[n] = i
		}
		_, err := rows.Insert(ctx, row)
		require.NoError(t, err)
		for i, n := range names {
			got, err := rows.Select(n).Where(n, "=", i).GroupBy(n).OrderBy(n, dbfleet.Asc).Get(ctx)
			require.NoError(t, err, n)
			require.Equal(t, []dbfleet.Row{{n: int64(i)}}, got)
			k, err := rows.Where(n, "=", i).Update(ctx, dbfleet.Row{n: i})
			require.NoError(t, err, n)
			require.EqualValues(t, 1, k, n)
		}
		for _, bad := range []string{"missing", "'x'", "1"} {
			_, err := rows.Where(bad, "=", 1).Get(ctx)
			require.Error(t, err, "%s is no column, and no literal", bad)
		}
	})
}

// hazard 119: ids that were given explicitly are no surprise, or a typed one.
func TestHazard_AnExplicitIDThatASequenceGivesAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		fl.create(t, purchasesTable)
		purchases := model[guideOrder](t, fl.Registry, dbfleet.ModelConfig{Table: "purchases"})
		require.NoError(t, purchases.Create(t.Context(), &guideOrder{ID: 1}))
		next := guideOrder{}
		err := purchases.Create(t.Context(), &next)
		if fl.db.Dialect == "postgres" { // whose sequence does not know of it
			require.ErrorIs(t, err, dbfleet.ErrUnique)
			require.Zero(t, next.ID)
			err = purchases.Create(t.Context(), &next)
		}
		require.NoError(t, err)
		require.EqualValues(t, 2, next.ID)
	})
}

// hazard 182
func TestHazard_AServerThatTakesNoMoreConnections(t *testing.T) {
	t.Parallel()
	for dialect, start := range map[string]func(t *testing.T) *dbtest.Server{
		"postgres": func(t *testing.T) *dbtest.Server { return dbtest.StartPostgres(t, "max_connections=8") },
		"mysql":    func(t *testing.T) *dbtest.Server { return dbtest.StartMariaDB(t, "max-connections=10") },
	} {
		t.Run(dialect, func(t *testing.T) {
			server := start(t)
			config := connectionTo(server.Database(t))
			config.Pool.MaxOpen = 20
			r := open(t, map[string]dbfleet.ConnectionConfig{"main": config})
			var held []interface{ Close() error }
			var err error
			for range config.Pool.MaxOpen {
				rows, queryErr := r.DB("main").QueryContext(t.Context(), "SELECT 1")
				if err = queryErr; err != nil {
					break
				}
				held = append(held, rows)
			}
			require.NotEmpty(t, held)
			require.ErrorIs(t, err, dbfleet.ErrTooManyConnections)
			require.NotErrorIs(t, err, dbfleet.ErrPoolTimeout)
			for _, rows := range held {
				require.NoError(t, rows.Close())
			}
			require.NoError(t, r.DB("main").Ping(t.Context()), "it recovers by itself")
		})
	}
}

// hazards 185, 186: what runs on a connection that is replaced or removed ends
// well; what comes later finds the new one, or none.
func TestHazard_ConnectionsAreReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		config := connectionTo(db)
		r := open(t, map[string]dbfleet.ConnectionConfig{"main": config, "other": config})
		fleet{r, db}.create(t, purchasesTable)
		stop := make(chan struct{})
		errs := make(chan error, 8)
		var wg sync.WaitGroup
		for range cap(errs) {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					err := r.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
						_, err := r.DB("main").Table("purchases").Count(ctx)
						return err
					}, dbfleet.TxOptions{Retries: 10})
					if err != nil {
						errs <- err
						return
					}
				}
			})
		}
		for range 10 {
			require.NoError(t, r.Replace(t.Context(), "main", config))
		}
		require.NoError(t, r.Remove(t.Context(), "other"))
		close(stop)
		wg.Wait()
		close(errs)
		require.NoError(t, <-errs)

		_, err := r.DB("other").Table("purchases").Count(t.Context())
		var unknown *dbfleet.UnknownConnectionError
		require.ErrorAs(t, err, &unknown)
		require.Equal(t, []string{"main"}, unknown.Known)
		if db.Password != "" {
			require.NotContains(t, err.Error(), db.Password)
		}
	})
}

// hazard 344: what a request names is one of a list, or refused before anything
// is sent.
func TestHazard_OperatorsAndDirectionsAreChecked(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		fl.create(t, purchasesTable)
		sent := 0
		fl.OnBeforeQuery(func(context.Context, dbfleet.QueryEvent) { sent++ })
		q := model[guideOrder](t, fl.Registry, dbfleet.ModelConfig{Table: "purchases"}).Query()
		for _, op := range []string{"= 1 OR 1=", "=1;--", "", "= ANY", "==", "LIKE '%' OR 1", "RLIKE", "&&", "=\x00"} {
			var refused *dbfleet.OperatorError
			_, err := q.Where("id", op, 1).Get(t.Context())
			require.ErrorAs(t, err, &refused, op)
			_, err = q.Where("id", op, 1).Delete(t.Context())
			require.ErrorAs(t, err, &refused, op)
			_, err = q.WhereColumn("id", op, "user_id").Get(t.Context())
			require.ErrorAs(t, err, &refused, op)
		}
		for _, direction := range []dbfleet.Direction{"", "ascending", "ASC, (SELECT 1)", "DESC; DROP TABLE purchases", "ASC NULLS FIRST"} {
			var refused *dbfleet.OperatorError
			_, err := q.OrderBy("id", direction).Get(t.Context())
			require.ErrorAs(t, err, &refused, direction)
		}
		for _, column := range []string{"id OR 1=1", "id) OR (1=1", "1", "*", "id; --", "purchases.id OR 1=1", ""} {
			_, err := q.Where(column, "=", 1).Get(t.Context())
			require.Error(t, err, column)
			_, err = q.OrderBy(column, dbfleet.Asc).Get(t.Context())
			require.Error(t, err, column)
		}
		_, err := q.Limit(-1).Get(t.Context())
		require.Error(t, err)
		_, err = q.Offset(-1).Get(t.Context())
		require.Error(t, err)
		require.Zero(t, sent)
	})
}

// hazards 347, 348, 351, 352, 354: arguments are never put into the text where
// the text could give them another meaning.
func TestHazard_ArgumentsNeverBecomeSyntax(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) { argumentsStayValues(t, fl.Registry, fl.db.Dialect) })

	// On a server that prepares no statements the arguments do travel in the text.
	t.Run("mysql without prepared statements", func(t *testing.T) {
		t.Parallel()
		server := dbtest.StartMariaDB(t, "sql-mode=NO_BACKSLASH_ESCAPES")
		db := server.Database(t)
		server.Exec(t, "SET GLOBAL max_prepared_stmt_count = 0")
		t.Cleanup(func() { server.Exec(t, "SET GLOBAL max_prepared_stmt_count = 16382") })
		r := open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(db)})
		argumentsStayValues(t, r, "mysql")
	})
}

func argumentsStayValues(t *testing.T, r *dbfleet.Registry, dialect string) {
	ctx := t.Context()
	fleet{r, dbtest.Database{Dialect: dialect}}.create(t, "CREATE TABLE notes (id {int}, note {text})")
	notes := r.DB("main").Table("notes")
	texts := []string{
		`'; DROP TABLE notes; --`, `\'; DROP TABLE notes; -- `, `\`, `\\`, `'`, `''`, `"`, "`", `?`, `$1`, `$1 OR 1=1`, `$tag$`, `/* ? */`, `-- `, `#`,
		"\n", "\r\n", "\x1a", "\uFFFD", "\u0301", "' OR '1'='1", `%`, `:name`, `{d '2024-01-01'}`,
	}
	for i, text := range texts {
		_, err := notes.Insert(ctx, dbfleet.Row{"id": -i, "note": text})
		require.NoError(t, err, "%q", text)
	}
	for i, text := range texts {
		found, err := notes.Where("note", "=", text).Where("id", "=", -i).Get(ctx)
		require.NoError(t, err, "%q", text)
		require.Equal(t, []dbfleet.Row{{"id": int64(-i), "note": text}}, found)
		n, err := notes.WhereRaw("0-id = ? /* ? */ AND note = ? AND '?' <> 'x'", i, text).Count(ctx)
		require.NoError(t, err, "%q", text)
		require.EqualValues(t, 1, n, "%q", text)
	}
	// A minus before a negative number makes no comment.
	n, err := notes.WhereRaw("1 -? = 43 AND note = ?", -42, "?").Count(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	// One text, one statement.
	_, err = r.DB("main").ExecContext(ctx, "DELETE FROM notes WHERE id = ?; DELETE FROM notes", 1)
	if dialect != "sqlite" {
		require.Error(t, err)
	}
	if dialect == "postgres" {
		_, err = r.DB("main").ExecContext(ctx, "DELETE FROM notes WHERE id = $1; DELETE FROM notes", 1)
		require.Error(t, err)
	}
}

// hazard 358: a message is one line, whatever names and values are in it.
func TestHazard_ErrorsHaveNoLineBreaksOfOthers(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		const evil = "x\nlevel=ERROR msg=forged\x1b[31m"
		fl.create(t, "CREATE TABLE notes (id {int} PRIMARY KEY, note {text} UNIQUE)")
		notes := fl.DB("main").Table("notes")
		_, err := notes.Insert(t.Context(), dbfleet.Row{"id": 1, "note": evil})
		require.NoError(t, err)
		_, duplicate := notes.Insert(t.Context(), dbfleet.Row{"id": 2, "note": evil})
		_, operator := notes.Where("id", evil, 1).Get(t.Context())
		_, column := model[guideOrder](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"}).Where(evil, "=", 1).Get(t.Context())
		_, connection := fl.Connect(t.Context(), evil)
		_, table := fl.DB("main").Table(evil).Get(t.Context())
		for _, err := range []error{duplicate, operator, column, connection, table} {
			require.Error(t, err)
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "\x1b")
		}
	})
}

// hazard 359: no code of ours puts formatted text into SQL, but for the few
// places that quote it.
func TestHazard_NoFormattedTextBecomesSQL(t *testing.T) {
	t.Parallel()
	verbs := []string{"SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WHERE ", "FROM ", "SET ", "CREATE ", "DROP ", "ALTER ", "PRAGMA "}
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (path == filepath.Join("internal", "dbtest") || path == "bench" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir // tests' own
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

// hazard 356: SQLite loads no code.
func TestHazard_SQLiteLoadsNoExtension(t *testing.T) {
	t.Parallel()
	r := open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(dbtest.New(t, "sqlite"))})
	_, err := r.DB("main").ExecContext(t.Context(), "SELECT load_extension('/tmp/x.so')")
	require.Error(t, err)
}

// hazard 157: a journal mode that cannot be had is an error, not another mode.
func TestHazard_SQLiteJournalModeIsHadOrRefused(t *testing.T) {
	t.Parallel()
	config := connectionTo(dbtest.New(t, "sqlite"))
	other := config
	other.SQLite.JournalMode, other.SQLite.BusyTimeout = "DELETE", 50*time.Millisecond
	r := open(t, map[string]dbfleet.ConnectionConfig{"main": config, "other": other})
	_, err := r.DB("main").ExecContext(t.Context(), "CREATE TABLE t AS SELECT 1 AS n")
	require.NoError(t, err)
	rows, err := r.DB("main").QueryContext(t.Context(), "SELECT n FROM t")
	require.NoError(t, err) // the file is in use, with its write-ahead log
	_, err = r.Connect(t.Context(), "other")
	require.Error(t, err)
	require.NoError(t, rows.Close())
	require.NoError(t, r.Remove(t.Context(), "main"))

	db, err := r.Connect(t.Context(), "other")
	require.NoError(t, err)
	var mode string
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode))
	require.Equal(t, "delete", mode)
}

// hazard 153: an iteration ends with its context and gives its connection back.
func TestHazard_AnIterationEndsWithItsContext(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		fl.create(t, purchasesTable)
		rows := make([]guideOrder, 5000)
		purchases := model[guideOrder](t, fl.Registry, dbfleet.ModelConfig{Table: "purchases"})
		require.NoError(t, purchases.CreateMany(t.Context(), rows))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		read, ended := 0, error(nil)
		for _, err := range purchases.Query().Iter(ctx) {
			if err != nil {
				ended = err
				break
			}
			if read++; read == 10 {
				cancel()
			}
		}
		require.ErrorIs(t, ended, context.Canceled)
		require.Less(t, read, len(rows))
		require.Zero(t, fl.Stats()["main"].InUse)
	})
}

// hazard 229: the number of arguments is checked before anything is sent.
func TestHazard_RawPartsTakeTheirArgumentsAndNoOthers(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		fl.create(t, purchasesTable)
		sent := 0
		fl.OnBeforeQuery(func(context.Context, dbfleet.QueryEvent) { sent++ })
		q := fl.DB("main").Table("purchases")
		for i, bad := range []*dbfleet.Query[dbfleet.Row]{
			q.WhereRaw("id = ?"), q.WhereRaw("id = 1", 2), q.WhereRaw("id = ? OR id = ?", 1), q.OrWhereRaw("id = ?", 1, 2),
			q.SelectRaw("COUNT(?)"), q.HavingRaw("COUNT(*) > ?"), q.OrderByRaw("id", 1), q.JoinRaw("JOIN purchases p ON p.id = ?"),
			q.Filter(dbfleet.Raw("id = ?")), q.Where("id", "=", dbfleet.SQL("user_id + ?")),
		} {
			_, err := bad.Get(t.Context())
			require.Error(t, err, fmt.Sprint(i))
			var sentAnyway *dbfleet.QueryError
			require.False(t, errors.As(err, &sentAnyway), "%d: %v", i, err)
		}
		require.Zero(t, sent)
	})
}

// hazard 115: what the library adds to a condition holds for all of it.
func TestHazard_AddedConditionsHoldForTheWhole(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, membersTable, articlesTable)
		members := model[guideUser](t, fl.Registry, dbfleet.ModelConfig{Table: "members", Timestamps: true})
		articles := model[guidePost](t, fl.Registry, dbfleet.ModelConfig{Table: "articles"})
		list := []guideUser{{Name: "Ada", Email: "a"}, {Name: "Bob", Email: "b"}}
		require.NoError(t, members.CreateMany(ctx, list))
		require.NoError(t, articles.CreateMany(ctx, []guidePost{
			{MemberID: list[0].ID, Title: "x"}, {MemberID: list[1].ID, Title: "x"}, {MemberID: list[1].ID, Title: "y"},
		}))

		either := members.Where("name", "=", "Ada").OrWhere("name", "=", "Bob")
		bob, err := either.Find(ctx, list[1].ID)
		require.NoError(t, err)
		require.Equal(t, "Bob", bob.Name)
		_, err = either.Find(ctx, list[1].ID+100)
		require.ErrorIs(t, err, dbfleet.ErrNotFound)

		some := dbfleet.HasMany(members, articles, dbfleet.On("member_id"), func(m *guideUser) *[]guidePost { return &m.Articles }).
			Scope(func(q *dbfleet.Query[guidePost]) *dbfleet.Query[guidePost] {
				return q.Where("title", "=", "x").OrWhere("title", "=", "y")
			})
		n, err := some.For(&list[0]).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		loaded, err := members.OrderBy("id", dbfleet.Asc).With(some).Get(ctx)
		require.NoError(t, err)
		require.Len(t, loaded[0].Articles, 1)
		require.Len(t, loaded[1].Articles, 2)
		n, err = some.For(&list[0]).Update(ctx, dbfleet.Row{"title": "z"})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = some.For(&list[0]).Delete(ctx)
		require.NoError(t, err)
		require.Zero(t, n, "the others' are not touched")
	})
}

// hazards 84, 364: a model reads the columns of its struct and no others.
func TestHazard_ColumnsWithoutAFieldAreNotRead(t *testing.T) {
	t.Parallel()
	type account struct {
		ID     int64
		Name   string
		Secret string `json:"-"`
		Nick   string `db:"-"`
	}
	onEach(t, func(t *testing.T, fl fleet) {
		fl.create(t, "CREATE TABLE accounts (id {id}, name {text}, secret {text}, nick {text}, password {text} DEFAULT 'canary')")
		accounts := model[account](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts"})
		require.NoError(t, accounts.Create(t.Context(), &account{Name: "Ada", Secret: "canary", Nick: "canary"}))
		found, err := accounts.First(t.Context())
		require.NoError(t, err)
		require.Equal(t, account{ID: 1, Name: "Ada", Secret: "canary"}, found)
		text, err := json.Marshal(found)
		require.NoError(t, err)
		require.NotContains(t, string(text), "canary")
		sent, _, err := accounts.Query().SQL(t.Context())
		require.NoError(t, err)
		require.NotContains(t, sent, "password")
	})
}

// hazard 357: the drivers are those in which known holes are closed.
func TestHazard_DriversAreNewEnough(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	for module, least := range map[string][3]int{
		"github.com/jackc/pgx/v5":        {5, 12, 0},
		"github.com/go-sql-driver/mysql": {1, 10, 1},
		"modernc.org/sqlite":             {1, 61, 1},
	} {
		_, rest, ok := strings.Cut(string(text), module+" v")
		require.True(t, ok, module)
		var version [3]int
		_, err := fmt.Sscanf(rest, "%d.%d.%d", &version[0], &version[1], &version[2])
		require.NoError(t, err)
		require.GreaterOrEqual(t, slices.Compare(version[:], least[:]), 0, "%s %v", module, version)
	}
}

// hazard 154: what a killed process had committed is there, and nothing else.
func TestHazard_AKilledProcessLeavesWhatItCommitted(t *testing.T) {
	t.Parallel()
	const variable = "DBFLEET_TEST_COMMITS_TO"
	if file := os.Getenv(variable); file != "" {
		commitForever(t, file)
		return
	}
	file := filepath.Join(t.TempDir(), "x.db")
	config := map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: file}}
	for range 5 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHazard_AKilledProcessLeavesWhatItCommitted$")
		cmd.Env = append(os.Environ(), variable+"="+file)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		told := 0
		for lines := bufio.NewScanner(out); told < 40 && lines.Scan(); told++ {
			if told == 20 {
				require.NoError(t, cmd.Process.Kill()) // in the middle of something
			}
		}
		require.Error(t, cmd.Wait())
		require.Greater(t, told, 20)

		r := open(t, config)
		var ok string
		require.NoError(t, r.DB("main").QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&ok))
		require.Equal(t, "ok", ok)
		var halves, n, last int
		require.NoError(t, r.DB("main").QueryRowContext(t.Context(),
			"SELECT COUNT(*) % 2, COUNT(*), COALESCE(MAX(n), 0) FROM pairs").Scan(&halves, &n, &last))
		require.Zero(t, halves, "both rows of a transaction, or none")
		require.GreaterOrEqual(t, last, told-1, "what was told as committed")
		_, err = r.DB("main").ExecContext(t.Context(), "DELETE FROM pairs")
		require.NoError(t, err)
		require.NoError(t, r.Close())
	}
}

// commitForever writes pairs of rows and tells each pair, until it is killed.
func commitForever(t *testing.T, file string) {
	r, err := dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: file}}})
	require.NoError(t, err)
	defer r.Close()
	_, err = r.DB("main").ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS pairs (n INTEGER)")
	require.NoError(t, err)
	for n := 0; ; n++ {
		err := r.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			for range 2 {
				if _, err := tx.Table("pairs").Insert(ctx, dbfleet.Row{"n": n}); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
		if _, err := fmt.Println(n); err != nil {
			return // nobody listens any more
		}
	}
}
