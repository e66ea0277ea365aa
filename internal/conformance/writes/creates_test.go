package writes

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// gadget has a column of every way in which a value comes about.
type gadget struct {
	ID                   int64
	Name                 string
	Active               bool
	Stock                int
	Price                float64
	Note                 *string
	Kind                 string // DEFAULT 'plain'
	Twice                int    // GENERATED
	CreatedAt, UpdatedAt time.Time
}

const gadgetsTable = `CREATE TABLE gadgets (id {id}, name {text} NOT NULL UNIQUE, active {bool} NOT NULL, stock {int} NOT NULL,
	price {float} NOT NULL, note {text}, kind VARCHAR(20) NOT NULL DEFAULT 'plain', twice {int} GENERATED ALWAYS AS (stock * 2) STORED,
	created_at {time} NOT NULL, updated_at {time} NOT NULL)`

func gadgets(t *testing.T, fl conformance.Fleet) *dbfleet.Model[gadget] {
	t.Helper()
	fl.Create(t, gadgetsTable)
	return conformance.Model[gadget](t, fl.Registry, dbfleet.ModelConfig{
		Table: "gadgets", Timestamps: true, Generated: []string{"twice"}, Defaults: []string{"kind"},
		Fillable: []string{"name", "active", "stock", "note"},
	})
}

// hazard 90, hazard 91, promise 14: generated columns and defaults are left out
// of the insert and read back, a value of one's own is written.
func TestCreate_ReadsBackWhatTheDatabaseMakes(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), gadgets(t, fl)
		plain := gadget{Name: "a", Stock: 7}
		require.NoError(t, m.Create(ctx, &plain))
		require.Positive(t, plain.ID)
		require.Equal(t, "plain", plain.Kind)
		require.Equal(t, 14, plain.Twice)
		own := gadget{ID: 500, Name: "b", Kind: "own", Twice: 99}
		require.NoError(t, m.Create(ctx, &own))
		require.EqualValues(t, 500, own.ID)
		require.Equal(t, "own", own.Kind)
		require.Zero(t, own.Twice)
		many := []gadget{{Name: "c", Stock: 1}, {Name: "d", Stock: 2, Kind: "own"}, {Name: "e", Stock: 3}, {Name: "f", Stock: 4}}
		require.NoError(t, m.CreateMany(ctx, many))
		for _, want := range append(many, plain, own) {
			got, err := m.Find(ctx, want.ID)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		plain.Stock = 8
		require.NoError(t, m.Save(ctx, &plain), "the generated column is not written")
		_, err := m.Where("id", "=", plain.ID).Update(ctx, map[string]any{"twice": 1})
		require.ErrorContains(t, err, "generated")
		_, err = m.Query().Insert(ctx, map[string]any{"name": "x", "twice": 1})
		require.ErrorContains(t, err, "generated")
		require.ErrorContains(t, m.SaveColumns(ctx, &plain, "twice"), "generated")
	})
}

