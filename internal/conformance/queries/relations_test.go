package queries

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
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
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "sqlite" {
			return // has no replicas
		}
		config := conformance.ConnectionTo(fl.Database)
		config.ReadHosts = []string{fmt.Sprintf("%s:%d", fl.Database.Host, fl.Database.Port)}
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config})
		l := newLibrary(t, conformance.Fleet{Registry: r, Database: fl.Database})
		roles := map[dbfleet.Role]int{}
		r.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { roles[e.Route.Role]++ })
		_, err := l.people.With(postsOf(l), bossOf(l)).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[dbfleet.Role]int{dbfleet.RoleReplica: 3}, roles)
		_, err = l.people.Primary().With(postsOf(l).With(authorOf(l)), bossOf(l)).Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[dbfleet.Role]int{dbfleet.RoleReplica: 3, dbfleet.RolePrimary: 4}, roles)
		require.NoError(t, r.Transaction(t.Context(), "", func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := l.people.Query().ForUpdate().Find(ctx, 1)
			return err
		}))
		require.Equal(t, 7, roles[dbfleet.RolePrimary], "a transaction is the primary's")
	})
}

func TestRelation_FaultsAreToldWhenUsed(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLibrary(t, fl)
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE parts (a {bigint} NOT NULL, b {bigint} NOT NULL, person_id {bigint}, PRIMARY KEY (a, b))`)
		type part struct {
			A, B     int64
			PersonID *int64
		}
		parts := conformance.Model[part](t, fl.Registry, dbfleet.ModelConfig{Table: "parts", PrimaryKey: []string{"a", "b"}})
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
			require.ErrorContains(t, use(), `the primary key leaves "a", "b"`, claim)
		}
		var fault *dbfleet.StatementError
		_, err := l.people.With(postsOf(l).Scope(func(q *dbfleet.Query[post]) *dbfleet.Query[post] { return q.Union(l.posts) })).Get(ctx)
		require.ErrorAs(t, err, &fault)
		_, err = postsOf(l).For(nil).Get(ctx)
		require.ErrorAs(t, err, &fault)
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

// hazard 234: 70,000 parents, their keys in several statements, in order.
func TestRelation_ManyParents(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE accounts (id {id}, code {text} NOT NULL)`, `CREATE TABLE notes (id {id}, account_ref {text}, body {text} NOT NULL)`)
		accounts := conformance.Model[client](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts"})
		notes := conformance.Model[remark](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"})
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
		for _, tc := range []struct {
			link    dbfleet.Link
			parents int
			want    []string
		}{
			{dbfleet.On("account_ref"), n, []string{"1", "4999", "5000", "5001", "65535", "65536", "70000"}},
			{dbfleet.On("account_ref", "code"), 6000, []string{"1", "4999", "5000", "5001"}}, // keys that are text
		} {
			before := count()
			loaded, err := accounts.With(dbfleet.HasMany(accounts, notes, tc.link, func(a *client) *[]remark { return &a.Notes }).
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

// truth 306
// A key is the same number whatever kind of number each side has.
func TestRelation_KeysOfDifferentKinds(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE owners (id {bigint} PRIMARY KEY)`, `CREATE TABLE measures (id {bigint} PRIMARY KEY, owner_ref {float} NOT NULL)`)
		owners := conformance.Model[measured](t, fl.Registry, dbfleet.ModelConfig{Table: "owners"})
		measures := conformance.Model[measure](t, fl.Registry, dbfleet.ModelConfig{Table: "measures"})
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
