package connections_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// told is what an error names: constraint, table, columns.
type told struct{ constraint, table, column string }

// truth 1003, 1004, 1005, 1006
func TestErrors_NameWhatTheDatabaseNames(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		d := fl.Database.Dialect
		quote := func(s string) string {
			if d == "mysql" {
				return "`" + strings.ReplaceAll(s, "`", "``") + "`"
			}
			return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
		}
		strict := map[string]string{"sqlite": " STRICT"}[d]
		odd, odder := quote(`o'd.d`), quote("o\"d`d")
		fl.Create(t, `CREATE TABLE ps (id {bigint} PRIMARY KEY)`,
			`CREATE TABLE cs (id {bigint} PRIMARY KEY, name VARCHAR(5) NOT NULL, n SMALLINT, d {date}, a INTEGER, b INTEGER, pid {bigint},
			CONSTRAINT cs_ab UNIQUE (a, b), CONSTRAINT cs_n CHECK (n < 100), CONSTRAINT cs_p FOREIGN KEY (pid) REFERENCES ps (id))`,
			`CREATE TABLE `+odd+` (id INTEGER PRIMARY KEY, `+odd+` VARCHAR(5) NOT NULL, `+odder+` INTEGER, CONSTRAINT `+odder+` UNIQUE (`+odder+`, `+odd+`))`,
			`CREATE TABLE st (id INTEGER PRIMARY KEY, n INTEGER)`+strict,
			`INSERT INTO ps VALUES (1)`, `INSERT INTO cs VALUES (1, 'a', 1, NULL, 1, 1, 1)`, `INSERT INTO `+odd+` VALUES (1, 'x', 1)`)
		for _, tt := range []struct {
			sql                     string
			class                   error
			sqlite, postgres, mysql told
		}{
			{`INSERT INTO cs (id, name) VALUES (1, 'b')`, dbfleet.ErrUnique, told{"", "cs", "id"}, told{"cs_pkey", "cs", "id"}, told{"PRIMARY", "cs", "id"}},
			{`INSERT INTO cs (id, name, a, b) VALUES (2, 'b', 1, 1)`, dbfleet.ErrUnique, told{"", "cs", "a, b"}, told{"cs_ab", "cs", "a, b"}, told{"cs_ab", "cs", "a, b"}},
			{`INSERT INTO cs (id, name) VALUES (2, NULL)`, dbfleet.ErrNotNull, told{"", "cs", "name"}, told{"", "cs", "name"}, told{"", "cs", "name"}},
			{`INSERT INTO cs (id) VALUES (2)`, dbfleet.ErrNotNull, told{"", "cs", "name"}, told{"", "cs", "name"}, told{"", "cs", "name"}},
			{`INSERT INTO cs (id, name, n) VALUES (2, 'b', 1000)`, dbfleet.ErrCheck, told{"cs_n", "", ""}, told{"cs_n", "cs", ""}, told{"cs_n", "cs", ""}},
			{`INSERT INTO cs (id, name, pid) VALUES (2, 'b', 7)`, dbfleet.ErrForeignKey, told{}, told{"cs_p", "cs", "pid"}, told{"cs_p", "cs", "pid"}},
			{`DELETE FROM ps`, dbfleet.ErrForeignKey, told{}, told{"cs_p", "cs", ""}, told{"cs_p", "cs", "pid"}},
			{`INSERT INTO st VALUES (1, 'abc')`, dbfleet.ErrInvalidValue, told{"", "st", "n"}, told{}, told{"", "st", "n"}},
			{`INSERT INTO ` + odd + ` VALUES (2, 'x', 1)`, dbfleet.ErrUnique, told{}, told{"o\"d`d", "o'd.d", "o\"d`d, o'd.d"}, told{"o\"d`d", "o'd.d", "o\"d`d, o'd.d"}},
			{`INSERT INTO ` + odd + ` VALUES (2, NULL, 1)`, dbfleet.ErrNotNull, told{}, told{"", "o'd.d", "o'd.d"}, told{"", "o'd.d", "o'd.d"}},
		} {
			_, err := fl.DB("main").ExecContext(t.Context(), tt.sql)
			require.ErrorIs(t, err, tt.class, tt.sql)
			var qe *dbfleet.QueryError
			require.ErrorAs(t, err, &qe)
			want := map[string]told{"sqlite": tt.sqlite, "postgres": tt.postgres, "mysql": tt.mysql}[d]
			require.Equal(t, want, told{qe.Constraint, qe.Table, qe.Column}, "%s: %v", tt.sql, qe.Err)
		}
		if d != "mysql" {
			return // the others do not name the column of a value
		}
		for sql, want := range map[string]told{
			`INSERT INTO cs (id, name, n) VALUES (2, 'b', 100000)`:         {"", "cs", "n"},
			`INSERT INTO cs (id, name, n) VALUES (2, 'b', 'xyzzy')`:        {"", "cs", "n"},
			`INSERT INTO cs (id, name, d) VALUES (2, 'b', 'for column x')`: {"", "cs", "d"},
			`INSERT INTO cs (id, name) VALUES (2, 'far too long')`:         {"", "cs", "name"},
			"INSERT INTO `o'd.d` VALUES (2, 'far too long', 1)":            {"", "o'd.d", "o'd.d"},
			"INSERT INTO `o'd.d` VALUES (2, 'a', 'xyzzy')":                 {"", "o'd.d", "o\"d`d"},
		} {
			_, err := fl.DB("main").ExecContext(t.Context(), sql)
			require.ErrorIs(t, err, dbfleet.ErrInvalidValue, sql)
			var qe *dbfleet.QueryError
			require.ErrorAs(t, err, &qe)
			require.Equal(t, want, told{qe.Constraint, qe.Table, qe.Column}, "%s: %v", sql, qe.Err)
			require.NotContains(t, err.Error(), "xyzzy")
		}
	})
}
