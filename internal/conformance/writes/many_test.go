package writes

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// parcel is a row of few columns.
type parcel struct {
	ID   int64
	Name string
	N    int64
}

func parcels(t *testing.T, fl conformance.Fleet) *dbfleet.Model[parcel] {
	t.Helper()
	fl.Create(t, `CREATE TABLE parcels (id {id}, name VARCHAR(50) UNIQUE, n {bigint})`)
	return conformance.Model[parcel](t, fl.Registry, dbfleet.ModelConfig{Table: "parcels"})
}

// hazard 73, hazard 98: 70,000 rows go in chunks, all or none, and every record gets
// the id of its own row.
func TestCreateMany_ChunksAtomically(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), parcels(t, fl)
		const total = 70_000
		many := make([]parcel, total)
		for i := range many {
			many[i] = parcel{Name: fmt.Sprint("p", i), N: int64(i)}
		}
		counts := conformance.Statements(t, fl.Registry)
		few := slices.Clone(many[:2500])
		few[2499].Name = "p0" // in the last chunk
		require.ErrorIs(t, m.CreateMany(ctx, few), dbfleet.ErrUnique)
		require.Equal(t, 1, counts()["rollback"])
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Zero(t, few[0].ID)

		require.NoError(t, m.CreateMany(ctx, many))
		sent := counts()
		require.LessOrEqual(t, sent["insert"], 100)
		require.Equal(t, 1, sent["commit"])
		seen := 0
		for row, err := range m.Query().Iter(ctx) {
			require.NoError(t, err)
			if want := many[row.N]; want != row {
				require.Equal(t, want, row)
			}
			seen++
		}
		require.Equal(t, total, seen)
	})
}

// hazard 67: no records are no statement; wide rows are split at the database's limit
// of arguments, a row that alone exceeds it is refused before anything is sent.
func TestCreateMany_OfNothingAndOfWideRows(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		var columns strings.Builder
		for i := 1; i <= 60; i++ {
			fmt.Fprintf(&columns, ", c%d {int}", i)
		}
		fl.Create(t, `CREATE TABLE wide (id {id}`+columns.String()+`)`)
		m := conformance.Model[wideRow](t, fl.Registry, dbfleet.ModelConfig{Table: "wide"})
		counts := conformance.Statements(t, fl.Registry)
		require.NoError(t, m.CreateMany(ctx, nil))
		require.NoError(t, m.CreateMany(ctx, []wideRow{}))
		require.NoError(t, m.UpsertMany(ctx, nil, dbfleet.Conflict{}))
		require.Empty(t, counts())

		rows := make([]wideRow, 2500) // 150,000 arguments
		for i := range rows {
			rows[i].C1, rows[i].C60 = i, -i
		}
		require.NoError(t, m.CreateMany(ctx, rows))
		sent := counts()
		require.Greater(t, sent["insert"], 2)
		require.Equal(t, 1, sent["begin"])
		for _, i := range []int{0, 545, 546, 1091, 1092, 2499} {
			got, err := m.Find(ctx, rows[i].ID)
			require.NoError(t, err)
			require.Equal(t, rows[i], got)
		}

		table := fl.DB("main").Table("wide")
		row := map[string]any{}
		for i := range 70_000 {
			row[fmt.Sprint("x", i)] = i
		}
		_, err := table.Insert(ctx, row)
		require.ErrorIs(t, err, dbfleet.ErrTooManyArgs)
		require.Equal(t, map[string]int{"select": 6}, counts())
	})
}

type wideRow struct {
	ID                                                                                                                           int64
	C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15, C16, C17, C18, C19, C20, C21, C22, C23, C24, C25, C26, C27 int
	C28, C29, C30, C31, C32, C33, C34, C35, C36, C37, C38, C39, C40, C41, C42, C43, C44, C45, C46, C47, C48, C49, C50, C51, C52  int
	C53, C54, C55, C56, C57, C58, C59, C60                                                                                       int
}

