package readtest

// A column is a type with values of it, as the database writes them.
type column struct {
	typ    string
	values []string
}

// columns are the types of each database, with the values at their edges.
var columns = map[string][]column{
	"postgres": {
		{"smallint", []string{"0", "-32768", "32767"}},
		{"integer", []string{"1", "-2147483648", "2147483647"}},
		{"bigint", []string{"-9223372036854775808", "9223372036854775807", "1", "300"}},
		{"oid", []string{"0", "4294967295"}},
		{"real", []string{"0.1", "3.3", "-2", "'NaN'", "'Infinity'", "1e38"}},
		{"double precision", []string{"0.1", "1e300", "-2.5", "'NaN'", "'-Infinity'", "12", "9007199254740993"}},
		{"numeric", []string{"12.50", "12345678901234567890.123456789", "'NaN'", "0", "18446744073709551615", "-3.00"}},
		{"money", []string{"'12.34'"}},
		{"boolean", []string{"true", "false"}},
		{"text", []string{"''", "'text'", "'ünï ⌘ 😀'", "'0'", "'1'", "'true'", "'12'", "'2024-02-29 01:02:03'", "repeat('long ', 200)", "'0b1e9a5c-9f4e-4b3a-8f57-3d2b1c0a9e8d'"}},
		{"varchar(20)", []string{"'varchar'"}},
		{"char(5)", []string{"'ab'"}},
		{"name", []string{"'name'"}},
		{"bytea", []string{`'\x'`, `'\x00ff80'`, `'\x31'`, `'\x30313233343536373839616263646566'`, `decode(repeat('ab', 9000), 'hex')`}},
		{"date", []string{"'2024-02-29'", "'0001-01-01'", "'9999-12-31'", "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'1969-12-31'"}},
		{"timestamp", []string{"'2024-02-29 01:02:03.456789'", "'1960-01-01 00:00:00.000001'", "'infinity'", "'20000-01-01'"}},
		{"timestamptz", []string{"'2024-02-29 01:02:03.456789+02'", "'-infinity'", "'1999-12-31 23:59:59.999999Z'"}},
		{"time", []string{"'01:02:03.5'"}},
		{"timetz", []string{"'01:02:03+02'"}},
		{"interval", []string{"'1 year 2 days 3 hours'"}},
		{"uuid", []string{"'0b1e9a5c-9f4e-4b3a-8f57-3d2b1c0a9e8d'"}},
		{"json", []string{`'{"a": [1, null]}'`, "'null'", "'1'"}},
		{"jsonb", []string{`'{"a": [1, null]}'`, `'"text"'`}},
		{"inet", []string{"'10.0.0.1/8'"}},
		{"macaddr", []string{"'08:00:2b:01:02:03'"}},
		{"bit(5)", []string{"B'10101'"}},
		{"varbit", []string{"B'1'"}},
		{"integer[]", []string{"'{}'", "'{1,NULL,-3}'", "'{{1,2},{3,4}}'"}},
		{"text[]", []string{`'{a,"b c",NULL,"q\"x"}'`}},
		{"timestamptz[]", []string{"'{2024-02-29 01:02:03+00}'"}},
		{"point", []string{"'(1,2)'"}},
		{"int4range", []string{"'[1,5)'"}},
		{"tsvector", []string{"'a fat cat'"}},
		{"xml", []string{"'<a/>'"}},
		{"mood", []string{"'happy'"}},
		{"positive", []string{"5"}},
	},
	"mysql": {
		{"TINYINT", []string{"-128", "127", "0", "1"}},
		{"TINYINT UNSIGNED", []string{"255"}},
		{"SMALLINT", []string{"-32768"}},
		{"MEDIUMINT UNSIGNED", []string{"16777215"}},
		{"INT", []string{"-2147483648", "300"}},
		{"INT UNSIGNED", []string{"4294967295"}},
		{"BIGINT", []string{"-9223372036854775808", "9223372036854775807"}},
		{"BIGINT UNSIGNED", []string{"18446744073709551615", "1", "9223372036854775808"}},
		{"YEAR", []string{"2024"}},
		{"BIT(1)", []string{"b'1'", "b'0'"}},
		{"BIT(64)", []string{"b'1111111111111111111111111111111111111111111111111111111111111111'", "b'101'"}},
		{"FLOAT", []string{"0.1", "3.3", "-2"}},
		{"DOUBLE", []string{"0.1", "1e300", "12"}},
		{"DECIMAL(30,10)", []string{"12.5", "12345678901234567890.0123456789", "3"}},
		{"DATE", []string{"'2024-02-29'", "'1000-01-01'", "'9999-12-31'"}},
		{"DATETIME", []string{"'2024-02-29 01:02:03'"}},
		{"DATETIME(6)", []string{"'2024-02-29 01:02:03.456789'", "'1969-12-31 23:59:59.000001'"}},
		{"TIMESTAMP(3) NULL", []string{"'2024-02-29 01:02:03.456'"}},
		{"TIME(3)", []string{"'-838:59:59'", "'01:02:03.5'"}},
		{"CHAR(5)", []string{"'ab'"}},
		{"VARCHAR(2000)", []string{"''", "'ünï ⌘ 😀'", "'true'", "'12'", "'1.5'", "'2024-02-29 01:02:03'", "REPEAT('long ', 200)"}},
		{"BINARY(16)", []string{"0x30313233343536373839616263646566"}},
		{"VARBINARY(20)", []string{"''", "0x00ff80", "'1'"}},
		{"BLOB", []string{"0x00ff", "REPEAT('x', 40000)"}},
		{"LONGTEXT", []string{"REPEAT('é', 20000)"}},
		{"ENUM('a','b')", []string{"'b'"}},
		{"SET('a','b')", []string{"'a,b'"}},
		{"JSON", []string{`'{"a": [1, null]}'`}},
		{"UUID", []string{"'0b1e9a5c-9f4e-4b3a-8f57-3d2b1c0a9e8d'"}},
		{"INET6", []string{"'::1'"}},
		{"POINT", []string{"POINT(1,2)"}},
	},
	"sqlite": sqliteColumns(),
}

