package relations

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// tree has leaves, of which the first few are read.
type tree struct {
	ID     int64
	Leaves []leaf `db:"-"`
	Top    *leaf  `db:"-"`
}

type leaf struct {
	ID       int64
	TenantID string
	TreeID   *int64
	Size     *int64
	Word     string
	GoneAt   *time.Time
}

// orchard is a table of trees, of which some have the keys from 2001 on, and one of leaves.
type orchard struct {
	conformance.Fleet
	trees    *dbfleet.Model[tree]
	leaves   *dbfleet.Model[leaf]
	leavesOf dbfleet.ToMany[tree, leaf]
	topOf    dbfleet.ToOne[tree, leaf]

	mu   sync.Mutex
	sent []string
}

func newOrchard(t *testing.T, fl conformance.Fleet, column string, trees int) *orchard {
	t.Helper()
	fl.Create(t, `CREATE TABLE trees (id {bigint} PRIMARY KEY)`,
		`CREATE TABLE leaves (id {id}, tenant_id {text} NOT NULL, tree_id `+column+`, size {bigint}, word {text} NOT NULL, gone_at {time})`,
		`CREATE INDEX leaves_of_tree ON leaves (tree_id)`)
	return orchardOf(t, fl, trees)
}

// orchardOf is a orchard whose tables are there.
func orchardOf(t *testing.T, fl conformance.Fleet, trees int) *orchard {
	t.Helper()
	f := &orchard{Fleet: fl}
	f.trees = conformance.Model[tree](t, fl.Registry, dbfleet.ModelConfig{Table: "trees"})
	f.leaves = conformance.Model[leaf](t, fl.Registry, dbfleet.ModelConfig{Table: "leaves", SoftDelete: "gone_at", Tenant: dbfleet.TenantByColumn("tenant_id")})
	f.leavesOf = dbfleet.HasMany(f.trees, f.leaves, dbfleet.On("tree_id"), func(t *tree) *[]leaf { return &t.Leaves })
	f.topOf = dbfleet.HasOne(f.trees, f.leaves, dbfleet.On("tree_id"), func(t *tree) **leaf { return &t.Top })
	list := make([]tree, trees)
	for i := range list {
		list[i].ID = int64(2001 + i)
	}
	require.NoError(t, f.trees.CreateMany(t.Context(), list))
	fl.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.sent = append(f.sent, e.SQL)
		return ctx
	})
	return f
}

// grow gives each tree some leaves: n of a tree for the result of how many.
func (f *orchard) grow(ctx context.Context, t *testing.T, random *rand.Rand, trees int, howMany func(tree int) int) {
	t.Helper()
	var list []leaf
	gone := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for i := range trees {
		key := int64(2001 + i)
		for range howMany(i) {
			l := leaf{TreeID: &key, Word: string(rune('a' + random.IntN(4)))}
			if size := random.Int64N(4); size > 0 {
				l.Size = &size
			}
			if random.IntN(5) == 0 {
				l.GoneAt = &gone
			}
			list = append(list, l)
		}
	}
	random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	for len(list) > 0 {
		n := min(len(list), 2000)
		require.NoError(t, f.leaves.CreateMany(ctx, list[:n]))
		list = list[n:]
	}
}

// numbered is how many statements have numbered rows since the last call, of how many.
func (f *orchard) numbered() (numbered, all int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sent {
		if strings.Contains(s, "ROW_NUMBER") {
			numbered++
		}
	}
	all = len(f.sent)
	f.sent = nil
	return numbered, all
}

// truth 316
//
// The first few of each parent are those that a window function numbers, on every database,
// for columns of every type of whole numbers, however many rows the parents have.
func TestLimit_IsTheSameInEachForm(t *testing.T) {
	t.Parallel()
	columns := map[string][]string{
		"mysql": {"BIGINT", "SMALLINT UNSIGNED", "BIGINT UNSIGNED", "DECIMAL(20, 0)", "DOUBLE", "YEAR"},
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		list := columns[fl.Database.Dialect]
		if list == nil {
			list = []string{"BIGINT"}
		}
		const trees = 30
		for n, column := range list {
			if n > 0 {
				fl.Create(t, "DROP TABLE trees", "DROP TABLE leaves")
			}
			f := newOrchard(t, fl, column, trees)
			random := rand.New(rand.NewPCG(uint64(n), 7))
			for _, tenant := range []string{"acme", "other"} {
				f.grow(dbfleet.WithTenant(t.Context(), tenant), t, random, trees, func(int) int { return random.IntN(7) })
			}
			f.compare(t, column, "few")
			numbers, _ := f.numbered()
			require.Equal(t, fl.Database.Dialect == "mysql", numbers > 0, column)
			f.grow(dbfleet.WithTenant(t.Context(), "acme"), t, random, trees, func(i int) int { return i % 2 * 60 })
			f.compare(t, column, "many")
		}
	})
}

