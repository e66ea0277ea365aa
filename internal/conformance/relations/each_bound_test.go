package relations

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// truth 316, 315
//
// Wherever the bound ends the statement for the leaves of all trees, the last row of it, of
// place 0, is missing, and where that is there, so are all others: with filters, functions
// that read, subqueries, rows on the disk, and plans of all kinds.
func TestLimit_EndsWhereTheServerHasReadAll(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	const trees = 20
	f := newOrchard(t, fl, "BIGINT", trees)
	ctx := dbfleet.WithTenant(t.Context(), "acme")
	f.grow(ctx, t, rand.New(rand.NewPCG(1, 2)), trees, func(i int) int { return i % 5 })
	fl.Create(t, "ALTER TABLE leaves ADD note LONGTEXT", "UPDATE leaves SET note = REPEAT(word, 100)",
		"CREATE FUNCTION leaves_like (w TEXT) RETURNS BIGINT READS SQL DATA RETURN (SELECT COUNT(*) FROM leaves WHERE word = w)")
	type query = *dbfleet.Query[leaf]
	var text string
	var args []any
	f.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		if strings.Contains(e.SQL, "ROW_NUMBER") {
			text, args = e.SQL, e.Args
		}
		return ctx
	})
	looks := f.Database.SQL(t)
	for name, scope := range map[string]func(q query) query{
		"plain":    func(q query) query { return q },
		"filter":   func(q query) query { return q.Where("word", "!=", "a").OnlyDeleted() },
		"function": func(q query) query { return q.WhereRaw("leaves_like(word) > 1") },
		"subquery": func(q query) query { return q.WhereRaw("EXISTS (SELECT 1 FROM trees WHERE trees.id = tree_id)") },
		"index":    func(q query) query { return q.WhereRaw("tree_id % 3 <> 1") },
		"disk":     func(q query) query { return q.WhereRaw("note <> ''").OrderBy("word", "desc") },
	} {
		text = ""
		for range 2 { // the first one may tell which server it is
			_, err := f.trees.With(f.leavesOf.Scope(func(q query) query { return scope(q).Limit(3) })).Get(ctx)
			require.NoError(t, err, name)
		}
		require.NotEmpty(t, text, name)
		statement, err := looks.PrepareContext(ctx, text)
		require.NoError(t, err, name)
		all := rowsWithin(ctx, t, statement, args, 1<<40)
		require.True(t, all.ended, name)
		require.NotZero(t, all.rows, name)
		cut, partial := 0, 0
		for bound := range int64(1 << 20) {
			some := rowsWithin(ctx, t, statement, args, bound)
			if some.ended {
				require.Equal(t, all.rows, some.rows, "%s: within %d", name, bound)
				require.Greater(t, bound, int64(all.rows), name)
				break
			}
			cut++
			if some.rows > 0 {
				partial++
			}
		}
		require.NotZero(t, cut, name)
		require.NotZero(t, partial, "%s: no bound has ended it while it gave its rows", name)
		require.NoError(t, statement.Close())
	}
}

type within struct {
	rows  int
	ended bool
}

// rowsWithin runs a statement whose last argument bounds what is examined.
func rowsWithin(ctx context.Context, t *testing.T, statement *sql.Stmt, args []any, bound int64) (w within) {
	t.Helper()
	rows, err := statement.QueryContext(ctx, append(args[:len(args)-1:len(args)-1], bound)...)
	require.NoError(t, err)
	columns, err := rows.Columns()
	require.NoError(t, err)
	values := make([]any, len(columns))
	var place int64
	for i := range values {
		values[i] = new(sql.RawBytes)
	}
	values[len(values)-1] = &place
	for rows.Next() {
		require.False(t, w.ended, "a row behind the last one")
		require.NoError(t, rows.Scan(values...))
		if place == 0 {
			w.ended = true
		} else {
			w.rows++
		}
	}
	if err := rows.Err(); err != nil {
		require.ErrorContains(t, err, "LIMIT ROWS EXAMINED")
		require.False(t, w.ended)
	}
	require.NoError(t, rows.Close())
	return w
}

// truth 316, 315
//
// A statement that the bound ends while it sorts is none that has failed, in a transaction
// and elsewhere.
func TestLimit_ThatEndsWithinASortIsNoError(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	const trees = 16
	f := newOrchard(t, fl, "BIGINT", trees)
	ctx := dbfleet.WithTenant(t.Context(), "acme")
	f.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { require.NoError(t, e.Err) })
	newest := f.leavesOf.Scope(func(q *dbfleet.Query[leaf]) *dbfleet.Query[leaf] { return q.OrderBy("size", "desc").Limit(1) })
	random := rand.New(rand.NewPCG(4, 2))
	for range 6 { // 7 rows of each tree are within the bound
		f.grow(ctx, t, random, trees, func(int) int { return 6 })
		fresh := orchardLike(t, f)
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			for range 2 {
				list, err := fresh.With(newest).OrderBy("id", "asc").Get(ctx)
				require.NoError(t, err)
				for i := range list {
					want, err := newest.For(&list[i]).OrderBy("id", "asc").Get(ctx)
					require.NoError(t, err)
					require.Equal(t, want, list[i].Leaves)
				}
			}
			return nil
		}))
	}
}

