package writes

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// keyedRow is a record whose name tells which it is.
type keyedRow struct {
	ID   int64
	Name string
}

func keyedRows(n int) []keyedRow {
	rows := make([]keyedRow, n)
	for i := range rows {
		rows[i].Name = fmt.Sprint("r", i)
	}
	return rows
}

// requireOwnKeys checks that each record's id is that of its row.
func requireOwnKeys(t *testing.T, m *dbfleet.Model[keyedRow], rows []keyedRow) {
	t.Helper()
	for _, r := range rows {
		require.NotZero(t, r.ID)
		found, err := m.Where("name", "=", r.Name).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, []keyedRow{r}, found)
	}
}

// createKeyed creates rows twice, since what the first time was no use may be
// remembered, and checks their keys.
func createKeyed(t *testing.T, m *dbfleet.Model[keyedRow]) {
	t.Helper()
	for i := range 2 {
		rows := keyedRows(5)
		for k := range rows {
			rows[k].Name += fmt.Sprint(" of ", i)
		}
		require.NoError(t, m.CreateMany(t.Context(), rows))
		requireOwnKeys(t, m, rows)
	}
}

// promise: an id that CreateMany gives is that of the record's row, whatever the
// schema does.
func TestCreateMany_TellsTheKeysOfTheRows(t *testing.T) {
	t.Parallel()
	const table = `CREATE TABLE keyed_rows (id {id}, name {text})`
	sqlite := map[string][]string{
		"plain":             {table},
		"no autoincrement":  {`CREATE TABLE keyed_rows (id INTEGER PRIMARY KEY, name TEXT)`},
		"greatest id taken": {`CREATE TABLE keyed_rows (id INTEGER PRIMARY KEY, name TEXT)`, fmt.Sprintf(`INSERT INTO keyed_rows VALUES (%d, 'last')`, int64(math.MaxInt64))},
		"almost there":      {`CREATE TABLE keyed_rows (id INTEGER PRIMARY KEY, name TEXT)`, fmt.Sprintf(`INSERT INTO keyed_rows VALUES (%d, 'last')`, int64(math.MaxInt64-3))},
		"a column rowid":    {`CREATE TABLE keyed_rows (id INTEGER PRIMARY KEY, name TEXT, rowid INTEGER DEFAULT 7)`},
		"audit": {table, `CREATE TABLE audit (id INTEGER PRIMARY KEY, what TEXT)`,
			`CREATE TRIGGER a AFTER INSERT ON keyed_rows BEGIN INSERT INTO audit (what) VALUES (NEW.name); END`},
		"twins": {table, `CREATE TRIGGER a AFTER INSERT ON keyed_rows WHEN NEW.name = 'r2 of 0' BEGIN INSERT INTO keyed_rows (name) VALUES ('twin'); END`},
		"renumbered": {table, `CREATE TRIGGER a AFTER INSERT ON keyed_rows WHEN NEW.id % 3 = 0 BEGIN
			DELETE FROM keyed_rows WHERE id = NEW.id - 1 AND name = 'nobody'; INSERT INTO keyed_rows (id, name) VALUES (NEW.id + 100, 'far'); END`},
		"its sequence": {table, `CREATE TRIGGER a AFTER INSERT ON keyed_rows BEGIN UPDATE sqlite_sequence SET seq = seq + 10; END`},
		"searched": {table, `CREATE VIRTUAL TABLE search USING fts5(name)`,
			`CREATE TRIGGER a AFTER INSERT ON keyed_rows BEGIN INSERT INTO search (rowid, name) VALUES (NEW.id, NEW.name); END`},
	}
	postgres := map[string][]string{
		"plain":    {table},
		"int2":     {`CREATE TABLE keyed_rows (id SMALLSERIAL PRIMARY KEY, name TEXT)`},
		"int4":     {`CREATE TABLE keyed_rows (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name VARCHAR(30))`},
		"numeric":  {`CREATE SEQUENCE s`, `CREATE TABLE keyed_rows (id NUMERIC(18,0) DEFAULT nextval('s') PRIMARY KEY, name TEXT)`},
		"domain":   {`CREATE DOMAIN big AS BIGINT`, `CREATE SEQUENCE s`, `CREATE TABLE keyed_rows (id big DEFAULT nextval('s') PRIMARY KEY, name TEXT)`},
		"backward": {`CREATE SEQUENCE s INCREMENT -7 MINVALUE -1000 MAXVALUE -1`, `CREATE TABLE keyed_rows (id BIGINT DEFAULT nextval('s') PRIMARY KEY, name TEXT)`},
		"also":     {table, `CREATE TABLE audit (what TEXT)`, `CREATE RULE r AS ON INSERT TO keyed_rows DO ALSO INSERT INTO audit VALUES (NEW.name)`},
		"twins": {table, `CREATE FUNCTION twin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF NEW.name <> 'twin' THEN INSERT INTO keyed_rows (name) VALUES ('twin'); END IF; RETURN NULL; END $$`,
			`CREATE TRIGGER a AFTER INSERT ON keyed_rows FOR EACH ROW EXECUTE FUNCTION twin()`},
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		schemas := map[string]map[string][]string{"sqlite": sqlite, "postgres": postgres, "mysql": {"plain": {table}}}[fl.Database.Dialect]
		for name, statements := range schemas {
			t.Run(name, func(t *testing.T) {
				// A table of its own, for its statements are kept.
				table := strings.ReplaceAll(name, " ", "_")
				for _, s := range statements {
					fl.Create(t, strings.NewReplacer("keyed_rows", table, "audit", "of_"+table, "search", "in_"+table, "'s'", "'s_"+table+"'",
						"SEQUENCE s", "SEQUENCE s_"+table, "TRIGGER a", "TRIGGER a_"+table).Replace(s))
				}
				createKeyed(t, conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: table}))
			})
		}
	})
}

