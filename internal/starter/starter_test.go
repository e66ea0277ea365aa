package starter

import (
	"go/parser"
	"go/token"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/schema"
)

func column(name, typ string, more ...func(*schema.Column)) schema.Column {
	c := schema.Column{Name: name, Type: typ, Full: typ, Length: -1, Digits: -1}
	for _, f := range more {
		f(&c)
	}
	return c
}

func key(at int) func(*schema.Column)    { return func(c *schema.Column) { c.KeyAt = at } }
func null(c *schema.Column)              { c.Nullable = true }
func filled(c *schema.Column)            { c.Filled = true }
func full(f string) func(*schema.Column) { return func(c *schema.Column) { c.Full = f } }

func preset(text string) func(*schema.Column) {
	return func(c *schema.Column) { c.Filled, c.Default = true, text }
}

func digits(n int64) func(*schema.Column) { return func(c *schema.Column) { c.Digits = n } }

func id() schema.Column { return column("id", "int8", key(1), filled) }

// made is a starter of PostgreSQL's, which must be Go.
func made(t *testing.T, o Options, tables ...schema.Table) (text string, warnings []string) {
	t.Helper()
	o.Package = "models"
	code, warnings, err := Make([]Connection{{Dialect: dialect.Postgres, Tables: tables}}, o)
	require.NoError(t, err, "%s", code)
	_, err = parser.ParseFile(token.NewFileSet(), "models.go", code, parser.AllErrors)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(code), Header))
	return squeezed(string(code)), warnings
}

