package writes

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// countedSchemas are tables named {t} with the columns id and name whose integer key
// is made in ways that the driver's LastInsertId does not follow.
var countedSchemas = map[string]map[string][]string{
	"sqlite": {
		"default":       {`CREATE TABLE {t} (id INT NOT NULL DEFAULT (abs(random()) / 2 + 1) PRIMARY KEY, name TEXT)`},
		"descending":    {`CREATE TABLE {t} (id INTEGER DEFAULT (abs(random()) / 2 + 1) PRIMARY KEY DESC, name TEXT)`},
		"no rowid":      {`CREATE TABLE {t} (id INTEGER NOT NULL DEFAULT (abs(random()) / 2 + 1) PRIMARY KEY, name TEXT) WITHOUT ROWID`},
		"other counter": {`CREATE TABLE {t} (n INTEGER PRIMARY KEY, name TEXT, id INT NOT NULL DEFAULT (abs(random()) / 2 + 1) UNIQUE)`},
		"expression":    {`CREATE TABLE {t} (n INTEGER PRIMARY KEY, name TEXT, id INT NOT NULL DEFAULT (unixepoch() * 1000000 + abs(random()) % 1000000) UNIQUE)`},
		"rowid":         {`CREATE TABLE {t} (id INTEGER PRIMARY KEY, name TEXT)`},
		"audited": {`CREATE TABLE {t} (id INTEGER PRIMARY KEY, name TEXT)`, `CREATE TABLE {t}_audit (id INTEGER PRIMARY KEY, what TEXT)`,
			`INSERT INTO {t}_audit VALUES (700, 'old')`,
			`CREATE TRIGGER {t}_a AFTER INSERT ON {t} BEGIN INSERT INTO {t}_audit (what) VALUES (NEW.name); END`},
	},
	"postgres": {
		"default":       {`CREATE SEQUENCE {t}_s START 700`, `CREATE TABLE {t} (id BIGINT DEFAULT nextval('{t}_s') * 3 PRIMARY KEY, name TEXT)`},
		"other counter": {`CREATE SEQUENCE {t}_s START 700`, `CREATE TABLE {t} (n BIGSERIAL PRIMARY KEY, name TEXT, id BIGINT DEFAULT nextval('{t}_s') UNIQUE)`},
		"trigger": {`CREATE SEQUENCE {t}_s START 700`, `CREATE TABLE {t} (id BIGSERIAL PRIMARY KEY, name TEXT)`,
			`CREATE FUNCTION {t}_f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := nextval('{t}_s'); RETURN NEW; END $$`,
			`CREATE TRIGGER {t}_a BEFORE INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION {t}_f()`},
	},
	"mysql": {
		"default":       {`CREATE TABLE {t} (id BIGINT NOT NULL DEFAULT (FLOOR(RAND() * 1e12) + 1) PRIMARY KEY, name TEXT)`},
		"sequence":      {`CREATE SEQUENCE {t}_s START WITH 700 INCREMENT BY 3`, `CREATE TABLE {t} (id BIGINT DEFAULT NEXTVAL({t}_s) PRIMARY KEY, name TEXT)`},
		"other counter": {`CREATE TABLE {t} (id BIGINT NOT NULL DEFAULT (FLOOR(RAND() * 1e12) + 1) PRIMARY KEY, name TEXT, n BIGINT AUTO_INCREMENT UNIQUE)`},
		"trigger": {`CREATE TABLE {t} (id BIGINT AUTO_INCREMENT PRIMARY KEY, name TEXT)`,
			`CREATE TRIGGER {t}_a BEFORE INSERT ON {t} FOR EACH ROW SET NEW.id = FLOOR(RAND() * 1e12) + 1`},
		"plain": {`CREATE TABLE {t} (id BIGINT AUTO_INCREMENT PRIMARY KEY, name TEXT)`},
		"audited": {`CREATE TABLE {t} (id BIGINT AUTO_INCREMENT PRIMARY KEY, name TEXT)`, `CREATE TABLE {t}_audit (id BIGINT AUTO_INCREMENT PRIMARY KEY, what TEXT)`,
			`INSERT INTO {t}_audit VALUES (700, 'old')`,
			`CREATE TRIGGER {t}_a AFTER INSERT ON {t} FOR EACH ROW INSERT INTO {t}_audit (what) VALUES (NEW.name)`},
		"view": {`CREATE TABLE {t}_base (id BIGINT AUTO_INCREMENT PRIMARY KEY, name TEXT)`, `CREATE VIEW {t} AS SELECT id, name FROM {t}_base`},
	},
}

