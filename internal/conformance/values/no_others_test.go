package values

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 407
// Collations of MySQL ignore NUL bytes: sixteen of them are equal to the empty one.
func TestUUIDs_OfZerosFindNoEmptyText(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, "CREATE TABLE codes (id {id}, code VARCHAR(36))",
			"INSERT INTO codes (id, code) VALUES (1, ''), (2, 'a'), (3, '00000000-0000-0000-0000-000000000000')")
		codes := func() *dbfleet.Query[dbfleet.Row] { return fl.DB("main").Table("codes") }
		zero := [16]byte{}
		for name, c := range map[string]struct {
			q    *dbfleet.Query[dbfleet.Row]
			want []int64
		}{
			"=":      {codes().Where("code", "=", zero), []int64{3}},
			"in":     {codes().WhereIn("code", [][16]byte{zero, {1}}), []int64{3}},
			"<>":     {codes().Where("code", "<>", zero), []int64{1, 2}},
			"not in": {codes().WhereNotIn("code", [][16]byte{zero, {1}}), []int64{1, 2}},
		} {
			got, err := dbfleet.Pluck[int64](ctx, c.q, "id")
			require.NoError(t, err, name)
			slices.Sort(got)
			require.Equal(t, c.want, got, name)
		}
	})
}

// truth 407
// All bytes are behind all texts on SQLite, and among them on MySQL.
func TestUUIDs_RangesOfTextHoldNoBytes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		kind := map[string]string{"sqlite": "BLOB", "mysql": "VARBINARY(36)"}[fl.Database.Dialect]
		if kind == "" {
			return // PostgreSQL has no column of both
		}
		fl.Create(t, "CREATE TABLE mixed (id {id}, code "+kind+")", "INSERT INTO mixed (id, code) VALUES (1, "+uuidText+"), (2, X'33445566778899AABBCCDDEEFF001122')")
		low, high := [16]byte{0}, [16]byte{0xee}
		for name, q := range map[string]*dbfleet.Query[dbfleet.Row]{
			">=":   fl.DB("main").Table("mixed").Where("code", ">=", low),
			">":    fl.DB("main").Table("mixed").Where("code", ">", low),
			"both": fl.DB("main").Table("mixed").Where("code", ">", low).Where("code", "<", high),
		} {
			got, err := dbfleet.Pluck[int64](ctx, q, "id")
			require.NoError(t, err, name)
			require.Equal(t, []int64{1}, got, name)
		}
	})
}

func TestDecimals_BetweenBytesIsExact(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		if fl.Database.Dialect == "sqlite" {
			return // has no exact decimals
		}
		fl.Create(t, "CREATE TABLE sums (id {id}, total DECIMAL(30,10))",
			"INSERT INTO sums (id, total) VALUES (1, 9007199254740993.0000000001), (2, 9007199254740993.0000000002), (3, 9007199254740992)")
		total := []byte("9007199254740993.0000000001")
		got, err := dbfleet.Pluck[int64](ctx, fl.DB("main").Table("sums").WhereBetween("total", total, total), "id")
		require.NoError(t, err)
		require.Equal(t, []int64{1}, got)
	})
}

func TestExec_WritesTypesOfBytesAndTimesAsModelsDo(t *testing.T) {
	t.Parallel()
	type written struct {
		ID  int64
		B   blob
		Doc json.RawMessage
		At  moment
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		kinds := map[string][3]string{"sqlite": {"BLOB", "TEXT", "DATETIME"}, "postgres": {"BYTEA", "JSONB", "TIMESTAMPTZ"}, "mysql": {"VARBINARY(20)", "TEXT", "DATETIME(6)"}}[fl.Database.Dialect]
		fl.Create(t, "CREATE TABLE written (id {id}, b "+kinds[0]+", doc "+kinds[1]+", at "+kinds[2]+")")
		m := conformance.Model[written](t, fl.Registry, dbfleet.ModelConfig{Table: "written"})
		x := written{ID: 1, B: blob{0, 1, 0xff}, Doc: json.RawMessage(`{"a": 1}`), At: moment(time.Date(2024, 5, 6, 7, 8, 9, 123456000, time.UTC))}
		require.NoError(t, m.Create(ctx, &x))
		insert := "INSERT INTO written (id, b, doc, at) VALUES (2, ?, ?, ?)"
		if fl.Database.Dialect == "postgres" {
			insert = "INSERT INTO written (id, b, doc, at) VALUES (2, $1, $2, $3)"
		}
		_, err := fl.DB("main").ExecContext(ctx, insert, x.B, x.Doc, x.At)
		require.NoError(t, err)
		first, err := m.Find(ctx, 1)
		require.NoError(t, err)
		second, err := m.Find(ctx, 2)
		require.NoError(t, err)
		second.ID = 1
		require.Equal(t, first, second)
		require.Equal(t, x.B, second.B)
	})
}
