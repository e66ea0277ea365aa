package writes

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type shipment struct {
	ID, UserID int64
	Item       string
	Weight     int64
}

// truth 613: each shard counts its own ids, so a record's id may be that of a row with
// another shard key: the row is not the record's.
func TestUpsert_TakesNoRowOfAnotherShardKey(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, db dbtest.Database) {
		ctx := t.Context()
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"s0": conformance.ConnectionTo(db), "s1": conformance.ConnectionTo(dbtest.New(t, db.Dialect))})
		for _, name := range r.Names() {
			_, err := r.DB(name).ExecContext(ctx, conformance.DDL(db.Dialect, "CREATE TABLE shipments (id {id}, user_id {bigint} NOT NULL, item VARCHAR(20) NOT NULL, weight {bigint} NOT NULL, UNIQUE (item))"))
			require.NoError(t, err)
		}
		m := conformance.Model[shipment](t, r, dbfleet.ModelConfig{Table: "shipments", Shard: dbfleet.ShardBy("user_id", func(id int64) string { return fmt.Sprintf("s%d", id%2) })})
		first := []shipment{{UserID: 1, Item: "a", Weight: 1}, {UserID: 3, Item: "b", Weight: 2}}
		for i := range first {
			require.NoError(t, m.Create(ctx, &first[i]))
		}
		item := dbfleet.Conflict{Key: []string{"item"}}
		for name, upsert := range map[string]func() error{
			"by id":   func() error { return m.Upsert(ctx, &shipment{first[0].ID, 5, "c", 9}) },
			"by item": func() error { return m.Upsert(ctx, &shipment{UserID: 5, Item: "a", Weight: 9}, item) },
			"if other": func() error {
				return m.Upsert(ctx, &shipment{UserID: 5, Item: "a", Weight: 9}, dbfleet.Conflict{Key: item.Key, KeepEqual: true})
			},
			"many": func() error {
				return m.UpsertMany(ctx, []shipment{{UserID: 3, Item: "b", Weight: 9}, {UserID: 5, Item: "a", Weight: 9}}, item)
			},
			"a row": func() error {
				return m.Query().Upsert(ctx, dbfleet.Row{"user_id": 5, "item": "a", "weight": 9}, item)
			},
			"update or create": func() error {
				_, err := m.UpdateOrCreate(ctx, &shipment{UserID: 5, Item: "a", Weight: 9}, "item")
				return err
			},
			"first or create": func() error {
				_, err := m.FirstOrCreate(ctx, &shipment{UserID: 5, Item: "a", Weight: 9}, "item")
				return err
			},
		} {
			require.ErrorIs(t, upsert(), dbfleet.ErrUnique, name)
		}
		rows, err := m.Where("user_id", "in", []int64{1, 3, 5}).OrderBy("item", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, first, rows, "nothing was written")

		own := []shipment{{UserID: 1, Item: "a", Weight: 7}, {UserID: 5, Item: "c", Weight: 8}}
		require.NoError(t, m.UpsertMany(ctx, own, item))
		require.Equal(t, first[0].ID, own[0].ID)
		own[0].Weight = 6
		require.NoError(t, m.Upsert(ctx, &own[0]))
		require.NoError(t, m.Upsert(ctx, &own[0], dbfleet.Conflict{KeepEqual: true}), "an equal row is left")
		require.NoError(t, m.Query().Upsert(ctx, dbfleet.Row{"user_id": 5, "item": "c", "weight": 4}, item))
		own[1].Weight = 4
		rows, err = m.Where("user_id", "in", []int64{1, 5}).OrderBy("item", dbfleet.Asc).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, own, rows)
		own[1].Weight = 3
		created, err := m.UpdateOrCreate(ctx, &shipment{UserID: 5, Item: "c", Weight: 3}, "item")
		require.NoError(t, err)
		require.False(t, created)
		again := shipment{UserID: 5, Item: "c"}
		created, err = m.FirstOrCreate(ctx, &again, "item")
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, own[1], again)
		left := shipment{UserID: 5, Item: "b"}
		require.NoError(t, m.Upsert(ctx, &left, dbfleet.Conflict{Key: item.Key, DoNothing: true}), "whosever the row is")
	})
}
