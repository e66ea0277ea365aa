package table

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// order is a record with a column of each role.
type order struct {
	ID        int64
	Shop      string // the shard key, where the table is sharded
	Item      string
	Status    string
	Total     int // generated, where the table says so
	CreatedAt time.Time
	UpdatedAt time.Time
}

var dialects = []*dialect.Dialect{dialect.Postgres, dialect.MySQL, dialect.SQLite}

func orders(t *testing.T, c Config) *Table {
	t.Helper()
	plan, err := rowmap.Of[order]()
	require.NoError(t, err)
	c.Name = "orders"
	table, faults := New(c, plan)
	require.Empty(t, faults)
	return table
}

func faultsOf(t *testing.T, c Config) (keys []string) {
	t.Helper()
	plan, err := rowmap.Of[order]()
	require.NoError(t, err)
	table, faults := New(c, plan)
	require.Nil(t, table)
	for _, f := range faults {
		keys = append(keys, f.Key)
	}
	return keys
}

func TestNew_TellsEveryFault(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"Table", "PrimaryKey", "Generated", "TimePrecision"}, faultsOf(t, Config{
		PrimaryKey: []string{"nr"}, Generated: []string{"total", "total"}, TimePrecision: time.Nanosecond,
	}))
	require.Equal(t, []string{"Generated"}, faultsOf(t, Config{Name: "orders", Generated: []string{"id"}}))
	require.Equal(t, []string{"Defaults"}, faultsOf(t, Config{Name: "orders", Defaults: []string{"state"}}))
	require.Equal(t, []string{"Shard"}, faultsOf(t, Config{Name: "orders", ShardColumn: "region"}))
}

func TestInsertPlan_LeavesOutWhatTheDatabaseMakes(t *testing.T) {
	t.Parallel()
	generated := orders(t, Config{Generated: []string{"total"}})
	p := generated.InsertPlan(&order{Total: 7})
	require.Equal(t, []string{"shop", "item", "status", "created_at", "updated_at"}, p.Columns)
	require.Equal(t, []string{"id", "total"}, p.returning[:2])
	require.False(t, p.OnlyKey)
	require.True(t, p.MakesKey())
	keyed := generated.InsertPlan(&order{ID: 3})
	require.Contains(t, keyed.Columns, "id")
	require.NotContains(t, keyed.Columns, "total", "not even when the record has one")
	require.False(t, keyed.MakesKey())
	require.Same(t, p, generated.InsertPlan(&order{}), "records of one kind share a plan")
}

func TestInsertPlan_LeavesOutZeroesOfColumnsWithDefaults(t *testing.T) {
	t.Parallel()
	table := orders(t, Config{Defaults: []string{"status", "total"}})
	both := table.InsertPlan(&order{})
	require.Equal(t, []string{"id", "status", "total"}, both.returning)
	one := table.InsertPlan(&order{Status: "paid"})
	require.Equal(t, []string{"id", "total"}, one.returning)
	require.Contains(t, one.Columns, "status")
	require.Same(t, both, table.InsertPlan(&order{Item: "x"}))
	none := table.InsertPlan(&order{ID: 1, Status: "paid", Total: 1})
	require.Empty(t, none.Back)
}

// What records leave to the database has no bound; plans are dropped, and made anew.
func TestInsertPlan_StaysRightWhenPlansAreDropped(t *testing.T) {
	t.Parallel()
	table := orders(t, Config{Defaults: []string{"shop", "item", "status", "total", "created_at", "updated_at"}})
	for i := range 4 * maxInsertPlans {
		o := &order{ID: int64(i & 1), Total: i & 2}
		var want []string
		for at, column := range []string{"shop", "item", "status"} {
			if i&(4<<at) != 0 {
				want = append(want, column)
				*[]*string{&o.Shop, &o.Item, &o.Status}[at] = "x"
			}
		}
		if o.ID != 0 {
			want = append([]string{"id"}, want...)
		}
		if o.Total != 0 {
			want = append(want, "total")
		}
		if i&32 != 0 {
			want, o.CreatedAt = append(want, "created_at"), time.Unix(1, 0)
		}
		if i&64 != 0 {
			want, o.UpdatedAt = append(want, "updated_at"), time.Unix(1, 0)
		}
		require.ElementsMatch(t, want, table.InsertPlan(o).Columns)
	}
}

