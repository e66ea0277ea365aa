package writes

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// gem has the callbacks of every save, and says what is wrong with it.
type gem struct {
	ID    int64
	Name  string
	Carat int
	told  []string
	Found int `db:"-"` // how often AfterFind was called
}

type wrongGem struct{ Name string }

func (e *wrongGem) Error() string { return e.Name + " has no weight" }

func (g *gem) tell(what string) error {
	g.told = append(g.told, what)
	return nil
}

func (g *gem) BeforeSave(context.Context) error {
	if g.Carat < 0 {
		g.Carat = 0
	}
	return g.tell("before save")
}

func (g *gem) BeforeCreate(context.Context) error { return g.tell("before create") }
func (g *gem) BeforeUpdate(context.Context) error { return g.tell("before update") }
func (g *gem) AfterCreate(context.Context) error  { return g.tell("after create") }
func (g *gem) AfterUpdate(context.Context) error  { return g.tell("after update") }
func (g *gem) AfterSave(context.Context) error    { return g.tell("after save") }

func (g *gem) Validate(context.Context) error {
	if g.Carat == 0 {
		return &wrongGem{g.Name}
	}
	return g.tell("validate")
}

func (g *gem) AfterFind(context.Context) error {
	if g.Name == "cursed" {
		return errors.New("do not look at it")
	}
	g.Found++
	return nil
}

func (g *gem) took() []string {
	told := g.told
	g.told = nil
	return told
}

func gems(t *testing.T, fl conformance.Fleet) *dbfleet.Model[gem] {
	t.Helper()
	fl.Create(t, `CREATE TABLE gems (id {id}, name {text} NOT NULL UNIQUE, carat {int} NOT NULL)`)
	return conformance.Model[gem](t, fl.Registry, dbfleet.ModelConfig{Table: "gems"})
}

func TestCallbacks_OfEverySaveStandAroundThoseOfItsKind(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), gems(t, fl)
		created := []string{"before save", "before create", "validate", "after create", "after save"}
		updated := []string{"before save", "before update", "validate", "after update", "after save"}
		a := gem{Name: "a", Carat: 1}
		require.NoError(t, m.Create(ctx, &a))
		require.Equal(t, created, a.took())
		require.NoError(t, m.Save(ctx, &a))
		require.Equal(t, updated, a.took())
		require.NoError(t, m.SaveColumns(ctx, &a, "name"))
		require.Equal(t, updated, a.took())
		require.NoError(t, m.Upsert(ctx, &a))
		require.Equal(t, created, a.took())
		many := []gem{{Name: "b", Carat: 1}, {Name: "c", Carat: 2}}
		require.NoError(t, m.CreateMany(ctx, many))
		require.Equal(t, created, many[1].took())
		many[0].told = nil
		require.NoError(t, m.SaveMany(ctx, many))
		require.Equal(t, updated, many[0].took())
		require.Equal(t, updated, many[1].took())
		first := gem{Name: "d", Carat: 1}
		_, err := m.FirstOrCreate(ctx, &first, "name")
		require.NoError(t, err)
		require.Equal(t, created, first.took())
		_, err = m.UpdateOrCreate(ctx, &first, "name")
		require.NoError(t, err)
		require.Equal(t, updated, first.took())
		require.NoError(t, m.Delete(ctx, &a))
		require.Empty(t, a.took())
	})
}

