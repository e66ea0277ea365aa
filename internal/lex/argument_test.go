package lex_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// truth 411
func TestArgument_IsForTheColumnBeforeIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text          string
		n             int
		d             *dialect.Dialect
		table, column string
	}{
		{`INSERT INTO "t" ("a", "b") VALUES ($1, $2), ($3, $4) RETURNING "id"`, 4, dialect.Postgres, "t", "b"},
		{`INSERT INTO "s"."t" ("a", "b") VALUES ($1, $2)`, 1, dialect.Postgres, "s.t", "a"},
		{"UPDATE `t` SET `a` = ?, `b``c` = ? WHERE `id` = ?", 2, dialect.MySQL, "t", "b`c"},
		{"UPDATE `t` SET `a` = ? WHERE (`id` = ? OR `id` = UNHEX(?))", 3, dialect.MySQL, "t", "id"},
		{`SELECT "id", "v" FROM "t" WHERE "v" IN (?, ?)`, 2, dialect.SQLite, "t", "v"},
		{`SELECT "id" FROM "t" WHERE "v" BETWEEN $1 AND $2 AND "w" = $3`, 2, dialect.Postgres, "t", "v"},
		{`SELECT "id" FROM "t" WHERE "v" BETWEEN $1 AND $2 AND "w" = $3`, 3, dialect.Postgres, "t", "w"},
		{`SELECT "id" FROM "t" WHERE "v" = $1 AND (n = $2)`, 2, dialect.Postgres, "t", ""},
		{`SELECT "id" FROM "t" WHERE (n IN ($1, $2))`, 2, dialect.Postgres, "t", ""},
		{`SELECT "id", n + $1 FROM "t"`, 1, dialect.Postgres, "t", ""},
		{`SELECT "id" FROM "t" WHERE "v" = $1 ORDER BY "v" LIMIT $2`, 2, dialect.Postgres, "t", ""},
		{`SELECT "id", n + $1 FROM "s"."t" AS "u"`, 1, dialect.Postgres, "s.t", ""},
		{`SELECT CASE WHEN "a" = $1 THEN "b" WHEN n > $2 THEN 1 END FROM "t"`, 2, dialect.Postgres, "t", ""},
		{`INSERT INTO "t" ("a", "b") VALUES ($1, $2) ON CONFLICT ("a") DO UPDATE SET "b" = "t"."b" + $3`, 3, dialect.Postgres, "t", "b"},
		{"INSERT INTO `t` (`a`, `b`) VALUES (?, ?), (?, ?) ON DUPLICATE KEY UPDATE `b` = ?", 5, dialect.MySQL, "t", "b"},
		{`INSERT INTO "t" ("a", "b") SELECT $1, $2 FROM "u" WHERE "c" = $3`, 2, dialect.Postgres, "t", "b"},
		{`INSERT INTO "t" ("a", "b") SELECT $1, $2 FROM "u" WHERE "c" = $3`, 3, dialect.Postgres, "t", "c"},
		{`DELETE FROM "t"`, 1, dialect.SQLite, "t", ""},
		{`SELECT 1`, 1, dialect.SQLite, "", ""},
	} {
		table, column := lex.Argument(c.text, c.n, c.d)
		require.Equal(t, c.table, table, c.text)
		require.Equal(t, c.column, column, c.text)
	}
}
