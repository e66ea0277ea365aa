package writes

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// filing are tables filed and elsewhere, and triggers that put what is written to the
// first into the second.
var filing = map[string]map[string][]string{
	"postgres": {
		"trigger": {`CREATE TABLE filed (id BIGSERIAL PRIMARY KEY, name TEXT)`, `CREATE TABLE elsewhere (what TEXT)`,
			`INSERT INTO filed VALUES (900, 'old')`,
			`CREATE FUNCTION file() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO elsewhere VALUES (TG_OP); RETURN NULL; END $$`,
			`CREATE TRIGGER f BEFORE INSERT OR UPDATE OR DELETE ON filed FOR EACH ROW EXECUTE FUNCTION file()`},
		"view": {`CREATE TABLE kept (id BIGSERIAL PRIMARY KEY, name TEXT)`, `CREATE TABLE elsewhere (what TEXT)`,
			`INSERT INTO kept VALUES (900, 'old')`, `CREATE VIEW filed AS SELECT id, name FROM kept`,
			`CREATE FUNCTION file() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO elsewhere VALUES (TG_OP); RETURN NULL; END $$`,
			`CREATE TRIGGER f INSTEAD OF INSERT OR UPDATE OR DELETE ON filed FOR EACH ROW EXECUTE FUNCTION file()`},
	},
	"sqlite": {
		"trigger": {`CREATE TABLE filed (id INTEGER PRIMARY KEY, name TEXT)`, `CREATE TABLE elsewhere (what TEXT)`,
			`INSERT INTO filed VALUES (900, 'old')`,
			`CREATE TRIGGER f1 BEFORE INSERT ON filed BEGIN INSERT INTO elsewhere VALUES ('INSERT'); SELECT RAISE(IGNORE); END`,
			`CREATE TRIGGER f2 BEFORE UPDATE ON filed BEGIN INSERT INTO elsewhere VALUES ('UPDATE'); SELECT RAISE(IGNORE); END`,
			`CREATE TRIGGER f3 BEFORE DELETE ON filed BEGIN INSERT INTO elsewhere VALUES ('DELETE'); SELECT RAISE(IGNORE); END`},
		"view": {`CREATE TABLE kept (id INTEGER PRIMARY KEY, name TEXT)`, `CREATE TABLE elsewhere (what TEXT)`,
			`INSERT INTO kept VALUES (900, 'old')`, `CREATE VIEW filed AS SELECT id, name FROM kept`,
			`CREATE TRIGGER f1 INSTEAD OF INSERT ON filed BEGIN INSERT INTO elsewhere VALUES ('INSERT'); END`,
			`CREATE TRIGGER f2 INSTEAD OF UPDATE ON filed BEGIN INSERT INTO elsewhere VALUES ('UPDATE'); END`,
			`CREATE TRIGGER f3 INSTEAD OF DELETE ON filed BEGIN INSERT INTO elsewhere VALUES ('DELETE'); END`},
		"moved": {`CREATE TABLE filed (id INTEGER PRIMARY KEY, name TEXT)`, `CREATE TABLE elsewhere (what TEXT)`,
			`CREATE TRIGGER f1 AFTER INSERT ON filed BEGIN INSERT INTO elsewhere VALUES ('INSERT'); DELETE FROM filed WHERE id = NEW.id; END`},
		"renumbered": {`CREATE TABLE filed (id INTEGER PRIMARY KEY, name TEXT)`, `CREATE TABLE elsewhere (what TEXT)`,
			`CREATE TRIGGER f1 AFTER INSERT ON filed BEGIN INSERT INTO elsewhere VALUES ('INSERT'); UPDATE filed SET id = id + 1000 WHERE id = NEW.id; END`},
	},
}

