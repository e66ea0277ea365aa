package relations

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// writer, essay and reply are a tree whose levels may live on three databases.
type writer struct {
	ID     int64
	Tenant int64
	Name   string
	BossID *int64
	Ref    *int64 // what essays refer to; NULL for some
	Essays []essay
	Staff  []writer
	Boss   *writer
	Total  int64    `db:"-"`
	Some   bool     `db:"-"`
	Most   *int64   `db:"-"`
	Least  *int64   `db:"-"`
	Mean   *float64 `db:"-"`
	Sum    *int64   `db:"-"`
}

type essay struct {
	ID        int64
	WriterRef *int64
	Tenant    *int64
	Views     int64
	Author    *writer
	Replies   []reply
}

type reply struct {
	ID      int64
	EssayID *int64
	Kind    string
}

// shelf is random rows, in Go and in databases.
type shelf struct {
	*dbfleet.Registry
	writers   *dbfleet.Model[writer]
	essays    *dbfleet.Model[essay]
	replies   *dbfleet.Model[reply]
	essaysOf  dbfleet.ToMany[writer, essay]
	repliesOf dbfleet.ToMany[essay, reply]
	staffOf   dbfleet.ToMany[writer, writer]
	bossOf    dbfleet.ToOne[writer, writer]
	authorOf  dbfleet.ToOne[essay, writer]
	byTenant  dbfleet.ToMany[writer, essay] // by two columns

	allWriters []writer
	allEssays  []essay
	allReplies []reply
}

// newShelf lays writers, essays and replies out on databases, which may be the same.
func newShelf(t *testing.T, random *rand.Rand, on ...dbtest.Database) *shelf {
	t.Helper()
	ctx := t.Context()
	connections, names := map[string]dbfleet.ConnectionConfig{}, make([]string, 3)
	for i, db := range on {
		names[i] = fmt.Sprint("level", i)
		for k := range i {
			if on[k].Name == db.Name && on[k].Dialect == db.Dialect {
				names[i] = names[k]
			}
		}
		connections[names[i]] = conformance.ConnectionTo(db)
	}
	s := &shelf{Registry: conformance.Open(t, connections)}
	for i, ddl := range []string{
		`CREATE TABLE writers (id {id}, tenant {bigint} NOT NULL, name {text} NOT NULL, boss_id {bigint}, ref {bigint})`,
		`CREATE TABLE essays (id {id}, writer_ref {bigint}, tenant {bigint}, views {bigint} NOT NULL)`,
		`CREATE TABLE replies (id {id}, essay_id {bigint}, kind {text} NOT NULL)`,
	} {
		_, err := s.DB(names[i]).ExecContext(ctx, conformance.DDL(on[i].Dialect, ddl))
		require.NoError(t, err)
	}
	s.writers = conformance.Model[writer](t, s.Registry, dbfleet.ModelConfig{Table: "writers", Connection: names[0]})
	s.essays = conformance.Model[essay](t, s.Registry, dbfleet.ModelConfig{Table: "essays", Connection: names[1]})
	s.replies = conformance.Model[reply](t, s.Registry, dbfleet.ModelConfig{Table: "replies", Connection: names[2]})
	s.essaysOf = dbfleet.HasMany(s.writers, s.essays, dbfleet.On("writer_ref", "ref"), func(w *writer) *[]essay { return &w.Essays })
	s.byTenant = dbfleet.HasMany(s.writers, s.essays, dbfleet.On("writer_ref", "ref").And("tenant", "tenant"), func(w *writer) *[]essay { return &w.Essays })
	s.repliesOf = dbfleet.HasMany(s.essays, s.replies, dbfleet.On("essay_id"), func(e *essay) *[]reply { return &e.Replies })
	s.staffOf = dbfleet.HasMany(s.writers, s.writers, dbfleet.On("boss_id"), func(w *writer) *[]writer { return &w.Staff })
	s.bossOf = dbfleet.BelongsTo(s.writers, s.writers, dbfleet.On("boss_id"), func(w *writer) **writer { return &w.Boss })
	s.authorOf = dbfleet.BelongsTo(s.essays, s.writers, dbfleet.On("writer_ref", "ref"), func(e *essay) **writer { return &e.Author })
	maybe := func(n int64) *int64 {
		if random.IntN(4) == 0 {
			return nil
		}
		return at(random.Int64N(n) + 1)
	}
	for i := range int64(14) {
		s.allWriters = append(s.allWriters, writer{ID: i + 1, Tenant: random.Int64N(3), Name: string(rune('a' + i)), BossID: maybe(16), Ref: maybe(12)})
	}
	for i := range int64(24) {
		e := essay{ID: i + 1, WriterRef: maybe(13), Tenant: at(random.Int64N(3)), Views: random.Int64N(5)}
		if random.IntN(5) == 0 {
			e.Tenant = nil
		}
		s.allEssays = append(s.allEssays, e)
	}
	for i := range int64(24) {
		s.allReplies = append(s.allReplies, reply{ID: i + 1, EssayID: maybe(26), Kind: string(rune('p' + random.IntN(3)))})
	}
	require.NoError(t, s.writers.CreateMany(ctx, s.allWriters))
	require.NoError(t, s.essays.CreateMany(ctx, s.allEssays))
	require.NoError(t, s.replies.CreateMany(ctx, s.allReplies))
	return s
}

