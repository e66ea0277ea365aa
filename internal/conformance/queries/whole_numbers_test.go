package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 1010
// A number that a column has no room for is in no row, and that is the answer; to store
// it is an error.
func TestFind_ANumberBeyondTheColumnsTypeIsInNoRow(t *testing.T) {
	t.Parallel()
	const large = 7_000_000_000
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE numbereds (id INTEGER PRIMARY KEY, pk SMALLINT)`, `INSERT INTO numbereds VALUES (1, 7)`)
		fl.Create(t, `CREATE TABLE numberings (id {bigint} PRIMARY KEY, k {bigint})`, `INSERT INTO numberings VALUES (1, 7), (2, 7000000000)`)
		m := conformance.Model[numbered](t, fl.Registry, dbfleet.ModelConfig{Table: "numbereds"})
		for range 2 { // prepared, and prepared already
			_, err := m.Find(ctx, int64(large))
			require.ErrorIs(t, err, dbfleet.ErrNotFound)
			n, err := m.Where("pk", "<", int64(large)).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			n, err = m.WhereIn("pk", []int64{7, large}).Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			n, err = m.Where("id", "=", int64(-large)).Delete(ctx)
			require.NoError(t, err)
			require.Zero(t, n)
		}
		parents := conformance.Model[numbering[int64]](t, fl.Registry, dbfleet.ModelConfig{Table: "numberings"})
		many := dbfleet.HasMany(parents, m, dbfleet.On("pk", "k"), func(p *numbering[int64]) *[]numbered { return &p.Many })
		list, err := parents.With(many).OrderBy("id", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Len(t, list[0].Many, 1)
		require.Empty(t, list[1].Many)

		if fl.Database.Dialect != "sqlite" { // which has one type of whole numbers
			require.ErrorIs(t, m.Create(ctx, &numbered{ID: 2, PK: large}), dbfleet.ErrInvalidValue)
		}
	})
}
