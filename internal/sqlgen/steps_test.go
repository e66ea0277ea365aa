package sqlgen

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// comparedWith is what a query's conditions compare with, in their order.
func comparedWith(q *Query) []any {
	list := []any{}
	for _, c := range q.Conditions() {
		list = append(list, c.val)
	}
	return list
}

func TestSteps_BranchesNeverSeeEachOther(t *testing.T) {
	t.Parallel()
	// Every query of up to nine steps gets three branches.
	level := map[string]Query{"": From("users")}
	for range 9 {
		next := map[string]Query{}
		for path, q := range level {
			for b := range 3 {
				if len(path) > 3 && b > 0 {
					break // enough of them
				}
				next[path+fmt.Sprint(b)] = q.WithCond(Compare("id", Eq, path+fmt.Sprint(b)))
			}
		}
		for path, q := range next {
			want := []any{}
			for i := range path {
				want = append(want, path[:i+1])
			}
			require.Equal(t, want, comparedWith(&q))
		}
		level = next
	}
}

// Copies of one query are added to by many goroutines at once.
func TestSteps_CopiesAreAddedToAtOnce(t *testing.T) {
	t.Parallel()
	for common := range 8 {
		base := From("users")
		want := []any{}
		for i := range common {
			base.Add(Compare("id", Eq, i))
			want = append(want, i)
		}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				q := base
				mine := append([]any{}, want...)
				for i := range 5 {
					q.Add(Compare("id", Eq, g*100+i))
					q.AddOrder(Order{Column: "id"})
					mine = append(mine, g*100+i)
				}
				if got := comparedWith(&q); fmt.Sprint(got) != fmt.Sprint(mine) {
					t.Errorf("%v, not %v", got, mine)
				}
			})
		}
		wg.Wait()
		require.Equal(t, want, comparedWith(&base))
	}
}
