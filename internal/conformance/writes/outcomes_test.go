package writes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

type ware struct {
	ID        int64
	Code      string
	Name      *string
	Price     float64
	UpdatedAt time.Time
	Rev       int64
}

func wares(t *testing.T, fl conformance.Fleet) *dbfleet.Model[ware] {
	t.Helper()
	fl.Create(t, `CREATE TABLE wares (id {id}, code VARCHAR(20) NOT NULL UNIQUE, name VARCHAR(20), price {float} NOT NULL, updated_at {time} NOT NULL, rev {bigint} NOT NULL)`)
	return conformance.Model[ware](t, fl.Registry, dbfleet.ModelConfig{Table: "wares", Timestamps: true, Version: "rev"})
}

func text(s string) *string { return &s }

var byCode = []string{"code"}

func TestUpsertOutcomes_TellInsertedFromUpdated(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, ctx := wares(t, fl), t.Context()
		list := []ware{{Code: "b", Price: 1}, {Code: "d", Price: 1}}
		got, err := dbfleet.UpsertOutcomes(ctx, m, list, dbfleet.Conflict{Key: byCode})
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{dbfleet.Inserted, dbfleet.Inserted}, got)
		for n := range 3 { // as a statement that was prepared by then, too
			five := []ware{{Code: "a" + fmt.Sprint(n)}, {Code: "b", Price: 2}, {Code: "c" + fmt.Sprint(n)}, {Code: "d", Price: 1}, {Code: "e" + fmt.Sprint(n)}}
			got, err = dbfleet.UpsertOutcomes(ctx, m, five, dbfleet.Conflict{Key: byCode})
			require.NoError(t, err)
			require.Equal(t, []dbfleet.Outcome{dbfleet.Inserted, dbfleet.Updated, dbfleet.Inserted, dbfleet.Updated, dbfleet.Inserted}, got)
			require.Equal(t, list[0].ID, five[1].ID)
			require.Equal(t, list[1].ID, five[3].ID)
		}
		for _, want := range []dbfleet.Outcome{dbfleet.Inserted, dbfleet.Updated, dbfleet.Updated} {
			one, err := dbfleet.UpsertOutcomes(ctx, m, []ware{{Code: "one"}}, dbfleet.Conflict{Key: byCode})
			require.NoError(t, err)
			require.Equal(t, []dbfleet.Outcome{want}, one)
		}
		byID, err := dbfleet.UpsertOutcomes(ctx, m, []ware{{ID: list[0].ID, Code: "b"}, {Code: "new"}, {ID: 900, Code: "nine"}})
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{dbfleet.Updated, dbfleet.Inserted, dbfleet.Inserted}, byID)
		none, err := dbfleet.UpsertOutcomes(ctx, m, nil)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestUpsertOutcomes_DoNothingLeavesRowsUnchanged(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, ctx := wares(t, fl), t.Context()
		b := ware{Code: "b", Price: 1}
		require.NoError(t, m.Create(ctx, &b))
		nothing := dbfleet.Conflict{Key: byCode, DoNothing: true}
		for n := range 2 {
			list := []ware{{Code: "a" + fmt.Sprint(n)}, {Code: "b", Price: 5}, {Code: "c" + fmt.Sprint(n)}}
			got, err := dbfleet.UpsertOutcomes(ctx, m, list, nothing)
			require.NoError(t, err)
			require.Equal(t, []dbfleet.Outcome{dbfleet.Inserted, dbfleet.Unchanged, dbfleet.Inserted}, got)
			require.Equal(t, b.ID, list[1].ID)
			one, err := dbfleet.UpsertOutcomes(ctx, m, list[:1], nothing)
			require.NoError(t, err)
			require.Equal(t, []dbfleet.Outcome{dbfleet.Unchanged}, one)
		}
		row, err := m.Find(ctx, b.ID)
		require.NoError(t, err)
		require.Equal(t, b, row)
	})
}