// promise: a failed create changes nothing, in the record neither.
func TestCreate_ThatFailsLeavesTheRecordAsItWas(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx, m := t.Context(), gadgets(t, fl)
		require.NoError(t, m.Create(ctx, &gadget{Name: "taken"}))
		again := gadget{Name: "taken"}
		require.ErrorIs(t, m.Create(ctx, &again), dbfleet.ErrUnique)
		require.Equal(t, gadget{Name: "taken"}, again)
		many := []gadget{{Name: "x"}, {Name: "y", Kind: "other"}, {Name: "taken"}}
		require.ErrorIs(t, m.CreateMany(ctx, many), dbfleet.ErrUnique)
		require.Equal(t, []gadget{{Name: "x"}, {Name: "y", Kind: "other"}, {Name: "taken"}}, many)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

// unreadable has a default that its field cannot hold.
type unreadable struct {
	ID    int64
	Label string // DEFAULT NULL
}

// truth 702
// A record that is in the database and cannot be read back keeps its key, and
// the error says that it is there; in a transaction it is undone with the rest.
func TestCreate_ThatCannotBeReadBackIsTold(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE labels (id {id}, label {text})`)
		m := conformance.Model[unreadable](t, fl.Registry, dbfleet.ModelConfig{Table: "labels", Defaults: []string{"label"}})
		var r unreadable
		err := m.Create(ctx, &r)
		require.ErrorIs(t, err, dbfleet.ErrNull)
		require.ErrorContains(t, err, "was created")
		require.Positive(t, r.ID, "the key is known")
		require.Equal(t, 1, count(t, m))
		r = unreadable{}
		err = fl.Transaction(ctx, "", func(ctx context.Context, _ *dbfleet.Tx) error { return m.Create(ctx, &r) })
		require.ErrorIs(t, err, dbfleet.ErrNull)
		require.NotContains(t, err.Error(), "was created")
		require.Zero(t, r, "as it was before")
		require.Equal(t, 1, count(t, m))
		many := []unreadable{{}, {}}
		require.ErrorIs(t, m.CreateMany(ctx, many), dbfleet.ErrNull)
		require.Equal(t, []unreadable{{}, {}}, many)
		require.Equal(t, 1, count(t, m), "several are all there or none")
	})
}

// truth 701
// hazard 103: a trigger that skips a row leaves no wrong id behind.
func TestCreate_ThatATriggerSkipsIsAnError(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		if fl.Database.Dialect == "mysql" {
			return // its triggers can refuse a row, not skip it
		}
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE picky (id {id}, name {text})`, `CREATE TABLE keyed (name VARCHAR(20) PRIMARY KEY)`)
		if fl.Database.Dialect == "postgres" {
			fl.Create(t, `CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
				IF NEW.name = 'skip' THEN RETURN NULL; END IF; NEW.name := upper(NEW.name); RETURN NEW; END $$`)
			for _, table := range []string{"picky", "keyed"} {
				fl.Create(t, `CREATE TRIGGER skip BEFORE INSERT ON `+table+` FOR EACH ROW EXECUTE FUNCTION skip()`)
			}
		} else {
			for _, table := range []string{"picky", "keyed"} {
				fl.Create(t, `CREATE TRIGGER skip_`+table+` BEFORE INSERT ON `+table+` WHEN NEW.name = 'skip' BEGIN SELECT RAISE(IGNORE); END`)
			}
		}
		type picky struct {
			ID   int64
			Name string
		}
		m := conformance.Model[picky](t, fl.Registry, dbfleet.ModelConfig{Table: "picky"})
		one := picky{Name: "a"}
		require.NoError(t, m.Create(ctx, &one))
		skipped := picky{Name: "skip"}
		require.ErrorContains(t, m.Create(ctx, &skipped), "0 rows")
		require.Zero(t, skipped.ID)
		many := []picky{{Name: "b"}, {Name: "skip"}, {Name: "c"}}
		require.ErrorContains(t, m.CreateMany(ctx, many), "2 rows were inserted for 3 records")
		require.Zero(t, many[0].ID)
		n, err := m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "all or none")

		upserted := picky{ID: 50, Name: "skip"}
		require.ErrorContains(t, m.Upsert(ctx, &upserted, dbfleet.Conflict{}), "0 rows were inserted for 1 records")
		err = m.UpsertMany(ctx, []picky{{51, "d"}, upserted, {one.ID, "e"}}, dbfleet.Conflict{})
		require.ErrorContains(t, err, "2 rows were inserted for 3 records")
		require.ErrorIs(t, err, dbfleet.ErrWritten, "one statement is not undone, and says so")
		deleted, err := m.Where("id", "=", 51).Delete(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, deleted)
		require.NoError(t, m.Upsert(ctx, &upserted, dbfleet.Conflict{DoNothing: true}), "which may do nothing")
		table := fl.DB("main").Table("picky")
		require.ErrorContains(t, table.Upsert(ctx, map[string]any{"id": 50, "name": "skip"}, dbfleet.Conflict{Key: []string{"id"}}), "0 rows were inserted for 1 records")
		require.NoError(t, table.Upsert(ctx, map[string]any{"id": one.ID, "name": "a"}, dbfleet.Conflict{Key: []string{"id"}}))
		inserted, err := table.Insert(ctx, map[string]any{"name": "skip"})
		require.NoError(t, err)
		require.Zero(t, inserted, "no row, and no id of an earlier one")
		n, err = m.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "all or none")

		type keyed struct{ Name string }
		k := conformance.Model[keyed](t, fl.Registry, dbfleet.ModelConfig{Table: "keyed", PrimaryKey: []string{"name"}})
		require.Error(t, k.Create(ctx, &keyed{"skip"}))
		require.Error(t, k.CreateMany(ctx, []keyed{{"x"}, {"skip"}}))
		require.NoError(t, k.Create(context.WithoutCancel(ctx), &keyed{"x"}))
	})
}

