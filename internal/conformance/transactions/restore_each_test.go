package transactions

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// plainOrder is a record without callbacks.
type plainOrder struct {
	ID                   int64
	Name, Slug, State    string
	Note                 *string
	CreatedAt, UpdatedAt time.Time
	Lines                []string `db:"-"`
}

// calledOrder is a record whose callbacks change it.
type calledOrder struct{ plainOrder }

func (o *calledOrder) BeforeCreate(context.Context) error { o.Slug = "new-" + o.Name; return nil }

func (o *calledOrder) AfterCreate(context.Context) error { o.Note = new("created"); return nil }

func (o *calledOrder) BeforeUpdate(context.Context) error { o.Slug = "old-" + o.Name; return nil }

func (o *calledOrder) AfterUpdate(context.Context) error { o.Note = new("updated"); return nil }

func (o *calledOrder) AfterDelete(context.Context) error { o.Note = new("deleted"); return nil }

// Stamped is what embedding orders share.
type Stamped struct {
	ID                   int64
	CreatedAt, UpdatedAt time.Time
}

// embeddingOrder is a record whose key lies behind a pointer.
type embeddingOrder struct {
	*Stamped
	Name, Slug, State string
	Note              *string
}

// orderWrites are the writes of records: list has two new records, and two that are
// stored.
func orderWrites[T any](m *dbfleet.Model[T]) map[string]func(ctx context.Context, tx *dbfleet.Tx, list []T) error {
	byName := dbfleet.Conflict{Key: []string{"name"}}
	type orders = *dbfleet.Model[T]
	writes := map[string]func(ctx context.Context, m orders, list []T) error{
		"Create":      func(ctx context.Context, m orders, list []T) error { return m.Create(ctx, &list[0]) },
		"Save":        func(ctx context.Context, m orders, list []T) error { return m.Save(ctx, &list[2]) },
		"Save of new": func(ctx context.Context, m orders, list []T) error { return m.Save(ctx, &list[1]) },
		"SaveColumns": func(ctx context.Context, m orders, list []T) error { return m.SaveColumns(ctx, &list[3], "slug") },
		"Upsert":      func(ctx context.Context, m orders, list []T) error { return m.Upsert(ctx, &list[0], byName) },
		"Upsert of one that is there": func(ctx context.Context, m orders, list []T) error {
			return m.Upsert(ctx, &list[2], byName)
		},
		"CreateMany": func(ctx context.Context, m orders, list []T) error { return m.CreateMany(ctx, list[:2]) },
		"UpsertMany": func(ctx context.Context, m orders, list []T) error { return m.UpsertMany(ctx, list[:2], byName) },
		"several of one record": func(ctx context.Context, m orders, list []T) error {
			for range 3 {
				if err := m.Save(ctx, &list[0]); err != nil {
					return err
				}
			}
			return m.Delete(ctx, &list[0])
		},
		"several of all": func(ctx context.Context, m orders, list []T) error {
			for i := range list {
				if err := m.Save(ctx, &list[i]); err != nil {
					return err
				}
			}
			return m.UpsertMany(ctx, list)
		},
	}
	out := map[string]func(ctx context.Context, tx *dbfleet.Tx, list []T) error{}
	for name, write := range writes {
		out[name] = func(ctx context.Context, _ *dbfleet.Tx, list []T) error { return write(ctx, m, list) }
		out[name+" by Using"] = func(ctx context.Context, tx *dbfleet.Tx, list []T) error {
			return write(dbfleet.OutsideTx(ctx), m.Using(tx), list)
		}
		out[name+" in savepoints"] = func(ctx context.Context, tx *dbfleet.Tx, list []T) error {
			if err := tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return write(ctx, m, list) }); err != nil {
				return err
			}
			return tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error { return m.Save(ctx, &list[3]) })
		}
	}
	return out
}

