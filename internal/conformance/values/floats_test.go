package values

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// single is a record with a float of single precision.
type single struct {
	ID int64
	F  float32
}

// singles makes a table of them whose values need all of their digits.
func singles(t *testing.T, r *dbfleet.Registry, dialect string) (*dbfleet.Model[single], []single) {
	t.Helper()
	all := []single{{1, 16777215}, {2, 1.2345678}, {3, 1.5000001}, {4, -3.4028235e38}, {5, 0.1}}
	conformance.Fleet{Registry: r, Database: dbtest.Database{Dialect: dialect}}.Create(t, "DROP TABLE IF EXISTS singles",
		"CREATE TABLE singles (id {bigint} PRIMARY KEY, f "+map[string]string{"sqlite": "REAL", "postgres": "REAL", "mysql": "FLOAT"}[dialect]+")")
	m := conformance.Model[single](t, r, dbfleet.ModelConfig{Table: "singles"})
	require.NoError(t, m.CreateMany(t.Context(), all))
	return m, all
}

// truth 419
//
// Whether statements are kept or not: the text is sent as such in none of the settings.
func TestFloats_OfSinglePrecisionAreReadToTheLastDigit(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		for name, change := range map[string]func(c *dbfleet.ConnectionConfig){
			"default": func(*dbfleet.ConnectionConfig) {}, "no cache": func(c *dbfleet.ConnectionConfig) { c.Pool.StatementCache = -1 },
			"pooler": func(c *dbfleet.ConnectionConfig) { c.Pooler = db.Dialect != "sqlite" },
		} {
			config := conformance.ConnectionTo(db)
			change(&config)
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
			m, all := singles(t, r, db.Dialect)
			for range 3 { // until the text is kept
				got, err := m.OrderBy("id", dbfleet.Asc).Get(t.Context())
				require.NoError(t, err, name)
				require.Equal(t, all, got, name)
			}
			for i := range all {
				one, err := m.Find(t.Context(), all[i].ID)
				require.NoError(t, err, name)
				require.Equal(t, all[i], one, name)
				require.NoError(t, m.Save(t.Context(), &one), name)
			}
			texts := []string{
				"SELECT f FROM singles ORDER BY id", "/* a comment */ WITH s AS (SELECT * FROM singles) SELECT f FROM s ORDER BY id",
				"SELECT f FROM singles WHERE id > 0 /* " + strings.Repeat("-", 200_000) + " */ ORDER BY id",
			}
			if db.Dialect != "sqlite" {
				texts = append(texts, "(SELECT f, id FROM singles WHERE id < 3) UNION ALL (SELECT f, id FROM singles WHERE id > 2) ORDER BY id")
			}
			for _, text := range texts {
				require.Equal(t, all, readSingles(t, r, text), "%s: %.60s", name, text)
			}
		}
	})
}

// readSingles reads the first column of a query by database/sql.
func readSingles(t *testing.T, r *dbfleet.Registry, text string) (all []single) {
	t.Helper()
	rows, err := r.DB("main").QueryContext(t.Context(), text)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		columns, err := rows.Columns()
		require.NoError(t, err)
		s := single{ID: int64(len(all) + 1)}
		into := []any{&s.F, new(any)}
		require.NoError(t, rows.Scan(into[:len(columns)]...))
		all = append(all, s)
	}
	require.NoError(t, rows.Err())
	return all
}