// A trigger may come and go while the program runs.
func TestCreateMany_SeesATriggerThatComesLater(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "sqlite" {
			return
		}
		fl.Create(t, `CREATE TABLE keyed_rows (id {id}, name {text})`)
		m := conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: "keyed_rows"})
		require.NoError(t, m.CreateMany(t.Context(), keyedRows(4)))
		fl.Create(t, `CREATE TRIGGER a AFTER INSERT ON keyed_rows WHEN NEW.name LIKE 'r%' BEGIN INSERT INTO keyed_rows (name) VALUES ('twin'); END`)
		createKeyed(t, m)
		n, err := m.Where("name", "=", "twin").Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 10, n, "none of what was tried is left")
	})
}

// promise: all of them or none, and on an error the records are as they were.
func TestCreateMany_WithoutATransactionIsAllOrNone(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE keyed_rows (id {id}, name VARCHAR(30) UNIQUE)`)
		m := conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: "keyed_rows"})
		require.NoError(t, m.Create(ctx, &keyedRow{Name: "r3"}))
		none := func(want int64) {
			t.Helper()
			n, err := m.Count(ctx)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		rows := keyedRows(5)
		require.ErrorIs(t, m.CreateMany(ctx, rows), dbfleet.ErrUnique)
		require.Equal(t, keyedRows(5), rows)
		none(1)

		canceled, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, m.CreateMany(canceled, keyedRows(2)), context.Canceled)
		none(1)

		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.ErrorIs(t, m.CreateMany(ctx, keyedRows(5)), dbfleet.ErrUnique)
			return m.CreateMany(ctx, []keyedRow{{Name: "x"}, {Name: "y"}}) // the transaction goes on
		}))
		none(3)

		if fl.Database.Dialect == "mysql" {
			return
		}
		// What is checked at the end of a transaction is checked here too.
		fl.Create(t, `CREATE TABLE parents (id {id})`, `CREATE TABLE later (id {id}, parent_id BIGINT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)`)
		type child struct{ ID, ParentID int64 }
		children := conformance.Model[child](t, fl.Registry, dbfleet.ModelConfig{Table: "later"})
		list := []child{{ParentID: 1}, {ParentID: 2}}
		require.ErrorIs(t, children.CreateMany(ctx, list), dbfleet.ErrForeignKey)
		require.Equal(t, []child{{ParentID: 1}, {ParentID: 2}}, list)
		n, err := children.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// Hooks see each statement that is sent.
func TestCreateMany_TellsHooksItsTransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE keyed_rows (id {id}, name {text})`)
		m := conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: "keyed_rows"})
		var ops []string
		remove := fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { ops = append(ops, e.Op) })
		rows := keyedRows(3)
		require.NoError(t, m.CreateMany(t.Context(), rows))
		requireOwnKeys(t, m, rows)
		remove()
		if fl.Database.Dialect == "mysql" {
			require.Equal(t, "insert", ops[0])
			return
		}
		require.Equal(t, "insert", ops[0])
	})
}

