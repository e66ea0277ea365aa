package queries

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// notOwn are names that a plain read may call though the server of the tests does not have
// them: words before a bracket that is no call, functions of newer servers, of MySQL where
// the tests have MariaDB, and of usual extensions.
var notOwn = map[string]string{
	"postgres": `JSON JSONB JSON_ARRAY JSON_ARRAYAGG JSON_OBJECTAGG JSON_QUERY JSON_SCALAR JSON_SERIALIZE JSON_TABLE JSON_VALUE JSON_EXISTS
		ANY_VALUE ARRAY_REVERSE ARRAY_SAMPLE ARRAY_SHUFFLE ARRAY_SORT DATE_ADD DATE_SUBTRACT UUID_EXTRACT_TIMESTAMP CRC32
		UNACCENT SIMILARITY WORD_SIMILARITY DIGEST BY CUBE ROLLUP SETS ESCAPE EXPLAIN FILTER OVER GROUPS PARTITION RANGE RECURSIVE ROWS MATERIALIZED WITHIN`,
	"mysql": `AGAINST LATERAL ESCAPE ROLLUP CUBE FILTER GROUPING JSON_TABLE ANY_VALUE BIN_TO_UUID UUID_TO_BIN JSON_SCHEMA_VALID JSON_STORAGE_SIZE
		REGEXP_LIKE POINT POLYGON ST_GEOHASH ST_LATFROMGEOHASH ST_LATITUDE ST_LONGFROMGEOHASH ST_LONGITUDE ST_MAKEENVELOPE ST_POINTFROMGEOHASH
		ST_SIMPLIFY ST_SWAPXY ST_TRANSFORM ST_VALIDATE ST_ISVALID ST_COLLECT ST_LINEINTERPOLATEPOINT JSON_ARRAY_INTERSECT TO_DATE TO_NUMBER TRUNC`,
}

// functionsOf are the names of the functions that a server has.
func functionsOf(t *testing.T, db dbtest.Database) (names []string) {
	t.Helper()
	text := map[string]string{
		"sqlite":   "SELECT DISTINCT UPPER(name) FROM pragma_function_list",
		"postgres": "SELECT DISTINCT UPPER(proname) FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace UNION SELECT UPPER(word) FROM pg_get_keywords() WHERE catcode IN ('R', 'C', 'T')",
		"mysql":    "SELECT UPPER(function) FROM information_schema.SQL_FUNCTIONS UNION SELECT UPPER(word) FROM information_schema.KEYWORDS",
	}[db.Dialect]
	rows, err := db.SQL(t).Query(text)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == "" { // no operator
			names = append(names, name)
		}
	}
	require.NoError(t, rows.Err())
	return names
}

// truth 1023: a function that one database has is somebody's own on another.
func TestPlainRead_KnowsWhoseAFunctionIs(t *testing.T) {
	t.Parallel()
	own := map[string][]string{}
	var all []string
	databases := map[string]dbtest.Database{}
	for _, name := range dbtest.Dialects {
		databases[name] = dbtest.New(t, name)
		own[name] = functionsOf(t, databases[name])
		all = append(all, own[name]...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	plain := func(d *dialect.Dialect, name string) bool {
		return lex.PlainRead("SELECT "+name+"(1)", d) && !slices.Contains(strings.Fields(notOwn[d.Name]), name) && (d != dialect.Postgres || !strings.HasPrefix(name, "ST_"))
	}
	t.Run("postgres", func(t *testing.T) {
		for _, name := range all {
			if plain(dialect.Postgres, name) && !slices.Contains(own["postgres"], name) {
				t.Errorf("%s is no function of PostgreSQL", name)
			}
		}
	})
	t.Run("mysql", func(t *testing.T) { // where a function that it has may have been made by SQL
		db, made := databases["mysql"].SQL(t), 0
		for _, name := range all {
			if !plain(dialect.MySQL, name) {
				continue
			}
			if _, err := db.Exec("CREATE FUNCTION " + name + "(a INT) RETURNS INT NO SQL BEGIN SET @called = CONCAT(@called, '" + name + "'); RETURN 1; END"); err != nil {
				continue // a word that names no function, or a function of the server's
			}
			made++
			tx, err := db.Begin()
			require.NoError(t, err)
			_, err = tx.Exec("SET @called = ''")
			require.NoError(t, err)
			var called string
			_, _ = tx.Exec("SELECT " + name + "(1)")
			require.NoError(t, tx.QueryRow("SELECT @called").Scan(&called))
			require.NoError(t, tx.Rollback())
			if called != "" {
				t.Errorf("%s is no function of MySQL", name)
			}
		}
		require.Greater(t, made, 100, "functions that were tried")
	})
}
