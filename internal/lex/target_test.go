package lex_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/lex"
)

func TestTarget_IsTheOneTableThatIsWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"INSERT INTO t VALUES (1)":                  {"", "t"},
		"insert ignore `a``b`.`c.d` (x) VALUES (1)": {"a`b", "c.d"},
		"REPLACE LOW_PRIORITY INTO s.t SET a = 1":   {"s", "t"},
		"UPDATE t AS u SET a = 1":                   {"", "t"},
		"UPDATE t, u SET t.a = 1":                   {},
		"UPDATE t JOIN u ON t.a = u.a SET t.a = 1":  {},
		"UPDATE (SELECT 1) x SET a = 1":             {},
		"DELETE FROM t":                             {},
		"CALL p()":                                  {},
		"WITH a AS (SELECT 1) UPDATE t SET a = 1":   {},
		"INSERT":          {},
		"INSERT INTO 'x'": {},
	} {
		schema, table := lex.Target(text, my)
		require.Equal(t, want, [2]string{schema, table}, text)
	}
}