// squeezed is Go with single blanks, whatever gofmt aligns.
func squeezed(text string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

func TestMake_NoTextOfTheDatabaseBreaksTheCode(t *testing.T) {
	t.Parallel()
	nasty := "*/ `x` \"y\"\n}\nfunc init() { panic(1) }\r\n//go:build never\u2028end\x00\xff"
	text, _ := made(t, Options{}, schema.Table{
		Name: "we`ird\"\ntable", Comment: nasty,
		Columns: []schema.Column{id(), column("sql.x`y\"\n", "text", func(c *schema.Column) { c.Comment = nasty }), column("time.now", "mood", full(nasty), preset(nasty))},
	})
	require.NotContains(t, text, "\nfunc init")
	require.NotContains(t, text, `"time"`, "no package is imported that is not used")
	require.NotContains(t, text, `"database/sql"`)
	require.Contains(t, text, `"db:\"sql.x`+"`"+`y\\\"\\n\""`)
}

func TestMake_IsTheSameInWhateverOrderTablesCome(t *testing.T) {
	t.Parallel()
	refer := func(to string) []schema.ForeignKey {
		return []schema.ForeignKey{{Name: "b", Columns: []string{"b"}, Table: to, RefersTo: []string{"id"}}, {Name: "a", Columns: []string{"a"}, Table: to, RefersTo: []string{""}}}
	}
	columns := []schema.Column{id(), column("a", "int8"), column("b", "int8")}
	tables := []schema.Table{{Name: "users", Columns: columns, ForeignKeys: refer("teams")}, {Name: "user", Columns: columns}, {Name: "teams", Columns: columns, ForeignKeys: refer("users")}, {Name: "b", Columns: columns}}
	want, _ := made(t, Options{}, tables...)
	for range 20 {
		rand.Shuffle(len(tables), func(i, j int) { tables[i], tables[j] = tables[j], tables[i] })
		for i := range tables {
			tables[i].ForeignKeys = slices.Clone(tables[i].ForeignKeys)
			slices.Reverse(tables[i].ForeignKeys)
		}
		got, _ := made(t, Options{}, tables...)
		require.Equal(t, want, got)
	}
	require.Contains(t, want, "type User struct")
	require.Contains(t, want, "type Users struct", "a name that is taken is another one")
}

func TestMake_DefaultsLeaveZeroToBeWritten(t *testing.T) {
	t.Parallel()
	text, _ := made(t, Options{}, schema.Table{Name: "users", Columns: []schema.Column{
		id(), column("active", "bool", preset("true")), column("hidden", "bool", preset("false")), column("score", "int4", preset("3")),
		column("price", "numeric", preset("0.00::numeric(10,2)")), column("state", "text", preset("'new'::text")), column("rank", "int4", preset("'0'::integer"), null),
	}})
	for _, line := range []string{
		"Active *bool // nil takes the default: true", "Hidden bool\n", "Score *int32 // nil takes the default: 3",
		"State string // the zero value takes the default: 'new'::text", `Defaults: []string{"active", "hidden", "score", "price", "state", "rank"}`,
	} {
		require.Contains(t, text, line)
	}
}

func TestMake_WhatItCannotSayIsACommentAndAWarning(t *testing.T) {
	t.Parallel()
	text, warnings := made(t, Options{SoftDelete: "gone", Version: "v"},
		schema.Table{Name: "a.b", Columns: []schema.Column{id()}},
		schema.Table{Name: "nothing"},
		schema.Table{Name: "logs", Columns: []schema.Column{column("at", "timestamptz", digits(6))}, ForeignKeys: []schema.ForeignKey{{Columns: []string{"at"}, Table: "users", RefersTo: []string{"id"}}}},
		schema.Table{
			Name: "users", Columns: []schema.Column{
				column("id", "int8", key(1)), column("-", "text"), column("name,omitempty", "text"), column("gone", "bool"), column("v", "text"),
				column("list", "_bytea", full("bytea[]"), func(c *schema.Column) { c.Element = "bytea" }), column("t0", "timestamp", digits(0)), column("t6", "timestamp", digits(6)),
			},
			ForeignKeys: []schema.ForeignKey{{Columns: []string{"v"}, Table: "elsewhere", RefersTo: []string{"id"}}},
		})
	require.Len(t, warnings, 12, "%q", warnings)
	for _, w := range []string{
		"table a.b: has a dot in its name", "table nothing: has no columns", "table logs: has no primary key", "the foreign key at to table users gives no relation: this table has no model",
		"table users, column id: is a key of one integer that the database does not make", "column -: has a name that no tag can hold", "column name,omitempty: has a name",
		"column gone: cannot mark", "column v: cannot count", "column list: bytea[], as its text", "its times are cut to 0 digits", "the foreign key v to table elsewhere gives no relation: the table is not among",
	} {
		require.Contains(t, strings.Join(warnings, "\n"), w)
	}
	for _, c := range []string{
		`// Table "a.b" has a dot in its name`, `// Table "nothing" has no columns`, `// Column "-" is left out`, `// Column "name,omitempty" is left out`,
		"// The database makes no key: one that is zero cannot be created.", "// The table has no key that tells rows apart", "// As TimePrecision is that of the model",
		"// The foreign key v to table elsewhere gives no relation", "List string // bytea[], as its text", "TimePrecision: time.Second,", "func (m *Models) Logs() *dbfleet.Query[Log]",
	} {
		require.Contains(t, text, c)
	}
}

func TestMake_TakesAUniqueIndexForAKeyThatIsMissing(t *testing.T) {
	t.Parallel()
	columns := []schema.Column{column("code", "text"), column("part", "text", null)}
	text, warnings := made(t, Options{}, schema.Table{Name: "codes", Columns: columns, Indexes: []schema.Index{
		{Name: "some", Unique: true, Partial: true, Columns: []string{"code"}}, {Name: "null", Unique: true, Columns: []string{"part"}}, {Name: "low", Unique: true, Columns: []string{""}},
		{Name: "codes_key", Unique: true, Columns: []string{"code"}},
	}})
	require.Empty(t, warnings)
	require.Contains(t, text, `the unique index "codes_key" stands for it`)
	require.Contains(t, text, `PrimaryKey: []string{"code"}`)
	_, warnings = made(t, Options{}, schema.Table{Name: "codes", Columns: columns, Indexes: []schema.Index{{Name: "null", Unique: true, Columns: []string{"part"}}}})
	require.Len(t, warnings, 1)
}

func TestMake_NamesOfTwoConnectionsDiffer(t *testing.T) {
	t.Parallel()
	table := schema.Table{Name: "users", Columns: []schema.Column{id()}}
	own := schema.Table{Name: "posts", Columns: []schema.Column{id()}}
	other := schema.Table{Schema: "audit", Name: "posts", Columns: []schema.Column{id()}}
	code, _, err := Make([]Connection{
		{Name: "main", Dialect: dialect.Postgres, Tables: []schema.Table{table, own, other}}, {Name: "users-db", Dialect: dialect.MySQL, Tables: []schema.Table{table}},
	}, Options{Package: "models"})
	require.NoError(t, err)
	text := squeezed(string(code))
	for _, line := range []string{"type MainUser struct", "type UsersDbUser struct", "type Post struct", "type AuditPost struct", `Table: "audit.posts",`, `Connection: "users-db",`, `// Connection "users-db": mysql.`} {
		require.Contains(t, text, line)
	}
}

func TestMake_RefusesWhatIsNoPackageAndNoTables(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "_", "func", "a b", "x;y"} {
		_, _, err := Make(nil, Options{Package: name})
		require.ErrorContains(t, err, "no name of a package", name)
	}
	_, _, err := Make(nil, Options{Package: "models"})
	require.ErrorContains(t, err, "no table")
}

