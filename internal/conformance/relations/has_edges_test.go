package relations

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// near is a shelf on one SQLite database, far one whose essays and replies are on two others.
func near(t *testing.T) *shelf {
	db := dbtest.New(t, "sqlite")
	return newShelf(t, rand.New(rand.NewPCG(1, 2)), db, db, db) //nolint:gosec // rows for a test
}

func far(t *testing.T) *shelf {
	return newShelf(t, rand.New(rand.NewPCG(1, 2)), dbtest.New(t, "sqlite"), dbtest.New(t, "sqlite"), dbtest.New(t, "sqlite")) //nolint:gosec // rows for a test
}

func TestHas_IsASubqueryOnOneConnectionAndAListOnTwo(t *testing.T) {
	t.Parallel()
	s := near(t)
	sent := conformance.Statements(t, s.Registry)
	views := dbfleet.Col[int64]("views")
	text := func(conds ...dbfleet.Cond) string {
		sql, _, err := s.writers.Filter(conds...).Select("id").SQL(t.Context())
		require.NoError(t, err)
		_, where, _ := strings.Cut(sql, " WHERE ")
		return strings.ReplaceAll(where, `"`, "")
	}
	require.Equal(t, "EXISTS (SELECT 1 AS found FROM essays WHERE views > ? AND essays.writer_ref = writers.ref)", text(s.essaysOf.Has(views.Gt(1))))
	require.Equal(t, "NOT EXISTS (SELECT 1 AS found FROM essays WHERE essays.writer_ref = writers.ref AND essays.tenant = writers.tenant)", text(s.byTenant.HasNone()))
	require.Equal(t, "(SELECT COUNT(*) AS counted FROM essays WHERE essays.writer_ref = writers.ref) >= ?", text(s.essaysOf.HasAtLeast(2)))
	require.Equal(t, "EXISTS (SELECT 1 AS found FROM essays WHERE essays.writer_ref = writers.ref)", text(s.essaysOf.HasAtLeast(1)))
	require.Equal(t, "NOT EXISTS (SELECT 1 AS found FROM essays WHERE essays.writer_ref = writers.ref)", text(s.essaysOf.HasCount("<", 1)))
	require.Equal(t, "EXISTS (SELECT 1 AS found FROM writers AS related WHERE related.boss_id = writers.id)", text(s.staffOf.Has()))
	require.Equal(t, "EXISTS (SELECT 1 AS found FROM writers AS related WHERE EXISTS (SELECT 1 AS found FROM writers WHERE writers.boss_id = related.id) AND related.boss_id = writers.id)", text(s.staffOf.Has(s.staffOf.Has())))
	require.Empty(t, sent(), "SQL asks nothing on one connection")

	s = far(t)
	sent = conformance.Statements(t, s.Registry)
	list := text(s.essaysOf.Has(views.Gt(2)))
	require.Regexp(t, `^\(ref IN \(.*\) AND ref IS NOT NULL\)$`, list)
	require.Equal(t, map[string]int{"select": 1}, sent(), "the keys are part of the text")
	require.Equal(t, "NOT (1 = 0)", text(s.essaysOf.HasNone(views.Gt(1000))))
	require.Equal(t, "(NOT (1 = 1))", text(s.byTenant.Has(views.Gt(1000))))
	route, err := s.writers.Filter(s.essaysOf.Has()).Route(t.Context())
	require.NoError(t, err)
	require.Equal(t, "level0", route.Connection)
	sent()
	_, err = s.writers.Filter(s.essaysOf.Has()).Route(t.Context())
	require.NoError(t, err)
	require.Empty(t, sent(), "Route asks nothing")
	n, err := s.writers.Filter(dbfleet.Or(s.essaysOf.Has(s.repliesOf.Has()), s.essaysOf.HasNone())).Count(t.Context())
	require.NoError(t, err)
	require.Positive(t, n)
	require.Equal(t, map[string]int{"select": 4}, sent(), "keys of essays twice, those of replies once, and writers")
}

