package dialect

import "cmp"

// What the databases say of their own tables. A statement about one table takes on
// PostgreSQL the table's name, quoted as in SQL; on the others first the schema ("" for the
// one of the connection), then the name.

// SchemaColumns selects the columns of a table or view, in their order. No rows are no
// table. A row has
//
//	name, type (small letters, without length), full (the type as it is written),
//	nullable (1 or 0), filled (1: the database has a value of its own for it),
//	generated (1: it cannot be written), place in the primary key (from 1 on, or 0),
//	length (of text, -1 without a bound), digits (of a second's fraction, -1 if it has none),
//	element (the type of an array's elements, or "", with [] behind it for one of arrays),
//	default (as SQL, or ""), comment,
//	viewed (1: it is a column of a view)
func (d *Dialect) SchemaColumns() string {
	switch d {
	case Postgres:
		return `SELECT a.attname, COALESCE(b.typname, t.typname), pg_catalog.format_type(a.atttypid, a.atttypmod) || pg_catalog.repeat('[]', a.attndims - 1),
	CASE WHEN a.attnotnull OR t.typnotnull THEN 0 ELSE 1 END,
	CASE WHEN a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL THEN 1 ELSE 0 END,
	CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a' THEN 1 ELSE 0 END,
	COALESCE((SELECT n FROM pg_catalog.generate_series(1, i.indnkeyatts::int) AS n WHERE i.indkey[n - 1] = a.attnum), 0),
	CASE WHEN COALESCE(b.typname, t.typname) IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 ELSE -1 END,
	CASE WHEN COALESCE(b.typname, t.typname) IN ('timestamp', 'timestamptz', 'time', 'timetz') THEN CASE WHEN a.atttypmod < 0 THEN 6 ELSE a.atttypmod END ELSE -1 END,
	COALESCE(e.typname || pg_catalog.repeat('[]', a.attndims - 1), ''), COALESCE(pg_catalog.pg_get_expr(f.adbin, f.adrelid), t.typdefault, ''),
	COALESCE(pg_catalog.col_description(a.attrelid, a.attnum), ''), CASE WHEN r.relkind IN ('v', 'm') THEN 1 ELSE 0 END
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS r ON r.oid = a.attrelid
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type AS b ON b.oid = t.typbasetype AND t.typtype = 'd'
LEFT JOIN pg_catalog.pg_type AS e ON e.oid = COALESCE(b.typelem, t.typelem) AND COALESCE(b.typcategory, t.typcategory) = 'A'
LEFT JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = pg_catalog.to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`
	case MySQL:
		// MariaDB keeps JSON in a LONGTEXT with a check; only it has the column of tables there.
		// Where it keeps what rows were, each key has the end of the row, too.
		return "SELECT c.COLUMN_NAME, CASE WHEN FALSE /*M!100300 OR c.DATA_TYPE = 'longtext' AND EXISTS (SELECT 1 FROM information_schema.CHECK_CONSTRAINTS AS x" +
			" WHERE x.CONSTRAINT_SCHEMA = c.TABLE_SCHEMA AND x.TABLE_NAME = c.TABLE_NAME AND x.CHECK_CLAUSE = CONCAT('json_valid(`', c.COLUMN_NAME, '`)')) */ THEN 'json' ELSE LOWER(c.DATA_TYPE) END," +
			" LOWER(c.COLUMN_TYPE), c.IS_NULLABLE = 'YES'," +
			" (c.COLUMN_DEFAULT IS NOT NULL AND c.COLUMN_DEFAULT <> 'NULL') OR c.EXTRA LIKE '%auto_increment%' OR c.EXTRA LIKE '%GENERATED%'," +
			" c.EXTRA LIKE '%GENERATED%' AND c.EXTRA NOT LIKE '%DEFAULT_GENERATED%', CASE WHEN c.GENERATION_EXPRESSION = 'ROW END' THEN 0 ELSE COALESCE(k.ORDINAL_POSITION, 0) END," +
			" COALESCE(CASE WHEN c.CHARACTER_MAXIMUM_LENGTH < 1000000 THEN c.CHARACTER_MAXIMUM_LENGTH END, -1), COALESCE(c.DATETIME_PRECISION, -1)," +
			" '', COALESCE(NULLIF(c.COLUMN_DEFAULT, 'NULL'), ''), c.COLUMN_COMMENT," +
			" EXISTS (SELECT 1 FROM information_schema.VIEWS AS v WHERE v.TABLE_SCHEMA = c.TABLE_SCHEMA AND v.TABLE_NAME = c.TABLE_NAME)" +
			" FROM information_schema.COLUMNS AS c LEFT JOIN information_schema.KEY_COLUMN_USAGE AS k" +
			" ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME AND k.COLUMN_NAME = c.COLUMN_NAME AND k.CONSTRAINT_NAME = 'PRIMARY'" +
			" WHERE c.TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND c.TABLE_NAME = ? ORDER BY c.ORDINAL_POSITION"
	default:
		return `SELECT c.name, LOWER(CASE WHEN INSTR(type, '(') > 0 THEN TRIM(SUBSTR(type, 1, INSTR(type, '(') - 1)) ELSE type END), LOWER(type),
	CASE WHEN "notnull" OR pk THEN 0 ELSE 1 END,
	CASE WHEN dflt_value IS NOT NULL OR hidden IN (2, 3) OR pk = 1 AND UPPER(type) = 'INTEGER' AND MAX(pk) OVER () = 1 THEN 1 ELSE 0 END,
	CASE WHEN hidden IN (2, 3) THEN 1 ELSE 0 END, pk, -1, -1, '', COALESCE(dflt_value, ''), '',
	EXISTS (SELECT 1 FROM pragma_table_list AS l WHERE l.schema = d.name AND l.name = wanted.of_table COLLATE NOCASE AND l.type = 'view')
FROM (SELECT COALESCE(NULLIF(?, ''), 'main') AS of_schema, ? AS of_table) AS wanted
CROSS JOIN pragma_database_list AS d
CROSS JOIN pragma_table_xinfo(wanted.of_table, d.name) AS c
WHERE d.name = wanted.of_schema COLLATE NOCASE AND hidden <> 1 ORDER BY cid`
	}
}

