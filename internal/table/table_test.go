package table_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

type item struct {
	ID        int64
	Owner     int64
	Name      string
	Rank      int
	Total     int
	CreatedAt time.Time
	UpdatedAt time.Time
}

func items(t *testing.T, c table.Config) *table.Table {
	t.Helper()
	plan, err := rowmap.Of[item]()
	require.NoError(t, err)
	c.Name = "items"
	tab, faults := table.New(c, plan)
	require.Empty(t, faults)
	return tab
}

func TestNew_ReportsEveryFault(t *testing.T) {
	t.Parallel()
	plan, err := rowmap.Of[item]()
	require.NoError(t, err)
	_, faults := table.New(table.Config{
		PrimaryKey: []string{"id", "id"}, Generated: []string{"none"}, Defaults: []string{"rank", "rank"}, ShardColumn: "nowhere",
		TimePrecision: time.Nanosecond,
	}, plan)
	var keys []string
	for _, f := range faults {
		keys = append(keys, f.Key)
	}
	require.Equal(t, []string{"Table", "PrimaryKey", "Generated", "Defaults", "Shard", "TimePrecision"}, keys)
	_, faults = table.New(table.Config{Name: "items", Generated: []string{"id"}}, plan)
	require.Len(t, faults, 1)
	require.Contains(t, faults[0].Reason, "filled in by itself")
}

