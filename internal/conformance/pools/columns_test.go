package pools

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/conformance"
)

// columnTypes are the types of each database, with a value as SQL.
var columnTypes = map[string][][2]string{
	"sqlite": {
		{"INTEGER", "7"}, {"INT", "7"}, {"BIGINT", "9007199254740993"}, {"BOOLEAN", "1"}, {"REAL", "1.5"}, {"NUMERIC(10,2)", "1.5"},
		{"DECIMAL(20,4)", "'1.2345'"}, {"TEXT", "'a'"}, {"VARCHAR(20)", "'a'"}, {"CHAR(10)", "'a'"}, {"BLOB", "X'00FF'"},
		{"DATE", "'2024-05-06'"}, {"DATETIME", "'2024-05-06 07:08:09'"}, {"TIMESTAMP", "'2024-05-06 07:08:09.5'"},
		{"TIME", "'07:08:09'"}, {"JSON", "'{\"a\":1}'"}, {"UUID", "'0192fe00-1020-7040-8050-6070ff610001'"}, {"", "1.5"},
	},
	"postgres": {
		{"SMALLINT", "7"}, {"INTEGER", "7"}, {"BIGINT", "9007199254740993"}, {"BOOLEAN", "true"}, {"REAL", "1.5"},
		{"DOUBLE PRECISION", "0.1"}, {"NUMERIC", "1.50"}, {"NUMERIC(20,4)", "1.2345"}, {"MONEY", "1.5"}, {"TEXT", "'a'"},
		{"VARCHAR(20)", "'a'"}, {"VARCHAR", "'a'"}, {"CHAR(10)", "'a'"}, {"\"char\"", "'a'"}, {"NAME", "'a'"}, {"BYTEA", "'\\x00ff'"},
		{"DATE", "'2024-05-06'"}, {"TIMESTAMP", "'2024-05-06 07:08:09.5'"}, {"TIMESTAMPTZ(3)", "'2024-05-06 07:08:09.5+02'"},
		{"TIME", "'07:08:09'"}, {"TIMETZ", "'07:08:09+02'"}, {"INTERVAL", "'1 day 2 hours'"}, {"UUID", "'0192fe00-1020-7040-8050-6070ff610001'"},
		{"JSON", "'{\"a\":1}'"}, {"JSONB", "'{\"a\":1}'"}, {"XML", "'<a/>'"}, {"INTEGER[]", "'{1,2}'"}, {"TEXT[]", "'{a,b}'"},
		{"BIT(8)", "B'10101010'"}, {"VARBIT(8)", "B'101'"}, {"INET", "'10.0.0.1'"}, {"CIDR", "'10.0.0.0/8'"}, {"MACADDR", "'08:00:2b:01:02:03'"},
		{"POINT", "'(1,2)'"}, {"INT4RANGE", "'[1,5)'"}, {"TSVECTOR", "'a b'"}, {"OID", "7"}, {"REGCLASS", "'pg_class'"},
	},
	"mysql": {
		{"TINYINT", "7"}, {"TINYINT UNSIGNED", "255"}, {"SMALLINT", "7"}, {"SMALLINT UNSIGNED", "7"}, {"MEDIUMINT", "7"}, {"INT", "7"},
		{"INT UNSIGNED", "7"}, {"BIGINT", "9007199254740993"}, {"BIGINT UNSIGNED", "7"}, {"BOOLEAN", "1"},
		{"BIT(8)", "b'11'"}, {"DECIMAL(20,4)", "1.2345"}, {"DECIMAL(5,0)", "7"}, {"FLOAT", "1.5"}, {"DOUBLE", "0.1"}, {"DOUBLE(10,3)", "0.1"},
		{"YEAR", "2024"}, {"CHAR(10)", "'a'"}, {"VARCHAR(20)", "'a'"}, {"TINYTEXT", "'a'"}, {"TEXT", "'a'"}, {"LONGTEXT", "'a'"},
		{"BINARY(4)", "'a'"}, {"VARBINARY(20)", "'a'"}, {"BLOB", "'a'"}, {"LONGBLOB", "'a'"}, {"ENUM('a','b')", "'a'"}, {"SET('a','b')", "'a,b'"},
		{"DATE", "'2024-05-06'"}, {"DATETIME", "'2024-05-06 07:08:09'"}, {"DATETIME(6)", "'2024-05-06 07:08:09.5'"},
		{"TIMESTAMP(3)", "'2024-05-06 07:08:09.5'"}, {"TIME", "'07:08:09'"}, {"JSON", "'{\"a\":1}'"}, {"INET6", "'::1'"}, {"UUID", "'0192fe00-1020-7040-8050-6070ff610001'"},
	},
}

// What database/sql tells of a column, and the values that it gives of it, are those of
// the driver; see TestValues_ThatAreOtherThanTheDrivers.
func TestColumns_AreToldAsByTheDriver(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, fl conformance.Fleet, db *sql.DB) (told []string) {
		dialect := fl.Database.Dialect
		for i, c := range columnTypes[dialect] {
			table := fmt.Sprintf("columns_%d", i)
			_, err := db.ExecContext(t.Context(), fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (a %s NULL, b %s NOT NULL)", table, c[0], c[0]))
			require.NoError(t, err, c)
			_, err = db.ExecContext(t.Context(), "DELETE FROM "+table)
			require.NoError(t, err)
			_, err = db.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO %s (a, b) VALUES (%s, %s), (NULL, %s)", table, c[1], c[1], c[1]))
			require.NoError(t, err, c)
			placeholder := "?"
			if dialect == "postgres" {
				placeholder = "$1::int"
			}
			for _, q := range []struct {
				text string
				args []any
			}{
				{"SELECT a, b FROM " + table, nil},
				{"SELECT a, b FROM " + table + " WHERE 1 = " + placeholder, []any{1}},
				{"SELECT a, b FROM " + table + " WHERE 1 = 0", nil},
			} {
				rows, err := db.QueryContext(t.Context(), q.text, q.args...)
				require.NoError(t, err)
				what := c[0] + " " + q.text
				told = append(told, columnsOf(t, what, rows)...)
				told = append(told, valuesOf(t, what, rows)...)
			}
		}
		return told
	})
}

func columnsOf(t *testing.T, what string, rows *sql.Rows) (told []string) {
	t.Helper()
	columns, err := rows.ColumnTypes()
	require.NoError(t, err)
	for _, c := range columns {
		length, hasLength := c.Length()
		nullable, hasNullable := c.Nullable()
		precision, scale, hasPrecision := c.DecimalSize()
		told = append(told, fmt.Sprintf("%s: %s %s, scan %v, length %d %t, decimal %d %d %t, nullable %t %t", what,
			c.Name(), c.DatabaseTypeName(), c.ScanType(), length, hasLength, precision, scale, hasPrecision, nullable, hasNullable))
	}
	return told
}

func valuesOf(t *testing.T, what string, rows *sql.Rows) (told []string) {
	t.Helper()
	defer rows.Close()
	for rows.Next() {
		var a, b any
		require.NoError(t, rows.Scan(&a, &b))
		told = append(told, what+": "+text(a)+", "+text(b))
	}
	require.NoError(t, rows.Err())
	return told
}
