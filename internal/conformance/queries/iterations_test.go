package queries

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// numbers is a table with n rows: 1 to n.
func numbers(t *testing.T, fl conformance.Fleet, n int) *dbfleet.Model[number] {
	t.Helper()
	fl.Create(t, `CREATE TABLE numbers (id {id}, note {text})`)
	m := conformance.Model[number](t, fl.Registry, dbfleet.ModelConfig{Table: "numbers"})
	rows := make([]number, n)
	for i := range rows {
		rows[i] = number{ID: int64(i + 1), Note: at(fmt.Sprint("note ", i+1))}
	}
	require.NoError(t, m.CreateMany(t.Context(), rows))
	return m
}

type number struct {
	ID   int64
	Note *string
}

// strictNumber cannot hold a NULL note.
type strictNumber struct {
	ID   int64
	Note string
}

// However a loop ends, the connection is back in the pool.
func TestIter_GivesItsConnectionBackHoweverTheLoopEnds(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		const rows = 5000
		m := numbers(t, fl, rows)
		ordered := m.OrderBy("id", dbfleet.Asc)

		var want int64
		for n, err := range ordered.Iter(ctx) {
			require.NoError(t, err)
			want++
			require.Equal(t, want, n.ID)
			require.Equal(t, fmt.Sprint("note ", want), *n.Note)
		}
		require.EqualValues(t, rows, want)
		idle(t, fl.Registry, "main")

		loose := 0
		for row, err := range fl.DB("main").Table("numbers").Where("id", ">", 10).Iter(ctx) {
			require.NoError(t, err)
			require.Contains(t, row, "note")
			loose++
		}
		require.Equal(t, rows-10, loose)

		for range ordered.Where("id", "<", 0).Iter(ctx) {
			t.Error("no rows, no turns")
		}

		// Left after some rows, many times over: the pool has ten connections.
		for turn := range 30 {
			for n, err := range ordered.Iter(ctx) {
				require.NoError(t, err)
				if n.ID == int64(1+turn*10) {
					break
				}
			}
			idle(t, fl.Registry, "main")
		}

		func() {
			defer func() { require.Equal(t, "in the loop", recover()) }()
			for range ordered.Iter(ctx) {
				panic("in the loop")
			}
		}()
		idle(t, fl.Registry, "main")

		done := make(chan struct{})
		go func() { // what t.FailNow does in a loop
			defer close(done)
			next, stop := iter.Pull2(ordered.Iter(ctx))
			_, _, _ = next()
			stop()
			for range ordered.Iter(ctx) {
				return
			}
		}()
		<-done
		idle(t, fl.Registry, "main")

		// The loop asks other things meanwhile, on other connections.
		for n, err := range ordered.Limit(3).Iter(ctx) {
			require.NoError(t, err)
			again, err := m.Find(ctx, n.ID)
			require.NoError(t, err)
			require.Equal(t, n, again)
		}

		// What comes back is the caller's: rows stay as they were.
		kept := []number{}
		for n, err := range ordered.Limit(100).Iter(ctx) {
			require.NoError(t, err)
			kept = append(kept, n)
		}
		all, err := ordered.Limit(100).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, all, kept)
		idle(t, fl.Registry, "main")
	})
}