// Conditions inside of other queries are asked for too.
func TestHas_StandsInsideOfOtherQueries(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, random *rand.Rand) {
		c := about(random, "essays", s.essaysOf, s.aboutEssay(random, 1), s.essaysBy)
		want := picked(s.allWriters, c.says)
		inner := s.writers.Filter(c.cond)
		list, err := s.writers.WhereIn("id", inner.Select("id")).OrderBy("id", "asc").Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, writerIDs(want), writerIDs(list))
		list, err = s.writers.Where("id", "<", 0).Union(inner).OrderBy("id", "asc").Get(t.Context())
		require.NoError(t, err)
		require.Equal(t, writerIDs(want), writerIDs(list))
		n := 0
		for w, err := range inner.Iter(t.Context()) {
			require.NoError(t, err)
			require.True(t, c.says(w))
			n++
		}
		require.Len(t, want, n)
		named, err := dbfleet.Pluck[int64](t.Context(), s.writers.Query().As("w").Filter(c.cond).OrderBy("id", "asc"), "id")
		require.NoError(t, err)
		require.ElementsMatch(t, writerIDs(want), named)
		exists, err := inner.Exists(t.Context())
		require.NoError(t, err)
		require.Equal(t, len(want) > 0, exists)
	})
}

// A condition about a joined table's related records is one about that table's rows.
func TestHas_IsAboutTheTableOfItsParents(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, random *rand.Rand) {
		inner := s.aboutReply(random)
		_, err := s.essays.Filter(s.essaysOf.Has()).Get(t.Context())
		require.ErrorContains(t, err, `Has: it is about rows of table "writers", which the query does not read`)
		_, err = s.writers.Filter(s.repliesOf.HasNone(inner.cond)).Get(t.Context())
		require.ErrorContains(t, err, `HasNone: it is about rows of table "essays", which the query does not read`)
		if _, apart := s.Stats()["level1"]; apart {
			return // which is no database to join
		}
		want := 0
		for _, w := range s.allWriters {
			want += len(picked(s.essaysBy(w), func(e essay) bool {
				return len(picked(s.allReplies, func(r reply) bool { return same(r.EssayID, &e.ID) && inner.says(r) })) > 0
			}))
		}
		n, err := s.writers.Query().Join("essays", "essays.writer_ref", "=", "writers.ref").Filter(s.repliesOf.Has(inner.cond)).Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, want, n)
		n, err = s.writers.Query().Join("essays AS e", "e.writer_ref", "=", "writers.ref").Filter(s.repliesOf.Has(inner.cond)).Count(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, want, n)
	})
}

func TestHas_RefusesInWords(t *testing.T) {
	t.Parallel()
	for _, s := range []*shelf{near(t), far(t)} {
		sent := conformance.Statements(t, s.Registry)
		scoped := func(f func(q *dbfleet.Query[essay]) *dbfleet.Query[essay]) dbfleet.ToMany[writer, essay] {
			return s.essaysOf.Scope(f)
		}
		for says, c := range map[string]dbfleet.Cond{
			`table "writers": HasAtLeast: a number of records is not -1`: s.essaysOf.HasAtLeast(-1),
			`HasCount`:                                       s.essaysOf.HasCount("LIKE", 1),
			`table "essays" has no column "nope"`:            s.essaysOf.Has(dbfleet.Col[int]("nope").Eq(1)),
			`Has: relation: it is the zero value`:            dbfleet.ToMany[writer, essay]{}.Has(),
			`Has: MaxKeys: it takes a number above 0, not 0`: s.essaysOf.MaxKeys(0).Has(),
			`Scope groups or merges rows`:                    scoped(func(q *dbfleet.Query[essay]) *dbfleet.Query[essay] { return q.GroupBy("tenant") }).Has(),
			`Scope bounds the records of each parent`:        scoped(func(q *dbfleet.Query[essay]) *dbfleet.Query[essay] { return q.Limit(3) }).HasAtLeast(2),
			`would not hold for the other rows of a union`:   scoped(func(q *dbfleet.Query[essay]) *dbfleet.Query[essay] { return q.Union(s.essays) }).HasNone(),
			`link names no column`:                           dbfleet.HasMany(s.writers, s.essays, dbfleet.Link{}, func(*writer) *[]essay { return nil }).Has(),
		} {
			_, err := s.writers.Filter(c).Get(t.Context())
			require.ErrorContains(t, err, says)
			_, err = s.writers.Filter(dbfleet.Not(c)).Delete(t.Context())
			require.ErrorContains(t, err, says)
		}
		require.Empty(t, sent(), "nothing was sent")
		_, err := s.writers.Where("name", "=", s.essaysOf.Has()).Get(t.Context())
		require.ErrorContains(t, err, "a condition is no value")
		n, err := s.writers.Filter(scoped(func(q *dbfleet.Query[essay]) *dbfleet.Query[essay] { return q.Limit(3).OrderBy("views", "desc") }).Has()).Count(t.Context())
		require.NoError(t, err, "a limit of some says nothing about whether there are any")
		require.EqualValues(t, len(picked(s.allWriters, func(w writer) bool { return len(s.essaysBy(w)) > 0 })), n)
	}
}

