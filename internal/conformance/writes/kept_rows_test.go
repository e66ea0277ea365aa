package writes

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type keptRow struct {
	ID   int64
	Code string
}

// truth 705
func TestErrWritten_TellsOfARowThatATriggerKeeps(t *testing.T) {
	t.Parallel()
	triggers := map[string][]string{
		"postgres": {
			`CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`,
			`CREATE TRIGGER a BEFORE UPDATE OR DELETE ON kept FOR EACH ROW EXECUTE FUNCTION keep()`,
		},
		"sqlite": {
			`CREATE TRIGGER a BEFORE UPDATE ON kept BEGIN SELECT RAISE(IGNORE); END`,
			`CREATE TRIGGER b BEFORE DELETE ON kept BEGIN SELECT RAISE(IGNORE); END`,
		},
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE kept (id {id}, code VARCHAR(10))`, `INSERT INTO kept (id, code) VALUES (1, 'x')`)
		fl.Create(t, triggers[fl.Database.Dialect]...)
		ctx := t.Context()
		m := conformance.Model[keptRow](t, fl.Registry, dbfleet.ModelConfig{Table: "kept"})
		missing := keptRow{ID: 2, Code: "y"}
		require.ErrorIs(t, m.Save(ctx, &missing), dbfleet.ErrNotFound)
		require.ErrorIs(t, m.Delete(ctx, &missing), dbfleet.ErrNotFound)
		if triggers[fl.Database.Dialect] == nil {
			return // MySQL's triggers leave no row out
		}
		r := keptRow{ID: 1, Code: "y"}
		for name, write := range map[string]func() error{
			"Save":        func() error { return m.Save(ctx, &r) },
			"SaveColumns": func() error { return m.SaveColumns(ctx, &r, "code") },
			"Delete":      func() error { return m.Delete(ctx, &r) },
		} {
			err := write()
			require.ErrorIs(t, err, dbfleet.ErrWritten, name)
			require.NotErrorIs(t, err, dbfleet.ErrNotFound, name)
			got, err := m.Find(ctx, 1)
			require.NoError(t, err, name)
			require.Equal(t, "x", got.Code, name)
		}
	})
}

// rekeyed changes its key behind the caller's back.
type rekeyed struct {
	ID   int64
	Name string
}

func (r *rekeyed) BeforeDelete(context.Context) error { r.ID = 2; return nil }
func (r *rekeyed) BeforeUpdate(context.Context) error { r.ID = 2; return nil }

// truth 706
func TestCallbacks_DoNotChangeTheKeyOfARow(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE rekeyed (id {id}, name VARCHAR(10))`, `INSERT INTO rekeyed (id, name) VALUES (1, 'a'), (2, 'b')`)
		ctx := t.Context()
		m := conformance.Model[rekeyed](t, fl.Registry, dbfleet.ModelConfig{Table: "rekeyed"})
		before := rekeyed{ID: 1, Name: "c"}
		for name, write := range map[string]func(r *rekeyed) error{
			"Save":        func(r *rekeyed) error { return m.Save(ctx, r) },
			"SaveColumns": func(r *rekeyed) error { return m.SaveColumns(ctx, r, "name") },
			"Delete":      func(r *rekeyed) error { return m.Delete(ctx, r) },
		} {
			r := before
			require.ErrorContains(t, write(&r), "key", name)
			require.Equal(t, before, r, name)
			got, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
			require.NoError(t, err)
			require.Equal(t, []rekeyed{{1, "a"}, {2, "b"}}, got, name)
		}
	})
}
