package queries

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type numbered struct{ ID, PK int64 }

type numbering[K any] struct {
	ID   int64
	K    K
	Many []numbered `db:"-"`
}

// linked is how many children With finds for all parents, and how many a JOIN does.
func linked[K any](t *testing.T, fl conformance.Fleet, parentType string, insert ...string) (got, want int) {
	t.Helper()
	fl.Create(t, append([]string{
		`CREATE TABLE numberings (id {bigint} PRIMARY KEY, k ` + parentType + `)`,
		`CREATE TABLE numbereds (id {bigint} PRIMARY KEY, pk {bigint})`,
	}, insert...)...)
	parents := conformance.Model[numbering[K]](t, fl.Registry, dbfleet.ModelConfig{Table: "numberings"})
	children := conformance.Model[numbered](t, fl.Registry, dbfleet.ModelConfig{Table: "numbereds"})
	many := dbfleet.HasMany(parents, children, dbfleet.On("pk", "k"), func(p *numbering[K]) *[]numbered { return &p.Many })
	list, err := parents.With(many).Get(t.Context())
	require.NoError(t, err)
	for i := range list {
		got += len(list[i].Many)
		alone, err := many.For(&list[i]).Get(t.Context())
		require.NoError(t, err)
		require.Len(t, alone, len(list[i].Many))
	}
	require.NoError(t, fl.Database.SQL(t).QueryRowContext(t.Context(), `SELECT COUNT(*) FROM numberings JOIN numbereds ON numbereds.pk = numberings.k`).Scan(&want))
	return got, want
}

// truth 326
func TestRelation_ADecimalOfAWholeNumberFindsIt(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		got, want := linked[string](t, fl, "NUMERIC(10,2)", `INSERT INTO numberings VALUES (1, 7), (2, 8), (3, 8.5)`, `INSERT INTO numbereds VALUES (1, 7), (2, 7), (3, 8)`)
		require.Equal(t, 3, want)
		require.Equal(t, want, got)
	})
}

// truth 326
func TestRelation_ABoolFindsItsNumber(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		kind := map[string]string{"postgres": "INTEGER"}[fl.Database.Dialect] // it compares no bool with a number
		if kind == "" {
			kind = "{bool}"
		}
		got, want := linked[bool](t, fl, kind, `INSERT INTO numberings VALUES (1, 1), (2, 0)`, `INSERT INTO numbereds VALUES (1, 1), (2, 0)`)
		require.Equal(t, 2, want)
		require.Equal(t, want, got)
	})
}
