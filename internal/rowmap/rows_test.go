package rowmap

import (
	"database/sql/driver"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestReadRows_GivesAKindOfColumnOneType(t *testing.T) { // hazards 8, 48, 49, 50
	t.Parallel()
	pg, my, lite := dialect.Postgres, dialect.MySQL, dialect.SQLite
	at := time.Date(2024, 2, 29, 10, 11, 12, 5000, time.UTC)
	for _, c := range []struct {
		d        *dialect.Dialect
		typeName string
		in       driver.Value
		want     any
	}{
		{pg, "INT8", int64(5), int64(5)}, {my, "BIGINT", int64(5), int64(5)}, {my, "INT", []byte("5"), int64(5)}, {lite, "INTEGER", int64(5), int64(5)},
		{my, "UNSIGNED BIGINT", uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{my, "UNSIGNED BIGINT", []byte("18446744073709551615"), uint64(math.MaxUint64)},
		{my, "UNSIGNED BIGINT", uint64(5), int64(5)}, {my, "UNSIGNED BIGINT", []byte("5"), int64(5)}, {my, "UNSIGNED BIGINT", int64(5), int64(5)},
		{my, "TINYINT", int64(2), int64(2)}, {pg, "BOOL", true, true}, {lite, "BOOLEAN", int64(1), int64(1)},
		{my, "BIT", []byte{1}, int64(1)}, {my, "BIT", []byte{1, 0}, int64(256)}, {pg, "BIT", "101", "101"},
		{pg, "FLOAT8", 1.5, 1.5}, {pg, "FLOAT4", float64(float32(3.3)), 3.3}, {my, "FLOAT", float32(3.3), 3.3}, {my, "DOUBLE", []byte("1.5"), 1.5}, {lite, "REAL", 1.5, 1.5},
		{pg, "NUMERIC", "9007199254740993.10", "9007199254740993.10"}, {my, "DECIMAL", []byte("12.50"), "12.50"},
		{lite, "DECIMAL(10,2)", 12.5, "12.5"}, {lite, "NUMERIC", int64(7), "7"}, {lite, "DECIMAL", 1e21, "1000000000000000000000"},
		{pg, "TEXT", "x", "x"}, {my, "VARCHAR", []byte("x"), "x"}, {lite, "TEXT", "x", "x"}, {my, "ENUM", []byte("x"), "x"}, {my, "TIME", []byte("10:00:00"), "10:00:00"},
		{pg, "JSONB", []byte("{}"), "{}"}, {my, "JSON", []byte("{}"), "{}"}, {pg, "UUID", "u", "u"}, {pg, "_TEXT", "{a}", "{a}"}, {pg, "16384", "enum", "enum"},
		{pg, "XML", []byte("<a/>"), "<a/>"}, {pg, "UUID", [16]byte{15: 1}, "00000000-0000-0000-0000-000000000001"},
		{pg, "BYTEA", []byte{1}, []byte{1}}, {my, "BLOB", []byte{1}, []byte{1}}, {my, "VARBINARY", []byte("x"), []byte("x")},
		{lite, "BLOB", []byte{1}, []byte{1}}, {lite, "BLOB", []byte(nil), []byte{}}, {lite, "TEXT", []byte("x"), []byte("x")}, {lite, "", []byte("x"), []byte("x")},
		{pg, "TIMESTAMPTZ", at.In(time.FixedZone("", 3600)), at}, {my, "DATETIME", []byte("2024-02-29 10:11:12.000005"), at},
		{lite, "DATETIME", "2024-02-29 10:11:12.000005", at}, {lite, "", "2024-02-29 10:11:12", "2024-02-29 10:11:12"},
		{pg, "TEXT", nil, nil}, {my, "DATE", at, at}, {pg, "VARCHAR", "2024-02-30", "2024-02-30"}, {pg, "DATE", "infinity", "infinity"},
	} {
		rows, err := ReadRows(typedOne(c.typeName, c.d, c.in), c.d)
		require.NoError(t, err, "%s %s %T", c.d.Name, c.typeName, c.in)
		require.Equal(t, []map[string]any{{"c": c.want}}, rows, "%s %s %T", c.d.Name, c.typeName, c.in)

		var field any
		_, err = ReadValue(typedOne(c.typeName, c.d, c.in), &field)
		require.NoError(t, err)
		require.Equal(t, c.want, field)
	}
	for _, c := range []struct {
		d        *dialect.Dialect
		typeName string
		in       driver.Value
	}{
		{my, "DATETIME", []byte("2024-00-00 00:00:00")}, {my, "DATE", []byte("0000-00-00")}, {lite, "DATETIME", "garbage"}, {lite, "DATE", "2024-02-30"}, // hazard 45
		{my, "INT", []byte("x")},
	} {
		_, err := ReadRows(typedOne(c.typeName, c.d, c.in), c.d)
		var column *ColumnError
		require.ErrorAs(t, err, &column, "%s", c.typeName)
		require.Equal(t, "c", column.Column)
	}
}

func TestReadRows_KeepsRowsApart(t *testing.T) {
	t.Parallel()
	src := column("c", []byte("one"), nil, []byte("two"))
	src.types = []string{"BLOB"}
	rows, err := ReadRows(src, dialect.MySQL)
	require.NoError(t, err)
	require.Equal(t, []map[string]any{{"c": []byte("one")}, {"c": nil}, {"c": []byte("two")}}, rows)
	require.Equal(t, 1, src.closed)

	rows, err = ReadRows(column("c"), dialect.MySQL)
	require.NoError(t, err)
	require.Equal(t, []map[string]any{}, rows)

	src = &memory{columns: []string{"id", "id"}}
	_, err = ReadRows(src, dialect.MySQL)
	require.ErrorContains(t, err, "alias")
	require.Equal(t, 1, src.closed)
}
