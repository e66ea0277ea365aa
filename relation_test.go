package dbfleet_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// relations of the library.
func postsOf(l library) dbfleet.ToMany[person, post] {
	return dbfleet.HasMany(l.people, l.posts, dbfleet.On("person_id"), func(p *person) *[]post { return &p.Posts }).
		Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.OrderBy("id", "asc") })
}

func bossOf(l library) dbfleet.ToOne[person, person] {
	return dbfleet.BelongsTo(l.people, l.people, dbfleet.On("boss_id"), func(p *person) **person { return &p.Boss })
}

func latestOf(l library) dbfleet.ToOne[person, post] {
	return dbfleet.HasOne(l.people, l.posts, dbfleet.On("person_id"), func(p *person) **post { return &p.Latest }).
		Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.OrderBy("id", "desc") })
}

func authorOf(l library) dbfleet.ToOne[post, person] {
	return dbfleet.BelongsTo(l.posts, l.people, dbfleet.On("person_id"), func(p *post) **person { return &p.Author })
}

func titles(list []post) []string {
	out := []string{}
	for _, p := range list {
		out = append(out, p.Title)
	}
	return out
}

// promise 10: HasMany, HasOne and BelongsTo, eagerly and lazily.
func TestRelation_LoadsEagerlyAndLazily(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		want := map[int64][]string{1: {"one", "two"}, 2: {"three"}, 3: {}, 4: {}, 5: {"four", "one"}, 6: {}}
		bosses := map[int64]int64{2: 1, 3: 1, 4: 2, 5: 2}
		count, _ := sent(fl.Registry)
		list, err := l.people.With(postsOf(l), bossOf(l), latestOf(l)).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 4, count(), "one statement for the people, and one for each relation")
		require.Len(t, list, 6)
		for i := range list {
			p := &list[i]
			require.NotNil(t, p.Posts, "none is an empty slice")
			require.Equal(t, want[p.ID], titles(p.Posts))
			if id, ok := bosses[p.ID]; ok {
				require.Equal(t, id, p.Boss.ID)
			} else {
				require.Nil(t, p.Boss)
			}
			if n := len(want[p.ID]); n > 0 {
				require.Equal(t, want[p.ID][n-1], p.Latest.Title, "the first in the order of Scope")
			} else {
				require.Nil(t, p.Latest)
			}
			lazy, err := postsOf(l).For(p).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, titles(p.Posts), titles(lazy))
			n, err := postsOf(l).For(p).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, len(p.Posts), n)
			boss, err := bossOf(l).For(p).First(ctx)
			if p.Boss == nil {
				require.ErrorIs(t, err, dbfleet.ErrNotFound, "NULL refers to nothing")
			} else {
				require.NoError(t, err)
				require.Equal(t, p.Boss.Name, boss.Name)
			}
		}
		// What belongs to two is not shared by them.
		var shared []*person
		for i := range list {
			if list[i].BossID != nil && *list[i].BossID == 1 {
				shared = append(shared, list[i].Boss)
			}
		}
		require.Len(t, shared, 2)
		shared[0].Name = "changed"
		require.Equal(t, "ada", shared[1].Name)

		// First and Find load too; conditions of Scope hold, also beside OR.
		p, err := l.people.With(postsOf(l)).Find(ctx, 5)
		require.NoError(t, err)
		require.Equal(t, []string{"four", "one"}, titles(p.Posts))
		p, err = l.people.With(postsOf(l).Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
			return q.Where("title", "=", "one").OrWhere("views", ">", 15)
		})).OrderBy("id", "asc").First(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"one", "two"}, titles(p.Posts))
		p, err = l.people.With(postsOf(l).Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
			return q.Where("title", "=", "two").OrWhere("title", "=", "four")
		})).Find(ctx, 5)
		require.NoError(t, err)
		require.Equal(t, []string{"four"}, titles(p.Posts), "the OR stays inside")
		lazy, err := postsOf(l).Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] {
			return q.Where("title", "=", "two").OrWhere("title", "=", "four")
		}).For(&p).Where("views", ">", 0).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"four"}, titles(lazy))

		// Nested, three deep.
		posts, err := l.posts.With(authorOf(l).With(bossOf(l).With(postsOf(l)))).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, "bob", posts[3].Author.Boss.Name)
		require.Equal(t, []string{"three"}, titles(posts[3].Author.Boss.Posts))
		require.Nil(t, posts[5].Author)

		// Select lists without the keys.
		list, err = l.people.Select("name").With(postsOf(l).Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Select("title") })).
			OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []string{"one", "two"}, titles(list[0].Posts))
		require.Equal(t, []string{"four", "one"}, titles(list[4].Posts))
		var fault *dbfleet.StatementError
		_, err = l.people.Select("city").Distinct().With(postsOf(l)).Get(ctx)
		require.ErrorAs(t, err, &fault)
		_, err = l.people.Select("city").GroupBy("city").With(postsOf(l)).First(ctx)
		require.ErrorAs(t, err, &fault)

		// Nothing to load, nothing sent.
		before := count()
		list, err = l.people.Where("id", "<", 0).With(postsOf(l), bossOf(l)).Get(ctx)
		require.NoError(t, err)
		require.Empty(t, list)
		require.Equal(t, before+1, count())
		list, err = l.people.Query().WhereNull("boss_id").With(bossOf(l)).Get(ctx)
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, before+2, count(), "without a key there is nothing to ask")

		// Duplicate parents each get their own.
		twice, err := l.people.Where("id", "=", 1).UnionAll(l.people.Where("id", "=", 1)).With(postsOf(l)).Get(ctx)
		require.NoError(t, err)
		require.Len(t, twice, 2)
		twice[0].Posts[0].Title = "changed"
		require.Equal(t, "one", twice[1].Posts[0].Title)
		idle(t, fl.Registry, "main")
	})
}

