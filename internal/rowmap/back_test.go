package rowmap

import (
	"database/sql/driver"
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// loud writes itself as text by a method of its own.
type loud []byte

func (l loud) Value() (driver.Value, error) { return string(l), nil }

// backed is a field of each type that a value may be refused for.
type backed struct {
	Int     int64
	Uint    uint16
	Bool    bool
	Float   float64
	Single  float32
	Text    string
	Bytes   []byte
	Loud    loud
	JSON    json.RawMessage
	At      time.Time
	Pointer *int64
	UUID    [16]byte
}

// truth 414
func TestRows_OfATableRefuseWhatAFieldWouldNotGiveBack(t *testing.T) {
	t.Parallel()
	zero := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		d         *dialect.Dialect
		field, in string
		good, bad []driver.Value
	}{
		{dialect.Postgres, "int", "TEXT", []driver.Value{"7", "-7", "0"}, []driver.Value{"007", "+7", "7.0"}},
		{dialect.Postgres, "int", "NUMERIC", []driver.Value{"7", "7.00"}, nil},
		{dialect.Postgres, "int", "FLOAT8", []driver.Value{math.Exp2(52), math.Exp2(53) - 1}, []driver.Value{math.Exp2(53)}},
		{dialect.Postgres, "int", "FLOAT4", []driver.Value{7.0, math.Exp2(24) - 1}, []driver.Value{math.Exp2(24)}},
		{dialect.Postgres, "uint", "VARCHAR", []driver.Value{"7"}, []driver.Value{"07"}},
		{dialect.Postgres, "bool", "TEXT", []driver.Value{"true", "false"}, []driver.Value{"1", "t", "TRUE"}},
		{dialect.Postgres, "float", "NUMERIC", []driver.Value{"0.10", "123456789012345", "-0.000000000000001", "NaN"}, []driver.Value{"0.12345678901234567", "1.0000000000000000001"}},
		{dialect.Postgres, "float", "TEXT", []driver.Value{"0.1"}, []driver.Value{"0.10", "1e3"}},
		{dialect.Postgres, "single", "FLOAT8", []driver.Value{0.1, 1.5, 16777216.0}, []driver.Value{0.123456789}},
		{dialect.Postgres, "single", "NUMERIC", []driver.Value{"12.99"}, []driver.Value{"1234567.89"}},
		{dialect.Postgres, "at", "TIMESTAMP", []driver.Value{zero.Add(1000)}, []driver.Value{zero}},
		{dialect.Postgres, "at", "TEXT", []driver.Value{"2024-05-06T07:08:09Z"}, []driver.Value{"2024-05-06", "2024-05-06T09:08:09+02:00"}},
		{dialect.Postgres, "pointer", "TEXT", []driver.Value{"7", nil}, []driver.Value{"07"}},
		{dialect.MySQL, "int", "VARCHAR", []driver.Value{[]byte("7")}, []driver.Value{[]byte("07")}},
		{dialect.MySQL, "int", "ENUM", nil, []driver.Value{[]byte("7")}},
		{dialect.MySQL, "int", "DECIMAL", []driver.Value{[]byte("7.00")}, nil},
		{dialect.MySQL, "bool", "CHAR", []driver.Value{[]byte("0"), []byte("1")}, []driver.Value{[]byte("true"), []byte{1}}},
		{dialect.MySQL, "float", "BIGINT", []driver.Value{int64(1<<53 - 1)}, []driver.Value{int64(1 << 53)}},
		{dialect.MySQL, "single", "DOUBLE", []driver.Value{1.5, float64(float32(0.1))}, []driver.Value{0.1}},
		{dialect.MySQL, "single", "FLOAT", []driver.Value{0.1}, nil},
		{dialect.MySQL, "single", "DECIMAL", []driver.Value{[]byte("12.50")}, []driver.Value{[]byte("12.99")}},
		{dialect.SQLite, "int", "TEXT", []driver.Value{"7"}, []driver.Value{"07"}},
		{dialect.SQLite, "int", "", []driver.Value{int64(7)}, []driver.Value{"7"}},
		{dialect.SQLite, "bool", "BOOLEAN", []driver.Value{int64(1)}, []driver.Value{"true"}},
		{dialect.SQLite, "float", "TEXT", []driver.Value{"1.0", "0.1"}, []driver.Value{"1", "1.50"}},
		{dialect.SQLite, "text", "INTEGER", []driver.Value{int64(7)}, nil},
		{dialect.SQLite, "text", "BLOB", nil, []driver.Value{int64(7), 1.5}},
		{dialect.SQLite, "bytes", "TEXT", []driver.Value{[]byte("a"), nil}, []driver.Value{"a", int64(7)}},
		{dialect.SQLite, "at", "DATETIME", []driver.Value{ // of other libraries, too
			"2024-05-06 07:08:09", "2024-05-06 07:08:09.5", "2024-05-06", "2024-05-06T07:08:09Z", "2024-05-06 07:08:09.500", "2024-05-06 07:08:09+00:00",
			"2024-05-06 07:08:09.123456789", "2024-05-06 09:08:09+02:00",
		}, nil},
		{dialect.SQLite, "uuid", "TEXT", []driver.Value{"0192fe00-1020-7040-8050-6070ff610001"}, []driver.Value{
			"0192FE00-1020-7040-8050-6070FF610001", "0192fe0010207040805060" + "70ff610001", []byte("abcdefghijklmnop"),
		}},
		{dialect.MySQL, "uuid", "BINARY", nil, []driver.Value{[]byte("abcdefghijklmnop")}},
		{dialect.MySQL, "text", "FLOAT", []driver.Value{1.5}, []driver.Value{3.3}},
		{dialect.MySQL, "int", "YEAR", []driver.Value{int64(2024), []byte("2024")}, []driver.Value{[]byte("0000")}},
		{dialect.SQLite, "loud", "TEXT", []driver.Value{"a"}, nil},
		{dialect.SQLite, "json", "TEXT", []driver.Value{"{}"}, []driver.Value{[]byte("{}")}},
	} {
		f, ok := reflect.TypeFor[backed]().FieldByNameFunc(func(n string) bool { return ColumnName(n) == c.field })
		require.True(t, ok, c.field)
		p, err := Of[backed]()
		require.NoError(t, err)
		for i, v := range append(append([]driver.Value(nil), c.good...), c.bad...) {
			read := func(ofTable bool) error {
				src := &memory{columns: []string{c.field}, types: []string{c.in}, d: c.d, rows: [][]driver.Value{{v}}}
				_, err := p.Rows(ofTable).ReadFirst(src, new(backed))
				return err
			}
			require.NoError(t, read(false), "%s into %s: what is computed is converted", c.in, f.Name)
			err := read(true)
			if i < len(c.good) {
				require.NoError(t, err, "%s: %v of %s into %s", c.d.Name, v, c.in, f.Name)
				continue
			}
			var column *ColumnError
			require.ErrorAs(t, err, &column, "%s: %v of %s into %s", c.d.Name, v, c.in, f.Name)
			require.Equal(t, c.field, column.Column)
		}
	}
}

