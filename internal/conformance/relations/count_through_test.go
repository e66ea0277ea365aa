package relations

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Aggregates over a pivot and through other records are those that a loop over the same
// rows makes, a record that several ways lead to taken once, wherever the tables are and
// whatever keys the databases hold for equal.
func TestCountRelated_OverAPivotAndThrough(t *testing.T) {
	t.Parallel()
	onGraphs(t, func(t *testing.T, g *graph) {
		ctx := t.Context()
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 1))
		t.Logf("seed %d", seed)
		for round := range 4 {
			g.grow(t, random, []int{4, 90}[round%2])
			least := int64(random.IntN(4))
			some := func(q *dbfleet.Query[player]) *dbfleet.Query[player] {
				return q.Where("rank_no", ">=", least).OrderBy("rank_no", "desc")
			}
			plain := g.playersOf()
			for claim, relation := range map[string]dbfleet.Relation[team]{
				"pivot": plain.Scope(some), "kept": plain.Scope(some).KeepPivot(func(p *player) **spell { return &p.Spell }),
				"through": g.playersThrough().Scope(some),
			} {
				list, err := g.teams.With(
					dbfleet.CountRelated(relation, func(t *team) *int64 { return &t.Number }),
					dbfleet.ExistsRelated(relation, func(t *team) *bool { return &t.Some }),
					dbfleet.SumRelated(relation, "rank_no", func(t *team) **int64 { return &t.Sum }),
					dbfleet.MaxRelated(relation, "rank_no", func(t *team) **int64 { return &t.Best }),
				).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err, claim)
				require.Len(t, list, len(g.allTeams))
				for _, x := range list {
					ranks := slices.DeleteFunc(ranksOf(g.tied(x, false)), func(r int64) bool { return r < least })
					require.EqualValues(t, len(ranks), x.Number, claim)
					require.Equal(t, len(ranks) > 0, x.Some, claim)
					if len(ranks) == 0 {
						require.Nil(t, x.Sum)
						require.Nil(t, x.Best)
						continue
					}
					var sum int64
					for _, r := range ranks {
						sum += r
					}
					require.Equal(t, &sum, x.Sum, claim)
					require.Equal(t, ranks[len(ranks)-1], *x.Best, claim)
				}
			}
		}
	})
}

// Three levels below the parents are three statements, and none of their records.
func TestCountRelated_OverALongWayIsOneStatementForEachLevel(t *testing.T) {
	t.Parallel()
	onWorlds(t, func(t *testing.T, w world, _ bool) {
		ctx := t.Context()
		far := dbfleet.HasManyThrough(w.essaysIn(), w.sentencesOf(), func(c *country) *[]sentence { return &c.Sentences })
		numbers := map[int64]int64{}
		number := dbfleet.CountRelated(far, func(c *country) *int64 {
			numbers[c.ID] = -1
			return new(int64)
		})
		sent := counted(w.Registry)
		list, err := w.countries.With(number).OrderBy("id", "asc").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, 4, sent())
		require.Len(t, numbers, len(list))
		kept := make([]struct{ n int64 }, len(list))
		require.NoError(t, dbfleet.CountRelated(far, func(c *country) *int64 { return &kept[c.ID-1].n }).LoadInto(ctx, list))
		require.Equal(t, []struct{ n int64 }{{6}, {2}, {0}}, kept)
	})
}

func TestCountRelated_ThroughRefusesWhatOnlyWithKnows(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		l := newLabels(t, fl, "")
		of := l.of(l.articles, "article")
		count := func(r dbfleet.Relation[shown]) error {
			_, err := l.articles.With(dbfleet.CountRelated(r, func(*shown) *int64 { return new(int64) })).Get(t.Context())
			return err
		}
		one := shown{ID: 1}
		_, err := of.Attach(t.Context(), &one, label{ID: 1})
		require.NoError(t, err)
		require.NoError(t, count(of))
		require.ErrorContains(t, count(of.Scope(func(q *dbfleet.Query[label]) *dbfleet.Query[label] { return q.Limit(1) })), "only With knows")
		require.ErrorContains(t, count(of.Scope(func(q *dbfleet.Query[label]) *dbfleet.Query[label] { return q.GroupBy("id") })), "groups or merges")
		_, err = l.articles.With(dbfleet.SumRelated(of, "nmae", func(*shown) *int64 { return new(int64) })).Get(t.Context())
		require.ErrorContains(t, err, `"nmae"`)
	})
}
