package relations

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type team struct {
	ID      int64
	Code    *string
	Players []player

	Number int64  `db:"-"`
	Some   bool   `db:"-"`
	Sum    *int64 `db:"-"`
	Best   *int64 `db:"-"`
}

type player struct {
	ID    int64
	Code  *string
	Rank  int64 `db:"rank_no"`
	Spell *spell
}

type spell struct {
	ID     int64
	Team   *string
	Player *string
}

// graph is teams and players that spells tie, by texts whose case the databases ignore.
type graph struct {
	*dbfleet.Registry
	apart   bool // each table is on a connection of its own
	teams   *dbfleet.Model[team]
	players *dbfleet.Model[player]
	spells  *dbfleet.Model[spell]

	allTeams   []team
	allPlayers []player
	allSpells  []spell
}

func newGraph(t *testing.T, dialects [3]string, apart bool) *graph {
	t.Helper()
	folding := map[string]string{"sqlite": "TEXT COLLATE NOCASE", "postgres": "CITEXT", "mysql": "VARCHAR(20) COLLATE utf8mb4_general_ci"}
	connections := map[string]dbfleet.ConnectionConfig{}
	on := [3]string{"main", "main", "main"}
	for i, d := range dialects {
		if apart {
			on[i] = fmt.Sprint("c", i)
		}
		if _, there := connections[on[i]]; !there {
			connections[on[i]] = conformance.ConnectionTo(dbtest.New(t, d))
		}
	}
	g := &graph{Registry: conformance.Open(t, connections), apart: apart}
	for name := range connections {
		if g.DB(name).Driver() == dbfleet.Postgres {
			_, err := g.DB(name).ExecContext(t.Context(), "CREATE EXTENSION citext")
			require.NoError(t, err)
		}
	}
	for i, ddl := range []string{
		"CREATE TABLE teams (id {id}, code {fold})", "CREATE TABLE spells (id {id}, team {fold}, player {fold})", "CREATE TABLE players (id {id}, code {fold}, rank_no {bigint} NOT NULL)",
	} {
		_, err := g.DB(on[i]).ExecContext(t.Context(), conformance.DDL(dialects[i], strings.ReplaceAll(ddl, "{fold}", folding[dialects[i]])))
		require.NoError(t, err)
	}
	g.teams = conformance.Model[team](t, g.Registry, dbfleet.ModelConfig{Table: "teams", Connection: on[0]})
	g.spells = conformance.Model[spell](t, g.Registry, dbfleet.ModelConfig{Table: "spells", Connection: on[1]})
	g.players = conformance.Model[player](t, g.Registry, dbfleet.ModelConfig{Table: "players", Connection: on[2]})
	return g
}

// grow makes other rows, of so many codes.
func (g *graph) grow(t *testing.T, random *rand.Rand, codes int) {
	t.Helper()
	ctx := t.Context()
	for _, empty := range []func() (int64, error){
		func() (int64, error) { return g.teams.Query().AllRows().Delete(ctx) },
		func() (int64, error) { return g.spells.Query().AllRows().Delete(ctx) },
		func() (int64, error) { return g.players.Query().AllRows().Delete(ctx) },
	} {
		_, err := empty()
		require.NoError(t, err)
	}
	code := func(of int) *string {
		if random.IntN(10) == 0 {
			return nil
		}
		c := fmt.Sprint("k", random.IntN(of))
		if random.IntN(2) == 0 {
			c = strings.ToUpper(c)
		}
		return &c
	}
	g.allTeams, g.allSpells, g.allPlayers = nil, nil, nil
	teams := 4 // of many spells each, in either case
	for i := range 8 {
		g.allTeams = append(g.allTeams, team{ID: int64(i + 1), Code: code(teams)})
	}
	for i := range codes + random.IntN(4*codes) {
		g.allSpells = append(g.allSpells, spell{ID: int64(i + 1), Team: code(teams), Player: code(codes)})
	}
	ranks := random.Perm(2 * codes)
	for i := range codes/2 + random.IntN(codes) {
		g.allPlayers = append(g.allPlayers, player{ID: int64(i + 1), Code: code(codes), Rank: int64(ranks[i])})
	}
	require.NoError(t, g.teams.CreateMany(ctx, slices.Clone(g.allTeams)))
	require.NoError(t, g.spells.CreateMany(ctx, slices.Clone(g.allSpells)))
	require.NoError(t, g.players.CreateMany(ctx, slices.Clone(g.allPlayers)))
}

func fold(a, b *string) bool { return a != nil && b != nil && strings.EqualFold(*a, *b) }

// playersOf are a team's by its spells, and playersThrough the same in two steps.
func (g *graph) playersOf() dbfleet.ToManyPivot[team, player, spell] {
	return dbfleet.ManyToMany(g.teams, g.players, g.spells, dbfleet.On("team", "code"), dbfleet.On("player", "code"), func(t *team) *[]player { return &t.Players })
}

