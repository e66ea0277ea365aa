package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A question mark is a placeholder where the database itself would look for one:
// not in what it takes for a text, a name or a comment.
func TestRaw_PlaceholdersAreWhereTheDatabaseHasThem(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		require.NoError(t, accounts.CreateMany(t.Context(), []conformance.Account{{Owner: "a", Balance: 1}, {Owner: "b", Balance: 2}}))
		all := map[string][]any{ // true of b alone
			"balance = ?":                           {2},
			"balance = ? /* ? */":                   {2},
			"balance = /* it's ? */ ?":              {2},
			"balance = ? -- ?\n":                    {2},
			"balance = ?\n-- it's\n AND owner <> ?": {2, "a?"},
			"owner <> '?' AND balance = ?":          {2},
			"owner <> 'it''s ?' AND balance = ?":    {2},
			"owner = ? AND owner <> ''":             {"b"},
		}
		own := map[string]map[string][]any{
			"postgres": {
				"owner <> $$?$$ AND balance = ?":                      {2},
				"owner <> $tag$ it's $$ ? $tag$ AND balance = ?":      {2},
				`owner <> E'\'?' AND balance = ?`:                     {2},
				`owner <> '\' AND balance = ?`:                        {2},
				"balance = ? -- ?\r AND owner <> ?":                   {2, "a"},
				"balance = /* /* ? */ ? */ ?":                         {2},
				`accounts."owner" <> ? AND '{"b":1}'::jsonb ?? owner`: {"a"},
			},
			"mysql": {
				`owner <> '\'?' AND balance = ?`:                  {2},
				"balance = ? # ?\n":                               {2},
				"`owner` <> ? AND balance = 5--?\n - 6":           {"a", 3},
				"balance = ? /*! AND owner <> ? */":               {2, "a"},
				"balance = 2 /* /* ? */ AND owner <> ? ":          {"a"},
				"balance = ? /* /* ? */":                          {2},
				`"?" <> owner AND balance = ? AND owner <> "\"?"`: {2},
			},
			"sqlite": {
				`[owner] <> '[?' AND balance = ?`:        {2},
				`owner <> '\' AND balance = ?`:           {2},
				"balance = 2 /* /* ? */ AND owner <> ? ": {"a"},
				"`owner` <> ? AND \"balance\" = ?":       {"a", 2},
			},
		}
		run := func(sql string, args []any) {
			list, err := accounts.Query().WhereRaw(sql, args...).Get(t.Context())
			require.NoError(t, err, sql)
			require.Len(t, list, 1, sql)
			require.Equal(t, "b", list[0].Owner, sql)
		}
		for sql, args := range all {
			run(sql, args)
		}
		for sql, args := range own[fl.Database.Dialect] {
			run(sql, args)
		}
		// What would swallow the rest of the statement, or has a number of its own.
		for _, sql := range []string{"balance = 2 -- b", "balance = 2 /*! b", "balance = 2 /*M!100100 AND 1 = 1", "balance = 2 /* b", "owner <> 'b", "balance = ?1", `owner <> "b`} {
			var args []any
			if sql == "balance = ?1" {
				args = []any{2}
			}
			_, err := accounts.Query().WhereRaw(sql, args...).Get(t.Context())
			require.Error(t, err, sql)
			_, err = accounts.Query().WhereRaw(sql, args...).Delete(t.Context())
			require.Error(t, err, sql)
		}
		n, err := accounts.Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}