// What a collation holds for equal is not what is stored: a letter's case is written.
func TestUpsert_KeepEqualLeavesEqualRowsAsTheyAre(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, ctx := wares(t, fl), t.Context()
		list := []ware{{Code: "a", Name: text("ann")}, {Code: "b", Name: text("bob"), Price: 0.1}, {Code: "c"}}
		require.NoError(t, m.CreateMany(ctx, list))
		equal := dbfleet.Conflict{Key: byCode, KeepEqual: true}
		for range 2 {
			again := []ware{{Code: "a", Name: text("ann")}, {Code: "b", Name: text("bob"), Price: 0.1}, {Code: "c"}}
			got, err := dbfleet.UpsertOutcomes(ctx, m, again, equal)
			require.NoError(t, err)
			require.Equal(t, []dbfleet.Outcome{dbfleet.Unchanged, dbfleet.Unchanged, dbfleet.Unchanged}, got)
			require.NoError(t, m.UpsertMany(ctx, again, equal))
			require.NoError(t, m.Upsert(ctx, &again[1], equal))
			require.Equal(t, list[1].ID, again[1].ID)
			require.NoError(t, m.Query().Upsert(ctx, dbfleet.Row{"code": "a", "name": "ann", "price": 0.0}, equal))
			rows, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, list, rows, "updated_at and the version are what they were")
		}
		other := []ware{{Code: "c", Name: text("cid")}, {Code: "a", Name: text("Ann")}, {Code: "new"}, {Code: "b", Name: text("bob"), Price: 0.1}}
		got, err := dbfleet.UpsertOutcomes(ctx, m, other, equal)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{dbfleet.Updated, dbfleet.Updated, dbfleet.Inserted, dbfleet.Unchanged}, got)
		for i, want := range []int64{list[2].ID, list[0].ID, other[2].ID, list[1].ID} {
			require.Equal(t, want, other[i].ID)
		}
		row, err := m.Find(ctx, list[0].ID)
		require.NoError(t, err)
		require.Equal(t, "Ann", *row.Name)
		require.EqualValues(t, 2, row.Rev)
		one, err := dbfleet.UpsertOutcomes(ctx, m, []ware{{Code: "a"}}, equal)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{dbfleet.Updated}, one, "NULL is another value")
		require.ErrorContains(t, m.Upsert(ctx, &row, dbfleet.Conflict{DoNothing: true, KeepEqual: true}), "KeepEqual")
		require.ErrorContains(t, m.Query().Upsert(ctx, dbfleet.Row{"id": 1, "code": "x"}, dbfleet.Conflict{DoNothing: true, KeepEqual: true}), "KeepEqual")
	})
}

// Many insert and update the same keys at once: each key is inserted by one of them.
func TestUpsertOutcomes_OneOfManyHasInserted(t *testing.T) {
	t.Parallel()
	const callers, keys = 6, 20
	for name, conflict := range map[string]dbfleet.Conflict{
		"update": {Key: byCode}, "nothing": {Key: byCode, DoNothing: true}, "equal": {Key: byCode, KeepEqual: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
				m, ctx := wares(t, fl), t.Context()
				var mu sync.Mutex
				inserted := map[string]int{}
				var all sync.WaitGroup
				for c := range callers {
					all.Go(func() {
						for k := range keys {
							list := []ware{{Code: fmt.Sprintf("%03d", k), Price: float64(c)}, {Code: fmt.Sprintf("%03d", k+1), Price: float64(c)}}
							got, err := dbfleet.UpsertOutcomes(ctx, m, list, conflict)
							for err != nil && dbfleet.IsRetryable(err) { // a deadlock, of which one is the victim
								got, err = dbfleet.UpsertOutcomes(ctx, m, list, conflict)
							}
							if err != nil {
								mu.Lock()
								inserted[err.Error()]++
								mu.Unlock()
								return
							}
							mu.Lock()
							for i, o := range got {
								if o == dbfleet.Inserted {
									inserted[list[i].Code]++
								} else if o == dbfleet.NotTold {
									inserted["not told"]++
								}
							}
							mu.Unlock()
						}
					})
				}
				all.Wait()
				want := map[string]int{}
				for k := range keys + 1 {
					want[fmt.Sprintf("%03d", k)] = 1
				}
				require.Equal(t, want, inserted)
			})
		})
	}
}