// truth 419
func TestFloats_OfOtherStatementsAreExactOrRefused(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect != "mysql" {
			return
		}
		m, all := singles(t, fl.Registry, "mysql")
		fl.Create(t, "CREATE PROCEDURE tells() BEGIN SELECT f FROM singles ORDER BY id; END",
			"CREATE PROCEDURE tells_twice() BEGIN SELECT f FROM singles ORDER BY id; SELECT f FROM singles ORDER BY id; END", "CREATE PROCEDURE tells_none() BEGIN DO 0; END",
			"CREATE PROCEDURE fails() BEGIN SELECT f FROM singles ORDER BY id; SIGNAL SQLSTATE '45000'; END")
		for range 3 {
			for _, text := range []string{"CALL tells()", "CALL tells_twice()", "SET STATEMENT max_statement_time = 9 FOR SELECT f FROM singles ORDER BY id", "/*!50001 SELECT f FROM singles ORDER BY id */"} {
				require.Equal(t, all, readSingles(t, fl.Registry, text), text)
			}
			require.Empty(t, readSingles(t, fl.Registry, "CALL tells_none()"))
			rows, err := fl.DB("main").QueryContext(t.Context(), "CALL fails()")
			for err == nil && rows.Next() || err == nil && rows.NextResultSet() {
				continue
			}
			if err == nil {
				err = rows.Err()
				require.NoError(t, rows.Close())
			}
			require.Error(t, err)
			require.Equal(t, []single{{1, all[0].F}}, readSingles(t, fl.Registry, "INSERT INTO singles VALUES (9, 16777215) RETURNING f"))
			require.Equal(t, []single{{1, all[0].F}}, readSingles(t, fl.Registry, "DELETE FROM singles WHERE id = 9 RETURNING f"))
		}
		_, err := dbfleet.Select[float32](t.Context(), fl.DB("main"), "EXECUTE IMMEDIATE 'SELECT f FROM singles'") // cannot be prepared
		require.ErrorContains(t, err, `"f" is a FLOAT`)
		exact, err := dbfleet.Select[float32](t.Context(), fl.DB("main"), "EXECUTE IMMEDIATE 'SELECT CAST(f AS DOUBLE) FROM singles ORDER BY id'")
		require.NoError(t, err)
		require.Equal(t, all[1].F, exact[1])
		got, err := m.Find(t.Context(), 1) // the connections go on
		require.NoError(t, err)
		require.Equal(t, all[0], got)
	})
}

// truth 419
func TestFloats_OfOneStatementWithASemicolonAreExact(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		if db.Dialect != "mysql" {
			return
		}
		config := conformance.ConnectionTo(db)
		config.Params = map[string]string{"multiStatements": "true"}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		_, all := singles(t, r, db.Dialect)
		for range 3 { // until the text is kept
			for _, text := range []string{
				"SELECT f FROM singles ORDER BY id", "SELECT f FROM singles ORDER BY id;", "SELECT f FROM singles ORDER BY id; -- all",
				"SELECT f FROM singles WHERE ';' <> '' ORDER BY id", "SELECT f FROM singles /* ; */ ORDER BY id",
			} {
				require.Equal(t, all, readSingles(t, r, text), text)
			}
		}
		rows, err := r.DB("main").QueryContext(t.Context(), "SELECT f FROM singles; SELECT 1")
		if err == nil {
			require.False(t, rows.Next())
			err = rows.Err()
			require.NoError(t, rows.Close())
		}
		require.ErrorContains(t, err, `"f" is a FLOAT`)
	})
}

// truth 419
func TestFloats_AreRefusedWhereTheServerPreparesNothing(t *testing.T) {
	t.Parallel()
	server := dbtest.StartMariaDB(t)
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(server.Database(t))})
	m, all := singles(t, r, "mysql")
	server.Exec(t, "SET GLOBAL max_prepared_stmt_count = 0")
	ids, err := m.OrderBy("id", dbfleet.Asc).Pluck(t.Context(), "id")
	require.NoError(t, err)
	require.Len(t, ids, 5)
	_, err = m.Where("id", "=", 1).Where("id", "<", 7).First(t.Context())
	require.ErrorContains(t, err, `"f" is a FLOAT`)
	none, err := m.Where("id", "=", -1).Get(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
	server.Exec(t, "SET GLOBAL max_prepared_stmt_count = 16382")
	one, err := m.Where("id", "=", 1).Where("id", "<", 7).First(t.Context())
	require.NoError(t, err)
	require.Equal(t, all[0], one)
}