func (g *graph) playersThrough() dbfleet.ToManyThrough[team, player] {
	spellsOf := dbfleet.HasMany(g.teams, g.spells, dbfleet.On("team", "code"), func(*team) *[]spell { return new([]spell) })
	playerOf := dbfleet.BelongsTo(g.spells, g.players, dbfleet.On("player", "code"), func(*spell) **player { return new(*player) })
	return dbfleet.HasManyThrough(spellsOf, playerOf, func(t *team) *[]player { return &t.Players })
}

// tied are the players of a team, by rank, as a loop in a loop finds them: once, or once for
// each spell.
func (g *graph) tied(of team, eachSpell bool) (list [][2]int64) {
	for _, p := range g.allPlayers {
		for _, s := range g.allSpells {
			if !fold(of.Code, s.Team) || !fold(s.Player, p.Code) {
				continue
			}
			if list = append(list, [2]int64{p.Rank, s.ID}); !eachSpell {
				break
			}
		}
	}
	slices.SortFunc(list, func(a, b [2]int64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return list
}

func ranksOf(list [][2]int64) []int64 {
	out := []int64{}
	for _, p := range list {
		out = append(out, p[0])
	}
	return out
}

func ranked(players []player) []int64 {
	out := []int64{}
	for _, p := range players {
		out = append(out, p.Rank)
	}
	return out
}

// With, For and Has find what a loop over the same rows finds, whatever the order and limit,
// the number of keys, and the databases; keys that the databases hold for equal are.
func TestManyToMany_IsAJoinOverTheSameRows(t *testing.T) {
	t.Parallel()
	onGraphs(t, func(t *testing.T, g *graph) {
		ctx := t.Context()
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 1))
		t.Logf("seed %d", seed)
		byRank := func(q *dbfleet.Query[player]) *dbfleet.Query[player] { return q.OrderBy("rank_no", "asc") }
		plain := g.playersOf()
		through := g.playersThrough().Scope(byRank)
		for round := range 6 {
			g.grow(t, random, []int{4, 90}[round%2]) // few keys, and more than one statement compares
			low, high := random.IntN(3), 1+random.IntN(3)
			bounded := func(q *dbfleet.Query[player]) *dbfleet.Query[player] { return byRank(q).Offset(low).Limit(high) }
			cut := func(list []int64) []int64 {
				list = list[min(low, len(list)):]
				return list[:min(high, len(list))]
			}
			for claim, with := range map[string]dbfleet.Relation[team]{
				"in no order": plain, "in order": plain.Scope(byRank), "some": plain.Scope(bounded), "through": through, "some through": through.Scope(bounded),
			} {
				list, err := g.teams.With(with).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err, claim)
				require.Len(t, list, len(g.allTeams))
				for _, x := range list {
					want, got := ranksOf(g.tied(x, false)), ranked(x.Players)
					switch claim {
					case "in no order":
						slices.Sort(got)
					case "some", "some through":
						want = cut(want)
					}
					require.Equal(t, want, got, claim)
				}
			}
			list, err := g.teams.With(plain.KeepPivot(func(p *player) **spell { return &p.Spell })).OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err)
			var idle []int64
			for i := range list {
				x := &list[i]
				got := [][2]int64{}
				for _, p := range x.Players {
					require.True(t, fold(p.Code, p.Spell.Player))
					got = append(got, [2]int64{p.Rank, p.Spell.ID})
				}
				slices.SortFunc(got, func(a, b [2]int64) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
				require.ElementsMatch(t, g.tied(*x, true), got)
				lazy, err := plain.Scope(bounded).For(x).Get(ctx)
				require.NoError(t, err)
				require.Equal(t, cut(ranksOf(g.tied(*x, false))), ranked(lazy))
				if len(got) == 0 {
					idle = append(idle, x.ID)
				}
			}
			found, err := g.teams.Filter(plain.HasNone()).OrderBy("id", "asc").Get(ctx)
			require.NoError(t, err)
			var none []int64
			for _, x := range found {
				none = append(none, x.ID)
			}
			require.Equal(t, idle, none)
		}
	})
}

// onGraphs runs a test with all tables on one connection of each kind, and with the pivot on
// another one than the others.
func onGraphs(t *testing.T, check func(t *testing.T, g *graph)) {
	t.Helper()
	for i, d := range dbtest.Dialects {
		t.Run(d, func(t *testing.T) {
			t.Parallel()
			check(t, newGraph(t, [3]string{d, d, d}, false))
		})
		t.Run("pivot on "+d, func(t *testing.T) {
			t.Parallel()
			check(t, newGraph(t, [3]string{dbtest.Dialects[(i+1)%3], d, dbtest.Dialects[(i+2)%3]}, true))
		})
	}
}
