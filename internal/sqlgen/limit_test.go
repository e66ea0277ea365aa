package sqlgen

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// However many limits callers come up with, a query has few texts.
func TestLimit_IsAnArgumentUnlessPostgresPlansByIt(t *testing.T) {
	t.Parallel()
	for d, most := range map[*dialect.Dialect]int{dialect.Postgres: 17, dialect.MySQL: 1, dialect.SQLite: 1} {
		texts := map[string]bool{}
		for n := range int64(20_000) {
			q := From("t").WithLimit(n)
			text, args, err := Select(&q, env(d, nil))
			require.NoError(t, err)
			texts[text] = true
			if strings.HasSuffix(text, " LIMIT ?") || strings.HasSuffix(text, " LIMIT $1") {
				require.Equal(t, []any{n}, args)
			} else {
				require.Empty(t, args)
			}
		}
		require.Len(t, texts, most, d.Name)
		require.Equal(t, d == dialect.Postgres, texts[`SELECT * FROM "t" LIMIT 100`])
	}
}