// hazard 234: in the parents' transaction, before anybody else sees them.
func TestRelation_LoadsInTheParentsTransaction(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, l.posts.Create(ctx, &post{ID: 100, PersonID: at[int64](3), Title: "uncommitted"}))
			for _, q := range []struct {
				ctx context.Context
				q   *dbfleet.Query[person]
			}{{ctx, l.people.Query()}, {t.Context(), l.people.Query().Using(tx)}} {
				p, err := q.q.With(postsOf(l), latestOf(l)).Find(q.ctx, 3)
				require.NoError(t, err)
				require.Equal(t, []string{"uncommitted"}, titles(p.Posts))
				require.Equal(t, "uncommitted", p.Latest.Title)
			}
			return nil
		}))
	})
}

// hazard 234: from the primary when the parents are wanted from there.
func TestRelation_LoadsFromThePrimaryWithItsParents(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		if fl.db.Dialect == "sqlite" {
			return // has no replicas
		}
		config := connectionTo(fl.db)
		config.ReadHosts = []string{fmt.Sprintf("%s:%d", fl.db.Host, fl.db.Port)}
		r := open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		l := newLibrary(t, fleet{r, fl.db})
		roles := map[dbfleet.Role]int{}
		r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { roles[e.Route.Role]++ })
		_, err := l.people.With(postsOf(l), bossOf(l)).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[dbfleet.Role]int{dbfleet.RoleReplica: 3}, roles)
		_, err = l.people.Primary().With(postsOf(l).With(authorOf(l)), bossOf(l)).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[dbfleet.Role]int{dbfleet.RoleReplica: 3, dbfleet.RolePrimary: 4}, roles)
		_, err = l.people.Query().ForUpdate().Find(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, 5, roles[dbfleet.RolePrimary], "a lock is the primary's")
	})
}