func TestMake_TellsRelationsApart(t *testing.T) {
	t.Parallel()
	int8s := func(names ...string) (list []schema.Column) {
		for _, n := range names {
			list = append(list, column(n, "int8"))
		}
		return list
	}
	refers := func(to string, columns ...string) schema.ForeignKey {
		k := schema.ForeignKey{Name: columns[0], Columns: columns, Table: to, RefersTo: make([]string, len(columns))}
		return k
	}
	text, warnings := made(t, Options{},
		schema.Table{Name: "users", Columns: []schema.Column{id()}},
		schema.Table{Name: "posts", Columns: append(int8s("author_id", "editor_id", "author"), id()), ForeignKeys: []schema.ForeignKey{refers("users", "author_id"), refers("users", "editor_id")}},
		schema.Table{Name: "profiles", Columns: append(int8s("user_id"), id()), ForeignKeys: []schema.ForeignKey{refers("users", "user_id")}, Indexes: []schema.Index{{Unique: true, Columns: []string{"user_id"}}}},
		schema.Table{Name: "follows", Columns: []schema.Column{column("follower_id", "int8", key(1)), column("followed_id", "int8", key(2))}, ForeignKeys: []schema.ForeignKey{refers("users", "follower_id"), refers("users", "followed_id")}},
		schema.Table{Name: "orders", Columns: []schema.Column{column("tenant_id", "int8", key(1)), column("nr", "int8", key(2))}},
		schema.Table{Name: "lines", Columns: append(int8s("order_tenant", "order_nr"), id()), ForeignKeys: []schema.ForeignKey{refers("orders", "order_tenant", "order_nr")}},
	)
	require.Empty(t, warnings)
	for _, line := range []string{
		`m.UserPostsByAuthor = dbfleet.HasMany(m.Users, m.Posts, dbfleet.On("author_id"), func(r *User) *[]Post { return &r.PostsByAuthor })`,
		`m.PostUser = dbfleet.BelongsTo(m.Posts, m.Users, dbfleet.On("author_id"), func(r *Post) **User { return &r.User })`, // Author is a column
		`m.PostEditor = dbfleet.BelongsTo(m.Posts, m.Users, dbfleet.On("editor_id"), func(r *Post) **User { return &r.Editor })`,
		`m.UserProfile = dbfleet.HasOne(m.Users, m.Profiles, dbfleet.On("user_id"), func(r *User) **Profile { return &r.Profile })`,
		`m.UserUsersByFollower = dbfleet.ManyToMany(m.Users, m.Users, m.Follows, dbfleet.On("follower_id"), dbfleet.On("followed_id"), func(r *User) *[]User { return &r.UsersByFollower })`,
		`m.LineOrder = dbfleet.BelongsTo(m.Lines, m.Orders, dbfleet.On("order_tenant", "tenant_id").And("order_nr", "nr"), func(r *Line) **Order { return &r.Order })`,
	} {
		require.Contains(t, text, line)
	}
}

func TestMake_SQLNullAndTablesNames(t *testing.T) {
	t.Parallel()
	text, _ := made(t, Options{SQLNull: true, Tables: true, Untimed: true}, schema.Table{Name: "users", Columns: []schema.Column{
		id(), column("name", "text", null), column("data", "jsonb", null), column("day", "date", null), column("raw", "bytea", null), column("created_at", "timestamptz", digits(6)),
	}})
	for _, line := range []string{"type Users struct", "Name sql.Null[string]", "Data dbfleet.JSON[any]", "Day dbfleet.Date", "Raw []byte", `"database/sql"`, "Users *dbfleet.Model[Users]"} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, "Timestamps: true")
}