func TestIter_ErrorsAreTheLastPair(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		const rows = 3000
		m := numbers(t, fl, rows)
		strict := conformance.Model[strictNumber](t, fl.Registry, dbfleet.ModelConfig{Table: "numbers"})
		_, err := m.Where("id", "=", 1500).Update(ctx, map[string]any{"note": nil})
		require.NoError(t, err)

		collect := func(seq iter.Seq2[strictNumber, error]) (n int, last strictNumber, err error) {
			for v, e := range seq {
				require.NoError(t, err, "nothing comes after an error")
				if last, err = v, e; e == nil {
					n++
				}
			}
			return n, last, err
		}
		n, last, err := collect(strict.OrderBy("id", "asc").Iter(ctx))
		require.Equal(t, 1499, n)
		require.Zero(t, last)
		require.ErrorIs(t, err, dbfleet.ErrNull)
		var column *dbfleet.ColumnError
		require.ErrorAs(t, err, &column)
		require.Equal(t, "note", column.Column)
		idle(t, fl.Registry, "main")

		// Before the first row.
		n, _, err = collect(strict.Where("nope", "=", 1).Iter(ctx))
		require.Zero(t, n)
		var unknown *dbfleet.UnknownColumnError
		require.ErrorAs(t, err, &unknown)
		_, _, err = collect((&dbfleet.Query[strictNumber]{}).Iter(ctx))
		require.Error(t, err)
		_, _, err = collect(strict.DB("nope").Query().Iter(ctx))
		var connection *dbfleet.UnknownConnectionError
		require.ErrorAs(t, err, &connection)

		// In the middle, from the database: the last row is not computable.
		if fl.Database.Dialect == "postgres" {
			n, _, err = collect(strict.Select("id").SelectRaw("CAST(1 / (id - 2000) AS TEXT) AS note").OrderBy("id", "asc").Iter(ctx))
			require.Positive(t, n)
			var failed *dbfleet.QueryError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, "22012", failed.Code)
			idle(t, fl.Registry, "main")
		}

		// A context that ends while rows are read, with and without leaving.
		ending, cancel := context.WithCancel(ctx)
		n = 0
		err = nil
		for _, e := range m.OrderBy("id", "asc").Iter(ending) {
			if err = e; e != nil {
				break
			}
			if n++; n == 10 {
				cancel()
			}
		}
		if err != nil { // what was read already may come to an end without it
			require.ErrorIs(t, err, context.Canceled)
			require.Less(t, n, rows)
		}
		idle(t, fl.Registry, "main")
		for range 20 {
			ending, cancel := context.WithCancel(ctx)
			for _, e := range m.OrderBy("id", "asc").Iter(ending) {
				require.NoError(t, e)
				cancel()
				break // the loop hears nothing of the error that closing the rows may be
			}
			cancel()
		}
		idle(t, fl.Registry, "main")
		count, _ := sent(fl.Registry)
		for _, e := range m.Query().Iter(ending) {
			require.ErrorIs(t, e, context.Canceled)
		}
		late, cancel := context.WithDeadline(ctx, time.Now().Add(-time.Second))
		defer cancel()
		for _, e := range m.Query().Iter(late) {
			require.ErrorIs(t, e, context.DeadlineExceeded)
		}
		require.LessOrEqual(t, count(), 2)

		// The pool is as good as new.
		got, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, rows, got)
	})
}

// Hooks hear of an iteration once, with what came of it.
func TestIter_HooksHearOfIt(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := numbers(t, fl, 10)
		var events []dbfleet.QueryEvent
		fl.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) { events = append(events, e) })
		for range m.OrderBy("id", "asc").Limit(4).Iter(t.Context()) {
		}
		for range m.OrderBy("id", "asc").Iter(t.Context()) {
			break
		}
		require.Len(t, events, 2)
		require.EqualValues(t, 4, events[0].Rows)
		require.EqualValues(t, 1, events[1].Rows)
		func() {
			defer func() { _ = recover() }()
			for range m.Query().Iter(t.Context()) {
				panic(errors.New("oops"))
			}
		}()
		require.Len(t, events, 3)
		require.Error(t, events[2].Err, "a panic is told")
	})
}

// In a transaction the loop's connection is the transaction's.
func TestIter_InATransaction(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		m := numbers(t, fl, 50)
		require.NoError(t, fl.Transaction(t.Context(), "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			require.NoError(t, m.Create(ctx, &number{ID: 51, Note: at("new")}))
			n := 0
			for v, err := range m.OrderBy("id", "desc").Iter(ctx) {
				require.NoError(t, err)
				require.EqualValues(t, 51-n, v.ID)
				if n++; n == 20 {
					break
				}
			}
			count, err := m.Count(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 51, count)
			return nil
		}))
		idle(t, fl.Registry, "main")
	})
}

// hazard 153: an iteration ends with its context and gives its connection back.
func TestHazard_AnIterationEndsWithItsContext(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, conformance.PurchasesTable)
		rows := make([]conformance.Purchase, 5000)
		purchases := conformance.Model[conformance.Purchase](t, fl.Registry, dbfleet.ModelConfig{Table: "purchases"})
		require.NoError(t, purchases.CreateMany(t.Context(), rows))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		read, ended := 0, error(nil)
		for _, err := range purchases.Query().Iter(ctx) {
			if err != nil {
				ended = err
				break
			}
			if read++; read == 10 {
				cancel()
			}
		}
		require.ErrorIs(t, ended, context.Canceled)
		require.Less(t, read, len(rows))
		require.Zero(t, fl.Stats()["main"].InUse)
	})
}
