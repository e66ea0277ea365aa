package dialect

// SchemaColumns selects the columns of a table or view, in their order. Its argument is on
// PostgreSQL the table's name, quoted as in SQL; on the others first the schema ("" for
// the one of the connection), then the name. No rows are no table. A row has
//
//	name, type (small letters, without length), full (the type as it is written),
//	nullable (1 or 0), filled (1: the database has a value of its own for it),
//	generated (1: it cannot be written), place in the primary key (from 1 on, or 0),
//	length (of text, -1 without a bound), digits (of a second's fraction, -1 if it has none)
func (d *Dialect) SchemaColumns() string {
	switch d {
	case Postgres:
		return `SELECT a.attname, COALESCE(b.typname, t.typname), pg_catalog.format_type(a.atttypid, a.atttypmod),
	CASE WHEN a.attnotnull OR t.typnotnull THEN 0 ELSE 1 END,
	CASE WHEN a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL THEN 1 ELSE 0 END,
	CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a' THEN 1 ELSE 0 END,
	COALESCE((SELECT n FROM pg_catalog.generate_series(1, i.indnkeyatts::int) AS n WHERE i.indkey[n - 1] = a.attnum), 0),
	CASE WHEN COALESCE(b.typname, t.typname) IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE -1 END,
	CASE WHEN COALESCE(b.typname, t.typname) IN ('timestamp', 'timestamptz', 'time', 'timetz') THEN CASE WHEN a.atttypmod < 0 THEN 6 ELSE a.atttypmod END ELSE -1 END
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type AS b ON b.oid = t.typbasetype AND t.typtype = 'd'
LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`
	case MySQL:
		return "SELECT c.COLUMN_NAME, LOWER(c.DATA_TYPE), LOWER(c.COLUMN_TYPE), c.IS_NULLABLE = 'YES'," +
			" (c.COLUMN_DEFAULT IS NOT NULL AND c.COLUMN_DEFAULT <> 'NULL') OR c.EXTRA LIKE '%auto_increment%' OR c.EXTRA LIKE '%GENERATED%'," +
			" c.EXTRA LIKE '%GENERATED%' AND c.EXTRA NOT LIKE '%DEFAULT_GENERATED%', COALESCE(k.ORDINAL_POSITION, 0)," +
			" COALESCE(CASE WHEN c.CHARACTER_MAXIMUM_LENGTH < 1000000 THEN c.CHARACTER_MAXIMUM_LENGTH END, -1), COALESCE(c.DATETIME_PRECISION, -1)" +
			" FROM information_schema.COLUMNS AS c LEFT JOIN information_schema.KEY_COLUMN_USAGE AS k" +
			" ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME AND k.COLUMN_NAME = c.COLUMN_NAME AND k.CONSTRAINT_NAME = 'PRIMARY'" +
			" WHERE c.TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND c.TABLE_NAME = ? ORDER BY c.ORDINAL_POSITION"
	default:
		return `SELECT name, LOWER(CASE WHEN INSTR(type, '(') > 0 THEN TRIM(SUBSTR(type, 1, INSTR(type, '(') - 1)) ELSE type END), LOWER(type),
	CASE WHEN "notnull" OR pk THEN 0 ELSE 1 END,
	CASE WHEN dflt_value IS NOT NULL OR hidden IN (2, 3) OR pk = 1 AND UPPER(type) = 'INTEGER' AND MAX(pk) OVER () = 1 THEN 1 ELSE 0 END,
	CASE WHEN hidden IN (2, 3) THEN 1 ELSE 0 END, pk, -1, -1
FROM (SELECT ? AS of_schema, ? AS of_table) AS wanted
JOIN pragma_table_xinfo(wanted.of_table, CASE WHEN wanted.of_schema = '' THEN 'main' ELSE wanted.of_schema END) AS c
WHERE hidden <> 1 ORDER BY cid`
	}
}