// onLayouts runs f with the levels on one database of each kind, and over several.
func onLayouts(t *testing.T, f func(t *testing.T, s *shelf, random *rand.Rand)) {
	t.Helper()
	layouts := [][]int{{0, 0, 0}, {1, 1, 1}, {2, 2, 2}, {0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 1, 1}, {1, 1, 0}, {2, 1, 2}}
	for i, layout := range layouts {
		t.Run(fmt.Sprint(dbtest.Dialects[layout[0]], " ", dbtest.Dialects[layout[1]], " ", dbtest.Dialects[layout[2]]), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(7, uint64(i))) //nolint:gosec // rows for a test
			made := map[int]dbtest.Database{}
			var on []dbtest.Database
			for _, n := range layout {
				if _, ok := made[n]; !ok {
					made[n] = dbtest.New(t, dbtest.Dialects[n])
				}
				on = append(on, made[n])
			}
			f(t, newShelf(t, random, on...), random)
		})
	}
}

// claim is a condition, and what it says of a row in Go.
type claim[T any] struct {
	cond dbfleet.Cond
	says func(T) bool
	text string
}

// joint is a random tree of claims.
func joint[T any](random *rand.Rand, depth int, leaf func(depth int) claim[T]) claim[T] {
	if depth == 0 || random.IntN(3) == 0 {
		return leaf(depth)
	}
	a, b := joint(random, depth-1, leaf), joint(random, depth-1, leaf)
	switch random.IntN(3) {
	case 0:
		return claim[T]{dbfleet.And(a.cond, b.cond), func(v T) bool { return a.says(v) && b.says(v) }, "(" + a.text + " and " + b.text + ")"}
	case 1:
		return claim[T]{dbfleet.Or(a.cond, b.cond), func(v T) bool { return a.says(v) || b.says(v) }, "(" + a.text + " or " + b.text + ")"}
	}
	return claim[T]{dbfleet.Not(a.cond), func(v T) bool { return !a.says(v) }, "not " + a.text}
}

// about is a random claim about the number of related records that inner holds for.
func about[P, C any](random *rand.Rand, name string, r dbfleet.ToMany[P, C], inner claim[C], related func(P) []C) claim[P] {
	count := func(p P) (n int) {
		for _, c := range related(p) {
			if inner.says(c) {
				n++
			}
		}
		return n
	}
	text := name + " (" + inner.text + ")"
	switch random.IntN(4) {
	case 0:
		return claim[P]{r.Has(inner.cond), func(p P) bool { return count(p) > 0 }, "has " + text}
	case 1:
		return claim[P]{r.HasNone(inner.cond), func(p P) bool { return count(p) == 0 }, "has no " + text}
	case 2:
		n := random.IntN(3)
		return claim[P]{r.HasAtLeast(n, inner.cond), func(p P) bool { return count(p) >= n }, fmt.Sprint("has ", n, " or more ", text)}
	}
	n, op := random.IntN(3), []string{"=", "!=", "<", "<=", ">", ">="}[random.IntN(6)]
	holds := map[string]func(c int) bool{
		"=": func(c int) bool { return c == n }, "!=": func(c int) bool { return c != n }, "<": func(c int) bool { return c < n },
		"<=": func(c int) bool { return c <= n }, ">": func(c int) bool { return c > n }, ">=": func(c int) bool { return c >= n },
	}[op]
	return claim[P]{r.HasCount(op, n, inner.cond), func(p P) bool { return holds(count(p)) }, fmt.Sprint("has ", op, n, " ", text)}
}

func same(a, b *int64) bool { return a != nil && b != nil && *a == *b }

