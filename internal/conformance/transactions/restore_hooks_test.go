package transactions

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// truth 1122
// A hook that ends the goroutine after a record was written ends the transaction, and the
// record is as it was before.
func TestRollback_LeavesRecordsAsTheyWereBeforeAHookEndedTheWrite(t *testing.T) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		eachEndOfAWrite(t, func(name string) plainOrder { return plainOrder{Name: name} })
	})
	t.Run("with callbacks", func(t *testing.T) {
		t.Parallel()
		eachEndOfAWrite(t, func(name string) calledOrder { return calledOrder{plainOrder{Name: name}} })
	})
	t.Run("behind an embedded pointer", func(t *testing.T) {
		t.Parallel()
		eachEndOfAWrite(t, func(name string) embeddingOrder { return embeddingOrder{Name: name} })
	})
}

// stopped runs do, which ends the goroutine.
func stopped(t *testing.T, do func()) {
	t.Helper()
	returned, over := false, make(chan struct{})
	go func() {
		defer close(over)
		defer func() { _ = recover() }()
		do()
		returned = true
	}()
	<-over
	require.False(t, returned)
}

// stopAfter has a function called once after the next write of an order.
func stopAfter(fl conformance.Fleet) (arm func(do func())) {
	var stop func()
	fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
		if do := stop; do != nil && e.Table == "orders" && e.Op != "select" {
			stop = nil
			do()
		}
	})
	return func(do func()) { stop = do }
}

var stops = map[string]func(){"panic": func() { panic("hook") }, "goexit": runtime.Goexit}

func eachEndOfAWrite[T any](t *testing.T, fresh func(name string) T) {
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		orders := ordersOf[T](t, fl)
		ctx := t.Context()
		for _, name := range []string{"c", "d"} {
			stored := fresh(name)
			require.NoError(t, orders.Create(ctx, &stored))
		}
		list := func() []T { // records of its own on each call
			rows, err := orders.OrderBy("id", dbfleet.Asc).Get(ctx)
			require.NoError(t, err)
			require.Len(t, rows, 2, "nothing of another case is left")
			return slices.Concat([]T{fresh("a"), fresh("b")}, rows)
		}
		stopNext := stopAfter(fl)
		for end, do := range stops {
			for name, write := range orderWrites(orders) {
				before, records := list(), list()
				stopped(t, func() {
					_ = fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
						stopNext(do)
						return write(ctx, tx, records)
					})
				})
				require.Equal(t, before, records, "%s, %s", name, end)
			}
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// preparedOrder is a record with a callback before its writes alone, for which no
// transaction is begun.
type preparedOrder struct{ plainOrder }

func (o *preparedOrder) BeforeSave(context.Context) error { o.Slug = "of " + o.Name; return nil }

func (o *plainOrder) stamped() Stamped { return Stamped{o.ID, o.CreatedAt, o.UpdatedAt} }

// truth 1122
// Outside of a transaction a row stays when a hook ends the write of it, and the record is
// what the row is: saved once more, it is no second row. What several statements write, or
// callbacks after it would undo, is undone.
func TestWrite_LeavesTheRecordAsItsRowIsWhenAHookEndsIt(t *testing.T) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		eachEndOutside(t, func(name string) plainOrder { return plainOrder{Name: name} }, (*plainOrder).stamped)
	})
	t.Run("with a callback before it", func(t *testing.T) {
		t.Parallel()
		eachEndOutside(t, func(name string) preparedOrder { return preparedOrder{plainOrder{Name: name}} }, func(o *preparedOrder) Stamped { return o.stamped() })
	})
	t.Run("with callbacks after it", func(t *testing.T) {
		t.Parallel()
		eachEndOutside(t, func(name string) calledOrder { return calledOrder{plainOrder{Name: name}} }, func(o *calledOrder) Stamped { return o.stamped() })
	})
	t.Run("behind an embedded pointer", func(t *testing.T) {
		t.Parallel()
		eachEndOutside(t, func(name string) embeddingOrder { return embeddingOrder{Name: name} }, func(o *embeddingOrder) Stamped { return *o.Stamped })
	})
}

func eachEndOutside[T any](t *testing.T, fresh func(name string) T, told func(*T) Stamped) {
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		orders := ordersOf[T](t, fl)
		ctx := t.Context()
		rows := func() []T {
			rows, err := orders.OrderBy("id", dbfleet.Asc).Get(ctx)
			require.NoError(t, err)
			return rows
		}
		stopNext := stopAfter(fl)
		byName := dbfleet.Conflict{Key: []string{"name"}}
		for end, do := range stops {
			for name, write := range map[string]func(list []T) error{
				"Create":          func(list []T) error { return orders.Create(ctx, &list[0]) },
				"Upsert":          func(list []T) error { return orders.Upsert(ctx, &list[0], byName) },
				"CreateIgnore":    func(list []T) error { _, err := dbfleet.CreateIgnore(ctx, orders, &list[0]); return err },
				"FirstOrCreate":   func(list []T) error { _, err := orders.FirstOrCreate(ctx, &list[0], "name"); return err },
				"CreateMany":      func(list []T) error { return orders.CreateMany(ctx, list) },
				"CreateMany of 1": func(list []T) error { return orders.CreateMany(ctx, list[:1]) },
				"UpsertMany":      func(list []T) error { return orders.UpsertMany(ctx, list, byName) },
			} {
				records := []T{fresh("a"), fresh("b")}
				stopNext(do)
				stopped(t, func() { _ = write(records) })
				there := rows()
				for i := range records { // the first are there, or none
					if i >= len(there) {
						require.Equal(t, []T{fresh("a"), fresh("b")}[i], records[i], "%s, %s", name, end)
						continue
					}
					require.Equal(t, told(&there[i]), told(&records[i]), "%s, %s", name, end)
					stopNext(do)
					stopped(t, func() { _ = orders.Save(ctx, &records[i]) })
					is := rows()
					require.Len(t, is, len(there), "%s, %s", name, end)
					require.Equal(t, told(&is[i]), told(&records[i]), "%s, %s", name, end)
				}
				_, err := orders.Query().AllRows().Delete(ctx)
				require.NoError(t, err)
			}
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// truth 1122
// Where the function goes on after such a panic, the record is what its row is.
func TestTransaction_KnowsTheRecordThatAHookPanickedAfter(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		accounts := fl.Bank(t)
		armed := false
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			if armed && e.Op == "insert" {
				armed = false
				panic("hook")
			}
		})
		create := func(ctx context.Context, account *conformance.Account) {
			defer func() { _ = recover() }()
			armed = true
			_ = accounts.Create(ctx, account)
		}
		kept, undone := conformance.Account{Owner: "kept"}, conformance.Account{Owner: "undone"}
		err := fl.Transaction(t.Context(), "", func(ctx context.Context, tx *dbfleet.Tx) error {
			create(ctx, &kept)
			require.ErrorIs(t, tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
				create(ctx, &undone)
				return errUndo
			}), errUndo)
			return nil
		})
		require.NoError(t, err)
		require.Zero(t, undone.ID)
		found, err := accounts.Find(t.Context(), kept.ID)
		require.NoError(t, err)
		require.Equal(t, kept, found)
		require.Equal(t, []string{"kept"}, conformance.Owners(t, fl.Database))
	})
}