func TestRelation_FaultsAreToldWhenUsed(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		fl.create(t, `CREATE TABLE parts (a {bigint} NOT NULL, b {bigint} NOT NULL, person_id {bigint}, PRIMARY KEY (a, b))`)
		type part struct {
			A, B     int64
			PersonID *int64
		}
		parts := model[part](t, fl.Registry, dbfleet.ModelConfig{Table: "parts", PrimaryKey: []string{"a", "b"}})
		field := func(p *person) *[]post { return &p.Posts }
		count, _ := sent(fl.Registry)
		for claim, tc := range map[string]struct {
			r    dbfleet.ToMany[person, post]
			says string
		}{
			"unknown foreign key": {dbfleet.HasMany(l.people, l.posts, dbfleet.On("nope"), field), "nope"},
			"unknown local key":   {dbfleet.HasMany(l.people, l.posts, dbfleet.On("person_id", "nope"), field), "nope"},
			"no field":            {dbfleet.HasMany(l.people, l.posts, dbfleet.On("person_id"), nil), "field"},
			"no model":            {dbfleet.HasMany(&dbfleet.Model[person]{}, l.posts, dbfleet.On("person_id"), field), "zero value"},
			"no related model":    {dbfleet.HasMany(l.people, &dbfleet.Model[post]{}, dbfleet.On("person_id"), field), "zero value"},
		} {
			_, err := l.people.With(tc.r).Get(ctx)
			require.ErrorContains(t, err, tc.says, claim)
			p := person{ID: 1}
			for _, f := range []func(q *dbfleet.Query[post]) error{
				func(q *dbfleet.Query[post]) error { _, err := q.Get(ctx); return err },
				func(q *dbfleet.Query[post]) error {
					_, err := q.Where("id", "=", 1).Update(ctx, map[string]any{"title": "x"})
					return err
				},
				func(q *dbfleet.Query[post]) error { _, err := q.Delete(ctx); return err },
				func(q *dbfleet.Query[post]) error { _, err := q.Route(ctx); return err },
				func(q *dbfleet.Query[post]) error { _, err := q.Insert(ctx, map[string]any{"title": "x"}); return err },
				func(q *dbfleet.Query[post]) error {
					return q.Transaction(ctx, func(context.Context, *dbfleet.Tx) error { return nil })
				},
			} {
				require.ErrorContains(t, f(tc.r.For(&p)), tc.says, claim)
			}
		}
		for claim, use := range map[string]func() error{
			"composite parent": func() error {
				_, err := parts.With(dbfleet.HasMany(parts, l.posts, dbfleet.On("person_id"), func(*part) *[]post { return new([]post) })).Get(ctx)
				return err
			},
			"composite owner": func() error {
				_, err := dbfleet.BelongsTo(l.people, parts, dbfleet.On("id"), func(*person) **part { return new(*part) }).For(&person{}).Get(ctx)
				return err
			},
		} {
			require.ErrorContains(t, use(), "composite primary key", claim)
		}
		var fault *dbfleet.StatementError
		for claim, scope := range map[string]func(q *dbfleet.Query[post]) *dbfleet.Query[post]{
			"limit":  func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Limit(1) },
			"offset": func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Offset(1) },
			"union":  func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Union(l.posts) },
		} {
			_, err := l.people.With(postsOf(l).Scope(scope)).Get(ctx)
			require.ErrorAs(t, err, &fault, claim)
		}
		_, err := postsOf(l).For(nil).Get(ctx)
		require.ErrorAs(t, err, &fault)
		for _, err := range l.people.With(postsOf(l)).Iter(ctx) {
			require.ErrorAs(t, err, &fault)
		}
		require.Zero(t, count(), "nothing was sent")
		some, err := postsOf(l).For(&person{ID: 5}).Limit(1).Get(ctx)
		require.NoError(t, err, "for one parent a limit is clear")
		require.Equal(t, []string{"four"}, titles(some))
		// With an explicit column a composite key is no trouble.
		type owner = part
		require.NoError(t, parts.Create(ctx, &owner{A: 1, B: 2, PersonID: at[int64](1)}))
		loaded, err := parts.With(dbfleet.HasMany(parts, l.posts, dbfleet.On("person_id", "person_id"), func(*part) *[]post { return new([]post) })).Get(ctx)
		require.NoError(t, err)
		require.Len(t, loaded, 1)
	})
}

type client struct {
	ID    int64
	Code  string
	Notes []remark
	Owner *remark
}

// remark refers to a client by a text.
type remark struct {
	ID         int64
	AccountRef *string
	Body       string
	Account    *client
}

