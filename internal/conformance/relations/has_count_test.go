package relations

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type club struct {
	ID      int64
	Members []member
}

type member struct {
	ID     int64
	Age    int64
	Follow []member
}

type seat struct {
	ID       int64
	ClubID   *int64
	MemberID *int64
}

// holds says whether a op b.
func holds(a int, op string, b int) bool {
	return map[string]bool{"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
}

// clubs are tied to members by seats, which several may be, and members to members whom
// they follow; clubs may be elsewhere than seats, and members elsewhere again.
type clubs struct {
	*dbfleet.Registry
	clubs   *dbfleet.Model[club]
	members *dbfleet.Model[member]
	seats   *dbfleet.Model[seat]

	allMembers []member
	allSeats   []seat
}

func onClubs(t *testing.T, f func(t *testing.T, c *clubs, random *rand.Rand)) {
	t.Helper()
	layouts := map[string][3]string{"apart": {"postgres", "mysql", "sqlite"}, "apart again": {"sqlite", "postgres", "mysql"}}
	for _, d := range dbtest.Dialects {
		layouts[d] = [3]string{d}
	}
	for name, on := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connections := map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(dbtest.New(t, on[0]))}
			names := [3]string{"main", "main", "main"}
			for i := 1; i < 3; i++ {
				if on[i] != "" {
					names[i] = fmt.Sprint("c", i)
					connections[names[i]] = conformance.ConnectionTo(dbtest.New(t, on[i]))
				} else {
					on[i] = on[0]
				}
			}
			r := conformance.Open(t, connections)
			for i, ddl := range []string{
				"CREATE TABLE clubs (id {id})", "CREATE TABLE seats (id {id}, club_id {bigint}, member_id {bigint})", "CREATE TABLE members (id {id}, age {bigint} NOT NULL)",
			} {
				_, err := r.DB(names[i]).ExecContext(t.Context(), conformance.DDL(on[i], ddl))
				require.NoError(t, err)
			}
			c := &clubs{
				Registry: r,
				clubs:    conformance.Model[club](t, r, dbfleet.ModelConfig{Table: "clubs", Connection: names[0]}),
				seats:    conformance.Model[seat](t, r, dbfleet.ModelConfig{Table: "seats", Connection: names[1]}),
				members:  conformance.Model[member](t, r, dbfleet.ModelConfig{Table: "members", Connection: names[2]}),
			}
			seed := rand.Uint64()
			random := rand.New(rand.NewPCG(seed, 1))
			t.Logf("seed %d", seed)
			some := func() *int64 {
				if n := random.Int64N(7); n > 0 {
					return &n
				}
				return nil
			}
			list := make([]club, 7)
			for i := range int64(7) {
				list[i].ID = i + 1
				c.allMembers = append(c.allMembers, member{ID: i + 1, Age: random.Int64N(10)})
			}
			for i := range int64(25) {
				c.allSeats = append(c.allSeats, seat{ID: i + 1, ClubID: some(), MemberID: some()})
			}
			require.NoError(t, c.clubs.CreateMany(t.Context(), list))
			require.NoError(t, c.members.CreateMany(t.Context(), slices.Clone(c.allMembers)))
			require.NoError(t, c.seats.CreateMany(t.Context(), slices.Clone(c.allSeats)))
			f(t, c, random)
		})
	}
}

// number is how many members, not younger than that, have a seat beside the id.
func (c *clubs) number(id, age int64) (n int) {
	for _, m := range c.allMembers {
		if m.Age >= age && slices.ContainsFunc(c.allSeats, func(s seat) bool {
			return s.ClubID != nil && s.MemberID != nil && *s.ClubID == id && *s.MemberID == m.ID
		}) {
			n++
		}
	}
	return n
}