func TestOneText_ReturnsWhatTheDatabaseMakes(t *testing.T) {
	t.Parallel()
	plain := orders(t, Config{}).InsertPlan(&order{})
	made := orders(t, Config{Generated: []string{"total"}}).InsertPlan(&order{})
	for at, want := range [][2]string{
		{`INSERT INTO "orders" ("shop", "item", "status", "total", "created_at", "updated_at") VALUES ($1, $2, $3, $4, $5, $6) RETURNING "id"`,
			`INSERT INTO "orders" ("shop", "item", "status", "created_at", "updated_at") VALUES ($1, $2, $3, $4, $5) RETURNING "id", "total"`},
		{"INSERT INTO `orders` (`shop`, `item`, `status`, `total`, `created_at`, `updated_at`) VALUES (?, ?, ?, ?, ?, ?) RETURNING `id`",
			"INSERT INTO `orders` (`shop`, `item`, `status`, `created_at`, `updated_at`) VALUES (?, ?, ?, ?, ?) RETURNING `id`, `total`"},
		{`INSERT INTO "orders" ("shop", "item", "status", "total", "created_at", "updated_at") VALUES (?, ?, ?, ?, ?, ?) RETURNING "id"`,
			`INSERT INTO "orders" ("shop", "item", "status", "created_at", "updated_at") VALUES (?, ?, ?, ?, ?) RETURNING "id", "total"`},
	} {
		for i, p := range []*InsertPlan{plain, made} {
			for range 2 { // the second is the kept one
				text, err := p.OneText(dialects[at], true)
				require.NoError(t, err)
				require.Equal(t, want[i], text)
				text, err = p.OneText(dialects[at], false)
				require.NoError(t, err)
				before, _, _ := strings.Cut(want[i], " RETURNING")
				require.Equal(t, before, text)
			}
		}
	}
}

func TestManyText_IsOfSoManyRows(t *testing.T) {
	t.Parallel()
	p := orders(t, Config{PrimaryKey: []string{"shop", "item"}, Generated: []string{"id", "total", "status", "created_at", "updated_at"}}).InsertPlan(&order{})
	for _, c := range []struct {
		rows      int
		returning bool
		want      string
	}{
		{2, false, `INSERT INTO "orders" ("shop", "item") VALUES ($1, $2), ($3, $4)`},
		{2, true, `INSERT INTO "orders" ("shop", "item") VALUES ($1, $2), ($3, $4) RETURNING "id", "status", "total", "created_at", "updated_at", "shop", "item"`},
		{3, false, `INSERT INTO "orders" ("shop", "item") VALUES ($1, $2), ($3, $4), ($5, $6)`},
		{2, false, `INSERT INTO "orders" ("shop", "item") VALUES ($1, $2), ($3, $4)`},
	} {
		text, err := p.ManyText(dialect.Postgres, c.rows, c.returning)
		require.NoError(t, err)
		require.Equal(t, c.want, text)
	}
	_, err := p.ManyText(dialect.Postgres, 40_000, false)
	require.ErrorIs(t, err, sqlgen.ErrTooManyArgs)
}