// A key that the database leaves NULL, or makes too great for its field, is an
// error that leaves nothing behind, with hooks and without.
func TestCreateMany_KeysThatCannotBeTold(t *testing.T) {
	t.Parallel()
	type tinyRow struct {
		ID   int8
		Name string
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE tiny_rows (id {id}, name {text})`)
		tiny := conformance.Model[tinyRow](t, fl.Registry, dbfleet.ModelConfig{Table: "tiny_rows"})
		_, err := fl.DB("main").ExecContext(ctx, `INSERT INTO tiny_rows (id, name) VALUES (126, 'before')`)
		require.NoError(t, err)
		if fl.Database.Dialect == "postgres" {
			_, err := fl.DB("main").ExecContext(ctx, `SELECT setval(pg_get_serial_sequence('tiny_rows', 'id'), 126)`)
			require.NoError(t, err)
		}
		rows := []tinyRow{{Name: "a"}, {Name: "b"}, {Name: "c"}}
		require.ErrorIs(t, tiny.CreateMany(ctx, rows), dbfleet.ErrRange)
		require.Equal(t, []tinyRow{{Name: "a"}, {Name: "b"}, {Name: "c"}}, rows)
		require.Equal(t, 1, count(t, tiny))

		if fl.Database.Dialect != "postgres" {
			return
		}
		fl.Create(t, `CREATE TABLE loose_rows (id BIGINT, name TEXT)`)
		loose := conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: "loose_rows"})
		for range 2 {
			require.ErrorIs(t, loose.CreateMany(ctx, keyedRows(3)), dbfleet.ErrNull)
			require.Zero(t, count(t, loose))
		}
	})
}

// A column may have the name by which SQLite knows a row.
func TestCreateMany_ColumnCalledRowid(t *testing.T) {
	t.Parallel()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: t.TempDir() + "/a.db"}})
	for _, s := range []string{`CREATE TABLE odd_rows (id INT PRIMARY KEY, name TEXT, rowid INT AS (id))`, `INSERT INTO odd_rows (id, name) VALUES (3, 'old'), (5, 'older')`} {
		_, err := r.DB("main").ExecContext(t.Context(), s)
		require.NoError(t, err)
	}
	m := conformance.Model[keyedRow](t, r, dbfleet.ModelConfig{Table: "odd_rows"})
	rows := keyedRows(3)
	require.ErrorIs(t, m.CreateMany(t.Context(), rows), dbfleet.ErrNull, "the key is NULL, no other row's")
	require.Equal(t, keyedRows(3), rows)
	require.Equal(t, 2, count(t, m))
}

// truth 803, 806
// The type of a column changes while statements are prepared for it.
func TestCreateMany_AfterAColumnHasAnotherType(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "postgres" {
			return
		}
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE changing_rows (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name TEXT)`)
		m := conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: "changing_rows"})
		require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error { return m.CreateMany(ctx, keyedRows(3)) }))
		require.NoError(t, m.CreateMany(ctx, keyedRows(3)))
		_, err := fl.DB("main").ExecContext(ctx, `ALTER TABLE changing_rows ALTER COLUMN name TYPE JSONB USING to_jsonb(name)`)
		require.NoError(t, err)
		rows := keyedRows(3)
		for i := range rows {
			rows[i].Name = `{"n": 1}`
		}
		require.NoError(t, m.CreateMany(ctx, rows))
		require.Equal(t, 9, count(t, m))
	})
}