// A table that the related records are joined with must not be mistaken for the parents'.
func TestHas_KeepsItsTablesApart(t *testing.T) {
	t.Parallel()
	s := near(t)
	joined := func(table, column string) dbfleet.ToMany[writer, essay] {
		return s.essaysOf.Scope(func(q *dbfleet.Query[essay]) *dbfleet.Query[essay] {
			return q.Join(table, column, "=", "essays.tenant")
		})
	}
	_, err := s.writers.Filter(joined("writers", "writers.tenant").Has()).Get(t.Context())
	require.ErrorContains(t, err, `the related records are joined with a table that is called "writers", as that of the query around them: give one of them an alias`)
	n, err := s.writers.Filter(joined("writers AS others", "others.tenant").Has()).Count(t.Context())
	require.NoError(t, err)
	tenants := map[int64]bool{}
	for _, w := range s.allWriters {
		tenants[w.Tenant] = true
	}
	require.EqualValues(t, len(picked(s.allWriters, func(w writer) bool {
		return len(picked(s.essaysBy(w), func(e essay) bool { return e.Tenant != nil && tenants[*e.Tenant] })) > 0
	})), n)
	// The table's name means the related rows where a table is related to itself.
	staff := s.staffOf.Scope(func(q *dbfleet.Query[writer]) *dbfleet.Query[writer] { return q.Where("writers.name", ">", "f") })
	n, err = s.writers.Filter(staff.Has(dbfleet.Raw("related.tenant >= 0"))).Count(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, len(picked(s.allWriters, func(w writer) bool {
		return len(picked(s.staff(w), func(o writer) bool { return o.Name > "f" })) > 0
	})), n)
}

// More keys than are allowed are an error that says so, and nothing is sent to the parents.
func TestHas_BoundsTheKeysThatItTakesOver(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, _ *rand.Rand) {
		keys := map[int64]bool{}
		for _, e := range s.allEssays {
			if e.WriterRef != nil {
				keys[*e.WriterRef] = true
			}
		}
		var tables []string
		s.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { tables = append(tables, e.Table) })
		enough, few := s.essaysOf.MaxKeys(len(keys)), s.essaysOf.MaxKeys(len(keys)-1)
		_, err := s.writers.Filter(enough.Has()).Get(t.Context())
		require.NoError(t, err)
		tables = nil
		_, err = s.writers.Filter(few.Has()).Get(t.Context())
		if _, apart := s.Stats()["level1"]; !apart {
			require.NoError(t, err, "a subquery has no bound")
			return
		}
		require.ErrorIs(t, err, dbfleet.ErrTooManyKeys)
		require.ErrorContains(t, err, fmt.Sprintf(`table "essays" on connection "level1" have more than %d keys, which a statement on connection "level0" does not take over (MaxKeys)`, len(keys)-1))
		require.Equal(t, []string{"essays"}, tables)
		_, err = s.writers.Filter(few.HasNone()).Delete(t.Context())
		require.ErrorIs(t, err, dbfleet.ErrTooManyKeys)
		require.NotContains(t, tables, "writers")
	})
}

type account struct {
	ID    int64
	Code  string
	Notes []note
}

type note struct {
	ID  int64
	Ref *string // the account's id as text, or its code
}