// orchardLike is the model of trees anew.
func orchardLike(t *testing.T, f *orchard) *dbfleet.Model[tree] {
	t.Helper()
	return conformance.Model[tree](t, f.Registry, dbfleet.ModelConfig{Table: "trees"})
}

// crates have keys of all kinds, by which they find their apples.
type crate struct {
	ID     int64
	Code   string
	UID    string
	Row    int64
	Apples []apple `db:"-"`
}

type apple struct {
	ID        int64
	CrateCode *string
	CrateUID  *string
	CrateRow  *int64
	Sort      string
	Weight    float64
	Ripe      bool
	Picked    *time.Time
}

// truth 301, 303, 316, 327
//
// With a limit for each parent gives what For gives, for keys that are texts, UUIDs and of
// several columns: where all are told apart by Go, and where a collation, blanks at the end
// or another form make the database's equality another one.
func TestLimit_OfKeysOfAllKindsGivesWhatForGives(t *testing.T) {
	t.Parallel()
	columns := map[string][2][]string{
		"sqlite":   {{"TEXT", "TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM"}, {"TEXT"}},
		"postgres": {{"TEXT", "CITEXT", "CHAR(12)"}, {"UUID"}},
		"mysql":    {{"VARCHAR(40)", "VARCHAR(40) COLLATE utf8mb4_bin", "TEXT COLLATE utf8mb4_nopad_bin", "VARCHAR(40) CHARACTER SET latin1", "VARBINARY(40)"}, {"UUID", "CHAR(36)"}},
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		if fl.Database.Dialect == "postgres" {
			fl.Create(t, "CREATE EXTENSION citext")
		}
		numbered := map[string]int{}
		var what string
		fl.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
			if strings.Contains(e.SQL, "ROW_NUMBER") {
				numbered[what]++
			}
			return ctx
		})
		kinds := columns[fl.Database.Dialect]
		for n, text := range kinds[0] {
			uuid := kinds[1][n%len(kinds[1])]
			if n > 0 {
				fl.Create(t, "DROP TABLE crates", "DROP TABLE apples")
			}
			fl.Create(t, "CREATE TABLE crates (id {bigint} PRIMARY KEY, code VARCHAR(40), uid "+uuid+", row {bigint})",
				"CREATE TABLE apples (id {id}, crate_code "+text+", crate_uid "+uuid+", crate_row {bigint}, sort {text}, weight {float}, ripe {bool}, picked {time})")
			crates := conformance.Model[crate](t, fl.Registry, dbfleet.ModelConfig{Table: "crates"})
			apples := conformance.Model[apple](t, fl.Registry, dbfleet.ModelConfig{Table: "apples"})
			random := rand.New(rand.NewPCG(uint64(n), 11))
			for _, odd := range []bool{false, true} {
				fl.Create(t, "DELETE FROM crates", "DELETE FROM apples")
				fillCrates(ctx, t, random, crates, apples, odd)
				for by, link := range map[string]dbfleet.Link{
					"code": dbfleet.On("crate_code", "code"), "uid": dbfleet.On("crate_uid", "uid"), "both": dbfleet.On("crate_code", "code").And("crate_row", "row"),
				} {
					what = by
					base := dbfleet.HasMany(crates, apples, link, func(c *crate) *[]apple { return &c.Apples })
					for _, scope := range []func(q *dbfleet.Query[apple]) *dbfleet.Query[apple]{
						func(q *dbfleet.Query[apple]) *dbfleet.Query[apple] { return q.OrderBy("id", "desc").Limit(2) },
						func(q *dbfleet.Query[apple]) *dbfleet.Query[apple] {
							return q.Where("ripe", "=", true).OrderBy("weight", "asc").OrderBy("id", "asc").Limit(2).Offset(1)
						},
					} {
						some := base.Scope(scope)
						for range 2 {
							list, err := crates.OrderBy("id", "asc").With(some).Get(ctx)
							require.NoError(t, err)
							for i := range list {
								want, err := some.For(&list[i]).Get(ctx)
								require.NoError(t, err)
								require.Equal(t, fmt.Sprint(idsOf(want)), fmt.Sprint(idsOf(list[i].Apples)), "%s by %s, odd %v: %+v", text, by, odd, list[i])
								require.Len(t, list[i].Apples, len(want))
								for k := range want {
									require.Equal(t, want[k], list[i].Apples[k])
								}
							}
						}
					}
				}
			}
		}
		for _, by := range []string{"code", "uid", "both"} {
			require.Equal(t, fl.Database.Dialect == "mysql", numbered[by] > 0, by)
		}
	})
}

func idsOf(list []apple) (ids []int64) {
	for i := range list {
		ids = append(ids, list[i].ID)
	}
	return ids
}