// Each side on its own database and dialect, keys of different types.
func TestRelation_AcrossDatabases(t *testing.T) {
	t.Parallel()
	for _, from := range dbtest.Dialects {
		for _, to := range dbtest.Dialects {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				parents, children := dbtest.New(t, from), dbtest.New(t, to)
				r := open(t, map[string]dbfleet.ConnectionConfig{"main": connectionTo(parents), "other": connectionTo(children)})
				fleet{r, parents}.create(t, `CREATE TABLE accounts (id {id}, code {text} NOT NULL)`)
				_, err := r.DB("other").ExecContext(ctx, ddl(to, `CREATE TABLE notes (id {id}, account_ref {text}, body {text} NOT NULL)`))
				require.NoError(t, err)
				accounts := model[client](t, r, dbfleet.ModelConfig{Table: "accounts"})
				notes := model[remark](t, r, dbfleet.ModelConfig{Table: "notes", Connection: "other"})
				list := make([]client, 300)
				for i := range list {
					list[i] = client{ID: int64(i + 1), Code: fmt.Sprintf("c%d", i+1)}
				}
				require.NoError(t, accounts.CreateMany(ctx, list))
				require.NoError(t, notes.CreateMany(ctx, []remark{
					{AccountRef: at("7"), Body: "a"}, {AccountRef: at("7"), Body: "b"}, {AccountRef: at("300"), Body: "c"},
					{Body: "nobody's"}, {AccountRef: at("not a number"), Body: "odd"}, {AccountRef: at("999"), Body: "gone"}, {AccountRef: at("c7"), Body: "by code"},
				}))

				notesOf := dbfleet.HasMany(accounts, notes, dbfleet.On("account_ref"), func(a *client) *[]remark { return &a.Notes }).
					Scope(func(q *dbfleet.Query[remark]) *dbfleet.Query[remark] { return q.OrderBy("id", "asc") })
				byCode := dbfleet.HasOne(accounts, notes, dbfleet.On("account_ref", "code"), func(a *client) **remark { return &a.Owner })
				loaded, err := accounts.With(notesOf, byCode).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err)
				for _, a := range loaded {
					bodies := []string{}
					for _, n := range a.Notes {
						bodies = append(bodies, n.Body)
					}
					require.Equal(t, append([]string{}, map[int64][]string{7: {"a", "b"}, 300: {"c"}}[a.ID]...), bodies, a.ID)
					require.Equal(t, a.ID == 7, a.Owner != nil)
				}
				lazy, err := notesOf.For(&loaded[6]).Get(ctx)
				require.NoError(t, err)
				require.Len(t, lazy, 2)

				// From text to the number.
				accountOf := dbfleet.BelongsTo(notes, accounts, dbfleet.On("account_ref"), func(n *remark) **client { return &n.Account })
				found, err := notes.With(accountOf).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err)
				var got []int64
				for _, n := range found {
					if n.Account == nil {
						got = append(got, 0)
						_, err := accountOf.For(&n).First(ctx)
						require.ErrorIs(t, err, dbfleet.ErrNotFound, n.Body)
						continue
					}
					got = append(got, n.Account.ID)
					a, err := accountOf.For(&n).First(ctx)
					require.NoError(t, err)
					require.Equal(t, n.Account.ID, a.ID)
				}
				require.Equal(t, []int64{7, 7, 300, 0, 0, 0, 0}, got)
				idle(t, r, "main")
				idle(t, r, "other")
			})
		}
	}
}

