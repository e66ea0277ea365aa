package values

import (
	"database/sql"
	"encoding/json"
	"errors"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

type (
	user struct {
		ID   int64
		Name string
	}
	base struct {
		ID      int64
		Version int
	}
	stamps struct{ CreatedAt, UpdatedAt time.Time }
	deep   struct {
		base
		Note string
	}
	// Address is embedded by a pointer, which must be exported to be set.
	Address struct{ City, Street string }
	wide    struct {
		deep
		stamps
		*Address
		Name    string
		Version string // hides base's
		Secret  string `db:"-"`
		private string
		Owner   *user      // a relation
		Items   []user     // a relation
		Odd     netip.Addr `db:"-"`
	}

	self struct {
		ID int64
		//lint:ignore U1000 the type must embed itself
		*self
	}
	Loop struct {
		ID int64
		*Loop2
	}
	Loop2 struct {
		Name string
		*Loop
	}
	twice struct {
		ID             int64
		UserID, UserId int
	}
	folded struct {
		ID int64
		A  int `db:"name"`
		B  int `db:"NAME"`
	}
	tagged struct {
		ID   int64
		Name string `db:"id"`
	}
	channel struct {
		ID int64
		C  chan int
	}
	function struct {
		ID int64
		F  func()
	}
	mapped struct {
		ID int64
		M  map[string]any
	}
	complexF struct {
		ID int64
		C  complex128
	}
	value struct {
		ID   int64
		Addr big.Int
	}
	comma struct {
		ID int64
		A  string `db:"a,omitempty"`
	}
	quote struct {
		ID int64
		A  string `db:"a\"b"`
	}
	unicode struct {
		ID int64
		A  string `db:"näme"`
	}
	nothing struct{ _ int }
	arrays  struct {
		ID   int64
		Tags []string
	}
	generic[V any] struct {
		ID int64
		V  V
	}
)

// hazard 85
func TestNewModel_FlattensEmbeddedStructs(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		ctx := t.Context()
		fl.Create(t, `CREATE TABLE wides (id {id}, note {text}, created_at {time}, updated_at {time}, city {text}, street {text}, name {text}, version {text})`)
		m := conformance.Model[wide](t, fl.Registry, dbfleet.ModelConfig{Table: "wides", Timestamps: true})
		w := wide{Name: "n", Version: "v", Secret: "s", private: "p"}
		w.Note = "deep"
		w.deep.Version = 7
		require.NoError(t, m.Create(ctx, &w))
		got, err := m.Find(ctx, w.ID)
		require.ErrorIs(t, err, dbfleet.ErrNull, "NULL for a field of the embedded pointer")
		require.Zero(t, got)
		w.Address = &Address{City: "Paris"}
		require.NoError(t, m.Save(ctx, &w))
		got, err = m.Find(ctx, w.ID)
		require.NoError(t, err)
		w.Secret, w.private, w.deep.Version = "", "", 0
		require.Equal(t, w, got)
		n, err := m.Where("city", "=", "Paris").Where("version", "=", "v").Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		var unknown *dbfleet.UnknownColumnError
		for _, column := range []string{"secret", "private", "owner", "items", "odd", "address", "deep"} {
			_, err := m.Where(column, "=", 1).Get(ctx)
			require.ErrorAs(t, err, &unknown, column)
		}
		// Generic structs are models as others are.
		fl.Create(t, `CREATE TABLE generics (id {id}, v {text})`)
		g := generic[*string]{V: ptr("x")}
		gm := conformance.Model[generic[*string]](t, fl.Registry, dbfleet.ModelConfig{Table: "generics"})
		require.NoError(t, gm.Create(ctx, &g))
		back, err := gm.Find(ctx, g.ID)
		require.NoError(t, err)
		require.Equal(t, g, back)
	})
}

// refusal makes a model of a type that cannot be one.
func refusal[T any](t *testing.T, r *dbfleet.Registry, words ...string) {
	t.Helper()
	_, err := dbfleet.NewModel[T](r, dbfleet.ModelConfig{Table: "t"})
	var me *dbfleet.ModelError
	require.ErrorAs(t, err, &me)
	require.NotEmpty(t, me.Model)
	require.NotContains(t, me.Model, "nil")
	for _, w := range words {
		require.ErrorContains(t, err, w)
	}
	require.Equal(t, 1, strings.Count(err.Error(), "dbfleet: "), err.Error())
	// The same type without a model is refused where it is used.
	_, err = dbfleet.Table[T](r.DB("main"), "t").Get(t.Context())
	require.Error(t, err)
	require.Panics(t, func() { dbfleet.MustModel[T](r, dbfleet.ModelConfig{Table: "t"}) })
}