// truth 601
//
// An id in a record is that of its row, whoever makes it: one by one, several at once,
// alone, in a transaction and behind a savepoint.
func TestCreate_TellsTheRowsIDWhoeverMakesIt(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		for name, statements := range countedSchemas[fl.Database.Dialect] {
			t.Run(name, func(t *testing.T) {
				table := "by_" + strings.ReplaceAll(name, " ", "_")
				for _, s := range statements {
					fl.Create(t, strings.ReplaceAll(s, "{t}", table))
				}
				m := conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: table})
				write := func(part string) {
					for i := range 3 {
						r := keyedRow{Name: fmt.Sprint(part, " one ", i)}
						require.NoError(t, m.Create(t.Context(), &r))
						requireOwnKeys(t, m, []keyedRow{r})
					}
					many := keyedRows(4)
					for i := range many {
						many[i].Name += part
					}
					require.NoError(t, m.CreateMany(t.Context(), many))
					requireOwnKeys(t, m, many)
				}
				write("alone")
				require.NoError(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
					in := m.Using(tx)
					r, many := keyedRow{Name: "in"}, []keyedRow{{Name: "in a"}, {Name: "in b"}}
					require.NoError(t, m.Create(ctx, &r))
					require.NoError(t, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return m.CreateMany(ctx, many) }))
					for _, r := range append(many, r) {
						found, err := in.Where("name", "=", r.Name).Get(ctx)
						require.NoError(t, err)
						require.Equal(t, []keyedRow{r}, found)
					}
					return nil
				}))
				changed := keyedRow{Name: "to change"}
				require.NoError(t, m.Create(t.Context(), &changed))
				before := count(t, m)
				changed.Name = "changed"
				require.NoError(t, m.Save(t.Context(), &changed), "which writes its own row")
				requireOwnKeys(t, m, []keyedRow{changed})
				require.Equal(t, before, count(t, m))
			})
		}
	})
}

// truth 602
//
// What is known of a key goes with the schema: the table is made anew with another
// kind of key, by this connection, by another, and in a transaction that is undone.
func TestCreate_FollowsTheKeysDefinition(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		counted := map[string]string{
			"sqlite":   `CREATE TABLE turns (id INTEGER PRIMARY KEY, name TEXT)`,
			"postgres": `CREATE TABLE turns (id BIGSERIAL PRIMARY KEY, name TEXT)`,
			"mysql":    `CREATE TABLE turns (id BIGINT AUTO_INCREMENT PRIMARY KEY, name TEXT)`,
		}[fl.Database.Dialect]
		made := map[string]string{
			"sqlite":   `CREATE TABLE turns (n INTEGER PRIMARY KEY, name TEXT, id INT DEFAULT (abs(random()) / 2 + 1) UNIQUE)`,
			"postgres": `CREATE TABLE turns (n BIGSERIAL PRIMARY KEY, name TEXT, id BIGINT DEFAULT (random() * 1e15)::bigint UNIQUE)`,
			"mysql":    `CREATE TABLE turns (id BIGINT DEFAULT (FLOOR(RAND() * 1e12) + 1) PRIMARY KEY, name TEXT, n BIGINT AUTO_INCREMENT UNIQUE)`,
		}[fl.Database.Dialect]
		m := conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: "turns"})
		stranger := fl.Database.SQL(t)
		write := func(ctx context.Context, name string) {
			t.Helper()
			r := keyedRow{Name: name}
			require.NoError(t, m.Create(ctx, &r))
			found, err := m.Where("name", "=", name).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, []keyedRow{r}, found)
		}
		fl.Create(t, counted)
		write(t.Context(), "a")
		write(t.Context(), "b")
		for i := range 3 {
			for k, table := range []string{made, counted} {
				_, err := stranger.ExecContext(t.Context(), "DROP TABLE turns")
				require.NoError(t, err)
				_, err = stranger.ExecContext(t.Context(), table)
				require.NoError(t, err)
				write(t.Context(), fmt.Sprint("c", i, k))
				write(t.Context(), fmt.Sprint("d", i, k))
			}
		}
		if fl.Database.Dialect == "mysql" {
			return // whose DDL is not undone
		}
		for _, table := range []string{made, counted} {
			undo := errors.New("undo")
			fl.Create(t, "DROP TABLE turns")
			require.ErrorIs(t, fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
				_, err := tx.ExecContext(ctx, table)
				require.NoError(t, err)
				write(ctx, "inside")
				return undo
			}), undo)
			other := map[string]string{made: counted, counted: made}[table]
			fl.Create(t, other)
			write(t.Context(), "after")
		}
	})
}