func picked[T any](list []T, keep func(T) bool) (out []T) {
	for _, v := range list {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}

func (s *shelf) essaysBy(w writer) []essay {
	return picked(s.allEssays, func(e essay) bool { return same(e.WriterRef, w.Ref) })
}

func (s *shelf) staff(w writer) []writer {
	return picked(s.allWriters, func(o writer) bool { return same(o.BossID, &w.ID) })
}

// aboutReply, aboutEssay and aboutWriter are random claims about a row.
func (s *shelf) aboutReply(random *rand.Rand) claim[reply] {
	kind := string(rune('p' + random.IntN(3)))
	return claim[reply]{dbfleet.Col[string]("kind").Eq(kind), func(r reply) bool { return r.Kind == kind }, "kind " + kind}
}

func (s *shelf) aboutEssay(random *rand.Rand, depth int) claim[essay] {
	return joint(random, 1, func(int) claim[essay] {
		if depth > 0 && random.IntN(2) == 0 {
			return about(random, "replies", s.repliesOf, s.aboutReply(random), func(e essay) []reply {
				return picked(s.allReplies, func(r reply) bool { return same(r.EssayID, &e.ID) })
			})
		}
		views := random.Int64N(5)
		return claim[essay]{dbfleet.Col[int64]("views").GtEq(views), func(e essay) bool { return e.Views >= views }, fmt.Sprint("views>=", views)}
	})
}

func (s *shelf) aboutWriter(random *rand.Rand, depth int) claim[writer] {
	return joint(random, min(depth, 2), func(int) claim[writer] {
		switch n := random.IntN(5); {
		case depth > 0 && n == 0:
			return about(random, "staff", s.staffOf, s.aboutWriter(random, depth-1), s.staff)
		case depth > 0 && n == 1:
			return about(random, "essays", s.essaysOf, s.aboutEssay(random, depth-1), s.essaysBy)
		case depth > 0 && n == 2:
			return about(random, "essays of the tenant", s.byTenant, s.aboutEssay(random, depth-1), func(w writer) []essay {
				return picked(s.essaysBy(w), func(e essay) bool { return same(e.Tenant, &w.Tenant) })
			})
		case depth > 0 && n == 3:
			inner := s.aboutWriter(random, depth-1)
			boss := func(w writer) bool {
				return len(picked(s.allWriters, func(o writer) bool { return same(&o.ID, w.BossID) && inner.says(o) })) > 0
			}
			if random.IntN(2) == 0 {
				return claim[writer]{s.bossOf.Has(inner.cond), boss, "has a boss (" + inner.text + ")"}
			}
			return claim[writer]{s.bossOf.HasNone(inner.cond), func(w writer) bool { return !boss(w) }, "has no boss (" + inner.text + ")"}
		}
		name := string(rune('a' + random.IntN(14)))
		return claim[writer]{dbfleet.Col[string]("name").LtEq(name), func(w writer) bool { return w.Name <= name }, "name<=" + name}
	})
}

// Random conditions about related records find what plain Go finds among the same rows,
// wherever those are.
func TestHas_FindsWhatGoFinds(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, random *rand.Rand) {
		ctx := t.Context()
		for range 120 {
			c := s.aboutWriter(random, 3)
			want := writerIDs(picked(s.allWriters, c.says))
			got, err := s.writers.Filter(c.cond).OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err, c.text)
			require.Equal(t, want, writerIDs(got), c.text)
			n, err := s.writers.Filter(c.cond).Count(ctx)
			require.NoError(t, err, c.text)
			require.EqualValues(t, len(want), n, c.text)
			n, err = s.writers.Filter(dbfleet.Not(c.cond)).Count(ctx)
			require.NoError(t, err, c.text)
			require.EqualValues(t, len(s.allWriters)-len(want), n, "a condition about related records is never NULL: %s", c.text)
		}
	})
}

func writerIDs(list []writer) []int64 {
	out := []int64{}
	for _, w := range list {
		out = append(out, w.ID)
	}
	return out
}

// Writes take the same conditions, and one transaction has them in it.
func TestHas_NarrowsWrites(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, random *rand.Rand) {
		ctx := t.Context()
		for range 10 {
			c := s.aboutWriter(random, 2)
			want := len(picked(s.allWriters, c.says))
			n, err := s.writers.Filter(c.cond, dbfleet.Col[int64]("id").Gt(0)).Update(ctx, map[string]any{"tenant": dbfleet.Raw("tenant")})
			require.NoError(t, err, c.text)
			require.EqualValues(t, want, n, c.text)
		}
		c := about(random, "staff", s.staffOf, s.aboutWriter(random, 0), s.staff)
		n, err := s.writers.Filter(c.cond).Delete(ctx)
		require.NoError(t, err, c.text)
		require.EqualValues(t, len(picked(s.allWriters, c.says)), n, c.text)
		left, err := s.writers.OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, writerIDs(picked(s.allWriters, func(w writer) bool { return !c.says(w) })), writerIDs(left))
	})
}

// Keys of another connection are read in the transactions and by the route of the query.
func TestHas_SeesTheTransactionOfTheOtherConnection(t *testing.T) {
	t.Parallel()
	onLayouts(t, func(t *testing.T, s *shelf, _ *rand.Rand) {
		ctx := t.Context()
		w := writer{ID: 100, Name: "new", Ref: at[int64](500)}
		require.NoError(t, s.writers.Create(ctx, &w))
		fresh := s.writers.Filter(s.essaysOf.Has(dbfleet.Col[int64]("views").Eq(77)))
		undo := fmt.Errorf("undo")
		err := s.essays.Query().Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, s.essays.Create(ctx, &essay{ID: 1000, WriterRef: w.Ref, Views: 77}))
			found, err := fresh.Get(ctx)
			require.NoError(t, err)
			require.Equal(t, []int64{100}, writerIDs(found))
			return undo
		})
		require.ErrorIs(t, err, undo)
		n, err := fresh.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		conformance.RequireIdle(t, s.Registry)
	})
}