// SchemaIndexes selects the columns of the indexes of a table, in order of index and
// place. Indexes that find no equal values, such as those of texts and places, are left
// out, and so is SQLite's own order of rows by an INTEGER PRIMARY KEY. A row has
//
//	index, unique (1 or 0), partial (1: of some rows only), whole (1: NULLs are equal, too),
//	deferrable (1: of a constraint that may be looked at when a transaction ends),
//	place (from 1 on), column ("" for an expression)
func (d *Dialect) SchemaIndexes() string {
	switch d {
	case Postgres:
		return `SELECT x.relname, CASE WHEN i.indisunique THEN 1 ELSE 0 END, CASE WHEN i.indpred IS NULL THEN 0 ELSE 1 END,
	CASE WHEN pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct' = 'true' THEN 1 ELSE 0 END, CASE WHEN i.indimmediate THEN 0 ELSE 1 END, n.n, COALESCE(a.attname, '')
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_am AS m ON m.oid = x.relam AND m.amname IN ('btree', 'hash')
CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnkeyatts::int) AS n(n)
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[n.n - 1] AND a.attnum <> 0
WHERE i.indrelid = pg_catalog.to_regclass($1) AND i.indisvalid ORDER BY x.relname COLLATE "C", n.n`
	case MySQL:
		// The end of a row is behind the columns of each unique index where MariaDB keeps what
		// rows were, also as a column that is not shown.
		return "SELECT s.INDEX_NAME, s.NON_UNIQUE = 0, 0, 0, 0, s.SEQ_IN_INDEX, COALESCE(s.COLUMN_NAME, '') FROM information_schema.STATISTICS AS s" +
			" LEFT JOIN information_schema.COLUMNS AS c ON c.TABLE_SCHEMA = s.TABLE_SCHEMA AND c.TABLE_NAME = s.TABLE_NAME AND c.COLUMN_NAME = s.COLUMN_NAME" +
			" WHERE s.TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND s.TABLE_NAME = ? AND s.INDEX_TYPE IN ('BTREE', 'HASH') AND NOT (s.NON_UNIQUE = 0 AND s.SEQ_IN_INDEX > 1" +
			" AND s.COLUMN_NAME IS NOT NULL AND (c.COLUMN_NAME IS NULL OR COALESCE(c.GENERATION_EXPRESSION, '') = 'ROW END')) ORDER BY s.INDEX_NAME, s.SEQ_IN_INDEX"
	default:
		return `SELECT i.name, i."unique", i.partial, 0, 0, x.seqno + 1, COALESCE(x.name, '')
FROM (SELECT COALESCE(NULLIF(?, ''), 'main') AS of_schema, ? AS of_table) AS wanted
JOIN pragma_index_list(wanted.of_table, wanted.of_schema) AS i
JOIN pragma_index_xinfo(i.name, wanted.of_schema) AS x
WHERE x.key ORDER BY i.name, x.seqno`
	}
}