func TestAffinity_IsSQLites(t *testing.T) {
	t.Parallel()
	for declared, want := range map[string]holding{
		"INTEGER": ofNumbers, "CHARINT": ofNumbers, "VARCHAR": ofTexts, "NVARCHAR": ofTexts, "CLOB": ofTexts, "TEXT": ofTexts,
		"BLOB": ofAnything, "": ofAnything, "ANY": ofAnything, "VARBINARY": ofAnything, "REAL": ofNumbers, "DATE": ofNumbers, "DECIMAL": ofNumbers,
	} {
		require.Equal(t, want, affinityOf(declared), declared)
	}
}

func TestShortDecimal_IsNotLongerThanAFloatKeeps(t *testing.T) {
	t.Parallel()
	require.True(t, shortDecimal("-123456789012345", 64))
	require.True(t, shortDecimal("000.00123456789012345", 64))
	require.False(t, shortDecimal("1234567890123456", 64))
	require.False(t, shortDecimal("1e3", 64))
	require.True(t, shortDecimal("1234.56", 32))
	require.False(t, shortDecimal("1234.567", 32))
}

func TestRawArgs_AreWhatOtherDoorsSend(t *testing.T) {
	t.Parallel()
	type ratio float64
	f := 0.5
	args := []any{json.RawMessage("1"), float32(0.1), ratio(0.5), &f, time.Time{}, "a", nil}
	got := RawArgs(args, dialect.Postgres)
	require.Equal(t, []any{"1", 0.1, 0.5, 0.5, nil, "a", nil}, got)
	require.Equal(t, float32(0.1), args[1], "the caller's are as they were")
	require.Equal(t, []any{float64(float32(0.1))}, RawArgs([]any{float32(0.1)}, dialect.MySQL))
}