// Keys of another kind are made the parents' own, in Go; many of them are one list.
func TestHas_TakesKeysOfAnotherKind(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE accounts (id {bigint} PRIMARY KEY, code {text} NOT NULL)`, `CREATE TABLE notes (id {id}, ref {text})`)
		accounts := conformance.Model[account](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts"})
		notes := conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes"})
		const many = 1_500
		list, refs := make([]account, many), make([]note, 0, many)
		for i := range list {
			list[i] = account{ID: int64(i + 1), Code: fmt.Sprint("c", i+1)}
			if i%2 == 0 {
				refs = append(refs, note{Ref: at(fmt.Sprint(i + 1))}, note{Ref: at(fmt.Sprint("c", i+1))})
			}
		}
		refs = append(refs, note{}, note{Ref: at("no number")}, note{Ref: at("99999999999999999999999")})
		require.NoError(t, accounts.CreateMany(ctx, list))
		require.NoError(t, notes.CreateMany(ctx, refs))
		field := func(a *account) *[]note { return &a.Notes }
		byID := dbfleet.HasMany(accounts, notes, dbfleet.On("ref"), field).MaxKeys(20_000)
		byCode := dbfleet.HasMany(accounts, notes, dbfleet.On("ref", "code"), field)
		for claim, has := range map[string]dbfleet.Cond{"by a number that is text": byID.Has(), "by text": byCode.Has()} {
			n, err := accounts.Filter(has).Count(ctx)
			require.NoError(t, err, claim)
			require.EqualValues(t, many/2, n, claim)
			n, err = accounts.Filter(dbfleet.Not(has)).Count(ctx)
			require.NoError(t, err, claim)
			require.EqualValues(t, many/2, n, claim)
		}
		// The other way round, from text to the number.
		accountOf := dbfleet.BelongsTo(notes, accounts, dbfleet.On("ref"), func(*note) **account { return new(*account) }).MaxKeys(20_000)
		n, err := notes.Filter(accountOf.Has()).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, many/2, n)
		n, err = notes.Filter(accountOf.HasNone()).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, many/2+3, n)
	})
}

// Texts that the related database holds for equal are taken over as often as they are
// written in another way.
func TestHas_TakesOverAllSpellings(t *testing.T) {
	t.Parallel()
	folded := map[string]string{"sqlite": "TEXT COLLATE NOCASE", "postgres": "CITEXT", "mysql": "VARCHAR(20) COLLATE utf8mb4_general_ci"}
	exact := map[string]string{"sqlite": "TEXT", "postgres": "TEXT", "mysql": "VARCHAR(20) COLLATE utf8mb4_bin"}
	for _, from := range dbtest.Dialects {
		for _, to := range dbtest.Dialects {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(dbtest.New(t, from)), "other": conformance.ConnectionTo(dbtest.New(t, to))})
				if to == "postgres" {
					_, err := r.DB("other").ExecContext(ctx, "CREATE EXTENSION citext")
					require.NoError(t, err)
				}
				_, err := r.DB("main").ExecContext(ctx, conformance.DDL(from, "CREATE TABLE tags (id {id}, code "+exact[from]+")"))
				require.NoError(t, err)
				_, err = r.DB("other").ExecContext(ctx, conformance.DDL(to, "CREATE TABLE uses (id {id}, code "+folded[to]+")"))
				require.NoError(t, err)
				tags := conformance.Model[tag](t, r, dbfleet.ModelConfig{Table: "tags"})
				uses := conformance.Model[use](t, r, dbfleet.ModelConfig{Table: "uses", Connection: "other"})
				require.NoError(t, tags.CreateMany(ctx, []tag{{Code: "ada"}, {Code: "ADA"}, {Code: "Ada"}, {Code: "bob"}}))
				require.NoError(t, uses.CreateMany(ctx, []use{{Code: "ada"}, {Code: "ADA"}, {Code: "ADA"}, {Code: "BOB"}}))
				usesOf := dbfleet.HasMany(tags, uses, dbfleet.On("code", "code"), func(*tag) *[]use { return new([]use) })
				found, err := dbfleet.Pluck[string](ctx, tags.Filter(usesOf.Has()).OrderBy("id", "asc"), "code")
				require.NoError(t, err)
				require.Equal(t, []string{"ada", "ADA"}, found, "compared by the parents' database")
				none, err := dbfleet.Pluck[string](ctx, tags.Filter(usesOf.HasNone()).OrderBy("id", "asc"), "code")
				require.NoError(t, err)
				require.Equal(t, []string{"Ada", "bob"}, none)
			})
		}
	}
}
