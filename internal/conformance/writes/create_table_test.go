package writes_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type everything struct {
	ID     int64
	On     bool
	Tiny   int8
	Small  int16
	Mid    int32
	Big    int64
	Plain  int
	UTiny  uint8
	USmall uint16
	UMid   uint32
	F32    float32
	F64    float64
	Text   string
	Maybe  *string
	Null   sql.Null[int32]
	Bytes  []byte
	Raw    json.RawMessage
	Doc    dbfleet.JSON[map[string]int]
	At     time.Time
	Seen   *time.Time
	Day    dbfleet.Date
	UUID   [16]byte
	Addr   netip.Addr
	Order  string `db:"order by"`
}

// A table that a model makes keeps what its records hold, and stays as it is the second time.
func TestCreateTable_KeepsWhatRecordsHold(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		all, err := dbfleet.NewModel[everything](fl.Registry, dbfleet.ModelConfig{Table: "everything", Connection: "main"})
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, dbfleet.CreateTable(ctx, all))
		}
		text := "a"
		at := time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)
		full := everything{
			On: true, Tiny: -128, Small: -32768, Mid: -1 << 31, Big: -1 << 63, Plain: 1<<31 - 1, UTiny: 255, USmall: 65535, UMid: 1<<32 - 1,
			F32: 1.5, F64: 0.1, Text: "ä\n'\"", Maybe: &text, Null: sql.Null[int32]{V: 7, Valid: true}, Bytes: []byte{0, 1, 255}, Raw: json.RawMessage(`{"a": 1}`),
			Doc: dbfleet.JSONOf(map[string]int{"b": 2}), At: at, Seen: &at, Day: dbfleet.Date{Year: 2026, Month: 2, Day: 28}, UUID: [16]byte{1, 2, 15: 3},
			Addr: netip.MustParseAddr("::1"), Order: "x",
		}
		empty := everything{At: at, Addr: netip.MustParseAddr("1.2.3.4")}
		for _, want := range []everything{full, empty} {
			require.NoError(t, all.Create(ctx, &want))
			got, err := all.Find(ctx, want.ID)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		// No number comes twice.
		last := everything{At: at}
		require.NoError(t, all.Create(ctx, &last))
		require.NoError(t, all.Delete(ctx, &last))
		next := everything{At: at}
		require.NoError(t, all.Create(ctx, &next))
		require.Greater(t, next.ID, last.ID)
	})
}

func TestCreateTable_TakesTypesAndParts(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type line struct {
			Shop, Number string
			Price        any
			State        string
			Big          uint64
		}
		ctx := t.Context()
		lines, err := dbfleet.NewModel[line](fl.Registry, dbfleet.ModelConfig{
			Table: "lines", Connection: "main", PrimaryKey: []string{"shop", "number"}, Defaults: []string{"state"},
		})
		require.NoError(t, err)
		_, err = dbfleet.CreateTableSQL(lines)
		require.ErrorContains(t, err, `"price"`)
		require.ErrorContains(t, err, `"lines"`)
		_, err = dbfleet.CreateTableSQL(lines, dbfleet.CreateTableOptions{RawTypes: map[string]string{"price": "decimal(10,2) NOT NULL"}})
		require.ErrorContains(t, err, `"state" has a default`)
		types := map[string]string{"price": "decimal(10,2) NOT NULL", "state": "varchar(9) NOT NULL DEFAULT 'new'"}
		_, err = dbfleet.CreateTableSQL(lines, dbfleet.CreateTableOptions{RawTypes: map[string]string{"prize": "int"}})
		var unknown *dbfleet.UnknownColumnError
		require.ErrorAs(t, err, &unknown)
		require.NoError(t, dbfleet.CreateTable(ctx, lines, dbfleet.CreateTableOptions{RawTypes: types, RawParts: []string{"UNIQUE (number, state)"}}))

		a := line{Shop: "1", Number: "a", Price: "2.50"}
		require.NoError(t, lines.Create(ctx, &a))
		require.Equal(t, "new", a.State)
		require.ErrorIs(t, lines.Create(ctx, &line{Shop: "1", Number: "a", Price: "1", State: "old"}), dbfleet.ErrUnique)
		require.ErrorIs(t, lines.Create(ctx, &line{Shop: "2", Number: "a", Price: "1"}), dbfleet.ErrUnique)
	})
}

// Several programs that start at once make one table.
func TestCreateTable_AtOnce(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type thing struct{ ID int64 }
		things, err := dbfleet.NewModel[thing](fl.Registry, dbfleet.ModelConfig{Table: "things", Connection: "main"})
		require.NoError(t, err)
		faults := make(chan error, 8)
		for range cap(faults) {
			go func() { faults <- dbfleet.CreateTable(context.WithoutCancel(t.Context()), things) }()
		}
		for range cap(faults) {
			require.NoError(t, <-faults)
		}
	})
}

// A table of each shard is made where the caller says.
func TestCreateTable_OfAShardedModel(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		type owned struct {
			ID     int64
			UserID string
		}
		list, err := dbfleet.NewModel[owned](fl.Registry, dbfleet.ModelConfig{
			Table: "owned", Shard: dbfleet.ShardBy("user_id", func(string) string { return "main" }),
		})
		require.NoError(t, err)
		require.ErrorIs(t, dbfleet.CreateTable(t.Context(), list), dbfleet.ErrMissingShardKey)
		require.NoError(t, dbfleet.CreateTable(t.Context(), list.Shard("a")))
		require.NoError(t, list.Create(t.Context(), &owned{UserID: "a"}))
	})
}