// SchemaForeignKeys selects the columns of the foreign keys of a table. A row has
//
//	key, place (from 1 on), column, and what it refers to: schema ("" for that of the
//	table), table, column ("" for that of the primary key at this place)
func (d *Dialect) SchemaForeignKeys() string {
	switch d {
	case Postgres:
		return `SELECT k.conname, n.n, a.attname, CASE WHEN r.relnamespace = o.relnamespace THEN '' ELSE s.nspname END, r.relname, b.attname
FROM pg_catalog.pg_constraint AS k
CROSS JOIN LATERAL pg_catalog.generate_subscripts(k.conkey, 1) AS n(n)
JOIN pg_catalog.pg_class AS o ON o.oid = k.conrelid
JOIN pg_catalog.pg_class AS r ON r.oid = k.confrelid
JOIN pg_catalog.pg_namespace AS s ON s.oid = r.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[n.n]
JOIN pg_catalog.pg_attribute AS b ON b.attrelid = k.confrelid AND b.attnum = k.confkey[n.n]
WHERE k.conrelid = pg_catalog.to_regclass($1) AND k.contype = 'f' AND k.conparentid = 0 ORDER BY k.conname COLLATE "C", n.n`
	case MySQL:
		return "SELECT CONSTRAINT_NAME, ORDINAL_POSITION, COLUMN_NAME, CASE WHEN REFERENCED_TABLE_SCHEMA = TABLE_SCHEMA THEN '' ELSE REFERENCED_TABLE_SCHEMA END," +
			" REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE" +
			" WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_NAME = ? AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY CONSTRAINT_NAME, ORDINAL_POSITION"
	default:
		return `SELECT CAST(k.id AS TEXT), k.seq + 1, k."from", '', k."table", COALESCE(k."to", '')
FROM (SELECT COALESCE(NULLIF(?, ''), 'main') AS of_schema, ? AS of_table) AS wanted
JOIN pragma_foreign_key_list(wanted.of_table, wanted.of_schema) AS k ORDER BY k.id, k.seq`
	}
}

// SchemaTables selects the tables and views of a schema ("" for the one of the
// connection), in order of name: those of the database itself, of its extensions and of
// other tables' insides are left out. A row has
//
//	name, viewed (1: it is a view), comment
func (d *Dialect) SchemaTables() string {
	switch d {
	case Postgres:
		return `SELECT c.relname, CASE WHEN c.relkind IN ('v', 'm') THEN 1 ELSE 0 END, COALESCE(pg_catalog.obj_description(c.oid, 'pg_class'), '')
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = COALESCE(NULLIF($1, ''), pg_catalog.current_schema()) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
	AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend AS e WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY c.relname COLLATE "C"`
	case MySQL:
		return "SELECT TABLE_NAME, TABLE_TYPE = 'VIEW', CASE WHEN TABLE_TYPE = 'VIEW' THEN '' ELSE TABLE_COMMENT END FROM information_schema.TABLES" +
			" WHERE TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW') ORDER BY BINARY TABLE_NAME"
	default:
		return `SELECT name, type = 'view', '' FROM pragma_table_list
WHERE schema = COALESCE(NULLIF(?, ''), 'main') AND type IN ('table', 'view', 'virtual') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name`
	}
}

// SchemaDefinition selects the statement that made a table, by its name; schema is that of the
// table, quoted as in SQL, "" for the connection's. Of other databases than SQLite it is "".
func (d *Dialect) SchemaDefinition(schema string) string {
	if d != SQLite {
		return ""
	}
	return "SELECT sql FROM " + cmp.Or(schema, "main") + ".sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
}
