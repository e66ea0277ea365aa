package table

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/schema"
)

type judged struct {
	ID  int64
	B   bool
	I8  int8
	I   int
	I64 int64
	U   uint
	U64 uint64
	F32 float32
	F64 float64
	PF  *float64
	At  time.Time
	UID [16]byte
	PU  *[16]byte
}

// fields are the fields of judged by their types in docs/types.md.
var fields = map[string]string{
	"bool": "b", "int8": "i8", "int": "i", "int64": "i64", "uint": "u", "uint64": "u64", "float32": "f32", "float64": "f64", "*float64": "pf",
	"time.Time": "at", "[16]byte": "uid", "*[16]byte": "pu",
}

// columns are column types of docs/types.md as the databases describe them.
var columns = map[string]map[string]schema.Column{
	"postgres": {
		"SMALLINT": {Type: "int2"}, "INTEGER": {Type: "int4"}, "BIGINT": {Type: "int8"}, "NUMERIC": {Type: "numeric"}, "NUMERIC(10,2)": {Type: "numeric"},
		"REAL": {Type: "float4"}, "DOUBLE PRECISION": {Type: "float8"}, "MONEY": {Type: "money"}, "BOOLEAN": {Type: "bool"}, "UUID": {Type: "uuid"},
		"BYTEA": {Type: "bytea"}, "CHAR(10)": {Type: "bpchar", Length: 10}, "TEXT": {Type: "text"},
		"DATE": {Type: "date"}, "TIMESTAMP": {Type: "timestamp", Digits: 6}, "TIMESTAMPTZ": {Type: "timestamptz", Digits: 6}, "TIME": {Type: "time", Digits: 6}, "TIMETZ": {Type: "timetz", Digits: 6},
		"INTERVAL": {Type: "interval"}, "INET": {Type: "inet"}, "CIDR": {Type: "cidr"}, "MACADDR": {Type: "macaddr"}, "MACADDR8": {Type: "macaddr8"},
		"INT[]": {Type: "_int4", Element: "int4"}, "TEXT[]": {Type: "_text", Element: "text"}, "UUID[]": {Type: "_uuid", Element: "uuid"},
	},
	"mysql": {
		"TINYINT": {Type: "tinyint"}, "INT": {Type: "int"}, "BIGINT": {Type: "bigint"}, "BIGINT UNSIGNED": {Type: "bigint", Full: "bigint unsigned"},
		"DECIMAL(10,2)": {Type: "decimal"}, "FLOAT": {Type: "float"}, "DOUBLE": {Type: "double"}, "CHAR(10)": {Type: "char", Length: 10},
		"ENUM('a','b','1','0','')": {Type: "enum", Length: 1}, "SET('x','y','z')": {Type: "set", Length: 5},
		"DATE": {Type: "date"}, "DATETIME": {Type: "datetime", Digits: 0}, "DATETIME(6)": {Type: "datetime", Digits: 6}, "TIMESTAMP NULL": {Type: "timestamp", Digits: 0},
		"TIME": {Type: "time", Digits: 0}, "TIME(6)": {Type: "time", Digits: 6}, "BINARY(4)": {Type: "binary", Length: 4}, "BINARY(16)": {Type: "binary", Length: 16}, "UUID": {Type: "uuid"}, "INET6": {Type: "inet6"}, "INET4": {Type: "inet4"},
	},
}

// refusals are the pairs that docs/types.md says are always an error.
func refusals(t *testing.T) map[string]bool {
	t.Helper()
	page, err := os.ReadFile("../../docs/types.md")
	require.NoError(t, err)
	in, out := "", map[string]bool{}
	for line := range strings.Lines(string(page)) {
		switch cells := strings.Split(line, " | "); {
		case strings.HasPrefix(line, "## PostgreSQL"):
			in = "postgres"
		case strings.HasPrefix(line, "## MySQL"):
			in = "mysql"
		case in != "" && len(cells) == 4:
			for _, typ := range strings.Split(cells[2], ", ") {
				out[in+" "+strings.TrimPrefix(cells[0], "| ")+" "+typ] = true
			}
		}
	}
	return out
}

// Where docs/types.md says that a field and a column are always an error, so does Compare.
func TestCompare_FindsWhatTheTypesPageRefuses(t *testing.T) {
	t.Parallel()
	plan, err := rowmap.Of[judged]()
	require.NoError(t, err)
	table, faults := New(Config{Name: "t"}, plan)
	require.Empty(t, faults)
	known, asked := refusals(t), 0
	var silent []string
	for d, list := range columns {
		for name, c := range list {
			c.Full = strings.ToLower(name)
			if c.Length == 0 {
				c.Length = -1
			}
			if !strings.Contains(c.Type, "time") {
				c.Digits = -1
			}
			for typ, field := range fields {
				if !known[d+" "+name+" "+typ] {
					continue
				}
				asked++
				said := ""
				c.Name = field
				table.Compare([]schema.Column{{Name: "id", Type: "int8", KeyAt: 1, Filled: true}, c}, nil, map[string]*dialect.Dialect{"postgres": dialect.Postgres, "mysql": dialect.MySQL}[d],
					func(_, column, problem string) {
						if column == field {
							said += problem
						}
					})
				if said == "" {
					silent = append(silent, fmt.Sprint(d, ": ", name, " × ", typ))
				}
			}
		}
	}
	slices.Sort(silent)
	require.Empty(t, silent)
	require.Greater(t, asked, 200)
}

// A column that has no room for any value of its field is told.
func TestCompare_FindsColumnsThatAreTooShort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind  rowmap.Kind
		typ   string
		size  int64
		short bool
	}{
		{rowmap.UUID, "varchar", 35, true}, {rowmap.UUID, "varchar", 36, false}, {rowmap.UUID, "bpchar", 36, false}, {rowmap.UUID, "text", -1, false},
		{rowmap.UUID, "binary", 16, true}, {rowmap.UUID, "varbinary", 36, false}, {rowmap.Encrypted, "varbinary", 20, true}, {rowmap.Encrypted, "varbinary", 255, false},
		{rowmap.String, "varchar", 1, false},
	} {
		require.Equal(t, c.short, tooShort(c.kind, &schema.Column{Type: c.typ, Length: c.size}), "%v", c)
	}
}
