package lex_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

func TestWithoutLiterals_ShowsNoValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d          *dialect.Dialect
		text, want string
	}{
		{dialect.Postgres, `SELECT * FROM "t" WHERE a = 'x''y' AND b = 12.5e-7 AND c2 = $1`, `SELECT * FROM "t" WHERE a = ? AND b = ? AND c2 = $1`},
		{dialect.Postgres, `SELECT $tag$secret$tag$, E'it\'s', X'ab', 0xff, .5, -3`, `SELECT ?, ?, X?, ?, .?, -?`},
		{dialect.Postgres, "SELECT 1 -- secret\n , 2 /* secret */", "SELECT ? , ?"},
		{dialect.MySQL, "SELECT `a`.`b`, \"secret\", 'it\\'s', 5e+3 FROM t1 # secret", "SELECT `a`.`b`, ?, ?, ? FROM t1"},
		{dialect.SQLite, `SELECT "a", [b], 'secret' FROM t WHERE x IN (1, 2,3)`, `SELECT "a", [b], ? FROM t WHERE x IN (?, ?,?)`},
		{dialect.SQLite, `SELECT 'secret`, `SELECT ?`},
		{dialect.SQLite, ``, ``},
	} {
		require.Equal(t, c.want, lex.WithoutLiterals(c.text, c.d), c.text)
	}
}

func FuzzWithoutLiterals(f *testing.F) {
	f.Add("SELECT 'a', 1.5e-7, \"b\" -- c")
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.MySQL, dialect.SQLite} {
			left := lex.New(lex.WithoutLiterals(text, d), d)
			for token := left.Next(); token.Kind != lex.End; token = left.Next() {
				require.NotContains(t, "'0123456789", token.Text[:1], "%s: %s", d.Name, token.Text)
			}
		}
	})
}