// sqliteColumns are all values in columns of all declarations: SQLite keeps
// the type with the value.
func sqliteColumns() []column {
	values := []string{
		"0", "1", "-1", "300", "9223372036854775807", "-9223372036854775808", "0.1", "12.0", "1e300", "-2.5",
		"''", "'text'", "'ünï ⌘ 😀'", "'true'", "'12'", "'1.5'", "CAST(x'ff' AS TEXT)", "'a' || char(0) || 'b'",
		"printf('%500s', 'long')", "'0b1e9a5c-9f4e-4b3a-8f57-3d2b1c0a9e8d'", "x''", "x'00ff80'", "x'31'", "zeroblob(70000)",
		"'2024-02-29'", "'2024-02-29 01:02:03'", "'2024-02-29 01:02:03.456789'", "'2024-02-29T01:02:03Z'", "'2024-02-29 01:02'",
		"'2024-02-29 01:02:03.5+02:00'", "'2024-02-29 01:02:03.456789123 +0200 CEST m=+0.5'", "'2024-02-30'", "'2024-13-01 00:00:00'",
		"'0000-00-00'", "'10000-01-01'", "'24:00'", "x'323032342d30322d3239'",
	}
	var all []column
	for _, declared := range []string{
		"", "INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC", "BOOLEAN", "DECIMAL(10,2)", "varchar(20)",
		"DATE", "DATETIME", "TIMESTAMP", "datetime(6)",
	} {
		all = append(all, column{declared, values})
	}
	return all
}

// prepare are the statements that the types need.
var prepare = map[string][]string{
	"postgres": {"CREATE TYPE mood AS ENUM ('sad', 'happy')", "CREATE DOMAIN positive AS bigint CHECK (VALUE > 0)"},
}