// compare reads by all kinds of scopes, and by the database's own window function.
func (f *orchard) compare(t *testing.T, column, what string) {
	t.Helper()
	ctx := dbfleet.WithTenant(t.Context(), "acme")
	type query = *dbfleet.Query[leaf]
	for _, c := range []struct {
		scope         func(q query) query
		order, where  string
		skipped, most int
	}{
		{func(q query) query { return q.OrderBy("id", "desc").Limit(3) }, "id DESC", "gone_at IS NULL", 0, 3},
		{func(q query) query { return q.OrderBy("size", "asc").Limit(2) }, "size, id", "gone_at IS NULL", 0, 2},
		{func(q query) query { return q.OrderBy("size", "desc").OrderBy("word", "asc").Limit(3).Offset(2) }, "size DESC, word, id", "gone_at IS NULL", 2, 3},
		{func(q query) query { return q.WithDeleted().OrderBy("word", "desc").Limit(4) }, "word DESC, id", "1 = 1", 0, 4},
		{func(q query) query { return q.OnlyDeleted().Limit(1) }, "id", "gone_at IS NOT NULL", 0, 1},
		{func(q query) query {
			return q.Where("word", "=", "a").OrWhere("size", ">", 2).OrderBy("id", "asc").Limit(3)
		}, "id", "gone_at IS NULL AND (word = 'a' OR size > 2)", 0, 3},
		{func(q query) query { return q.Select("word", "id").OrderBy("id", "desc").Limit(3) }, "id DESC", "gone_at IS NULL", 0, 3},
		{func(q query) query { return q.Where("word", "=", "nothing").Limit(3) }, "id", "word = 'nothing'", 0, 3},
		{func(q query) query { return q.OrderBy("id", "asc").Limit(3).Offset(500) }, "id", "gone_at IS NULL", 500, 3},
	} {
		name := fmt.Sprintf("%s, %s rows, ORDER BY %s, WHERE %s, %d from %d", column, what, c.order, c.where, c.most, c.skipped)
		got, err := f.trees.OrderBy("id", "asc").With(f.leavesOf.Scope(c.scope), f.topOf.Scope(c.scope)).Get(ctx)
		require.NoError(t, err, name)
		rows, err := f.Database.SQL(t).QueryContext(ctx, `SELECT tree_id, id FROM (SELECT tree_id, id, ROW_NUMBER() OVER (PARTITION BY tree_id ORDER BY `+c.order+`) AS place FROM leaves`+
			` WHERE tenant_id = 'acme' AND `+c.where+fmt.Sprintf(`) AS numbered WHERE place > %d AND place <= %d ORDER BY tree_id, place`, c.skipped, c.skipped+c.most))
		require.NoError(t, err, name)
		want := map[int64][]int64{}
		for rows.Next() {
			var key float64
			var id int64
			require.NoError(t, rows.Scan(&key, &id))
			want[int64(key)] = append(want[int64(key)], id)
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		for _, tree := range got {
			ids := []int64(nil)
			for _, l := range tree.Leaves {
				ids = append(ids, l.ID)
			}
			require.Equal(t, want[tree.ID], ids, "%s: tree %d", name, tree.ID)
			if len(ids) > 0 {
				require.NotNil(t, tree.Top, name)
				require.Equal(t, ids[0], tree.Top.ID, "%s: tree %d", name, tree.ID)
			} else {
				require.Nil(t, tree.Top, name)
			}
		}
	}
}

// truth 315
//
// A parent with very many children costs no more than one with some: neither the statement
// that finds that there are too many nor the others read them.
func TestLimit_OfOneWithManyReadsFew(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	const trees = 40
	f := newOrchard(t, fl, "BIGINT", trees)
	random := rand.New(rand.NewPCG(1, 1))
	ctx := dbfleet.WithTenant(t.Context(), "acme")
	f.grow(ctx, t, random, trees, func(int) int { return 6 })
	newest := f.leavesOf.Scope(func(q *dbfleet.Query[leaf]) *dbfleet.Query[leaf] { return q.OrderBy("id", "desc").Limit(3) })
	read := func() (reads int64) {
		t.Helper()
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			seen := func() int64 {
				n, err := dbfleet.Select[int64](ctx, tx, `SELECT CAST(SUM(variable_value) AS INTEGER) FROM information_schema.session_status WHERE variable_name LIKE 'handler_read%'`)
				require.NoError(t, err)
				return n[0]
			}
			seen()
			first := seen()
			own := seen() - first // of the question itself
			first = seen()
			_, err := f.trees.With(newest).Get(ctx)
			reads = seen() - first - own
			return err
		}))
		return reads
	}
	read() // tells which server it is
	f.numbered()
	few := read()
	numbers, all := f.numbered()
	require.Equal(t, 1, numbers)
	require.Less(t, few, int64(3000))
	require.Greater(t, all, 2)
	f.grow(ctx, t, random, 1, func(int) int { return 20_000 })
	f.numbered()
	tried := read()
	numbers, _ = f.numbered()
	require.Equal(t, 1, numbers, "it was tried")
	require.Less(t, tried, int64(4000))
	for range 31 {
		require.Less(t, read(), int64(3000))
	}
	numbers, _ = f.numbered()
	require.Zero(t, numbers, "and then not for a while")
	read()
	numbers, _ = f.numbered()
	require.Equal(t, 1, numbers, "but again")
	t.Logf("rows read: %d of few, %d of many", few, tried)
}

