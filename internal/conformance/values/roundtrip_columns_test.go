package values

// A column is a type of a database, with what is stored in it.
type column struct {
	typ string // as SQL
	// literals are values, as SQL. Two that the database holds for equal are among
	// them where there are such.
	literals []string
	// rounds says that the type keeps less than what is written, by its own rule: a
	// scale, a precision, a padding.
	rounds bool
	// keyless says that the type cannot be a primary key.
	keyless bool
	strict  bool // SQLite's STRICT
}

func lits(v ...string) []string { return v }

// uuidBytes and uuidText are one UUID.
const (
	uuidBytes = "X'0192FE0010207040805060" + "70FF610001'"
	uuidText  = "'0192fe00-1020-7040-8050-6070ff610001'"
)

var sqliteColumns = []column{
	{typ: "INTEGER", literals: lits("0", "1", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993", "'1abc'", "1.5", "X'01'")},
	{typ: "INT", literals: lits("0", "127", "-129", "4294967296")},
	{typ: "BIGINT", literals: lits("0", "9223372036854775807")},
	{typ: "TINYINT", literals: lits("0", "1", "255")},
	{typ: "UNSIGNED BIG INT", literals: lits("0", "9223372036854775807")},
	{typ: "BOOLEAN", literals: lits("0", "1", "2", "'yes'", "'true'")},
	{typ: "REAL", literals: lits("0", "1", "1.5", "0.1", "1e300", "-3.25", "9007199254740993", "'x'")},
	{typ: "DOUBLE", literals: lits("0", "1.5", "3.3")},
	{typ: "FLOAT", literals: lits("0", "1.5", "3.3")},
	{typ: "NUMERIC", literals: lits("0", "1", "1.5", "'12.50'", "9007199254740993", "'x'")},
	{typ: "DECIMAL(10,2)", literals: lits("0", "1", "1.5", "'12.50'", "'0.1'", "1234567.89", "9007199254740993")},
	{typ: "DECIMAL(20,4)", literals: lits("'1.2345'", "'-0.0001'", "100000000000000")},
	{typ: "TEXT", literals: lits("''", "'a'", "'A'", "'a '", "'1'", "'01'", "'1abc'", "'1.50'", "'2024-05-06'", "'2024-05-06 07:08:09'", "'true'", "'{\"a\":1}'", uuidText, uuidBytes, "X'FF00'")},
	{typ: "VARCHAR(20)", literals: lits("'a'", "'longer than the twenty that it says'")},
	{typ: "CHAR(10)", literals: lits("'a'", "'a  '")},
	{typ: "TEXT COLLATE NOCASE", literals: lits("'a'", "'A'", "'b'", "'0'")},
	{typ: "TEXT COLLATE RTRIM", literals: lits("'a'", "'a  '", "'b'")},
	{typ: "CLOB", literals: lits("''", "'ä€😀'")},
	{typ: "BLOB", literals: lits("X''", "X'00'", "X'FF'", "X'61'", "'a'", uuidBytes, uuidText, "1", "1.5")},
	{typ: "", literals: lits("1", "1.0", "'1'", "X'31'", "'a'", "'2024-05-06'", "0.1", uuidBytes)},
	{typ: "DATE", literals: lits("'2024-05-06'", "'2024-05-06 00:00:00'", "'2024-05-06 00:00:00+00:00'", "'2024-05-06 07:08:09'", "'0001-01-01'", "'9999-12-31'", "'x'", "'2024-02-30'", "19849")},
	{typ: "DATETIME", literals: lits("'2024-05-06 07:08:09'", "'2024-05-06'", "'2024-05-06T07:08:09Z'", "'2024-05-06 07:08:09.5'", "'2024-05-06 07:08:09.500'", "'2024-05-06 09:08:09+02:00'", "1714979289", "'0001-01-01 00:00:00'", "''")},
	{typ: "DATETIME(6)", literals: lits("'2024-05-06 07:08:09.123456'", "'2024-05-06 07:08:09'", "'2024-05-06 07:08:09.123456+00:00'", "'2024-05-06 07:08:09+00:00'", "'2024-05-06 07:08:09.000'", "'2024-05-06 07:08:09.500000'")},
	{typ: "TIMESTAMP", literals: lits("'2024-05-06 07:08:09'", "'2024-05-06T07:08'")},
	{typ: "TIMESTAMP WITH TIME ZONE", literals: lits("'2024-05-06 07:08:09'", "'2024-05-06T07:08:09.5Z'")},
	{typ: "TIME", literals: lits("'07:08:09'")},
	{typ: "JSON", literals: lits("'{\"a\":1}'", "'null'", "'[1,2]'", "'1'", "''")},
	{typ: "UUID", literals: lits(uuidText, uuidBytes, "'0192FE00-1020-7040-8050-6070FF610001'")},
	{typ: "BINARY(16)", literals: lits(uuidBytes, uuidText, "X'00'")},
	{typ: "VARBINARY(255)", literals: lits(uuidBytes, "X''")},
	{typ: "INTEGER", strict: true, literals: lits("0", "9223372036854775807")},
	{typ: "REAL", strict: true, literals: lits("1", "0.1")},
	{typ: "TEXT", strict: true, literals: lits("'a'", "'1'", "'2024-05-06'")},
	{typ: "BLOB", strict: true, literals: lits("X'61'", uuidBytes)},
	{typ: "ANY", strict: true, literals: lits("1", "'1'", "X'31'", "1.5")},
}

var mysqlColumns = []column{
	{typ: "TINYINT", rounds: true, literals: lits("0", "1", "-128", "127")},
	{typ: "TINYINT UNSIGNED", rounds: true, literals: lits("0", "255")},
	{typ: "SMALLINT", rounds: true, literals: lits("0", "-32768", "32767")},
	{typ: "SMALLINT UNSIGNED", rounds: true, literals: lits("0", "65535")},
	{typ: "MEDIUMINT", rounds: true, literals: lits("0", "-8388608", "8388607")},
	{typ: "MEDIUMINT UNSIGNED", rounds: true, literals: lits("0", "16777215")},
	{typ: "INT", rounds: true, literals: lits("0", "1", "-2147483648", "2147483647")},
	{typ: "INT UNSIGNED", rounds: true, literals: lits("0", "4294967295")},
	{typ: "INT(5) ZEROFILL", rounds: true, literals: lits("0", "42")},
	{typ: "BIGINT", rounds: true, literals: lits("0", "1", "-1", "9223372036854775807", "9223372036854775806", "-9223372036854775808", "9007199254740993", "9007199254740992")},
	{typ: "BIGINT UNSIGNED", rounds: true, literals: lits("0", "18446744073709551615", "18446744073709551614", "9223372036854775808", "9007199254740993")},
	{typ: "BOOLEAN", rounds: true, literals: lits("0", "1", "2")},
	{typ: "BIT(1)", rounds: true, literals: lits("b'0'", "b'1'")},
	{typ: "BIT(8)", rounds: true, literals: lits("b'0'", "b'11111111'", "b'110001'")},
	{typ: "BIT(64)", rounds: true, literals: lits("b'1'", "b'1111111111111111111111111111111111111111111111111111111111111111'")},
	{typ: "DECIMAL(5,0)", rounds: true, literals: lits("0", "99999", "-1")},
	{typ: "DECIMAL(10,2)", rounds: true, literals: lits("0", "1", "12.50", "0.10", "-99999999.99")},
	{typ: "DECIMAL(20,4)", rounds: true, literals: lits("1.2345", "9007199254740993.0001", "9007199254740993.0002")},
	{typ: "DECIMAL(38,18)", rounds: true, literals: lits("1.000000000000000001", "1.000000000000000002", "12345678901234567890.123456789012345678")},
	{typ: "DECIMAL(65,30)", rounds: true, literals: lits("1", "12345678901234567890123456789012345.123456789012345678901234567890")},
	{typ: "DECIMAL(20,0) UNSIGNED", rounds: true, literals: lits("0", "18446744073709551615", "18446744073709551614", "99999999999999999999")},
	{typ: "FLOAT", rounds: true, literals: lits("0", "1.5", "3.3", "0.1", "16777217")},
	{typ: "DOUBLE", literals: lits("0", "1.5", "3.3", "0.1", "1e300", "9007199254740993")},
	{typ: "YEAR", rounds: true, literals: lits("2024", "1901", "2155", "0000")},
	{typ: "CHAR(10)", rounds: true, literals: lits("''", "'a'", "'A'", "'1'")},
	{typ: "CHAR(36)", rounds: true, literals: lits(uuidText, "'a'")},
	{typ: "VARCHAR(200)", literals: lits("''", "'a'", "'A'", "'a '", "'ä'", "'0'", "'1'", "'01'", "'1abc'", "'1.50'", "'2024-05-06'", "'true'", uuidText)},
	{typ: "VARCHAR(200) COLLATE utf8mb4_bin", literals: lits("'a'", "'A'", "'a '", "'0'", "'1'", "'1.0'")},
	{typ: "VARCHAR(200) COLLATE utf8mb4_nopad_bin", literals: lits("'a'", "'A'", "'a '")},
	{typ: "VARCHAR(200) COLLATE utf8mb4_unicode_ci", literals: lits("'a'", "'A'", "'ss'", "'ß'")},
	{typ: "VARCHAR(200) CHARACTER SET latin1", literals: lits("'a'", "'é'")},
	{typ: "VARCHAR(200) CHARACTER SET ascii", literals: lits("'a'", "'A'")},
	{typ: "TINYTEXT", keyless: true, literals: lits("'a'")},
	{typ: "TEXT", keyless: true, literals: lits("''", "'a'", "'A'", "'1'", "'1abc'", "'{\"a\":1}'")},
	{typ: "MEDIUMTEXT", keyless: true, literals: lits("'a'")},
	{typ: "LONGTEXT", keyless: true, literals: lits("'a'")},
	{typ: "ENUM('a','b','1','0','')", literals: lits("'a'", "'b'", "'1'", "'0'", "''")},
	{typ: "SET('x','y','z')", literals: lits("''", "'x'", "'x,z'")},
	{typ: "BINARY(4)", rounds: true, literals: lits("'a'", "X'00000000'", "X'FF000001'")},
	{typ: "BINARY(16)", rounds: true, literals: lits(uuidBytes, "X'61'")},
	{typ: "VARBINARY(255)", literals: lits("''", "'a'", "'A'", "X'FF00'", uuidBytes, uuidText, "'1'")},
	{typ: "TINYBLOB", keyless: true, literals: lits("'a'", uuidBytes)},
	{typ: "BLOB", keyless: true, literals: lits("''", "'a'", "X'FF00'", uuidBytes, uuidText)},
	{typ: "MEDIUMBLOB", keyless: true, literals: lits("'a'")},
	{typ: "LONGBLOB", keyless: true, literals: lits("'a'", uuidBytes)},
	{typ: "JSON", keyless: true, literals: lits("'{\"a\": 1}'", "'null'", "'[1, 2]'", "'1'")},
	{typ: "DATE", rounds: true, literals: lits("'2024-05-06'", "'1000-01-01'", "'9999-12-31'", "'0001-01-01'", "'0000-00-00'", "'2024-00-00'")},
	{typ: "DATETIME", rounds: true, literals: lits("'2024-05-06 07:08:09'", "'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'", "'0001-01-01 00:00:00'", "'0000-00-00 00:00:00'", "'2024-05-00 01:02:03'")},
	{typ: "DATETIME(3)", rounds: true, literals: lits("'2024-05-06 07:08:09.123'", "'2024-05-06 07:08:09'")},
	{typ: "DATETIME(6)", literals: lits("'2024-05-06 07:08:09.123456'", "'2024-05-06 07:08:09.5'", "'2024-05-06 07:08:09'", "'0000-00-00 00:00:00'")},
	{typ: "TIMESTAMP NULL", rounds: true, literals: lits("'2024-05-06 07:08:09'", "'1970-01-01 00:00:01'", "0")},
	{typ: "TIMESTAMP(6) NULL", rounds: true, literals: lits("'2024-05-06 07:08:09.123456'", "'2024-05-06 07:08:09'")},
	{typ: "TIME", rounds: true, literals: lits("'07:08:09'", "'-838:59:59'", "'838:59:59'", "'00:00:00'")},
	{typ: "TIME(6)", rounds: true, literals: lits("'07:08:09.5'", "'07:08:09.123456'")},
	{typ: "UUID", literals: lits(uuidText, "'00000000-0000-0000-0000-000000000000'")},
	{typ: "INET6", literals: lits("'::1'", "'2001:db8::1'", "'::ffff:10.0.0.1'")},
	{typ: "INET4", literals: lits("'10.0.0.1'", "'0.0.0.0'")},
	{typ: "POINT", keyless: true, literals: lits("ST_GeomFromText('POINT(1 2)')")},
}

var postgresColumns = []column{
	{typ: "SMALLINT", literals: lits("0", "-32768", "32767")},
	{typ: "INTEGER", literals: lits("0", "1", "-2147483648", "2147483647")},
	{typ: "BIGINT", literals: lits("0", "1", "-9223372036854775808", "9223372036854775807", "9007199254740993")},
	{typ: "SERIAL", literals: lits("1", "2147483647")},
	{typ: "NUMERIC", literals: lits("0", "1", "1.0", "1.50", "9007199254740993", "18446744073709551615", "'NaN'", "1e100", "0.000000000000000000001")},
	{typ: "NUMERIC(5,0)", rounds: true, literals: lits("0", "99999")},
	{typ: "NUMERIC(10,2)", rounds: true, literals: lits("0", "12.50", "-99999999.99")},
	{typ: "NUMERIC(20,4)", rounds: true, literals: lits("1.2345", "9007199254740993.0001")},
	{typ: "NUMERIC(38,18)", rounds: true, literals: lits("1.000000000000000001", "1.000000000000000002")},
	{typ: "REAL", rounds: true, literals: lits("0", "1.5", "3.3", "0.1", "'NaN'", "'Infinity'")},
	{typ: "DOUBLE PRECISION", literals: lits("0", "3.3", "0.1", "1e300", "'NaN'", "'-Infinity'", "9007199254740993")},
	{typ: "MONEY", rounds: true, literals: lits("0", "12.5", "-1234567.89")},
	{typ: "TEXT", literals: lits("''", "'a'", "'A'", "'a '", "'1'", "'1abc'", "'2024-05-06'", "'true'", "'{\"a\":1}'", uuidText, "'{}'")},
	{typ: "VARCHAR(40)", literals: lits("'a'", "'a '", uuidText)},
	{typ: "CHAR(10)", rounds: true, literals: lits("'a'", "'ab'", "''")},
	{typ: "CHAR(36)", rounds: true, literals: lits(uuidText, "'a'")},
	{typ: `"char"`, rounds: true, literals: lits("'a'", "'b'")},
	{typ: "NAME", literals: lits("'a'")},
	{typ: "CITEXT", literals: lits("'a'", "'A'", "'b'")},
	{typ: "mood", literals: lits("'sad'", "'ok'")},
	{typ: "BYTEA", literals: lits(`'\x'`, `'\x61'`, `'\xff00'`, `'\x0192fe00102070408050607`+`0ff610001'`)},
	{typ: "BIT(8)", literals: lits("B'00000000'", "B'10101010'")},
	{typ: "BIT VARYING(20)", literals: lits("B''", "B'101'")},
	{typ: "BOOLEAN", literals: lits("true", "false")},
	{typ: "UUID", literals: lits(uuidText)},
	{typ: "JSON", keyless: true, literals: lits(`'{"a": 1}'`, "'null'", "'[1, 2]'", "'1'")},
	{typ: "JSONB", literals: lits(`'{"a": 1}'`, "'null'", "'[1, 2]'", "'12345678901234567890'")},
	{typ: "DATE", rounds: true, literals: lits("'2024-05-06'", "'0001-01-01'", "'9999-12-31'", "'infinity'", "'0044-03-15 BC'", "'10000-01-01'")},
	{typ: "TIMESTAMP", literals: lits("'2024-05-06 07:08:09'", "'2024-05-06 07:08:09.123456'", "'infinity'", "'0001-01-01 00:00:00'")},
	{typ: "TIMESTAMP(0)", rounds: true, literals: lits("'2024-05-06 07:08:09'")},
	{typ: "TIMESTAMP(3)", rounds: true, literals: lits("'2024-05-06 07:08:09.123'")},
	{typ: "TIMESTAMPTZ", literals: lits("'2024-05-06 07:08:09+00'", "'2024-05-06 07:08:09.5+02'", "'-infinity'", "'9999-12-31 23:59:59.999999+00'")},
	{typ: "TIMESTAMPTZ(0)", rounds: true, literals: lits("'2024-05-06 07:08:09+00'")},
	{typ: "TIME", literals: lits("'07:08:09'", "'24:00:00'", "'00:00:00.5'")},
	{typ: "TIMETZ", literals: lits("'07:08:09+02'", "'05:08:09+00'")},
	{typ: "INTERVAL", literals: lits("'1 day'", "'24:00:00'", "'1 mon -2 days 03:04:05.5'")},
	{typ: "INET", literals: lits("'10.0.0.1'", "'10.0.0.0/8'", "'::1'")},
	{typ: "CIDR", literals: lits("'10.0.0.0/8'")},
	{typ: "MACADDR", literals: lits("'08:00:2b:01:02:03'")},
	{typ: "MACADDR8", literals: lits("'08:00:2b:01:02:03:04:05'")},
	{typ: "INT[]", literals: lits("'{}'", "'{1,2}'", "'{1,NULL}'", "'{{1,2},{3,4}}'")},
	{typ: "BIGINT[]", literals: lits("'{9223372036854775807}'")},
	{typ: "TEXT[]", literals: lits("'{}'", `'{a,"b,c","\"",NULL}'`, `'{""}'`)},
	{typ: "NUMERIC[]", literals: lits("'{1.50}'")},
	{typ: "BOOLEAN[]", literals: lits("'{t,f}'")},
	{typ: "UUID[]", literals: lits("'{0192fe00-1020-7040-8050-6070ff610001}'")},
	{typ: "FLOAT8[]", literals: lits("'{0.1,NaN}'")},
	{typ: "TIMESTAMPTZ[]", literals: lits(`'{"2024-05-06 07:08:09+00"}'`)},
	{typ: "DATE[]", literals: lits("'{2024-05-06}'")},
	{typ: "BYTEA[]", literals: lits(`'{"\\x61"}'`)},
	{typ: "INT4RANGE", literals: lits("'[1,5)'", "'empty'")},
	{typ: "NUMRANGE", literals: lits("'[1.5,2]'")},
	{typ: "TSTZRANGE", literals: lits(`'["2024-05-06 07:08:09+00",)'`)},
	{typ: "DATERANGE", literals: lits("'[2024-05-06,2024-05-07)'")},
	{typ: "INT4MULTIRANGE", literals: lits("'{[1,2),[5,7)}'")},
	{typ: "TSVECTOR", literals: lits("'a fat cat'")},
	{typ: "TSQUERY", literals: lits("'a & b'")},
	{typ: "XML", keyless: true, literals: lits("'<a>1</a>'")},
	{typ: "POINT", keyless: true, literals: lits("'(1,2)'")},
	{typ: "OID", literals: lits("0", "4294967295")},
	{typ: "PG_LSN", literals: lits("'16/B374D848'")},
	{typ: "shout", literals: lits("'A'")},
	{typ: "small", literals: lits("1")},
	{typ: "pair", literals: lits("'(1,a)'")},
	{typ: "HSTORE", keyless: true, literals: lits("'a=>1'")},
	{typ: "LTREE", literals: lits("'a.b'")},
}

// before is what a database needs before the columns.
var before = map[string][]string{
	"postgres": {
		"CREATE EXTENSION citext", "CREATE EXTENSION hstore", "CREATE EXTENSION ltree", "CREATE TYPE mood AS ENUM ('sad', 'ok')",
		"CREATE DOMAIN shout AS text CHECK (VALUE = upper(VALUE))", "CREATE DOMAIN small AS int CHECK (VALUE < 10)", "CREATE TYPE pair AS (a int, b text)",
	},
}

// name is the column type as the page of types has it.
func (c column) name() string {
	switch {
	case c.strict:
		return c.typ + ", in a STRICT table"
	case c.typ == "":
		return "(no type)"
	}
	return c.typ
}

func columnsOf(dialect string) []column {
	return map[string][]column{"sqlite": sqliteColumns, "mysql": mysqlColumns, "postgres": postgresColumns}[dialect]
}

// storedText is SQL for all of what is stored, as text.
func storedText(dialect string, c column) string {
	switch dialect {
	case "sqlite":
		return "typeof(v) || ':' || CASE typeof(v) WHEN 'real' THEN printf('%!.17g', v) WHEN 'integer' THEN CAST(v AS TEXT) ELSE hex(v) END"
	case "mysql":
		switch c.typ {
		case "FLOAT", "DOUBLE":
			return "CAST(v + 0e0 AS CHAR)"
		case "POINT":
			return "HEX(v)"
		}
		return "HEX(CAST(v AS BINARY))"
	}
	return "v::text"
}
