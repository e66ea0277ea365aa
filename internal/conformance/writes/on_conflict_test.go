package writes

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// conflicting is a row of a table whose schema says what a conflict does.
type conflicting struct {
	ID   int64
	Code string
	N    int64
}

// truth 709
// SQLite's ON CONFLICT FAIL, IGNORE and ROLLBACK of a constraint, and a trigger's RAISE(FAIL).
func TestOnConflict_OfASchemaIsToldAsItIs(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"FAIL", "IGNORE", "ROLLBACK", "ABORT"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			fl := conformance.OnSQLite(t)
			ctx := t.Context()
			fl.Create(t, "CREATE TABLE wares (id INTEGER PRIMARY KEY, code TEXT UNIQUE ON CONFLICT "+mode+", n INTEGER)",
				"CREATE TABLE written (code TEXT)", // what triggers change is none of the statement's rows
				"CREATE TRIGGER writes AFTER INSERT ON wares BEGIN INSERT INTO written VALUES (NEW.code), (NEW.code); END")
			m := conformance.Model[conflicting](t, fl.Registry, dbfleet.ModelConfig{Table: "wares"})
			old := []conflicting{{1, "a", 1}, {2, "b", 2}}
			several := func() []conflicting { return []conflicting{{5, "x", 8}, {6, "a", 9}, {7, "y", 10}} }
			rows := func() (all []dbfleet.Row) {
				for _, w := range several() {
					all = append(all, dbfleet.Row{"id": w.ID, "code": w.Code, "n": w.N})
				}
				return all
			}
			for name, write := range map[string]func(ctx context.Context) error{
				"Create":     func(ctx context.Context) error { return m.Create(ctx, &conflicting{Code: "a"}) },
				"CreateMany": func(ctx context.Context) error { return m.CreateMany(ctx, several()) },
				"Save":       func(ctx context.Context) error { return m.Save(ctx, &conflicting{2, "a", 9}) },
				"SaveMany":   func(ctx context.Context) error { return m.SaveMany(ctx, []conflicting{{1, "q", 8}, {2, "q", 9}}) },
				"Upsert":     func(ctx context.Context) error { return m.Upsert(ctx, &conflicting{2, "a", 9}, dbfleet.Conflict{}) },
				"UpsertMany": func(ctx context.Context) error { return m.UpsertMany(ctx, several(), dbfleet.Conflict{}) },
				"Load":       func(ctx context.Context) error { _, err := m.Load(ctx, slices.Values(several())); return err },
				"Insert":     func(ctx context.Context) error { _, err := m.Query().Insert(ctx, rows()...); return err },
				"table's Insert": func(ctx context.Context) error {
					_, err := fl.DB("main").Table("wares").Insert(ctx, rows()...)
					return err
				},
				"Update": func(ctx context.Context) error {
					_, err := m.Query().AllRows().Update(ctx, dbfleet.Row{"code": "z"})
					return err
				},
			} {
				_, err := m.Query().AllRows().Delete(ctx)
				require.NoError(t, err)
				require.NoError(t, m.CreateMany(ctx, slices.Clone(old)))
				failed := write(ctx)
				all, err := m.OrderBy("id", dbfleet.Asc).Get(ctx)
				require.NoError(t, err)
				if name == "Load" && (mode == "FAIL" || mode == "ABORT") {
					var at *dbfleet.RecordError
					require.ErrorAs(t, failed, &at)
					require.Equal(t, 1, at.Index, mode)
				}
				bulk := name == "Update" || name == "Insert" || name == "table's Insert"
				switch {
				case mode == "IGNORE" && bulk: // the result tells how many rows there are
					require.NoError(t, failed, name)
				case mode == "FAIL" && (bulk || name == "UpsertMany"):
					require.ErrorIs(t, failed, dbfleet.ErrWritten, name)
					require.ErrorIs(t, failed, dbfleet.ErrUnique, name)
					require.ErrorContains(t, failed, "stay as they were written: 1", name)
					require.NotEqual(t, old, all, name)
				case mode == "IGNORE" && name == "UpsertMany": // one statement, without a transaction
					require.ErrorIs(t, failed, dbfleet.ErrWritten, name)
				default:
					require.Error(t, failed, name)
					require.Equal(t, old, all, name)
					if mode != "IGNORE" {
						require.NotErrorIs(t, failed, dbfleet.ErrWritten, "%s: nothing stays", name)
					}
				}
			}
		})
	}
}