// truth 305
//
// Texts that are equal to one number are several values for a window.
func TestLimit_OfNumbersInTextsIsNotByTheirTexts(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	fl.Create(t, "CREATE TABLE owners (id {bigint} PRIMARY KEY)", "CREATE TABLE things (id {id}, owner VARBINARY(9))")
	type thing struct {
		ID    int64
		Owner string
	}
	type owner struct {
		ID     int64
		Things []thing `db:"-"`
	}
	owners := conformance.Model[owner](t, fl.Registry, dbfleet.ModelConfig{Table: "owners"})
	things := conformance.Model[thing](t, fl.Registry, dbfleet.ModelConfig{Table: "things"})
	var list []owner
	var all []thing
	for id := range int64(30) {
		list = append(list, owner{ID: id + 1})
		all = append(all, thing{Owner: fmt.Sprint(id + 1)}, thing{Owner: fmt.Sprint("0", id+1)}, thing{Owner: fmt.Sprint(id + 1)})
	}
	require.NoError(t, owners.CreateMany(t.Context(), list))
	require.NoError(t, things.CreateMany(t.Context(), all))
	second := dbfleet.HasMany(owners, things, dbfleet.On("owner"), func(o *owner) *[]thing { return &o.Things }).
		Scope(func(q *dbfleet.Query[thing]) *dbfleet.Query[thing] { return q.OrderBy("id", "asc").Limit(1).Offset(1) })
	for range 3 {
		list, err := owners.With(second).OrderBy("id", "asc").Get(t.Context())
		require.NoError(t, err)
		for i := range list {
			want, err := second.For(&list[i]).Get(t.Context())
			require.NoError(t, err)
			require.Len(t, want, 1)
			require.Equal(t, want, list[i].Things)
		}
	}
}

// A server of which it is not known that it numbers rows is asked for each parent apart, also
// one that takes the place of one that does.
func TestLimit_OnServersThatDoNotNumberRows(t *testing.T) {
	t.Parallel()
	old := dbtest.StartMariaDB(t, "version=10.5.29-MariaDB")
	db := dbtest.New(t, "mysql")
	fl, proxy := conformance.ThroughProxy(t, db)
	const trees = 20
	f := newOrchard(t, fl, "BIGINT", trees)
	ctx := dbfleet.WithTenant(t.Context(), "acme")
	f.grow(ctx, t, rand.New(rand.NewPCG(3, 3)), trees, func(i int) int { return i % 4 })
	newest := f.trees.OrderBy("id", "asc").With(f.leavesOf.Scope(func(q *dbfleet.Query[leaf]) *dbfleet.Query[leaf] { return q.OrderBy("id", "desc").Limit(2) }))
	_, err := newest.Get(ctx)
	require.NoError(t, err)
	numbers, _ := f.numbered()
	require.Zero(t, numbers, "it is not known yet")
	want, err := newest.Get(ctx)
	require.NoError(t, err)
	numbers, _ = f.numbered()
	require.Equal(t, 1, numbers)

	leaves, err := f.leaves.Query().WithDeleted().Get(ctx)
	require.NoError(t, err)
	other := old.Database(t)
	there := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(other)}), Database: other}
	twin := newOrchard(t, there, "BIGINT", trees)
	require.NoError(t, twin.leaves.CreateMany(ctx, leaves))
	for range 2 {
		got, err := twin.trees.OrderBy("id", "asc").With(twin.leavesOf.Scope(func(q *dbfleet.Query[leaf]) *dbfleet.Query[leaf] { return q.OrderBy("id", "desc").Limit(2) })).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	numbers, _ = twin.numbered()
	require.Zero(t, numbers)
	for _, statement := range []string{
		"CREATE DATABASE " + db.Name, "RENAME TABLE " + other.Name + ".trees TO " + db.Name + ".trees", "RENAME TABLE " + other.Name + ".leaves TO " + db.Name + ".leaves",
		"CREATE USER '" + db.Username + "'@'%' IDENTIFIED BY '" + db.Password + "'", "GRANT ALL PRIVILEGES ON " + db.Name + ".* TO '" + db.Username + "'@'%'",
	} {
		_, err = old.Admin().ExecContext(ctx, statement)
		require.NoError(t, err)
	}

	proxy.Retarget(old.Addr())
	proxy.Cut()
	require.Eventually(t, func() bool { _, err := f.trees.Get(ctx); return err == nil }, 30*time.Second, time.Millisecond)
	f.numbered()
	for range 2 {
		got, err := newest.Get(ctx)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	numbers, _ = f.numbered()
	require.Equal(t, 1, numbers, "what was made for the other server was not sent, and nothing like it afterwards")
}