// truth 609, 701
//
// There is no plain error beside a written row: what stays is told by ErrWritten, and
// what several statements have written is undone.
func TestErrWritten_TellsWhatATriggerPutElsewhere(t *testing.T) {
	t.Parallel()
	for _, dialect := range []string{"sqlite", "postgres"} {
		for name, statements := range filing[dialect] {
			conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
				if fl.Database.Dialect != dialect {
					return // MySQL's triggers leave no row out
				}
				t.Log(name)
				ctx := t.Context()
				fl.Create(t, statements...)
				m := conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: "filed"})
				elsewhere := fl.DB("main").Table("elsewhere")
				// What a write has left elsewhere is told, and only that.
				told := func(write func(ctx context.Context) error) {
					t.Helper()
					for _, undo := range []error{nil, errors.New("undo")} {
						before, err := elsewhere.Count(ctx)
						require.NoError(t, err)
						if undo == nil {
							err = write(ctx)
						} else {
							txErr := fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
								err = write(ctx)
								return undo
							})
							require.ErrorIs(t, txErr, undo)
						}
						require.Error(t, err)
						require.NotErrorIs(t, err, dbfleet.ErrNotFound)
						after, countErr := elsewhere.Count(ctx)
						require.NoError(t, countErr)
						if undo == nil {
							require.Equal(t, after > before, errors.Is(err, dbfleet.ErrWritten), err)
						} else {
							require.Equal(t, before, after)
						}
					}
				}
				one := keyedRow{Name: "one"}
				told(func(ctx context.Context) error { return m.Create(ctx, &one) })
				require.Equal(t, keyedRow{Name: "one"}, one)
				many := keyedRows(3)
				told(func(ctx context.Context) error { return m.CreateMany(ctx, many) })
				require.Equal(t, keyedRows(3), many)
				if name == "moved" || name == "renumbered" {
					return
				}
				if name == "trigger" {
					told(func(ctx context.Context) error { return m.Upsert(ctx, &one, dbfleet.Conflict{}) })
					told(func(ctx context.Context) error { return m.UpsertMany(ctx, keyedRows(3), dbfleet.Conflict{}) })
				}
				old := keyedRow{ID: 900, Name: "changed"}
				told(func(ctx context.Context) error { return m.Save(ctx, &old) })
				told(func(ctx context.Context) error { return m.SaveColumns(ctx, &old, "name") })
				told(func(ctx context.Context) error { return m.Delete(ctx, &old) })
				nobody := keyedRow{ID: 901, Name: "nobody"}
				require.ErrorIs(t, m.Save(ctx, &nobody), dbfleet.ErrNotFound)
				require.ErrorIs(t, m.Delete(ctx, &nobody), dbfleet.ErrNotFound)
			})
		}
	}
}

// truth 610
//
// An insert that makes no id tells none, whatever was inserted before.
func TestInsert_TellsNoIDOfAnEarlierInsert(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		tables := map[string][]string{
			"sqlite": {`CREATE TABLE plain (k TEXT PRIMARY KEY) WITHOUT ROWID`, `CREATE TABLE base (id INTEGER PRIMARY KEY, k TEXT)`, `CREATE VIEW seen AS SELECT k FROM base`,
				`CREATE TRIGGER v INSTEAD OF INSERT ON seen BEGIN INSERT INTO base (k) VALUES (NEW.k); END`},
			"postgres": {`CREATE TABLE plain (k TEXT PRIMARY KEY)`, `CREATE TABLE base (id BIGSERIAL PRIMARY KEY, k TEXT)`, `CREATE VIEW seen AS SELECT k FROM base`},
			"mysql":    {`CREATE TABLE plain (k VARCHAR(20) PRIMARY KEY)`, `CREATE TABLE base (id BIGINT AUTO_INCREMENT PRIMARY KEY, k TEXT)`, `CREATE TABLE seen (k TEXT)`},
		}[fl.Database.Dialect]
		fl.Create(t, `CREATE TABLE logs (id {id}, line {text})`)
		fl.Create(t, tables...)
		inserts := func(ctx context.Context, part string) {
			t.Helper()
			for _, table := range []string{"plain", "seen"} {
				before, err := fl.DB("main").Table("logs").Insert(ctx, map[string]any{"line": "a"})
				require.NoError(t, err)
				require.Positive(t, before.LastInsertID)
				res, err := fl.DB("main").Table(table).Insert(ctx, map[string]any{"k": table + part})
				require.NoError(t, err)
				require.Zero(t, res.LastInsertID, table)
			}
		}
		inserts(ctx, "1")
		require.NoError(t, fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			inserts(ctx, "2")
			if fl.Database.Dialect == "sqlite" { // what SQL asks for is what it was
				var id int64
				require.NoError(t, tx.QueryRowContext(ctx, "SELECT last_insert_rowid()").Scan(&id))
				require.EqualValues(t, 4, id)
			}
			return nil
		}))
	})
}
