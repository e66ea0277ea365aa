package sqlgen

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// sealed is a table whose column ssn is encrypted and has a blind index.
type sealed struct{ known }

func (sealed) Blinded(column string) bool { return lastPart(column) == "ssn" }

func (sealed) Blind(_ string, v any, list bool) (string, any, error) {
	if list {
		return "ssn_blind", v, nil
	}
	return "ssn_blind", []any{"old", v}, nil // with two keys
}

func TestBlind_ComparesWithTheIndexAlone(t *testing.T) {
	t.Parallel()
	table := sealed{known{"id", "ssn", "ssn_blind"}}
	for c, want := range map[*Cond]string{
		new(Compare("ssn", Eq, "x")):          `SELECT "id", "ssn", "ssn_blind" FROM "users" WHERE "ssn_blind" IN (?, ?)`,
		new(Compare("ssn", NotEq, "x")):       `SELECT "id", "ssn", "ssn_blind" FROM "users" WHERE "ssn_blind" NOT IN (?, ?)`,
		new(Compare("users.ssn", Eq, "x")):    `SELECT "id", "ssn", "ssn_blind" FROM "users" WHERE "users"."ssn_blind" IN (?, ?)`,
		new(Compare("ssn", In, []any{"x"})):   `SELECT "id", "ssn", "ssn_blind" FROM "users" WHERE "ssn_blind" IN (?)`,
		new(Compare("ssn_blind", Eq, "told")): `SELECT "id", "ssn", "ssn_blind" FROM "users" WHERE "ssn_blind" = ?`,
	} {
		text, _, err := Select(new(From("users").WithCond(*c)), env(dialect.SQLite, table))
		require.NoError(t, err)
		require.Equal(t, want, text)
	}
	_, _, err := Select(new(From("users").WithCond(Compare("ssn", Gt, "x"))), env(dialect.SQLite, table))
	require.Error(t, err)
}