// hazard 69: 48 MiB in one CreateMany are split below MariaDB's 16 MiB a statement;
// one value above it is refused, and the connection's other work goes on.
func TestCreateMany_SplitsByBytes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE blobs (id {id}, body {bytes})`)
		type blob struct {
			ID   int64
			Body []byte
		}
		m := conformance.Model[blob](t, fl.Registry, dbfleet.ModelConfig{Table: "blobs"})
		sizes := []int{10, 3 << 20, 14 << 20, 1 << 20, 3 << 20, 9 << 20, 9 << 20, 9 << 20, 0}
		blobs := make([]blob, len(sizes))
		for i, n := range sizes {
			blobs[i].Body = make([]byte, n)
			for at := range blobs[i].Body {
				blobs[i].Body[at] = byte(i)
			}
		}
		require.NoError(t, m.CreateMany(ctx, blobs))
		for i := range blobs {
			got, err := m.Find(ctx, blobs[i].ID)
			require.NoError(t, err)
			require.Len(t, got.Body, sizes[i])
			if sizes[i] > 0 {
				require.Equal(t, byte(i), got.Body[sizes[i]-1])
			}
		}
		if fl.Database.Dialect != "mysql" {
			return
		}
		big := blob{Body: make([]byte, 17<<20)}
		err := m.Create(ctx, &big)
		require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
		require.NotErrorIs(t, err, dbfleet.ErrOutcomeUnknown)
		require.ErrorIs(t, m.CreateMany(ctx, []blob{{Body: []byte("a")}, big}), dbfleet.ErrInvalidValue)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, len(sizes), n)
	})
}

// hazard 98: explicit ids among generated ones; every record has its own.
func TestCreateMany_MixesExplicitAndGeneratedIDs(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), parcels(t, fl)
		many := []parcel{{Name: "a"}, {ID: 1000, Name: "b"}, {Name: "c"}, {Name: "d"}, {ID: 50, Name: "e"}, {ID: 51, Name: "f"}, {Name: "g"}}
		require.NoError(t, m.CreateMany(ctx, many))
		require.EqualValues(t, 1000, many[1].ID)
		ids := map[int64]bool{}
		for _, want := range many {
			got, err := m.Find(ctx, want.ID)
			require.NoError(t, err)
			require.Equal(t, want, got)
			ids[want.ID] = true
		}
		require.Len(t, ids, len(many))

		// Inside a transaction the chunks are behind a savepoint.
		err := fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			require.NoError(t, m.Create(ctx, &parcel{Name: "kept"}))
			require.ErrorIs(t, m.CreateMany(ctx, []parcel{{Name: "x"}, {ID: 7000, Name: "y"}, {Name: "a"}}), dbfleet.ErrUnique)
			require.NoError(t, m.Using(tx).CreateMany(context.WithoutCancel(t.Context()), []parcel{{Name: "z"}, {ID: 7001, Name: "zz"}}))
			return nil
		})
		require.NoError(t, err)
		names, err := dbfleet.Pluck[string](ctx, m.OrderBy("name", dbfleet.Asc), "name")
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b", "c", "d", "e", "f", "g", "kept", "z", "zz"}, names)
	})
}

// hazard 98: on a cluster ids come in steps.
func TestCreateMany_WithStepsBetweenIDs(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	config := conformance.ConnectionTo(db)
	config.Params = map[string]string{"auto_increment_increment": "3", "auto_increment_offset": "2"}
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": config}), Database: db}
	m := parcels(t, fl)
	many := []parcel{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	require.NoError(t, m.CreateMany(t.Context(), many))
	require.EqualValues(t, 2, many[0].ID)
	require.EqualValues(t, 8, many[2].ID)
	for _, want := range many {
		got, err := m.Find(t.Context(), want.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// Values are checked before anything is sent, and the record is named.
func TestCreateMany_NamesTheRecordAtFault(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE sums (id {id}, v {float})`)
		type sum struct {
			ID int64
			V  unsendable
		}
		m := conformance.Model[sum](t, fl.Registry, dbfleet.ModelConfig{Table: "sums"})
		counts := conformance.Statements(t, fl.Registry)
		many := make([]sum, 1500)
		many[1203].V = unsendable{true}
		err := m.CreateMany(ctx, many)
		var at *dbfleet.RecordError
		require.ErrorAs(t, err, &at)
		require.Equal(t, 1203, at.Index)
		require.ErrorIs(t, err, errUnsendable)
		var column *dbfleet.ColumnError
		require.ErrorAs(t, err, &column)
		require.Equal(t, "v", column.Column)
		require.Empty(t, counts())
	})
}
