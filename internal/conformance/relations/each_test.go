package relations

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// bookcase has numbers of every size as its key; volume refers to it by a column of some type.
type bookcase struct {
	ID      int64
	Volumes []volume
	Newest  *volume
}

type volume struct {
	ID      int64
	ShelfID *int64
	Title   string
}

// The first few of each parent are the same as that parent's own, whatever type the column
// has that refers to it, for more parents than one statement takes, with every kind of
// condition beside them.
func TestLimit_HoldsForEachParentWhateverTheColumnIs(t *testing.T) {
	t.Parallel()
	columns := []string{"{bigint}", "INTEGER", "SMALLINT", "NUMERIC(20, 0)"}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE shelves (id {bigint} PRIMARY KEY)`)
		shelves := conformance.Model[bookcase](t, fl.Registry, dbfleet.ModelConfig{Table: "shelves"})
		keys := []int64{-1, 32767, 32768, 2147483647, 2147483648, 1 << 53, 1<<53 + 1, 9223372036854775807, -9223372036854775808}
		for n := range int64(1100) {
			keys = append(keys, 100+n)
		}
		list := make([]bookcase, len(keys))
		for i, k := range keys {
			list[i].ID = k
		}
		err := shelves.CreateMany(ctx, list)
		require.NoError(t, err)
		for c, column := range columns {
			table := fmt.Sprintf("volumes_%d", c)
			fl.Create(t, `CREATE TABLE `+table+` (id {id}, shelf_id `+column+`, title {text} NOT NULL)`, `CREATE INDEX of_shelf_`+table+` ON `+table+` (shelf_id)`)
			volumes := conformance.Model[volume](t, fl.Registry, dbfleet.ModelConfig{Table: table})
			var all []volume
			for _, k := range keys {
				if k < -32768 || k > 32767 && column == "SMALLINT" || column == "INTEGER" && (k > 2147483647) {
					continue
				}
				for i := range 4 {
					all = append(all, volume{ShelfID: &k, Title: fmt.Sprint("volume ", i%3)})
				}
			}
			require.NoError(t, volumes.CreateMany(ctx, all))
			volumesOf := dbfleet.HasMany(shelves, volumes, dbfleet.On("shelf_id"), func(s *bookcase) *[]volume { return &s.Volumes })
			newestOf := dbfleet.HasOne(shelves, volumes, dbfleet.On("shelf_id"), func(s *bookcase) **volume { return &s.Newest })
			for name, scope := range map[string]func(q *dbfleet.Query[volume]) *dbfleet.Query[volume]{
				"the newest": func(q *dbfleet.Query[volume]) *dbfleet.Query[volume] { return q.OrderBy("id", dbfleet.Desc).Limit(2) },
				"by title": func(q *dbfleet.Query[volume]) *dbfleet.Query[volume] {
					return q.OrderBy("title", dbfleet.Desc).Limit(3).Offset(1)
				},
				"in any order": func(q *dbfleet.Query[volume]) *dbfleet.Query[volume] { return q.Limit(1) },
				"one or another": func(q *dbfleet.Query[volume]) *dbfleet.Query[volume] {
					return q.Where("title", "=", "volume 1").OrWhere("title", "=", "volume 2").Limit(2)
				},
				"of some columns": func(q *dbfleet.Query[volume]) *dbfleet.Query[volume] {
					return q.Select("shelf_id", "title").OrderBy("title", dbfleet.Asc).Limit(3)
				},
				"a large number": func(q *dbfleet.Query[volume]) *dbfleet.Query[volume] { return q.OrderBy("id", dbfleet.Asc).Limit(7777) },
			} {
				t.Run(strings.ReplaceAll(column, " ", "_")+"/"+name, func(t *testing.T) {
					some := volumesOf.Scope(scope)
					got, err := shelves.OrderBy("id", dbfleet.Asc).With(some).Get(ctx)
					require.NoError(t, err)
					require.Len(t, got, len(keys))
					require.True(t, slices.IsSortedFunc(got, func(a, b bookcase) int { return cmp.Compare(a.ID, b.ID) }))
					for i := range got {
						if i > 20 && i%97 != 0 && i < len(got)-10 {
							continue
						}
						own, err := some.For(&got[i]).Get(ctx)
						require.NoError(t, err)
						require.ElementsMatch(t, own, got[i].Volumes, "shelf %d", got[i].ID)
						if name != "in any order" && name != "one or another" {
							require.Equal(t, own, append([]volume{}, got[i].Volumes...), "shelf %d", got[i].ID)
						}
					}
				})
			}
			newest, err := shelves.OrderBy("id", dbfleet.Asc).With(newestOf.Scope(func(q *dbfleet.Query[volume]) *dbfleet.Query[volume] { return q.OrderBy("id", dbfleet.Desc) })).Get(ctx)
			require.NoError(t, err)
			last := map[int64]int64{}
			for _, v := range all {
				last[*v.ShelfID] = max(last[*v.ShelfID], v.ID)
			}
			for _, s := range newest {
				if want, ok := last[s.ID]; ok {
					require.NotNil(t, s.Newest, "shelf %d", s.ID)
					require.Equal(t, want, s.Newest.ID)
				} else {
					require.Nil(t, s.Newest)
				}
			}
		}
	})
}