func TestSaving_WritesAllButWhatStays(t *testing.T) {
	t.Parallel()
	table := orders(t, Config{Timestamps: true, Generated: []string{"total"}, ShardColumn: "shop"})
	o := &order{ID: 3, Shop: "x"}
	for at, want := range []string{
		`UPDATE "orders" SET "item" = $1, "status" = $2, "updated_at" = $3 WHERE "id" = $4 AND "shop" = $5`,
		"UPDATE `orders` SET `item` = ?, `status` = ?, `updated_at` = ? WHERE ((COERCIBILITY(`id`) + (CHARSET(`id`) = 'binary') > 4 OR CONCAT(`id`) = CONCAT(?) OR HEX(`id`) = HEX(? + 0)) AND `id` = ?) AND (`shop` = ?" +
			" AND (COERCIBILITY(`shop`) + (CHARSET(`shop`) = 'binary') < 5 OR CONCAT(`shop`) NOT REGEXP '^-?[0-9]+([.][0-9]+)?(e[-+]?[0-9]+)?$'))",
		`UPDATE "orders" SET "item" = ?, "status" = ?, "updated_at" = ? WHERE "id" = ? AND "shop" = ?`,
	} {
		text, args, _, err := table.Saving(o, Change{}, dialects[at])
		require.NoError(t, err)
		require.Equal(t, want, text)
		require.NotNil(t, args)
	}
	text, _, _, err := table.Saving(o, Change{Only: []string{"status"}}, dialect.Postgres)
	require.NoError(t, err)
	require.Equal(t, `UPDATE "orders" SET "status" = $1, "updated_at" = $2 WHERE "id" = $3 AND "shop" = $4`, text)
	text, _, _, err = table.Saving(&order{ID: 3}, Change{}, dialect.Postgres)
	require.NoError(t, err)
	require.Equal(t, `UPDATE "orders" SET "item" = $1, "status" = $2, "updated_at" = $3 WHERE "id" = $4`, text, "a record without a shard key is found by its id")
}

func TestUpsertInsert_SetsWhatTheConflictSays(t *testing.T) {
	t.Parallel()
	table := orders(t, Config{Timestamps: true, ShardColumn: "shop"})
	p := table.InsertPlan(&order{})
	for name, c := range map[string]struct {
		conflict Conflict
		sets     []string
		kind     sqlgen.Conflict
	}{
		"all but keys, shard and created_at": {Conflict{Key: []string{"item"}}, []string{"status", "total", "updated_at"}, sqlgen.Replace},
		"named, and updated_at":              {Conflict{Key: []string{"item"}, Update: []string{"total"}}, []string{"total", "updated_at"}, sqlgen.Replace},
		"named with updated_at, once":        {Conflict{Key: []string{"item"}, Update: []string{"updated_at"}}, []string{"updated_at"}, sqlgen.Replace},
		"nothing":                            {Conflict{Key: []string{"item"}, DoNothing: true}, nil, sqlgen.Ignore},
	} {
		key, err := table.ConflictKey(&c.conflict)
		require.NoError(t, err, name)
		in, back := table.UpsertInsert(p, 1, key, &c.conflict)
		require.Equal(t, c.sets, in.Sets, name)
		require.Equal(t, c.kind, in.Conflict, name)
		require.Equal(t, []string{"item"}, in.Keys, name)
		require.Equal(t, []string{"id"}, table.ColumnsOf(back), name)
	}
	in, back := table.UpsertInsert(table.InsertPlan(&order{ID: 1}), 1, table.Key(), &Conflict{})
	require.Equal(t, []string{"id"}, in.Keys)
	require.Empty(t, back, "the record tells its key")
}

func TestConflictKey_RefusesWhatIsNoColumnOrStays(t *testing.T) {
	t.Parallel()
	table := orders(t, Config{Generated: []string{"total"}, ShardColumn: "shop"})
	key, err := table.ConflictKey(&Conflict{})
	require.NoError(t, err)
	require.Equal(t, table.Key(), key)
	for name, c := range map[string]Conflict{
		"unknown key":       {Key: []string{"nr"}},
		"unknown column":    {Update: []string{"nr"}},
		"generated column":  {Update: []string{"total"}},
		"shard key's value": {Update: []string{"shop"}},
	} {
		_, err := table.ConflictKey(&c)
		require.Error(t, err, name)
	}
}

