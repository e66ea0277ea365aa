package sqlgen

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

func TestOwned_TablesHaveTheOwnersSchema(t *testing.T) {
	t.Parallel()
	e := env(dialect.Postgres, users)
	e.Owned = func(table string) (*Owner, error) {
		if table == "shared" {
			return nil, nil
		}
		return &Owner{Schema: "acme"}, nil
	}
	for q, want := range map[*Query]string{
		new(From("users")):     `FROM "acme"."users"`,
		new(From("all.users")): `FROM "all"."users"`,
		new(From("shared")):    `FROM "shared"`,
	} {
		text, _, err := Select(q, e)
		require.NoError(t, err)
		require.Contains(t, text, want)
	}
}
