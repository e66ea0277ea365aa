package language

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// address is embedded by value, audit by pointer.
type address struct{ City, Street string }

type contact struct {
	ID int64
	address
	*Audit
	Nick    *string
	Score   *int64 `db:"points"`
	BossID  *int64
	Ignored string `db:"-"`
}

// Audit is exported, so that a nil one can be filled in.
type Audit struct{ Editor sql.Null[string] }

func newContacts(t *testing.T, fl conformance.Fleet) *dbfleet.Model[contact] {
	t.Helper()
	fl.Create(t, `CREATE TABLE contacts (id {id}, city {text} NOT NULL, street {text} NOT NULL, editor {text}, nick {text}, points {bigint}, boss_id {bigint})`)
	m := conformance.Model[contact](t, fl.Registry, dbfleet.ModelConfig{Table: "contacts"})
	require.NoError(t, m.CreateMany(t.Context(), []contact{
		{ID: 1, address: address{"oslo", "a"}, Nick: at("x"), Score: at[int64](3), Audit: &Audit{sql.Null[string]{V: "ed", Valid: true}}},
		{ID: 2, address: address{"rome", "b"}, BossID: at[int64](1), Audit: &Audit{}},
		{ID: 3, address: address{"rome", "c"}, Nick: at("z"), Score: at[int64](9), BossID: at[int64](1)},
		{ID: 4, address: address{"oslo", "d"}, Nick: at("y"), Score: at[int64](3), BossID: at[int64](3)},
	}))
	return m
}

func contactIDs(t *testing.T, q *dbfleet.Query[contact]) []int64 {
	t.Helper()
	list, err := dbfleet.Pluck[int64](t.Context(), q, "contacts.id")
	require.NoError(t, err)
	return list
}

func TestField_IsTheColumnOfTheFieldThatTheSelectorPointsTo(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newContacts(t, fl)
		id := dbfleet.Field(m, func(c *contact) *int64 { return &c.ID })
		city := dbfleet.Field(m, func(c *contact) *string { return &c.City })
		nick := dbfleet.FieldPointer(m, func(c *contact) **string { return &c.Nick })
		points := dbfleet.FieldPointer(m, func(c *contact) **int64 { return &c.Score })
		editor := dbfleet.FieldNull(m, func(c *contact) *sql.Null[string] { return &c.Editor })
		boss := dbfleet.Field(m, func(c *contact) **int64 { return &c.BossID })

		require.Equal(t, "contacts.points", points.String())
		require.Equal(t, "points", points.Name())
		require.Equal(t, []int64{2, 3}, contactIDs(t, m.Filter(city.Eq("rome")).OrderWith(id.Asc())))
		require.Equal(t, []int64{1, 4}, contactIDs(t, m.Filter(points.Eq(3), nick.In("x", "y")).OrderWith(id.Asc())))
		require.Equal(t, []int64{1}, contactIDs(t, m.Filter(editor.Eq("ed"))))
		require.Equal(t, []int64{1}, contactIDs(t, m.Filter(boss.Eq(nil))))
		n, err := m.Filter(id.Eq(2)).Update(t.Context(), map[string]any{nick.Name(): "new", city.Name(): "bonn"})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		rows, err := m.Select(id.String(), nick.String(), city.String()).Filter(nick.Eq("new")).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, "bonn", rows[0].City)

		// A self-join, where each column says which of the two it is.
		above := id.Of("boss")
		q := m.Query().Join("contacts AS boss", above.String(), "=", boss.String()).Filter(city.Of("boss").Eq("oslo"), points.Of("boss").Lt(5))
		require.Equal(t, []int64{2, 3}, contactIDs(t, q.OrderWith(id.Asc())))
		require.Equal(t, []int64{3, 2}, contactIDs(t, q.OrderWith(above.Asc(), id.Desc())))
		// As, too: the model's name still means its table.
		require.Equal(t, []int64{3, 4}, contactIDs(t, m.Query().As("c").Filter(id.Gt(1), points.Of("c").IsNotNull()).OrderWith(id.Asc())))
	})
}

func TestField_TellsWhatIsNoColumnWhenItIsUsed(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	m := newContacts(t, fl)
	other := ""
	var none *dbfleet.Model[contact]
	for claim, c := range map[string]struct {
		col  dbfleet.Col[string]
		want string
	}{
		"another variable": {dbfleet.Field(m, func(*contact) *string { return &other }), "no field of the language.contact"},
		"nil":              {dbfleet.Field(m, func(*contact) *string { return nil }), "nil is no field of language.contact"},
		"skipped":          {dbfleet.Field(m, func(c *contact) *string { return &c.Ignored }), "the field Ignored of language.contact is no column"},
		"panic":            {dbfleet.Field(m, func(*contact) *string { panic("oh") }), "the selector panicked: oh"},
		"nil selector":     {dbfleet.Field[contact, string](m, nil), "the selector is nil"},
		"nil model":        {dbfleet.Field(none, func(c *contact) *string { return &c.City }), "the model is nil"},
		"empty alias":      {dbfleet.Field(m, func(c *contact) *string { return &c.City }).Of(""), "the alias of column"},
	} {
		for use, err := range map[string]error{
			"filter":   get(m.Filter(c.col.Eq("x")).Get(t.Context())),
			"alias":    get(m.Filter(c.col.Of("c").Eq("x")).Get(t.Context())),
			"order":    get(m.Query().OrderWith(c.col.Asc()).Get(t.Context())),
			"order by": get(m.OrderBy(c.col.String(), dbfleet.Asc).Get(t.Context())),
			"select":   get(m.Select(c.col.String()).Get(t.Context())),
			"group":    get(m.Select("id").GroupBy(c.col.String()).Get(t.Context())),
			"join":     get(m.Query().Join("contacts AS b", "b.id", "=", c.col.String()).Get(t.Context())),
			"value":    get(m.Where("city", "=", c.col).Get(t.Context())),
			"lower":    get(m.Filter(dbfleet.Lower(c.col).Eq("x")).Get(t.Context())),
			"update":   get(m.Where("id", "=", 1).Update(t.Context(), map[string]any{c.col.Name(): "x"})),
			"table":    get(fl.DB("main").Table("contacts").OrderBy(c.col.String(), dbfleet.Asc).Get(t.Context())),
		} {
			require.ErrorContains(t, err, c.want, "%s: %s", claim, use)
			require.NotContains(t, err.Error(), "\x00", "%s: %s", claim, use)
		}
	}
}