// truth 606, 607
func TestCreate_TellsIDsAtTheEnds(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		switch fl.Database.Dialect {
		case "mysql":
			fl.Create(t, `CREATE TABLE big (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, name TEXT) AUTO_INCREMENT = 18446744073709551000`)
			type big struct {
				ID   uint64
				Name string
			}
			m := conformance.Model[big](t, fl.Registry, dbfleet.ModelConfig{Table: "big"})
			one, many := big{Name: "a"}, []big{{Name: "b"}, {Name: "c"}}
			require.NoError(t, m.Create(ctx, &one))
			require.NoError(t, m.CreateMany(ctx, many))
			for _, want := range append(many, one) {
				require.Greater(t, want.ID, uint64(math.MaxInt64))
				got, err := m.Find(ctx, want.ID)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
			small := conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: "big"})
			r := keyedRow{Name: "too great"}
			err := small.Create(ctx, &r)
			require.ErrorIs(t, err, dbfleet.ErrRange)
			require.ErrorIs(t, err, dbfleet.ErrWritten)
			res, err := fl.DB("main").Table("big").Insert(ctx, map[string]any{"name": "by a map"})
			require.NoError(t, err)
			require.Zero(t, res.LastInsertID, "no int64 tells it")
		case "sqlite":
			fl.Create(t, `CREATE TABLE low (id INTEGER PRIMARY KEY, name TEXT)`, `INSERT INTO low VALUES (-2, 'two')`)
			m := conformance.Model[keyedRow](t, fl.Registry, dbfleet.ModelConfig{Table: "low"})
			r := keyedRow{Name: "one"}
			require.NoError(t, m.Create(ctx, &r))
			require.EqualValues(t, -1, r.ID)
			zero := keyedRow{Name: "zero"}
			require.ErrorIs(t, m.Create(ctx, &zero), dbfleet.ErrWritten, "a record whose id is 0 is a new one")
			fl.Create(t, `DELETE FROM low WHERE id = 0`)
			many := keyedRows(3)
			require.ErrorContains(t, m.CreateMany(ctx, many), "is 0")
			require.Equal(t, 2, count(t, m), "all or none")
		}
	})
}

// truth 603
//
// A server that does not know INSERT … RETURNING, as MySQL's, tells the keys that it
// counts by itself. Every other insert is refused before anything is written; a
// table is looked at before each.
func TestCreate_OnAServerWithoutReturning(t *testing.T) {
	t.Parallel()
	server := dbtest.StartMariaDB(t, "version=8.0.36")
	ctx, r := t.Context(), conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(server.Database(t))})
	fl := conformance.Fleet{Registry: r, Database: dbtest.Database{Dialect: "mysql"}}
	fl.Create(t, `CREATE TABLE keyed_rows (id BIGINT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(40) UNIQUE)`)
	m := conformance.Model[keyedRow](t, r, dbfleet.ModelConfig{Table: "keyed_rows"})
	createKeyed(t, m)
	one := keyedRow{Name: "one"}
	require.NoError(t, m.Create(ctx, &one))
	requireOwnKeys(t, m, []keyedRow{one})
	again := []keyedRow{{Name: "new"}, {Name: "ONE"}}
	require.NoError(t, m.UpsertMany(ctx, again, dbfleet.Conflict{Key: []string{"name"}}))
	require.Equal(t, one.ID, again[1].ID)
	before := count(t, m)
	fl.Create(t, `CREATE TRIGGER tr BEFORE INSERT ON keyed_rows FOR EACH ROW SET NEW.id = NEW.id + 500`)
	for _, write := range []func() error{
		func() error { return m.Create(ctx, &keyedRow{Name: "x"}) },
		func() error { return m.CreateMany(ctx, keyedRows(2)) },
	} {
		require.ErrorContains(t, write(), "set it before")
		require.Equal(t, before, count(t, m))
	}
	fl.Create(t, `DROP TRIGGER tr`)
	require.NoError(t, m.Create(ctx, &keyedRow{Name: "x"}))

	fl.Create(t, `CREATE TABLE tokens (id VARCHAR(40) NOT NULL DEFAULT (UUID()) PRIMARY KEY, n INT)`)
	type token struct {
		ID string
		N  int
	}
	tokens := conformance.Model[token](t, r, dbfleet.ModelConfig{Table: "tokens", Defaults: []string{"id"}})
	require.ErrorContains(t, tokens.Create(ctx, &token{N: 1}), "set it before")
	require.ErrorContains(t, tokens.CreateMany(ctx, []token{{N: 2}, {ID: "own", N: 3}}), "set it before")
	require.Zero(t, count(t, tokens))
	require.NoError(t, tokens.Create(ctx, &token{ID: "own", N: 1}))
}

