package starter

import (
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

func TestGoName_IsExportedAndReadsAsGo(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"id": "ID", "user_id": "UserID", "user_ids": "UserIDs", "api_url": "APIURL", "http_server": "HTTPServer", "oauth_token": "OAuthToken",
		"created_at": "CreatedAt", "USER_NAME": "UserName", "userName": "UserName", "HTTPServer": "HTTPServer", "userIDs": "UserIDs",
		"type": "Type", "func": "Func", "2fa": "X2fa", "we ird-name": "WeIrdName", "a.b": "AB", "_x": "X", "__": "X", "": "X",
		"straße": "Straße", "имя": "Имя", "名前": "X名前", "ß": "Xß", "x`\"\n": "X", "e\u0301te": "ETe", "👍": "X",
	} {
		require.Equal(t, want, GoName(name), name)
		require.True(t, token.IsIdentifier(GoName(name)) && token.IsExported(GoName(name)), name)
	}
}

func TestGoName_NeedsNoTagForUsualColumns(t *testing.T) {
	t.Parallel()
	for _, column := range []string{"id", "user_id", "user_ids", "http_server", "created_at", "ipv4_addr", "s3_key", "dns_servers", "oauth_token", "name", "is_admin", "sha256_sum"} {
		require.Equal(t, column, rowmap.ColumnName(GoName(column)), column)
	}
}

func FuzzGoName(f *testing.F) {
	for _, s := range []string{"user_id", "2fa", "名前", "x`", "\xff", "ǅ", "IDs", "ⅷ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for _, got := range []string{GoName(name), Singular(GoName(name)), Plural(GoName(name))} {
			require.True(t, token.IsIdentifier(got) && token.IsExported(got), "%q of %q", got, name)
		}
	})
}

func TestSingular_ChangesOnlyWhatIsSure(t *testing.T) {
	t.Parallel()
	for many, one := range map[string]string{
		"Users": "User", "Categories": "Category", "Addresses": "Address", "Statuses": "Status", "Boxes": "Box", "Branches": "Branch", "Buses": "Bus",
		"People": "Person", "Children": "Child", "Movies": "Movie", "Shoes": "Shoe", "Heroes": "Hero", "Leaves": "Leaf", "Analyses": "Analysis", "Indices": "Index",
		"Houses": "House", "Greenhouses": "Greenhouse", "Clauses": "Clause", "Databases": "Database", "Caches": "Cache", "Uses": "Use", "Aliases": "Alias",
		"OrderItems": "OrderItem", "UserIDs": "UserID", "APIs": "API", "Quizzes": "Quiz", "Series": "Series", "News": "News", "Data": "Data", "UserData": "UserData",
		"Status": "Status", "Address": "Address", "Analysis": "Analysis", "Bus": "Bus", "Class": "Class", "Lens": "Lens", "DNS": "DNS", "HTTPS": "HTTPS", "ID": "ID", "S": "S",
	} {
		require.Equal(t, one, Singular(many), many)
	}
}

func TestPlural_IsWhatSingularIsOf(t *testing.T) {
	t.Parallel()
	for one, many := range map[string]string{
		"User": "Users", "Category": "Categories", "Day": "Days", "Address": "Addresses", "Status": "Statuses", "Box": "Boxes", "Person": "People",
		"Child": "Children", "Analysis": "Analyses", "Hero": "Heroes", "Key": "Keys", "UserID": "UserIDs", "Series": "Series", "News": "News", "Users": "Users", "Bus": "Buses",
		"House": "Houses", "Match": "Matches", "OrderItem": "OrderItems",
	} {
		require.Equal(t, many, Plural(one), one)
		require.Equal(t, Singular(one), Singular(many), many)
	}
}

func TestSelected_TakesPatternsAndLeavesOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		patterns []string
		table    string
		want     bool
	}{
		{nil, "users", true},
		{[]string{"user*"}, "users", true},
		{[]string{"user*"}, "posts", false},
		{[]string{"!*_old"}, "users", true},
		{[]string{"!*_old"}, "users_old", false},
		{[]string{"user*", "!*_old", "posts"}, "users_old", false},
		{[]string{"user*", "!*_old", "posts"}, "posts", true},
		{[]string{"audit.*"}, "audit.users", true},
	} {
		got, err := Selected(c.patterns, c.table)
		require.NoError(t, err)
		require.Equal(t, c.want, got, c)
	}
	_, err := Selected([]string{"[x"}, "x")
	require.ErrorContains(t, err, `pattern "[x"`)
}