// A server without RETURNING tells as well, one record after the other.
func TestUpsertOutcomes_WithoutReturning(t *testing.T) {
	t.Parallel()
	server := dbtest.StartMariaDB(t, "version=8.0.36")
	fl := conformance.Fleet{Database: server.Database(t)}
	fl.Registry = conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": conformance.ConnectionTo(fl.Database)})
	m, ctx := wares(t, fl), t.Context()
	equal := dbfleet.Conflict{Key: byCode, KeepEqual: true}
	list := []ware{{Code: "a"}, {Code: "b", Price: 1}}
	for _, want := range []dbfleet.Outcome{dbfleet.Inserted, dbfleet.Unchanged} {
		got, err := dbfleet.UpsertOutcomes(ctx, m, list, equal)
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{want, want}, got)
	}
	got, err := dbfleet.UpsertOutcomes(ctx, m, []ware{{Code: "c"}, {Code: "a", Price: 3}, {Code: "b", Price: 1}, {ID: 700, Code: "d"}}, equal)
	require.NoError(t, err)
	require.Equal(t, []dbfleet.Outcome{dbfleet.Inserted, dbfleet.Updated, dbfleet.Unchanged, dbfleet.Inserted}, got)
	got, err = dbfleet.UpsertOutcomes(ctx, m, []ware{{Code: "e"}, {Code: "a", Price: 3}}, dbfleet.Conflict{Key: byCode, DoNothing: true})
	require.NoError(t, err)
	require.Equal(t, []dbfleet.Outcome{dbfleet.Inserted, dbfleet.Unchanged}, got)
}

// promise: what the database does not tell is not told
func TestUpsertOutcomes_NotToldWhereTheDatabaseDoesNot(t *testing.T) {
	t.Parallel()
	type part struct {
		ID   int64
		Name string
	}
	fl := conformance.OnPostgres(t)
	fl.Create(t, `CREATE TABLE parts (id BIGINT PRIMARY KEY, name TEXT NOT NULL) PARTITION BY RANGE (id)`,
		`CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10)`, `CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (1000)`,
		`CREATE TABLE whole (id BIGINT PRIMARY KEY, name TEXT NOT NULL)`, `CREATE VIEW seen AS SELECT * FROM whole`)
	for _, table := range []string{"parts", "seen"} {
		m := conformance.Model[part](t, fl.Registry, dbfleet.ModelConfig{Table: table})
		for range 2 {
			got, err := dbfleet.UpsertOutcomes(t.Context(), m, []part{{1, "a"}, {11, "b"}})
			require.NoError(t, err)
			require.Equal(t, []dbfleet.Outcome{dbfleet.NotTold, dbfleet.NotTold}, got)
		}
		got, err := dbfleet.UpsertOutcomes(t.Context(), m, []part{{1, "x"}, {12, "c"}}, dbfleet.Conflict{DoNothing: true})
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{dbfleet.Unchanged, dbfleet.Inserted}, got)
		got, err = dbfleet.UpsertOutcomes(t.Context(), m, []part{{1, "a"}, {12, "d"}}, dbfleet.Conflict{KeepEqual: true})
		require.NoError(t, err)
		require.Equal(t, []dbfleet.Outcome{dbfleet.Unchanged, dbfleet.NotTold}, got)
	}
}