// hazards 86, 87, 93; bad input: a struct that cannot be mapped
func TestNewModel_RefusesWhatCannotBeMapped(t *testing.T) {
	t.Parallel()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: ":memory:"}})
	refusal[*user](t, r, "*values.user")
	refusal[**user](t, r)
	refusal[[]user](t, r)
	refusal[map[string]any](t, r)
	refusal[any](t, r, "interface")
	refusal[error](t, r, "error")
	refusal[int](t, r, "int")
	refusal[string](t, r)
	refusal[func()](t, r)
	refusal[struct{ ID int64 }](t, r, "named")
	refusal[time.Time](t, r)
	refusal[self](t, r, "self")
	refusal[Loop](t, r, "Loop")
	refusal[twice](t, r, "UserID", "UserId", "user_id")
	refusal[folded](t, r, "A", "B")
	refusal[tagged](t, r, "ID", "Name")
	refusal[channel](t, r, "C", "chan int")
	refusal[function](t, r, "F")
	refusal[mapped](t, r, "M", "map[string]")
	refusal[complexF](t, r, "C")
	refusal[value](t, r, "Addr")
	refusal[comma](t, r, "A", "db")
	refusal[nothing](t, r)
	refusal[arrays](t, r, "Tags", `db:"`)
	refusal[generic[chan int]](t, r, "V")

	// A name in another script is a name, and one with quotes.
	_, err := dbfleet.NewModel[unicode](r, dbfleet.ModelConfig{Table: "t"})
	require.NoError(t, err)
	_, err = dbfleet.NewModel[quote](r, dbfleet.ModelConfig{Table: "t"})
	require.NoError(t, err)
	_, err = dbfleet.NewModel[user](nil, dbfleet.ModelConfig{Table: "t"})
	require.Error(t, err, "no registry")
}

// bad input: every fault of a configuration is told at once.
func TestNewModel_ReportsAllFaults(t *testing.T) {
	t.Parallel()
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {Driver: dbfleet.SQLite, Database: ":memory:"}})
	type odd struct {
		Key       string
		CreatedAt string
		UpdatedAt sql.NullTime
	}
	_, err := dbfleet.NewModel[odd](r, dbfleet.ModelConfig{
		Connection: "nowhere", Fillable: []string{"key", "no", "key"}, Generated: []string{"nope"}, Defaults: []string{"nada"}, Timestamps: true, TimePrecision: -1,
	})
	keys := map[string]int{}
	var walk func(error)
	walk = func(err error) {
		var me *dbfleet.ModelError
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				walk(e)
			}
		} else if errors.As(err, &me) {
			keys[me.Key]++
		}
	}
	walk(err)
	require.Equal(t, map[string]int{"Table": 1, "Connection": 1, "PrimaryKey": 1, "Fillable": 2, "Generated": 1, "Defaults": 1, "Timestamps": 1, "TimePrecision": 1}, keys)
	var unknown *dbfleet.UnknownConnectionError
	require.ErrorAs(t, err, &unknown)
	var column *dbfleet.UnknownColumnError
	require.ErrorAs(t, err, &column)
	require.Equal(t, []string{"key", "created_at", "updated_at"}, column.Known)
	require.Empty(t, r.Describe(), "nothing is kept of a model that is none")
}

// hazards 84, 364: a model reads the columns of its struct and no others.
func TestHazard_ColumnsWithoutAFieldAreNotRead(t *testing.T) {
	t.Parallel()
	type account struct {
		ID     int64
		Name   string
		Secret string `json:"-"`
		Nick   string `db:"-"`
	}
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, "CREATE TABLE accounts (id {id}, name {text}, secret {text}, nick {text}, password {text} DEFAULT 'canary')")
		accounts := conformance.Model[account](t, fl.Registry, dbfleet.ModelConfig{Table: "accounts"})
		require.NoError(t, accounts.Create(t.Context(), &account{Name: "Ada", Secret: "canary", Nick: "canary"}))
		found, err := accounts.First(t.Context())
		require.NoError(t, err)
		require.Equal(t, account{ID: 1, Name: "Ada", Secret: "canary"}, found)
		text, err := json.Marshal(found)
		require.NoError(t, err)
		require.NotContains(t, string(text), "canary")
		sent, _, err := accounts.Query().SQL(t.Context())
		require.NoError(t, err)
		require.NotContains(t, sent, "password")
	})
}
