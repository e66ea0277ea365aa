package sqlgen

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// sourcesOf are the columns of table users that those of a result are.
func sourcesOf(q Query, d *dialect.Dialect, columns ...string) []string {
	return q.Sources(columns, env(d, nil), func(_ Table, name string) bool { return name == "users" })
}

// Which column of the table each column of a statement in SQL is.
func TestSources_OfText(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		for text, want := range map[string][]string{
			"SELECT id, name AS called FROM users":                   {"id", "name"},
			"SELECT id, name AS called FROM users;":                  {"id", "name"},
			"SELECT u.id, u.name AS called FROM users u":             {"id", "name"},
			"SELECT u.id, u.name AS called FROM users AS u":          {"id", "name"},
			"SELECT u.id, u.name called FROM users u WHERE id > 1":   {"id", "name"},
			"SELECT id, name AS called FROM users ORDER BY name":     {"id", "name"},
			"SELECT other.id, name AS called FROM users u":           {"", "name"},
			"SELECT id, UPPER(name) AS called FROM users":            {"id", ""},
			"SELECT id, name AS called FROM people":                  {"", ""},
			"SELECT id, name AS called FROM users, people":           {"", ""},
			"SELECT id, name AS called FROM users JOIN people USING": {"", ""},
			"SELECT id, name AS called":                              {"", ""},
			"UPDATE users SET name = 'x' RETURNING id, name called":  {"id", "name"},
			"DELETE FROM users RETURNING id, name AS called":         {"id", "name"},
			"DROP TABLE users":                                       {"", ""},
		} {
			require.Equal(t, want, sourcesOf(OfText(text, d), d, "id", "called"), "%s on %s", text, d.Name)
		}
	}
}

// Two queries are united by their places: a column is one of the table's where it is that in
// both of them.
func TestSources_OfUnions(t *testing.T) {
	t.Parallel()
	of := func(table string, list ...string) []resulting {
		var all []resulting
		for _, name := range list {
			all = append(all, resulting{name, source{of: table, name: name, star: name == ""}})
		}
		return all
	}
	require.Equal(t, of("users", "id", "name"), united(of("users", "id", "name"), of("users", "id", "name")))
	require.Equal(t, of("users", "id", ""), united(of("users", "id", ""), of("users", "id", "")))
	require.Equal(t, []resulting{of("users", "id")[0], {called: "name"}}, united(of("users", "id", "name"), of("users", "id", "city")))
	require.Equal(t, []resulting{{called: "id"}}, united(of("users", "id"), of("people", "id")))
	require.Nil(t, united(of("users", "id"), of("users", "id", "name")))
	require.Nil(t, united(of("users", ""), of("people", "")), "how many columns each star has is not known")
	require.Nil(t, united(of("users", ""), of("users", "id")))
}