// A row that comes back from the dead is updated, and an error leaves no outcomes.
func TestUpsertOutcomes_OfDeletedRowsAndOfErrors(t *testing.T) {
	t.Parallel()
	type note struct {
		ID        int64
		Code      string
		DeletedAt *time.Time
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE notes (id {id}, code VARCHAR(20) NOT NULL UNIQUE, deleted_at {time})`)
		m, ctx := conformance.Model[note](t, fl.Registry, dbfleet.ModelConfig{Table: "notes", SoftDelete: "deleted_at"}), t.Context()
		n := note{Code: "a"}
		require.NoError(t, m.Create(ctx, &n))
		require.NoError(t, m.Delete(ctx, &n))
		equal := dbfleet.Conflict{Key: byCode, KeepEqual: true}
		for _, want := range []dbfleet.Outcome{dbfleet.Updated, dbfleet.Unchanged} {
			got, err := dbfleet.UpsertOutcomes(ctx, m, []note{{Code: "a"}, {Code: "a" + want.String()}}, equal)
			require.NoError(t, err)
			require.Equal(t, []dbfleet.Outcome{want, dbfleet.Inserted}, got)
		}
		undo := errors.New("undo")
		list := []note{{Code: "z"}}
		err := fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			got, err := dbfleet.UpsertOutcomes(ctx, m, list, equal)
			require.NoError(t, err)
			require.Equal(t, []dbfleet.Outcome{dbfleet.Inserted}, got)
			return undo
		})
		require.ErrorIs(t, err, undo)
		require.Zero(t, list[0].ID)
		got, err := dbfleet.UpsertOutcomes(ctx, m, []note{{Code: "y"}, {Code: "y"}}, equal)
		require.Error(t, err)
		require.Nil(t, got)
	})
}

// A row of the same transaction, of a savepoint, and one that others hold by a foreign key.
func TestUpsertOutcomes_OfRowsOfTheSameTransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, ctx := wares(t, fl), t.Context()
		fl.Create(t, `CREATE TABLE stocked (id {id}, ware_id {bigint} NOT NULL REFERENCES wares (id))`)
		byKey := dbfleet.Conflict{Key: byCode}
		upsert := func(ctx context.Context, want ...dbfleet.Outcome) {
			t.Helper()
			list := []ware{{Code: "a"}, {Code: "b"}}
			got, err := dbfleet.UpsertOutcomes(ctx, m, list[:len(want)], byKey)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		require.NoError(t, fl.Transaction(ctx, "main", func(ctx context.Context, tx *dbfleet.Tx) error {
			a := ware{Code: "a"}
			require.NoError(t, m.Create(ctx, &a))
			upsert(ctx, dbfleet.Updated, dbfleet.Inserted)
			undo := errors.New("undo")
			require.ErrorIs(t, fl.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
				_, err := m.Where("code", "=", "b").Delete(ctx)
				require.NoError(t, err)
				upsert(ctx, dbfleet.Updated, dbfleet.Inserted)
				return undo
			}), undo)
			upsert(ctx, dbfleet.Updated, dbfleet.Updated)
			_, err := tx.Table("stocked").Insert(ctx, dbfleet.Row{"ware_id": a.ID})
			require.NoError(t, err)
			upsert(ctx, dbfleet.Updated, dbfleet.Updated)
			return nil
		}))
		upsert(ctx, dbfleet.Updated)
		_, err := m.Where("code", "=", "b").Delete(ctx)
		require.NoError(t, err)
		upsert(ctx, dbfleet.Updated, dbfleet.Inserted)
	})
}

// Rows that all come back are not read again, and those of one batch are in order.
func TestUpsertOutcomes_ReadsKeysOnlyOfRowsThatStay(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m, ctx := wares(t, fl), t.Context()
		equal := dbfleet.Conflict{Key: byCode, KeepEqual: true}
		_, err := dbfleet.UpsertOutcomes(ctx, m, []ware{{Code: "first"}}, equal) // PostgreSQL's catalog is asked
		require.NoError(t, err)
		statements := map[string]int{}
		fl.DB("main").OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { statements[e.Op]++ })
		list := make([]ware, 600)
		for i := range list {
			list[i].Code = fmt.Sprintf("%03d", i)
		}
		looks := map[string]int{"sqlite": 3}[fl.Database.Dialect]
		for _, want := range []dbfleet.Outcome{dbfleet.Inserted, dbfleet.Unchanged} {
			clear(statements)
			got, err := dbfleet.UpsertOutcomes(ctx, m, list, equal)
			require.NoError(t, err)
			for i := range got {
				require.Equal(t, want, got[i])
				r, err := m.Find(ctx, list[i].ID)
				require.NoError(t, err)
				require.Equal(t, list[i].Code, r.Code)
				statements["select"]--
			}
			again := looks
			if want == dbfleet.Unchanged && fl.Database.Dialect != "mysql" {
				again += 3 // 250 rows each
			}
			require.Equal(t, 1, statements["upsert"])
			require.Equal(t, again, statements["select"], want)
		}
	})
}