// hazard 234: 70,000 parents, their keys in several statements, in order.
func TestRelation_ManyParents(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE accounts (id {id}, code {text} NOT NULL)`, `CREATE TABLE notes (id {id}, account_ref {text}, body {text} NOT NULL)`)
		accounts := model[client](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts"})
		notes := model[remark](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"})
		const n = 70_000
		digits := "(SELECT 0 AS d" + strings.Repeat(" UNION ALL SELECT %d", 9) + ") "
		digits = fmt.Sprintf(digits, 1, 2, 3, 4, 5, 6, 7, 8, 9)
		_, err := fl.DB("main").ExecContext(ctx, "INSERT INTO accounts (id, code) SELECT n, n FROM (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d + 1 AS n FROM "+
			digits+"a, "+digits+"b, "+digits+"c, "+digits+"e, "+digits+"f) AS numbers WHERE n <= 70000")
		require.NoError(t, err)
		var some []remark
		for _, id := range []int{1, 4999, 5000, 5001, 65_535, 65_536, n} {
			some = append(some, remark{AccountRef: at(fmt.Sprint(id)), Body: "first"}, remark{AccountRef: at(fmt.Sprint(id)), Body: "second"})
		}
		require.NoError(t, notes.CreateMany(ctx, some))
		count, last := sent(fl.Registry)
		for link, tc := range map[dbfleet.Link]struct {
			parents int
			want    []string
		}{
			dbfleet.On("account_ref"):         {n, []string{"1", "4999", "5000", "5001", "65535", "65536", "70000"}},
			dbfleet.On("account_ref", "code"): {6000, []string{"1", "4999", "5000", "5001"}}, // keys that are text
		} {
			before := count()
			loaded, err := accounts.With(dbfleet.HasMany(accounts, notes, link, func(a *client) *[]remark { return &a.Notes }).
				Scope(func(q *dbfleet.Query[remark]) *dbfleet.Query[remark] { return q.OrderBy("id", "desc") })).Where("id", "<=", tc.parents).Get(ctx)
			require.NoError(t, err)
			require.Len(t, loaded, tc.parents)
			with := []string{}
			for _, a := range loaded {
				if len(a.Notes) > 0 {
					require.Len(t, a.Notes, 2)
					require.Equal(t, "second", a.Notes[0].Body)
					with = append(with, a.Code)
				}
			}
			slices.Sort(with)
			require.Equal(t, tc.want, with)
			require.Greater(t, count()-before, 2, "not all in one")
			require.Less(t, count()-before, 40)
			require.LessOrEqual(t, len(last().Args), 32_766)
		}
	})
}

type order struct {
	ID     int64
	UserID int64
	Total  int64
	Items  []item
	Buyer  *buyer
}

type item struct {
	ID      int64
	UserID  int64
	OrderID int64
	Name    string
}

type buyer struct {
	ID     int64
	Name   string
	Orders []order
}

// promise 10, 17: children in shards, found by the relation's key or by the
// parents' shard key; a key never finds its namesake on another shard.
func TestRelation_ShardedChildren(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		connections := map[string]dbfleet.ConnectionConfig{"main": connectionTo(fl.db)}
		for i := range 3 {
			connections[fmt.Sprint("shard_", i)] = connectionTo(dbtest.New(t, fl.db.Dialect))
		}
		r := open(t, connections)
		rule := func() dbfleet.ShardRule {
			return dbfleet.ShardBy("user_id", func(id int64) string { return fmt.Sprint("shard_", id%3) })
		}
		fl.create(t, `CREATE TABLE buyers (id {id}, name {text} NOT NULL)`)
		for i := range 3 {
			for _, s := range []string{`CREATE TABLE orders (id {bigint} PRIMARY KEY, user_id {bigint} NOT NULL, total {bigint} NOT NULL)`,
				`CREATE TABLE items (id {bigint} PRIMARY KEY, user_id {bigint} NOT NULL, order_id {bigint} NOT NULL, name {text} NOT NULL)`} {
				_, err := r.DB(fmt.Sprint("shard_", i)).ExecContext(ctx, ddl(fl.db.Dialect, s))
				require.NoError(t, err)
			}
		}
		buyers := model[buyer](t, r, dbfleet.ModelConfig{Table: "buyers"})
		orders := model[order](t, r, dbfleet.ModelConfig{Table: "orders", Shard: rule()})
		items := model[item](t, r, dbfleet.ModelConfig{Table: "items", Shard: rule()})
		for id := int64(1); id <= 6; id++ {
			require.NoError(t, buyers.Create(ctx, &buyer{ID: id, Name: fmt.Sprint("b", id)}))
			// The same ids on every shard.
			require.NoError(t, orders.Create(ctx, &order{ID: (id-1)/3 + 1, UserID: id, Total: id * 10}))
			require.NoError(t, items.Create(ctx, &item{ID: (id-1)/3 + 1, UserID: id, OrderID: (id-1)/3 + 1, Name: fmt.Sprint("item of ", id)}))
		}
		itemsOf := dbfleet.HasMany(orders, items, dbfleet.On("order_id"), func(o *order) *[]item { return &o.Items })
		ordersOf := dbfleet.HasMany(buyers, orders, dbfleet.On("user_id"), func(b *buyer) *[]order { return &b.Orders })
		buyerOf := dbfleet.BelongsTo(orders, buyers, dbfleet.On("user_id"), func(o *order) **buyer { return &o.Buyer })

		all, err := buyers.With(ordersOf).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		for _, b := range all {
			require.Len(t, b.Orders, 1)
			require.Equal(t, b.ID*10, b.Orders[0].Total)
			lazy, err := ordersOf.For(&b).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, b.Orders, lazy)
			mine, err := orders.Where("user_id", "=", b.ID).With(itemsOf, buyerOf).First(ctx)
			require.NoError(t, err)
			require.Len(t, mine.Items, 1)
			require.Equal(t, fmt.Sprint("item of ", b.ID), mine.Items[0].Name)
			require.Equal(t, b.Name, mine.Buyer.Name)
			one, err := itemsOf.For(&mine).First(ctx)
			require.NoError(t, err)
			require.Equal(t, mine.Items[0], one)
			here, err := orders.Shard(b.ID).With(itemsOf).OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err)
			require.Len(t, here, 2)
			require.Equal(t, fmt.Sprint("item of ", here[0].UserID), here[0].Items[0].Name)
		}
		// Nested, over the shards.
		all, err = buyers.With(ordersOf.With(itemsOf)).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		for _, b := range all {
			require.Len(t, b.Orders[0].Items, 1, b.Name)
			require.Equal(t, fmt.Sprint("item of ", b.ID), b.Orders[0].Items[0].Name)
		}
		// No key, no guess.
		wrong := dbfleet.HasMany(buyers, items, dbfleet.On("order_id"), func(*buyer) *[]item { return new([]item) })
		_, err = buyers.With(wrong).Get(ctx)
		var fault *dbfleet.StatementError
		require.ErrorAs(t, err, &fault)
		_, err = wrong.For(&all[0]).Get(ctx)
		require.ErrorIs(t, err, dbfleet.ErrMissingShardKey)
	})
}

// measured has a key of another kind than the records that refer to it.
type measured struct {
	ID     int64
	Values []measure
}

type measure struct {
	ID       int64
	OwnerRef float64
	Owner    *measured
}

// A key is the same number whatever kind of number each side has.
func TestRelation_KeysOfDifferentKinds(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, fl fleet) {
		ctx := t.Context()
		fl.create(t, `CREATE TABLE owners (id {bigint} PRIMARY KEY)`, `CREATE TABLE measures (id {bigint} PRIMARY KEY, owner_ref {float} NOT NULL)`)
		owners := model[measured](t, fl.Registry, dbfleet.ModelConfig{Table: "owners"})
		measures := model[measure](t, fl.Registry, dbfleet.ModelConfig{Table: "measures"})
		valuesOf := dbfleet.HasMany(owners, measures, dbfleet.On("owner_ref"), func(o *measured) *[]measure { return &o.Values })
		ownerOf := dbfleet.BelongsTo(measures, owners, dbfleet.On("owner_ref"), func(m *measure) **measured { return &m.Owner })
		require.NoError(t, owners.CreateMany(ctx, []measured{{ID: 1}, {ID: 2}, {ID: 3}}))
		require.NoError(t, measures.CreateMany(ctx, []measure{{ID: 1, OwnerRef: 1}, {ID: 2, OwnerRef: 1}, {ID: 3, OwnerRef: 3}, {ID: 4, OwnerRef: 1.5}}))
		all, err := owners.With(valuesOf).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, []int{2, 0, 1}, []int{len(all[0].Values), len(all[1].Values), len(all[2].Values)})
		list, err := measures.With(ownerOf).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, list[1].Owner.ID)
		require.EqualValues(t, 3, list[2].Owner.ID)
		require.Nil(t, list[3].Owner, "1.5 is nobody's key")
	})
}
