package values

import (
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A sum of whole numbers beyond int64 is what the type that is asked for makes of it,
// on every database, also where the database's own arithmetic ends on the way.
func TestSums_BeyondInt64AreRangeErrorsOnEveryDatabase(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE entries (id {id}, n {bigint})`)
		entries := fl.DB("main").Table("entries")
		for _, n := range []int64{math.MaxInt64, math.MaxInt64, 2} {
			_, err := entries.Insert(ctx, dbfleet.Row{"n": n})
			require.NoError(t, err)
		}
		_, err := dbfleet.Sum[int64](ctx, entries, "n")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		var column *dbfleet.ColumnError
		require.ErrorAs(t, err, &column)
		require.Equal(t, "n", column.Column)
		require.Equal(t, "entries", column.Table)
		text, err := dbfleet.Sum[string](ctx, entries, "n")
		require.NoError(t, err)
		require.Equal(t, "18446744073709551616", text)
		_, err = dbfleet.Sum[uint64](ctx, entries, "n")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		unsigned, err := dbfleet.Sum[uint64](ctx, entries.Where("n", ">", 2), "n")
		require.NoError(t, err)
		require.EqualValues(t, uint64(math.MaxUint64-1), unsigned)
		float, err := entries.Sum(ctx, "n")
		require.NoError(t, err, "a float64 holds it exactly")
		require.Equal(t, float64(1<<63)*2, float)
		_, err = entries.Where("n", ">", 2).Sum(ctx, "n")
		require.ErrorIs(t, err, dbfleet.ErrRange)
		// A statement of the caller's is the database's own; its class is one.
		_, err = dbfleet.SelectOne[int64](ctx, fl.DB("main"), "SELECT SUM(n) FROM entries")
		if fl.Database.Dialect == "sqlite" {
			require.ErrorIs(t, err, dbfleet.ErrInvalidValue)
		} else {
			require.ErrorIs(t, err, dbfleet.ErrRange)
		}
	})
}

// Texts that are no numbers are not added up as 0.
func TestSums_OfTextsAreErrorsOnEveryDatabase(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE names (id {id}, name {text}, price {text})`, `INSERT INTO names (name, price) VALUES ('ada', '1.5'), ('12 monkeys', '2.25')`)
		names := fl.DB("main").Table("names")
		want := dbfleet.ErrType
		if fl.Database.Dialect == "postgres" {
			want = dbfleet.ErrUndefined // it has no sum of texts
		}
		_, err := names.Sum(ctx, "name")
		require.ErrorIs(t, err, want)
		_, err = dbfleet.Sum[int64](ctx, names, "name")
		require.ErrorIs(t, err, want)
		_, err = dbfleet.Sum[*float64](ctx, names.OrderBy("id", dbfleet.Asc).Limit(1), "name")
		require.ErrorIs(t, err, want)
		_, err = dbfleet.Sum[string](ctx, names, "name")
		require.ErrorIs(t, err, want)
		_, err = names.Avg(ctx, "name")
		require.ErrorIs(t, err, want)
		_, err = dbfleet.Avg[string](ctx, names, "name")
		require.ErrorIs(t, err, want)
		if fl.Database.Dialect != "postgres" {
			sum, err := names.Sum(ctx, "price")
			require.NoError(t, err)
			require.Equal(t, 3.75, sum, "texts that are numbers are those numbers")
			mean, err := names.Avg(ctx, "price")
			require.NoError(t, err)
			require.Equal(t, 1.875, mean)
		}
		none, err := names.Where("id", "<", 0).Sum(ctx, "id")
		require.NoError(t, err)
		require.Zero(t, none)
	})
}

// sharedFault is a Sqlizer that fails by one error, as a package's variable is.
type sharedFault struct{ err error }

func (s sharedFault) ToSql() (string, []any, error) { return "", nil, s.err }

// A caller's error is not changed: two queries that fail by it each tell their own table.
func TestColumnErrors_TellTheirTableAndLeaveACallersAsItIs(t *testing.T) {
	t.Parallel()
	fl := conformance.OnSQLite(t)
	fault := &dbfleet.ColumnError{Column: "c", Err: dbfleet.ErrRange}
	for name, is := range map[string]error{"bare": fault, "wrapped": errors.Join(errors.New("mine"), fault)} {
		var all sync.WaitGroup
		for _, table := range []string{"one", "two"} {
			for range 20 {
				all.Go(func() {
					_, err := fl.DB("main").Table(table).Filter(dbfleet.Expr(sharedFault{is})).Get(t.Context())
					var column *dbfleet.ColumnError
					if errors.As(err, &column); column == nil || column.Table != table {
						t.Errorf("%s: table %q: %v tells %+v", name, table, err, column)
					}
					if !errors.Is(err, dbfleet.ErrRange) {
						t.Errorf("%s: %v is no ErrRange", name, err)
					}
				})
			}
		}
		all.Wait()
		require.Empty(t, fault.Table)
	}
}
