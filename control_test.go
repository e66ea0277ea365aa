package dbfleet

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// hazard 127
func TestControl_IsSeenWhereverItHides(t *testing.T) {
	t.Parallel()
	for query, on := range map[string]string{
		"\ufeffCOMMIT":                         "psm",
		"COMMIT":                               "psm",
		"/*!50000 COMMIT */":                   "psm",
		"# x\nCOMMIT":                          "psm",
		"prepare\ntransaction 'x'":             "psm",
		"PREPARE x AS SELECT 1":                "",
		"SELECT [x; COMMIT]":                   "p", // no name in brackets there
		"SELECT [x]; COMMIT":                   "ps",
		"SELECT `x; COMMIT`":                   "p",
		"CREATE TABLE t (v INT); COMMIT":       "ps",
		"CREATE TABLE t (v INT); \ufeffCOMMIT": "ps",
		"SELECT $$ ; COMMIT $$":                "s",
		"SELECT E'\\'; COMMIT'":                "s",
		"SELECT '\\'; COMMIT --'":              "ps",
		"/* /* */ COMMIT":                      "sm",
		"/* a /* b */ COMMIT; */ SELECT 1":     "sm",
		"/*! ' */ COMMIT -- '":                 "psm", // where a server's version does not run the comment
		"SELECT 1 -- ; COMMIT":                 "",
		"SELECT 1 --; COMMIT":                  "",
		"CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u; DELETE FROM v)": "",
		"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END":       "p",
		"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; ROLLBACK":       "ps",
		"INSERT INTO begin_here VALUES ('; COMMIT')":                             "",
	} {
		for letter, d := range map[string]*dialect.Dialect{"p": dialect.Postgres, "s": dialect.SQLite, "m": dialect.MySQL} {
			err := refuseControl(query, d)
			require.Equal(t, strings.Contains(on, letter), err != nil, "%q on %s: %v", query, d.Name, err)
		}
	}
}