func get[V any](_ V, err error) error { return err }

func TestOrderWith_PutsNullsWhereItIsTold(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := newContacts(t, fl)
		points := dbfleet.FieldPointer(m, func(c *contact) **int64 { return &c.Score })
		id := dbfleet.Field(m, func(c *contact) *int64 { return &c.ID })
		for claim, c := range map[string]struct {
			order dbfleet.Order
			want  []int64
		}{
			"asc first":  {points.Asc().NullsFirst(), []int64{2, 1, 4, 3}},
			"asc last":   {points.Asc().NullsLast(), []int64{1, 4, 3, 2}},
			"desc first": {points.Desc().NullsFirst(), []int64{2, 3, 1, 4}},
			"desc last":  {points.Desc().NullsLast(), []int64{3, 1, 4, 2}},
			"expression": {points.Times(-1).Asc().NullsLast(), []int64{3, 1, 4, 2}},
		} {
			require.Equal(t, c.want, contactIDs(t, m.Query().OrderWith(c.order, id.Asc())), claim)
			require.Equal(t, c.want[1:3], contactIDs(t, m.Query().OrderWith(c.order, id.Asc()).Limit(2).Offset(1)), claim)
		}
		_, err := m.Query().OrderWith(dbfleet.Order{}).Get(t.Context())
		require.ErrorContains(t, err, "zero value")
		// An alias of the select list.
		type row struct{ ID, Doubled *int64 }
		list, err := dbfleet.Into[row](m.Select("id").SelectValue(points.Times(2), "doubled").OrderWith(dbfleet.Col[int64]("doubled").Desc().NullsFirst(), id.Desc())).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, []row{{at[int64](2), nil}, {at[int64](3), at[int64](18)}, {at[int64](4), at[int64](6)}, {at[int64](1), at[int64](6)}}, list)
	})
}

func TestField_OfTheShardKeyFindsTheShard(t *testing.T) {
	t.Parallel()
	one, two := conformance.OnSQLite(t), conformance.OnSQLite(t)
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"even": conformance.ConnectionTo(one.Database), "odd": conformance.ConnectionTo(two.Database)})
	for _, fl := range []conformance.Fleet{one, two} {
		fl.Create(t, conformance.PurchasesTable)
	}
	m := conformance.Model[conformance.Purchase](t, r, dbfleet.ModelConfig{Table: "purchases", Shard: dbfleet.ShardBy("user_id", func(id int64) string {
		return [...]string{"even", "odd"}[id%2]
	})})
	user := dbfleet.Field(m, func(p *conformance.Purchase) *int64 { return &p.UserID })
	total := dbfleet.Field(m, func(p *conformance.Purchase) *float64 { return &p.Total })
	require.NoError(t, m.Create(t.Context(), &conformance.Purchase{UserID: 7, Total: 2.5}))
	list, err := dbfleet.Pluck[float64](t.Context(), m.Filter(user.Eq(7)).SelectValue(total.Plus(1), "more"), "more")
	require.NoError(t, err)
	require.Equal(t, []float64{3.5}, list)
	route, err := m.Filter(user.Eq(7), total.Gt(1)).Route(t.Context())
	require.NoError(t, err)
	require.Equal(t, "odd", route.Connection)
	n, err := dbfleet.From(m.Filter(user.Eq(7)).Select("total"), "t").Where("total", ">", 1).Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n, "where its query goes")
	n, err = dbfleet.InsertFrom(t.Context(), m.Shard(7), []string{"user_id", "total"}, m.Filter(user.Eq(7)).Select("user_id", "total"))
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	_, err = dbfleet.InsertFrom(t.Context(), m, []string{"user_id", "total"}, m.Filter(user.Eq(7)).Select("user_id", "total"))
	require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
	_, err = dbfleet.InsertFrom(t.Context(), m.Shard(8), []string{"user_id", "total"}, m.Filter(user.Eq(7)).Select("user_id", "total"))
	require.ErrorContains(t, err, `belongs to connection "odd"`)
	_, err = dbfleet.From(m.Filter(total.Gt(1)), "t").Get(t.Context())
	require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
}