// ledger creates an entry of its own before it is created or saved.
type ledger struct {
	ID   int64
	Name string
}

type ledgerEntry struct {
	ID   int64
	Size int8 // for which the table's default is too large
}

type entriesKey struct{}

func (l *ledger) writeEntry(ctx context.Context) error {
	l.Name = "changed by the callback"
	entries, _ := ctx.Value(entriesKey{}).(*dbfleet.Model[ledgerEntry])
	return entries.Create(ctx, &ledgerEntry{})
}

func (l *ledger) BeforeCreate(ctx context.Context) error { return l.writeEntry(ctx) }
func (l *ledger) BeforeUpdate(ctx context.Context) error { return l.writeEntry(ctx) }
func (l *ledger) BeforeDelete(ctx context.Context) error { return l.writeEntry(ctx) }

// The error of a callback may tell that another record was created. This one was
// not, and is as it was.
func TestCreate_IsNotTakenForTheRecordOfACallback(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, `CREATE TABLE ledgers (id {id}, name {text} NOT NULL)`, `CREATE TABLE ledger_entries (id {id}, size {int} NOT NULL DEFAULT 1000)`,
			`INSERT INTO ledgers (name) VALUES ('a')`)
		ledgers := conformance.Model[ledger](t, fl.Registry, dbfleet.ModelConfig{Table: "ledgers", Fillable: []string{"name"}})
		entries := conformance.Model[ledgerEntry](t, fl.Registry, dbfleet.ModelConfig{Table: "ledger_entries", Defaults: []string{"size"}})
		ctx := context.WithValue(t.Context(), entriesKey{}, entries)
		one := ledger{ID: 1, Name: "a"}
		for name, write := range map[string]func(l *ledger) error{
			"create": func(l *ledger) error { return ledgers.Create(ctx, l) },
			"create many": func(l *ledger) error {
				list := []ledger{*l}
				err := ledgers.CreateMany(ctx, list)
				*l = list[0]
				return err
			},
			"create from": func(l *ledger) error {
				made, err := ledgers.CreateFrom(ctx, map[string]any{"name": "a"})
				made.ID += l.ID
				*l = made
				return err
			},
			"save":         func(l *ledger) error { return ledgers.Save(ctx, l) },
			"save columns": func(l *ledger) error { return ledgers.SaveColumns(ctx, l, "name") },
			"delete":       func(l *ledger) error { return ledgers.Delete(ctx, l) },
			"upsert":       func(l *ledger) error { return ledgers.Upsert(ctx, l, dbfleet.Conflict{}) },
		} {
			l := one
			err := write(&l)
			require.ErrorContains(t, err, "the record was created", name)
			require.Equal(t, one, l, name)
		}
		require.Equal(t, 1, conformance.Counted(t, fl.Database, "SELECT COUNT(*) FROM ledgers"))
		require.Equal(t, 7, conformance.Counted(t, fl.Database, "SELECT COUNT(*) FROM ledger_entries"))
	})
}
