package misuse

import (
	"reflect"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// kept is a record of a model that has all there is of state.
type kept struct {
	dbfleet.Snapshot
	ID        int64
	Name      string
	Age       int
	UpdatedAt time.Time
	DeletedAt *time.Time
	Rev       int
}

// keeps is its model, with two rows, of which the second is deleted.
func (w *world) keeps() *dbfleet.Model[kept] {
	if w.kept != nil {
		return w.kept
	}
	_, err := w.reg.DB("main").ExecContext(w.ctx, "CREATE TABLE kepts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INTEGER NOT NULL, updated_at DATETIME NOT NULL, deleted_at DATETIME, rev INTEGER NOT NULL)")
	require.NoError(w.t, err)
	w.kept = dbfleet.MustModel[kept](w.reg, dbfleet.ModelConfig{Table: "kepts", Timestamps: true, SoftDelete: "deleted_at", Version: "rev"})
	list := []kept{{Name: "one", Age: 1}, {Name: "two", Age: 2}}
	require.NoError(w.t, w.kept.CreateMany(w.ctx, list))
	require.NoError(w.t, w.kept.Delete(w.ctx, &list[1]))
	return w.kept
}

// keptFunctions are those that need such a model.
var keptFunctions = map[string]any{
	"Changed": dbfleet.Changed[kept], "CreateIgnore": dbfleet.CreateIgnore[kept], "SaveChanges": dbfleet.SaveChanges[kept], "Touch": dbfleet.Touch[kept],
	"ForceDeleteRows": dbfleet.ForceDeleteRows, "RestoreRows": dbfleet.RestoreRows, "TouchRows": dbfleet.TouchRows, "UpsertOutcomes": dbfleet.UpsertOutcomes[kept],
}

// ofKept is an argument about that model, nil for others.
func (w *world) ofKept(function string, in reflect.Type) any {
	switch in {
	case reflect.TypeFor[*dbfleet.Model[kept]]():
		return w.keeps()
	case reflect.TypeFor[*kept](), reflect.TypeFor[[]kept]():
		q := w.keeps().Query()
		if function == "Model.Restore" {
			q = q.OnlyDeleted()
		}
		list, err := q.Get(w.ctx)
		require.NoError(w.t, err)
		if in.Kind() == reflect.Slice {
			return list
		}
		return &list[0]
	case reflect.TypeFor[dbfleet.Queryable]():
		if keptFunctions[function] != nil {
			return w.keeps().Query().AllRows()
		}
	}
	return nil
}