// fillCrates makes crates with some apples each. The codes of odd ones are equal to others
// by one rule or another.
func fillCrates(ctx context.Context, t *testing.T, random *rand.Rand, crates *dbfleet.Model[crate], apples *dbfleet.Model[apple], odd bool) {
	t.Helper()
	var list []crate
	var all []apple
	for i := range int64(24) {
		c := crate{ID: i + 1, Code: fmt.Sprintf("c%02d", i), UID: fmt.Sprintf("%08x-9c0b-4ef8-bb6d-6bb9bd380a11", i+1), Row: i % 3}
		codes := []string{c.Code}
		if odd && i%4 == 0 {
			codes = append(codes, strings.ToUpper(c.Code), c.Code+" ")
		}
		if odd && i == 5 {
			c.Code = "C04"
		}
		list = append(list, c)
		for range random.IntN(7) {
			code, row := codes[random.IntN(len(codes))], c.Row
			picked := time.Date(2024, 5, 1, 12, 0, random.IntN(60), 123000, time.UTC)
			all = append(all, apple{CrateCode: &code, CrateUID: &c.UID, CrateRow: &row, Sort: "s", Weight: random.Float64(), Ripe: random.IntN(2) == 0, Picked: &picked})
		}
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	require.NoError(t, crates.CreateMany(ctx, list))
	require.NoError(t, apples.CreateMany(ctx, all))
}

// truth 316
//
// Values of every type come as they do without a limit.
func TestLimit_ReadsEveryTypeOfMariaDB(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "mysql")
	fl := conformance.Fleet{Registry: conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(db)}), Database: db}
	fl.Create(t, "CREATE TABLE trees (id {bigint} PRIMARY KEY)", `CREATE TABLE samples (id {id}, tree_id BIGINT NOT NULL, tiny TINYINT(1), small SMALLINT UNSIGNED, big BIGINT UNSIGNED, exact DECIMAL(20, 6),
		single FLOAT, twice DOUBLE, bits BIT(40), at_year YEAR, at_day DATE, at_hour TIME(3), at_time DATETIME(6), stamp TIMESTAMP(3) NULL, kind ENUM('x', 'y'), kinds SET('x', 'y'),
		short CHAR(5) CHARACTER SET latin1, words MEDIUMTEXT, raw VARBINARY(9), blobs LONGBLOB, uid UUID, addr INET6, doc JSON)`)
	type sample struct {
		ID, TreeID                                                              int64
		Tiny                                                                    bool
		Small                                                                   uint16
		Big                                                                     uint64
		Exact, AtYear, AtDay, AtHour, Kind, Kinds, Short, Words, UID, Addr, Doc string
		Single                                                                  float32
		Twice                                                                   float64
		Raw, Blobs                                                              []byte
		Bits                                                                    uint64
		AtTime, Stamp                                                           time.Time
	}
	type tree struct {
		ID      int64
		Samples []sample `db:"-"`
	}
	trees := conformance.Model[tree](t, fl.Registry, dbfleet.ModelConfig{Table: "trees"})
	samples := conformance.Model[sample](t, fl.Registry, dbfleet.ModelConfig{Table: "samples"})
	fl.Create(t, "INSERT INTO trees SELECT seq FROM seq_1_to_20", `INSERT INTO samples (tree_id, tiny, small, big, exact, single, twice, bits, at_year, at_day, at_hour, at_time, stamp, kind, kinds, short, words, raw, blobs, uid, addr, doc)
		SELECT 1 + seq DIV 3, seq % 2, 65000 + seq, 18446744073709551000 + seq, 12345678901234.567891 + seq, 1.1 * seq, seq / 7, 1099511627000 + seq, 1990 + seq, '2024-02-29', '-12:34:56.789',
		'2024-05-01 12:00:00.123456', '2024-05-01 12:00:00.123', IF(seq % 2, 'y', 'x'), 'x,y', 'häß', REPEAT('w', seq), UNHEX('00FF'), REPEAT('b', 9), UUID(), '::1', '{"a": 1.50}' FROM seq_1_to_50`)
	numbered := 0
	fl.OnBeforeQuery(func(ctx context.Context, e dbfleet.QueryEvent) context.Context {
		numbered += strings.Count(e.SQL, "ROW_NUMBER")
		return ctx
	})
	some := dbfleet.HasMany(trees, samples, dbfleet.On("tree_id"), func(t *tree) *[]sample { return &t.Samples }).
		Scope(func(q *dbfleet.Query[sample]) *dbfleet.Query[sample] { return q.OrderBy("words", "desc").Limit(2) })
	for range 2 {
		list, err := trees.OrderBy("id", "asc").With(some).Get(t.Context())
		require.NoError(t, err)
		for i := range list {
			want, err := some.For(&list[i]).Get(t.Context())
			require.NoError(t, err)
			require.Equal(t, len(want), len(list[i].Samples))
			for k := range want {
				require.Equal(t, want[k], list[i].Samples[k])
			}
		}
	}
	require.NotZero(t, numbered)
}