func TestValidate_IsAskedBeforeEachWriteOfARecord(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), gems(t, fl)
		good := gem{Name: "good", Carat: 1}
		require.NoError(t, m.Create(ctx, &good))
		bad := good
		bad.Carat = -7 // BeforeSave makes it 0
		load := func() error { _, err := m.Load(ctx, slices.Values([]gem{{Name: "x"}})); return err }
		unless := func() error { _, err := m.FirstOrCreate(ctx, &gem{Name: "x"}, "name"); return err }
		ignore := func() error { _, err := dbfleet.CreateIgnore(ctx, m, &gem{Name: "x"}); return err }
		for name, write := range map[string]func() error{
			"create": func() error { return m.Create(ctx, &gem{Name: "x"}) }, "save": func() error { return m.Save(ctx, &bad) },
			"columns": func() error { return m.SaveColumns(ctx, &bad, "name") }, "upsert": func() error { return m.Upsert(ctx, &bad) },
			"create many": func() error { return m.CreateMany(ctx, []gem{{Name: "x", Carat: 1}, {Name: "y"}}) },
			"upsert many": func() error { return m.UpsertMany(ctx, []gem{{ID: 7, Name: "x"}}) },
			"save many":   func() error { return m.SaveMany(ctx, []gem{bad}) }, "load": load, "unless": unless, "ignore": ignore,
		} {
			err := write()
			var wrong *wrongGem
			require.ErrorAs(t, err, &wrong, name)
		}
		require.Equal(t, -7, bad.Carat, "an error leaves the record as it was")
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func TestAfterFind_IsCalledOnceForEveryRecordThatIsRead(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), gems(t, fl)
		once := func(claim string, err error, list ...gem) {
			t.Helper()
			require.NoError(t, err, claim)
			require.NotEmpty(t, list, claim)
			for i := range list {
				require.Equal(t, 1, list[i].Found, claim)
			}
		}
		a := gem{Name: "a", Carat: 1}
		require.NoError(t, m.CreateMany(ctx, []gem{{Name: "b", Carat: 1}, {Name: "cursed", Carat: 1}}))
		require.NoError(t, m.Create(ctx, &a))
		require.Zero(t, a.Found, "it was not read")
		got, err := m.Find(ctx, a.ID)
		once("Find", err, got)
		got, err = m.Where("name", "=", "a").First(ctx)
		once("First", err, got)
		list, err := m.FindMany(ctx, a.ID)
		once("FindMany", err, list...)
		fair := m.Where("name", "<", "c")
		list, err = fair.Get(ctx)
		once("Get", err, list...)
		page, err := dbfleet.PageOf(ctx, fair, 1, 1)
		once("PageOf", err, page.Items...)
		behind, err := dbfleet.CursorPage(ctx, fair, dbfleet.Cursor{Size: 1})
		once("CursorPage", err, behind.Items...)
		for g, err := range fair.Iter(ctx) {
			once("Iter", err, g)
		}
		found := gem{Name: "a"}
		created, err := m.FirstOrCreate(ctx, &found, "name")
		once("FirstOrCreate", err, found)
		require.False(t, created)
		if fl.Database.Dialect != "mysql" { // which has none
			list, err = dbfleet.UpdateReturning(ctx, m.Where("name", "=", "a"), map[string]any{"carat": 1})
			once("UpdateReturning", err, list...)
		}
		require.NoError(t, m.Refresh(ctx, &a))
		once("Refresh", nil, a)

		var twin *gem
		var twins, all []gem
		same := dbfleet.HasOne(m, m, dbfleet.On("id", "id"), func(*gem) **gem { return &twin })
		list, err = m.Where("name", "=", "a").With(same).Get(ctx)
		once("the record of a relation", err, append(list, *twin)...)
		many := dbfleet.HasMany(m, m, dbfleet.On("carat", "carat"), func(*gem) *[]gem { return &twins }).
			Scope(func(q *dbfleet.Query[gem]) *dbfleet.Query[gem] { return q.Where("name", "<", "c") })
		list, err = m.Where("name", "=", "a").With(many).Get(ctx)
		once("the records of a relation", err, append(list, twins...)...)
		across := dbfleet.ManyToMany(m, m, m, dbfleet.On("id"), dbfleet.On("carat"), func(*gem) *[]gem { return &all })
		list, err = m.Where("name", "=", "a").With(across).Get(ctx)
		once("the records of many-to-many", err, append(list, all...)...)
		deeper := dbfleet.HasMany(m, m, dbfleet.On("id", "id"), func(*gem) *[]gem { return &all })
		for g, err := range m.Where("name", "=", "a").With(same.With(deeper)).Iter(ctx) {
			once("Iter with relations", err, g, *twin)
			once("a relation of a relation", err, all...)
		}

		_, err = m.Get(ctx)
		require.ErrorContains(t, err, "do not look")
		_, err = m.Where("name", "=", "cursed").First(ctx)
		require.ErrorContains(t, err, "do not look")
		seen := 0
		for _, err := range m.Where("name", "=", "cursed").Iter(ctx) {
			require.ErrorContains(t, err, "do not look")
			seen++
		}
		require.Equal(t, 1, seen)
		names, err := dbfleet.Pluck[string](ctx, m, "name")
		require.NoError(t, err)
		require.Len(t, names, 3, "values are no records")
		require.Zero(t, fl.DB("main").Pool().Stats().InUse)
	})
}