// undoings end a transaction in which write has changed records so that it is undone.
var undoings = map[string]func(ctx context.Context, fl conformance.Fleet, write func(ctx context.Context, tx *dbfleet.Tx)) error{
	"error": func(ctx context.Context, fl conformance.Fleet, write func(ctx context.Context, tx *dbfleet.Tx)) error {
		return fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error { write(ctx, tx); return errUndo })
	},
	"panic": func(ctx context.Context, fl conformance.Fleet, write func(ctx context.Context, tx *dbfleet.Tx)) (err error) {
		defer func() { err = fmt.Errorf("%v: %w", recover(), errUndo) }()
		return fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error { write(ctx, tx); panic("closure") })
	},
	"end of the context": func(ctx context.Context, fl conformance.Fleet, write func(ctx context.Context, tx *dbfleet.Tx)) error {
		ctx, cancel := context.WithCancelCause(ctx)
		err := fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error { write(ctx, tx); cancel(nil); return nil })
		return fmt.Errorf("%w: %w", err, errUndo)
	},
	"savepoint's error": func(ctx context.Context, fl conformance.Fleet, write func(ctx context.Context, tx *dbfleet.Tx)) (err error) {
		txErr := fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error {
			err = fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error { write(ctx, tx); return errUndo })
			return nil
		})
		if txErr != nil {
			return txErr
		}
		return err
	},
	"savepoint's panic": func(ctx context.Context, fl conformance.Fleet, write func(ctx context.Context, tx *dbfleet.Tx)) (err error) {
		txErr := fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			defer func() { err = fmt.Errorf("%v: %w", recover(), errUndo) }()
			return tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error { write(ctx, tx); panic("closure") })
		})
		if txErr != nil {
			return txErr
		}
		return err
	},
	"error after a savepoint": func(ctx context.Context, fl conformance.Fleet, write func(ctx context.Context, tx *dbfleet.Tx)) error {
		return fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			if err := tx.Transaction(ctx, func(ctx context.Context, tx *dbfleet.Tx) error { write(ctx, tx); return nil }); err != nil {
				return err
			}
			return errUndo
		})
	},
	"failed COMMIT": func(ctx context.Context, fl conformance.Fleet, write func(ctx context.Context, tx *dbfleet.Tx)) error {
		err := fl.Transaction(ctx, "", func(ctx context.Context, tx *dbfleet.Tx) error {
			write(ctx, tx)
			if fl.Database.Dialect == "mysql" { // which defers nothing
				return errUndo
			}
			_, err := tx.ExecContext(ctx, "INSERT INTO later (parent_id) VALUES (99)")
			return err
		})
		return fmt.Errorf("%w: %w", err, errUndo)
	},
}

func eachUndoing[T any](t *testing.T, fresh func(name string) T) {
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		orders := ordersOf[T](t, fl)
		fl.Create(t, `CREATE TABLE parents (id {id})`)
		if fl.Database.Dialect != "mysql" {
			fl.Create(t, `CREATE TABLE later (id {id}, parent_id BIGINT REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)`)
		}
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
		for end, undo := range undoings {
			for name, write := range orderWrites(orders) {
				before, records := list(), list()
				err := undo(ctx, fl, func(ctx context.Context, tx *dbfleet.Tx) {
					require.NoError(t, write(ctx, tx, records), "%s, %s", name, end)
					require.NotEqual(t, before, records, "%s, %s", name, end)
				})
				require.ErrorIs(t, err, errUndo)
				require.Equal(t, before, records, "%s, %s", name, end)
			}
		}
		conformance.RequireIdle(t, fl.Registry)
	})
}

// truth 1108
// hazard 134
// "On an error the record is as it was before" holds for what undoes a write later, too.
func TestRollback_LeavesRecordsAsTheyWere(t *testing.T) {
	t.Parallel()
	eachUndoing(t, func(name string) plainOrder { return plainOrder{Name: name, Lines: []string{name}} })
}

func TestRollback_LeavesRecordsAsTheyWereBeforeTheirCallbacks(t *testing.T) {
	t.Parallel()
	eachUndoing(t, func(name string) calledOrder { return calledOrder{plainOrder{Name: name, Lines: []string{name}}} })
}

func TestRollback_LeavesRecordsAsTheyWereBehindEmbeddedPointers(t *testing.T) {
	t.Parallel()
	t.Run("nil", func(t *testing.T) {
		t.Parallel()
		eachUndoing(t, func(name string) embeddingOrder { return embeddingOrder{Name: name} })
	})
	t.Run("given", func(t *testing.T) {
		t.Parallel()
		eachUndoing(t, func(name string) embeddingOrder { return embeddingOrder{Name: name, Stamped: &Stamped{}} })
	})
}
