package queries

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// walked are the ids of a table page by page, each of one row.
func walked(t *testing.T, q *dbfleet.Query[dbfleet.Row]) ([]any, error) {
	t.Helper()
	var ids []any
	for at := (dbfleet.Cursor{Size: 1}); ; {
		page, err := dbfleet.CursorPage(t.Context(), q, at)
		if err != nil {
			return nil, err
		}
		for _, row := range page.Items {
			ids = append(ids, row["id"])
		}
		if !page.HasNext || len(ids) > 100 {
			return ids, nil
		}
		at.After = page.Next
	}
}

func TestCursorPage_ByWhatTypesADatabaseHas(t *testing.T) {
	t.Parallel()
	types := map[string]map[string][]string{
		"postgres": {
			"TIME": {"'10:00:00.000001'", "'09:59:59'"}, "INTERVAL": {"'1 mon'", "'30 days'", "'1 day 02:03:04.5'"},
			"NUMERIC": {"'NaN'", "'1e-30'", "'12345678901234567890.123456789'", "'0.1'"}, "BYTEA": {`'\x00ff'`, `'\x'`, `'\x61'`},
			"DOUBLE PRECISION": {"'NaN'", "'Infinity'", "'-Infinity'", "'-0'", "0.1"}, "REAL": {"0.1", "'NaN'", "16777217"},
			"TIMESTAMP": {"'2026-01-01 00:00:00.000001'", "'0044-03-15 BC'", "'9999-12-31'"}, "DATE": {"'2026-01-01'", "'1999-12-31'"},
			"INET": {"'10.0.0.1'", "'::1'", "'10.0.0.0/8'"}, "CHAR(5)": {"'a'", "'ab'", "''"}, "SMALLINT": {"-32768", "32767"},
			`VARCHAR(9) COLLATE "C"`: {"'a'", "'B'", "'ä'"}, "BOOLEAN": {"true", "false"}, "INTEGER[]": {"'{1,2}'", "'{1}'", "'{}'"}, "mood": {"'sad'", "'ok'", "'happy'"},
		},
		"mysql": {
			"TIME(6)": {"'10:00:00.000001'", "'-838:59:59'", "'101:00:00'"}, "YEAR": {"1999", "2026"}, "BIT(60)": {"b'101'", "1152921504606846975"},
			"DECIMAL(65,30)": {"'12345678901234567890.123456789'", "'-0.000000000000000000000000000001'"}, "DOUBLE": {"0.1", "-1.7976931348623157e308", "1e-300"},
			"FLOAT": {"0.1", "16777216", "-3.4e38"}, "DATE": {"'2026-01-01'", "'1000-01-01'"}, "TIMESTAMP(6)": {"'2026-01-01 00:00:00.000001'", "'1970-01-02'"},
			"DATETIME": {"'2026-01-01 10:00:00'", "'9999-12-31 23:59:59'"}, "BINARY(4)": {"'a'", "x'00ff'"}, "VARCHAR(9) COLLATE utf8mb4_bin": {"'a'", "'B'", "'a '", "'ä'"},
			"VARCHAR(9) CHARACTER SET latin1": {"'a'", "'B'", "'ä'"}, "CHAR(5)": {"'a'", "'A'", "'b'"}, "TINYTEXT": {"'x'", "'X '"}, "BIGINT UNSIGNED": {"18446744073709551615", "9223372036854775808", "0"},
			"TINYINT(1)": {"0", "1", "-3"}, "MEDIUMINT UNSIGNED": {"16777215", "0"}, "JSON": {`'{"a":1}'`, `'[1]'`},
		},
		"sqlite": {
			"TEXT": {"'a'", "'B'", "'10'", "'9'"}, "TEXT COLLATE NOCASE": {"'a'", "'A'", "'b'"}, "": {"1", "'1'", "1.0", "x'31'", "2.5", "'a'"}, "NUMERIC": {"1", "0.1", "'a'", "9223372036854775807"},
			"DATETIME": {"'2026-01-01'", "'2026-01-01 00:00:00'", "'2026-01-01T00:00:00Z'", "1767225600"}, "BOOLEAN": {"0", "1", "2"}, "INTEGER": {"'x'", "9007199254740993", "9007199254740992", "9.5"},
			"REAL": {"0.1", "1e999", "-1e999", "3"}, "BLOB": {"x''", "x'00'", "'a'"}, "DATE": {"'2026-01-01'", "2026"},
		},
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "postgres" {
			fl.Create(t, "CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
		}
		at := 0
		for typ, values := range types[fl.Database.Dialect] {
			at++
			table := fmt.Sprintf("odd%d", at)
			fl.Create(t, "CREATE TABLE "+table+" (id {bigint} NOT NULL PRIMARY KEY, v "+typ+" NULL)")
			id := 0
			for range 2 {
				for _, v := range append([]string{"NULL"}, values...) {
					id++
					fl.Create(t, fmt.Sprintf("INSERT INTO %s VALUES (%d, %s)", table, id, v))
				}
			}
			for _, d := range []dbfleet.Direction{dbfleet.Asc, dbfleet.Desc} {
				q := fl.DB("main").Table(table).Select("id").OrderBy("v", d)
				want, err := dbfleet.Pluck[any](t.Context(), q.OrderBy("id", dbfleet.Asc), "id")
				require.NoError(t, err)
				got, err := walked(t, q)
				require.NoError(t, err, typ)
				require.Equal(t, want, got, "%s %s", typ, d)
			}
		}
		if fl.Database.Dialect == "mysql" {
			fl.Create(t, "CREATE TABLE moods (id BIGINT PRIMARY KEY, v ENUM('sad', 'ok', 'happy'))", "INSERT INTO moods VALUES (1, 'sad'), (2, 'ok'), (3, NULL)")
			_, err := walked(t, fl.DB("main").Table("moods").OrderBy("v", dbfleet.Desc))
			var column *dbfleet.ColumnError
			require.True(t, errors.As(err, &column), err)
			require.Equal(t, "v", column.Column)
			require.ErrorContains(t, err, "does not sort a column of ENUM or SET by its text")
		}
	})
}
