package lex_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// truth 203
func TestHasStar(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"SELECT * FROM t":                                 true,
		"SELECT DISTINCT * FROM t":                        true,
		"select /* a */ t.* from t":                       true,
		"SELECT a, * FROM t":                              true,
		"DELETE FROM t RETURNING *":                       true,
		"SELECT * FROM (SELECT a FROM t)":                 true,
		"COUNT(*) AS n":                                   false,
		"a * b AS n":                                      false,
		"2 * a, (b)* c, 'x' * 1":                          false,
		"SELECT a FROM (SELECT * FROM t)":                 false,
		"WITH x AS (SELECT * FROM t) SELECT a * 2 FROM x": false,
		"'*', a -- , *":                                   false,
		"":                                                false,
	} {
		for _, d := range []*dialect.Dialect{dialect.SQLite, dialect.Postgres, dialect.MySQL} {
			require.Equal(t, want, lex.HasStar(text, d), "%s: %s", d.Name, text)
			if list, ok := strings.CutPrefix(text, "SELECT "); ok {
				require.Equal(t, want, lex.ListHasStar(list, d), "%s: %s", d.Name, list)
			}
		}
	}
}