// truth 608
//
// The record has the key of its row, or the call fails and says what is there.
func TestCreate_TellsAKeyThatATriggerChanged(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE given (code VARCHAR(20) NOT NULL PRIMARY KEY, n {int})`)
		fl.Create(t, map[string][]string{
			"sqlite": {`CREATE TRIGGER g AFTER INSERT ON given WHEN NEW.code <> upper(NEW.code) BEGIN UPDATE given SET code = upper(code) WHERE code = NEW.code; END`},
			"postgres": {`CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.code := upper(NEW.code); RETURN NEW; END $$`,
				`CREATE TRIGGER g BEFORE INSERT ON given FOR EACH ROW EXECUTE FUNCTION g()`},
			"mysql": {`CREATE TRIGGER g BEFORE INSERT ON given FOR EACH ROW SET NEW.code = REVERSE(NEW.code)`},
		}[fl.Database.Dialect]...)
		type given struct {
			Code string
			N    int
		}
		m := conformance.Model[given](t, fl.Registry, dbfleet.ModelConfig{Table: "given", PrimaryKey: []string{"code"}})
		own := func(err error, list ...given) {
			t.Helper()
			if fl.Database.Dialect == "sqlite" { // whose triggers change it afterwards
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			for _, want := range list {
				got, err := m.Find(ctx, want.Code)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		}
		one, many := given{"ab", 1}, []given{{"cd", 2}, {"ef", 3}}
		err := m.Create(ctx, &one)
		own(err, one)
		require.Equal(t, fl.Database.Dialect == "sqlite", errors.Is(err, dbfleet.ErrWritten))
		own(m.CreateMany(ctx, many), many...)
		up, ups := given{"gh", 4}, []given{{"ij", 5}, {"kl", 6}}
		own(m.Upsert(ctx, &up, dbfleet.Conflict{}), up)
		own(m.UpsertMany(ctx, ups, dbfleet.Conflict{}), ups...)
	})
}

// truth 605
//
// One column of the key is the database's, or the counter is read into a string.
func TestCreate_TellsAPartOfAKey(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, map[string]string{
			"sqlite":   `CREATE TABLE bill_lines (shop INT NOT NULL, no INT NOT NULL DEFAULT (abs(random()) % 1000000000), name TEXT, PRIMARY KEY (shop, no))`,
			"postgres": `CREATE TABLE bill_lines (shop INT NOT NULL, no BIGSERIAL, name TEXT, PRIMARY KEY (shop, no))`,
			"mysql":    `CREATE TABLE bill_lines (shop INT NOT NULL, no BIGINT AUTO_INCREMENT, name VARCHAR(40), PRIMARY KEY (shop, no), KEY (no))`,
		}[fl.Database.Dialect], `CREATE TABLE texts (id {id}, name VARCHAR(40) UNIQUE)`)
		type line struct {
			Shop, No int64
			Name     string
		}
		lines := conformance.Model[line](t, fl.Registry, dbfleet.ModelConfig{Table: "bill_lines", PrimaryKey: []string{"shop", "no"}, Defaults: []string{"no"}})
		one, many := line{Shop: 1, Name: "a"}, []line{{Shop: 1, Name: "b"}, {Shop: 2, Name: "c"}, {Shop: 1, No: 7, Name: "d"}}
		require.NoError(t, lines.Create(ctx, &one))
		require.NoError(t, lines.CreateMany(ctx, many))
		for _, want := range append(many, one) {
			got, err := lines.Find(ctx, want.Shop, want.No)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		type text struct{ ID, Name string }
		texts := conformance.Model[text](t, fl.Registry, dbfleet.ModelConfig{Table: "texts", Defaults: []string{"id"}})
		first, more := text{Name: "a"}, []text{{Name: "b"}, {Name: "c"}}
		require.NoError(t, texts.Create(ctx, &first))
		require.NoError(t, texts.CreateMany(ctx, more))
		require.NoError(t, texts.UpsertMany(ctx, []text{{Name: "d"}, {Name: "e"}}, dbfleet.Conflict{Key: []string{"name"}}))
		again := text{Name: "a"}
		require.NoError(t, texts.Upsert(ctx, &again, dbfleet.Conflict{Key: []string{"name"}, DoNothing: true}))
		require.Equal(t, first, again)
		for _, want := range append(more, first) {
			found, err := texts.Where("name", "=", want.Name).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, []text{want}, found)
		}
	})
}
