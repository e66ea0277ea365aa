package language

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type windowed struct {
	ID int64
	G  int64
	N  int64
}

// Three windows of which two go on where the third ends are wrong on MariaDB, in silence:
// they are refused there. Others are right on all databases.
func TestWindows_ThatMariaDBComputesWronglyAreRefused(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, "CREATE TABLE windowed (id {id}, g {bigint} NOT NULL, n {bigint} NOT NULL)")
		m := conformance.Model[windowed](t, fl.Registry, dbfleet.ModelConfig{Table: "windowed"})
		require.NoError(t, m.CreateMany(t.Context(), []windowed{{1, 0, 0}, {2, 1, 1}, {3, 2, 2}, {4, 0, 3}, {5, 1, 0}, {6, 2, 1}}))
		id, g, n := dbfleet.Field(m, func(w *windowed) *int64 { return &w.ID }), dbfleet.Field(m, func(w *windowed) *int64 { return &w.G }), dbfleet.Field(m, func(w *windowed) *int64 { return &w.N })
		all := dbfleet.Window{}
		byGroup := dbfleet.Window{PartitionBy: []dbfleet.Term{g}, OrderBy: []dbfleet.Order{n.Desc(), id.Asc()}}
		inOrder := dbfleet.Window{OrderBy: []dbfleet.Order{id.Asc()}}
		inGroup := dbfleet.Window{PartitionBy: []dbfleet.Term{g}, OrderBy: []dbfleet.Order{id.Asc()}}
		group := dbfleet.Window{PartitionBy: []dbfleet.Term{g}}
		before := func(w dbfleet.Window) dbfleet.Term {
			return dbfleet.Coalesce(dbfleet.Lag(id, 2).Over(w), dbfleet.Value(int64(0)))
		}
		type row struct{ ID, Place, Total, Before int64 }
		read := func(place, total, before dbfleet.Term) ([]row, error) {
			return dbfleet.Into[row](m.Select("id").SelectValue(place, "place").SelectValue(total, "total").SelectValue(before, "before").
				OrderBy("id", dbfleet.Asc)).Get(t.Context())
		}

		list, err := read(dbfleet.RowNumber().Over(byGroup), dbfleet.CountRows().Over(all), before(inOrder))
		if fl.Database.Dialect == "mysql" {
			require.ErrorContains(t, err, "MariaDB computes wrong values for three windows")
		} else {
			require.NoError(t, err)
			require.Equal(t, []row{{1, 2, 6, 0}, {2, 1, 6, 0}, {3, 1, 6, 1}, {4, 1, 6, 2}, {5, 2, 6, 3}, {6, 2, 6, 4}}, list)
		}
		list, err = read(dbfleet.RowNumber().Over(byGroup), dbfleet.CountRows().Over(group), before(inGroup))
		require.NoError(t, err, "their partitions are alike")
		require.Equal(t, []row{{1, 2, 2, 0}, {2, 1, 2, 0}, {3, 1, 2, 0}, {4, 1, 2, 0}, {5, 2, 2, 0}, {6, 2, 2, 0}}, list)
		list, err = read(dbfleet.RowNumber().Over(byGroup), dbfleet.CountRows().Over(group), before(inOrder))
		require.NoError(t, err, "none begins both of the others")
		require.Equal(t, []row{{1, 2, 2, 0}, {2, 1, 2, 0}, {3, 1, 2, 1}, {4, 1, 2, 2}, {5, 2, 2, 3}, {6, 2, 2, 4}}, list)
		inner := m.Select("id").SelectAs("id", "number").SelectValue(dbfleet.CountRows().Over(all), "total").SelectValue(dbfleet.RowNumber().Over(byGroup), "place")
		number := dbfleet.Col[int64]("number")
		beforeIn := dbfleet.Coalesce(dbfleet.Lag(number, 2).Over(dbfleet.Window{OrderBy: []dbfleet.Order{number.Asc()}}), dbfleet.Value(int64(0)))
		list, err = dbfleet.Into[row](dbfleet.From(inner, "w").Select("id", "place", "total").SelectValue(beforeIn, "before").OrderBy("id", dbfleet.Asc)).Get(t.Context())
		require.NoError(t, err, "a query of its own")
		require.Equal(t, []row{{1, 2, 6, 0}, {2, 1, 6, 0}, {3, 1, 6, 1}, {4, 1, 6, 2}, {5, 2, 6, 3}, {6, 2, 6, 4}}, list)
	})
}