func TestInsertPlan_WritesWhatTheDatabaseDoesNotMake(t *testing.T) {
	t.Parallel()
	tab := items(t, table.Config{Generated: []string{"total"}, Defaults: []string{"rank"}})
	p := tab.InsertPlan(&item{Name: "a"})
	require.Equal(t, []string{"owner", "name", "created_at", "updated_at"}, p.Columns)
	require.Equal(t, []string{"id", "rank", "total"}, p.Returning)
	require.False(t, p.OnlyKey)
	require.True(t, p.MakesKey())
	require.Same(t, p, tab.InsertPlan(&item{Name: "b"}), "records that are alike have one plan")
	q := tab.InsertPlan(&item{ID: 1, Rank: 2})
	require.Equal(t, []string{"id", "owner", "name", "rank", "created_at", "updated_at"}, q.Columns)
	require.False(t, q.MakesKey())

	plain := items(t, table.Config{}).InsertPlan(&item{})
	require.True(t, plain.OnlyKey)
	for d, text := range map[*dialect.Dialect]string{
		dialect.Postgres: `INSERT INTO "items" ("owner", "name", "rank", "total", "created_at", "updated_at") VALUES ($1, $2, $3, $4, $5, $6) RETURNING "id"`,
		dialect.SQLite:   `INSERT INTO "items" ("owner", "name", "rank", "total", "created_at", "updated_at") VALUES (?, ?, ?, ?, ?, ?)`,
	} {
		got, err := plain.OneText(d)
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
	one, err := plain.ManyText(dialect.MySQL, 1, false)
	require.NoError(t, err)
	three, err := plain.ManyText(dialect.MySQL, 3, false)
	require.NoError(t, err)
	require.Greater(t, len(three), len(one))
}

// What records leave to the database has no bound; plans are dropped, and made anew.
func TestInsertPlan_StaysRightWhenPlansAreDropped(t *testing.T) {
	t.Parallel()
	tab := items(t, table.Config{Defaults: []string{"owner", "name", "rank", "total", "created_at", "updated_at"}})
	for i := range 64 * 4 {
		r := &item{Owner: int64(i & 1), Rank: i & 2, Total: i & 4}
		if i&8 != 0 {
			r.Name = "n"
		}
		if i&16 != 0 {
			r.CreatedAt = time.Now()
		}
		if i&32 != 0 {
			r.UpdatedAt = time.Now()
		}
		if i&64 != 0 {
			r.ID = 1
		}
		p := tab.InsertPlan(r)
		require.Equal(t, r.Name != "", len(p.Columns) > 0 && contains(p.Columns, "name"))
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func TestSaving_LeavesOutKeysAndCreation(t *testing.T) {
	t.Parallel()
	tab := items(t, table.Config{Timestamps: true, ShardColumn: "owner", Generated: []string{"total"}})
	text, _, err := tab.Saving(&item{ID: 1, Owner: 2}, nil, dialect.Postgres)
	require.NoError(t, err)
	require.Equal(t, `UPDATE "items" SET "name" = $1, "rank" = $2, "updated_at" = $3 WHERE "id" = $4 AND "owner" = $5`, text)
	text, _, err = tab.Saving(&item{ID: 1}, []string{"rank"}, dialect.MySQL)
	require.NoError(t, err)
	require.Equal(t, "UPDATE `items` SET `rank` = ?, `updated_at` = ? WHERE `id` = ?", text)
	require.Error(t, tab.Settable("owner"))
	require.Error(t, tab.Settable("total"))
	require.NoError(t, tab.Settable("name"))
}

func TestStamp_SetsTimesOnce(t *testing.T) {
	t.Parallel()
	tab := items(t, table.Config{Timestamps: true, TimePrecision: time.Second})
	old := time.Date(2020, 1, 2, 3, 4, 5, 600, time.UTC)
	r := item{CreatedAt: old}
	require.NoError(t, tab.Stamp(&r, true))
	require.Equal(t, old.Truncate(time.Second), r.CreatedAt, "one that is not zero is kept")
	require.False(t, r.UpdatedAt.IsZero())
	require.Zero(t, r.UpdatedAt.Nanosecond())
	fresh := item{}
	require.NoError(t, tab.Stamp(&fresh, false))
	require.True(t, fresh.CreatedAt.IsZero())
	require.Len(t, tab.StampSets([]sqlgen.Set{{Column: "name"}}), 2)
	require.Len(t, tab.StampSets([]sqlgen.Set{{Column: "updated_at"}}), 1)
	require.Empty(t, tab.StampSets(nil))
	row := tab.StampRow(map[string]any{"created_at": old})
	require.Equal(t, old, row["created_at"])
	require.NotNil(t, row["updated_at"])
}

func TestUpsertInsert_SetsAllButKeysAndCreation(t *testing.T) {
	t.Parallel()
	tab := items(t, table.Config{Timestamps: true})
	r := item{Name: "a"}
	c := table.Conflict{Key: []string{"name"}}
	key, err := tab.ConflictKey(&c)
	require.NoError(t, err)
	in, back := tab.UpsertInsert(tab.InsertPlan(&r), 1, key, &c)
	require.Equal(t, []string{"owner", "rank", "total", "updated_at"}, in.Sets)
	require.Equal(t, []int{0}, back, "the id of the row is not known")
	c = table.Conflict{Key: []string{"name"}, Update: []string{"rank"}}
	in, _ = tab.UpsertInsert(tab.InsertPlan(&r), 1, key, &c)
	require.Equal(t, []string{"rank", "updated_at"}, in.Sets)
	c.DoNothing = true
	in, _ = tab.UpsertInsert(tab.InsertPlan(&r), 1, key, &c)
	require.Equal(t, sqlgen.Ignore, in.Conflict)
	_, err = tab.ConflictKey(&table.Conflict{Key: []string{"none"}})
	require.Error(t, err)
	_, err = tab.ConflictKey(&table.Conflict{Update: []string{"none"}})
	require.Error(t, err)
}

func TestDistinct_RefusesTwoOfOneKey(t *testing.T) {
	t.Parallel()
	tab := items(t, table.Config{})
	list := []item{{Name: "a", Rank: 1}, {Name: "b", Rank: 1}, {Name: "a", Rank: 2}}
	records := tab.Plan.Records(&list)
	require.ErrorContains(t, tab.Distinct(records, []int{2}), "records 0 and 2")
	require.NoError(t, tab.Distinct(records, []int{2, 3}))
	require.NoError(t, tab.Distinct(records, []int{0}), "keys that the database will make conflict with none")
	require.NoError(t, tab.Distinct(rowmap.One(&list[0]), []int{2}))
}