func TestDistinct_RefusesTwoRecordsOfOneKey(t *testing.T) {
	t.Parallel()
	table := orders(t, Config{})
	distinct := func(column string, records ...order) error {
		i, err := table.Index(column)
		require.NoError(t, err)
		return table.Distinct(table.Plan.Records(&records), []int{i})
	}
	require.NoError(t, distinct("item", order{Item: "a"}, order{Item: "b"}))
	require.ErrorContains(t, distinct("item", order{Item: "a"}, order{Item: "b"}, order{Item: "a"}), "records 0 and 2 have the same key")
	require.NoError(t, distinct("id", order{}, order{}), "keys that the database makes differ")
	require.Error(t, distinct("id", order{ID: 1}, order{ID: 1}))
	two := []order{{Shop: `a","b`, Item: "c"}, {Shop: "a", Item: `b","c`}}
	shop, _ := table.Index("shop")
	item, _ := table.Index("item")
	require.NoError(t, table.Distinct(table.Plan.Records(&two), []int{shop, item}), "keys are not joined as text")
}

func TestStamp_SetsCreatedOnceAndUpdatedAlways(t *testing.T) {
	t.Parallel()
	table := orders(t, Config{Timestamps: true, TimePrecision: time.Second})
	o := &order{}
	require.NoError(t, table.Stamp(o, true, time.Time{}))
	require.Equal(t, o.CreatedAt, o.UpdatedAt)
	require.Equal(t, time.UTC, o.CreatedAt.Location())
	require.Zero(t, o.CreatedAt.Nanosecond(), "as precise as the columns")
	old := time.Date(2001, 2, 3, 4, 5, 6, 999_999_999, time.UTC)
	o = &order{CreatedAt: old, UpdatedAt: old}
	require.NoError(t, table.Stamp(o, true, time.Time{}))
	require.Equal(t, old.Truncate(time.Second), o.CreatedAt, "a creation time that is given stays")
	require.True(t, o.UpdatedAt.After(old))
	o = &order{}
	require.NoError(t, table.Stamp(o, false, time.Time{}))
	require.Zero(t, o.CreatedAt, "an update creates nothing")
	o = &order{}
	require.NoError(t, orders(t, Config{}).Stamp(o, true, time.Time{}))
	require.Zero(t, *o, "without timestamps nothing is set")
}

func TestStampSets_AddsUpdatedAtWhereItLacks(t *testing.T) {
	t.Parallel()
	table := orders(t, Config{Timestamps: true})
	columns := func(sets []sqlgen.Set) (names []string) {
		for _, s := range sets {
			names = append(names, s.Column)
		}
		return names
	}
	require.Equal(t, []string{"item", "updated_at"}, columns(table.StampSets([]sqlgen.Set{{Column: "item"}}, time.Time{})))
	require.Equal(t, []string{"updated_at"}, columns(table.StampSets([]sqlgen.Set{{Column: "updated_at"}}, time.Time{})))
	require.Empty(t, table.StampSets(nil, time.Time{}), "an update of nothing stays one")
	row := map[string]any{"created_at": "given"}
	stamped := table.StampRow(row, time.Time{})
	require.Equal(t, "given", stamped["created_at"])
	require.IsType(t, time.Time{}, stamped["updated_at"])
	require.Len(t, row, 1, "the caller's row is not changed")
	require.Len(t, table.StampRow(nil, time.Time{}), 2)
}

func TestSettable_RefusesShardKeyAndGeneratedColumns(t *testing.T) {
	t.Parallel()
	table := orders(t, Config{Generated: []string{"total"}, ShardColumn: "shop"})
	require.NoError(t, table.Settable("item"))
	require.ErrorContains(t, table.Settable("shop"), "shard key")
	require.ErrorContains(t, table.Settable("total"), "generated")
	require.NoError(t, table.Insertable("shop"))
	require.ErrorContains(t, table.Insertable("total"), "generated")
	require.Error(t, table.Insertable("nr"))
	require.NoError(t, Unmodelled("orders", nil).Insertable("nr"), "nothing is known of its columns")
	require.True(t, table.staysOnUpsert("shop"))
	require.False(t, table.staysOnUpsert("item"))
}