// The number is that of a loop over the same rows, each member counted once, for all
// comparisons, in reads and writes, also where a table is related to itself.
func TestHasCount_OverAPivotAndThrough(t *testing.T) {
	t.Parallel()
	onClubs(t, func(t *testing.T, c *clubs, random *rand.Rand) {
		ctx := t.Context()
		age := dbfleet.Col[int64]("age")
		membersOf := dbfleet.ManyToMany(c.clubs, c.members, c.seats, dbfleet.On("club_id"), dbfleet.On("member_id"), func(c *club) *[]member { return &c.Members })
		seatsOf := dbfleet.HasMany(c.clubs, c.seats, dbfleet.On("club_id"), func(*club) *[]seat { return new([]seat) })
		memberOf := dbfleet.BelongsTo(c.seats, c.members, dbfleet.On("member_id"), func(*seat) **member { return new(*member) })
		through := dbfleet.HasManyThrough(seatsOf, memberOf, func(c *club) *[]member { return &c.Members })
		follow := dbfleet.ManyToMany(c.members, c.members, c.seats, dbfleet.On("club_id"), dbfleet.On("member_id"), func(m *member) *[]member { return &m.Follow })
		scoped := func(q *dbfleet.Query[member]) *dbfleet.Query[member] {
			return q.Where("age", ">=", 2).OrWhere("age", ">=", 100).OrderBy("age", "asc")
		}
		for _, op := range []string{"=", "<>", "<", "<=", ">", ">="} {
			for n := range 4 {
				least := 2 + random.Int64N(4)
				var want []int64
				for id := range int64(7) {
					if holds(c.number(id+1, least), op, n) {
						want = append(want, id+1)
					}
				}
				for claim, cond := range map[string]dbfleet.Cond{
					"pivot":   membersOf.Scope(scoped).HasCount(op, n, age.GtEq(least)),
					"through": through.Scope(scoped).HasCount(op, n, age.GtEq(least)),
				} {
					found, err := c.clubs.Filter(cond).OrderBy("id", "asc").Get(ctx)
					require.NoError(t, err, claim)
					var got []int64
					for _, x := range found {
						got = append(got, x.ID)
					}
					require.Equal(t, want, got, "%s %s %d", claim, op, n)
				}
				found, err := c.members.Filter(follow.HasCount(op, n, age.GtEq(least))).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err)
				var got []int64
				for _, x := range found {
					got = append(got, x.ID)
				}
				require.Equal(t, want, got, "itself %s %d", op, n)
			}
		}
		all, err := c.clubs.Filter(membersOf.HasAtLeast(0)).Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 7, all)
		few := 0
		for id := range int64(7) {
			if c.number(id+1, 0) < 2 {
				few++
			}
		}
		n, err := c.clubs.Filter(dbfleet.Not(membersOf.HasAtLeast(2))).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, few, n)
	})
}

// Texts are counted where one database has all of them, and refused elsewhere.
func TestHasCount_OfTexts(t *testing.T) {
	t.Parallel()
	onGraphs(t, func(t *testing.T, g *graph) {
		ctx := t.Context()
		random := rand.New(rand.NewPCG(rand.Uint64(), 1))
		g.grow(t, random, 4)
		for _, cond := range []dbfleet.Cond{g.playersOf().HasCount("<", 2), g.playersThrough().HasCount("<", 2)} {
			found, err := g.teams.Filter(cond).OrderBy("id", "asc").Get(ctx)
			if g.apart {
				require.ErrorContains(t, err, "compared by the databases alone")
				continue
			}
			require.NoError(t, err)
			var want, got []int64
			for _, x := range g.allTeams {
				if len(g.tied(x, false)) < 2 {
					want = append(want, x.ID)
				}
			}
			for _, x := range found {
				got = append(got, x.ID)
			}
			require.Equal(t, want, got)
		}
	})
}

// Over several connections no more is taken over than is said, and over a long way too.
func TestHasCount_OverALongWay(t *testing.T) {
	t.Parallel()
	onWorlds(t, func(t *testing.T, w world, apart bool) {
		ctx := t.Context()
		far := dbfleet.HasManyThrough(w.essaysIn(), w.sentencesOf(), func(c *country) *[]sentence { return &c.Sentences })
		names := func(cond dbfleet.Cond) (out []string) {
			found, err := w.countries.Filter(cond).OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err)
			for _, c := range found {
				out = append(out, c.Name)
			}
			return out
		}
		require.Equal(t, []string{"norway"}, names(far.HasCount(">", 2)))
		require.Equal(t, []string{"chad", "peru"}, names(far.HasCount("<=", 2)))
		require.Equal(t, []string{"chad"}, names(far.HasCount("=", 1, dbfleet.Col[string]("text").EndsWith(".2"))))
		_, err := w.countries.Filter(far.HasCount("between", 2)).Get(ctx)
		var operator *dbfleet.OperatorError
		require.ErrorAs(t, err, &operator)
		_, err = w.countries.Filter(far.HasAtLeast(-1)).Get(ctx)
		require.ErrorContains(t, err, "is not -1")
		_, err = w.countries.Filter(far.Scope(func(q *dbfleet.Query[sentence]) *dbfleet.Query[sentence] { return q.Limit(1) }).HasAtLeast(1)).Get(ctx)
		require.ErrorContains(t, err, "only With knows")
		for most := 1; most < 8; most++ {
			_, err = w.countries.Filter(far.MaxKeys(most).HasAtLeast(1)).Get(ctx)
			require.Equal(t, apart, err != nil, most)
			if apart {
				require.ErrorIs(t, err, dbfleet.ErrTooManyKeys)
			}
		}
		_, err = w.countries.Filter(far.MaxKeys(8).HasAtLeast(1)).Get(ctx)
		require.NoError(t, err)
	})
}
