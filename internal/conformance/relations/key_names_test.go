package relations

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// branch has twigs. Twin is what its key is, whatever is called so.
type branch struct {
	ID     int64
	Twigs  []twig `db:"-"`
	Top    *twig  `db:"-"`
	Joined []twig `db:"-"`
}

type twig struct {
	ID       int64
	BranchID int64
	Twin     int64
	N        int64
	Same     string
}

type knot struct {
	BranchID, TwigID int64
}

// A select list may call something else by the key's name; rows that an order holds for
// equal are sorted by the key all the same.
func TestOrder_OfEqualRowsIsTheKeysWhateverIsCalledSo(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE branches (id {bigint} PRIMARY KEY)`,
			`CREATE TABLE twigs (id {bigint} PRIMARY KEY, branch_id {bigint} NOT NULL, twin {bigint} NOT NULL, n {bigint} NOT NULL, same {text} NOT NULL)`,
			`CREATE TABLE knots (branch_id {bigint} NOT NULL, twig_id {bigint} NOT NULL, PRIMARY KEY (branch_id, twig_id))`)
		branches := conformance.Model[branch](t, fl.Registry, dbfleet.ModelConfig{Table: "branches"})
		twigs := conformance.Model[twig](t, fl.Registry, dbfleet.ModelConfig{Table: "twigs"})
		knots := conformance.Model[knot](t, fl.Registry, dbfleet.ModelConfig{Table: "knots", PrimaryKey: []string{"branch_id", "twig_id"}})
		const trees, each = 20, 7
		var list []twig
		var pairs []knot
		parents := make([]branch, trees)
		for i := range trees * each {
			id := int64(i + 1)
			list = append(list, twig{ID: id, BranchID: id%trees + 1, Twin: id, N: 1000 - id%5, Same: "x"})
			pairs = append(pairs, knot{id%trees + 1, id})
			parents[i%trees].ID = id%trees + 1
		}
		slices.Reverse(list)
		require.NoError(t, branches.CreateMany(ctx, parents))
		require.NoError(t, twigs.CreateMany(ctx, list))
		require.NoError(t, knots.CreateMany(ctx, pairs))

		aliased := func(q *dbfleet.Query[twig]) *dbfleet.Query[twig] {
			return q.Select("twin", "branch_id", "n").SelectAs("n", "id")
		}
		joined := twigs.Query().Join("branches", "branches.id", "=", "twigs.branch_id").Select("twigs.twin", "branches.id")
		for name, q := range map[string]*dbfleet.Query[twig]{
			"no order": aliased(twigs.Query()), "all are equal": aliased(twigs.OrderBy("same", dbfleet.Asc)), "raw": twigs.Query().SelectRaw("twin, n AS id"),
			"a joined table's": joined, "an expression": twigs.Query().Select("twin").SelectValue(dbfleet.Coalesce(dbfleet.Col[int64]("n").Plus(1), dbfleet.Col[int64]("n")), "id"),
		} {
			var got []int64
			for number := 1; number <= trees*each/10; number++ {
				page, err := dbfleet.PageOf(ctx, q, number, 10)
				require.NoError(t, err, name)
				got = append(got, twins(page.Items)...)
			}
			require.Len(t, got, trees*each, name)
			require.True(t, slices.IsSorted(got), "%s: %v", name, got)
		}
		page, err := dbfleet.PageOf(ctx, aliased(twigs.Query()).OrderBy("id", dbfleet.Asc), 1, 60)
		require.NoError(t, err)
		require.True(t, slices.IsSortedFunc(page.Items, func(a, b twig) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Twin, b.Twin)) }), "an order by the alias is one")
		found, err := aliased(twigs.Query()).FindMany(ctx, 9, 3, 7)
		require.NoError(t, err)
		require.Equal(t, []int64{3, 7, 9}, twins(found))

		some := func(q *dbfleet.Query[twig]) *dbfleet.Query[twig] {
			return aliased(q).OrderBy("same", dbfleet.Asc).Limit(3)
		}
		many := dbfleet.HasMany(branches, twigs, dbfleet.On("branch_id"), func(b *branch) *[]twig { return &b.Twigs }).Scope(some)
		top := dbfleet.HasOne(branches, twigs, dbfleet.On("branch_id"), func(b *branch) **twig { return &b.Top }).Scope(some)
		far := dbfleet.ManyToMany(branches, twigs, knots, dbfleet.On("branch_id"), dbfleet.On("twig_id"), func(b *branch) *[]twig { return &b.Joined }).Scope(some)
		for _, n := range []int{1, trees} {
			got, err := branches.OrderBy("id", dbfleet.Asc).Limit(n).With(many, top, far).Get(ctx)
			require.NoError(t, err)
			for _, b := range got {
				want := []int64{b.ID - 1, b.ID - 1 + trees, b.ID - 1 + 2*trees}
				if b.ID == 1 {
					want = []int64{trees, 2 * trees, 3 * trees}
				}
				require.Equal(t, want, twins(b.Twigs), fmt.Sprint(n, " has many"))
				require.Equal(t, want, twins(b.Joined), fmt.Sprint(n, " many to many"))
				require.Equal(t, want[0], b.Top.Twin)
			}
		}
	})
}

func twins(list []twig) []int64 {
	out := make([]int64, len(list))
	for i := range list {
		out[i] = list[i].Twin
	}
	return out
}
