package misuse

import (
	"time"

	"github.com/dbfleet/dbfleet"
)

func model[T any](w *world, c dbfleet.ModelConfig) error { return of(dbfleet.NewModel[T](w.reg, c)) }

func ofModels(w *world) []mistake {
	users := func(change func(c *dbfleet.ModelConfig)) error {
		c := dbfleet.ModelConfig{Table: "users"}
		change(&c)
		return model[user](w, c)
	}
	type mc = dbfleet.ModelConfig
	return []mistake{
		{"no table", model[user](w, mc{}), `dbfleet: model misuse.user: Table: is required`},
		{"an unknown connection", users(func(c *mc) { c.Connection = "mian" }), `dbfleet: model misuse.user: Connection: unknown connection "mian"; known are "main", "other"`},
		{"an unknown column as primary key", users(func(c *mc) { c.PrimaryKey = []string{"uuid"} }), `dbfleet: model misuse.user: PrimaryKey: table "users" has no column "uuid" known to the model; it has id, name, age`},
		{"a field's name as primary key", users(func(c *mc) { c.PrimaryKey = []string{"ID"} }), `dbfleet: model misuse.user: PrimaryKey: table "users" has no column "ID" known to the model; it has id, name, age`},
		{"a primary key twice", users(func(c *mc) { c.PrimaryKey = []string{"id", "id"} }), `dbfleet: model misuse.user: PrimaryKey: column "id" is named twice`},
		{"a fillable column that is none", users(func(c *mc) { c.Fillable = []string{"name", "e_mail"} }), `dbfleet: model misuse.user: Fillable: table "users" has no column "e_mail" known to the model; it has id, name, age`},
		{"timestamps without their columns", users(func(c *mc) { c.Timestamps = true }), `dbfleet: model misuse.user: Timestamps: there is no column created_at or updated_at`},
		{"timestamps that are numbers", model[withNumbers](w, mc{Table: "users", Timestamps: true}), `dbfleet: model misuse.withNumbers: Timestamps: column "created_at" is a int64, not a time`},
		{"a generated column that is none", users(func(c *mc) { c.Generated = []string{"total"} }), `dbfleet: model misuse.user: Generated: table "users" has no column "total" known to the model; it has id, name, age`},
		{"a generated primary key", users(func(c *mc) { c.Generated = []string{"id"} }), `dbfleet: model misuse.user: Generated: the primary key "id" is filled in by itself`},
		{"a default of a column that is none", users(func(c *mc) { c.Defaults = []string{"status"} }), `dbfleet: model misuse.user: Defaults: table "users" has no column "status" known to the model; it has id, name, age`},
		{"times finer than any database", users(func(c *mc) { c.TimePrecision = time.Nanosecond }), `dbfleet: model misuse.user: TimePrecision: no database keeps less than a microsecond`},
		{"a shard key that is no column", users(func(c *mc) { c.Shard = dbfleet.ShardBy("tenant", func(int) string { return "main" }) }), `dbfleet: model misuse.user: Shard: table "users" has no column "tenant" known to the model; it has id, name, age`},
		{"shards and a connection", users(func(c *mc) {
			c.Connection, c.Shard = "main", dbfleet.ShardBy("id", func(int) string { return "main" })
		}), `dbfleet: model misuse.user: Shard: a sharded model has no Connection of its own`},
		{"shards without a function", users(func(c *mc) { c.Shard = dbfleet.ShardBy[int]("id", nil) }), `dbfleet: model misuse.user: Shard: the function given to ShardBy is nil`},
		{"shards without a column", users(func(c *mc) { c.Shard = dbfleet.ShardBy("", func(int) string { return "main" }) }), `dbfleet: model misuse.user: Shard: ShardBy names no column`},
		{"no registry", of(dbfleet.NewModel[user](nil, mc{Table: "users"})), `dbfleet: model misuse.user: the registry is nil; Open makes one`},
		{"a registry that nobody opened", of(dbfleet.NewModel[user](new(dbfleet.Registry), mc{Table: "users"})), `dbfleet: model misuse.user: the registry is the zero value; Open makes one`},
		{"MustModel with a fault", panicOf(func() { dbfleet.MustModel[user](w.reg, mc{}) }), `dbfleet: model misuse.user: Table: is required`},
		{"several faults at once", model[user](w, mc{Connection: "mian", Fillable: []string{"e_mail"}}), "dbfleet: model misuse.user: Table: is required\ndbfleet: model misuse.user: Connection: unknown connection \"mian\"; known are \"main\", \"other\"\ndbfleet: model misuse.user: Fillable: table \"\" has no column \"e_mail\" known to the model; it has id, name, age"},
		{"a table with a NUL", of(dbfleet.MustModel[user](w.reg, mc{Table: "us\x00ers"}).Get(w.ctx)), `dbfleet: table "us\x00ers": name "us\x00ers": contains a NUL byte`},
	}
}

type (
	embedded  struct{ Name string }
	noFields  struct{}
	hidden    struct{ id int64 } //lint:ignore U1000 nobody can read or set it
	taggedHid struct {
		ID   int64
		name string `db:"name"` //lint:ignore U1000 nobody can read or set it
	}
	twice struct {
		ID    int64
		Name  string
		Name2 string `db:"name"`
	}
	twiceEmbedded struct {
		ID int64
		embedded
		Title string `db:"name"`
	}
	withChan struct {
		ID   int64
		Done chan int
	}
	withFunc struct {
		ID int64
		Do func()
	}
	withComplex struct {
		ID int64
		Z  complex128
	}
	withMap struct {
		ID   int64
		Tags map[string]string
	}
	withInterface struct {
		ID int64
		V  error
	}
	withPointers struct {
		ID int64
		N  **chan int
	}
	withStruct struct {
		ID    int64
		Owner user `db:"owner"`
	}
	withOption struct {
		ID   int64
		Name string `db:"name,omitempty"`
	}
	withNumbers struct {
		ID        int64
		CreatedAt int64
	}
	number  struct{ Name int }
	notNull struct{ N int }
	small   struct{ N int8 }
)

func ofTypes(w *world) []mistake {
	table := dbfleet.ModelConfig{Table: "users"}
	return []mistake{
		{"a pointer", model[*user](w, table), `dbfleet: model *misuse.user: unsupported type: a model must be a named struct type, not *misuse.user`},
		{"a number", model[int](w, table), `dbfleet: model int: unsupported type: a model must be a named struct type, not int`},
		{"a map", model[map[string]any](w, table), `dbfleet: model map[string]interface {}: unsupported type: a model must be a named struct type, not map[string]interface {}`},
		{"a Row", model[dbfleet.Row](w, table), `dbfleet: model dbfleet.Row: unsupported type: a model must be a named struct type, not dbfleet.Row`},
		{"a slice", model[[]user](w, table), `dbfleet: model []misuse.user: unsupported type: a model must be a named struct type, not []misuse.user`},
		{"a struct without a name", model[struct{ ID int64 }](w, table), `dbfleet: model struct { ID int64 }: unsupported type: a model must be a named struct type, not struct { ID int64 }`},
		{"no fields", model[noFields](w, table), `dbfleet: model misuse.noFields: unsupported type: misuse.noFields has no field that is a column`},
		{"only unexported fields", model[hidden](w, table), `dbfleet: model misuse.hidden: unsupported type: misuse.hidden has no field that is a column`},
		{"a tag on an unexported field", model[taggedHid](w, table), `dbfleet: model misuse.taggedHid: misuse.taggedHid.name: the field has the tag db:"name", but is not exported: nobody else can read or set it`},
		{"a column twice", model[twice](w, table), `dbfleet: model misuse.twice: misuse.twice: the fields Name and Name2 both map to the column "name"`},
		{"a column of an embedded struct twice", model[twiceEmbedded](w, table), `dbfleet: model misuse.twiceEmbedded: misuse.twiceEmbedded: the fields embedded.Name and Title both map to the column "name"`},
		{"a channel", model[withChan](w, table), `dbfleet: model misuse.withChan: misuse.withChan.Done: unsupported type: no column can be a chan int; skip it with db:"-"`},
		{"a function", model[withFunc](w, table), `dbfleet: model misuse.withFunc: misuse.withFunc.Do: unsupported type: no column can be a func(); skip it with db:"-"`},
		{"a complex number", model[withComplex](w, table), `dbfleet: model misuse.withComplex: misuse.withComplex.Z: unsupported type: no column can be a complex128; skip it with db:"-"`},
		{"a map for a column", model[withMap](w, table), `dbfleet: model misuse.withMap: misuse.withMap.Tags: unsupported type: no column can be a map[string]string; skip it with db:"-"`},
		{"an interface for a column", model[withInterface](w, table), `dbfleet: model misuse.withInterface: misuse.withInterface.V: unsupported type: no column can be a error; skip it with db:"-"`},
		{"a pointer to a pointer", model[withPointers](w, table), `dbfleet: model misuse.withPointers: misuse.withPointers.N: unsupported type: no column can be a chan int; skip it with db:"-"`},
		{"a struct under a tag", model[withStruct](w, table), `dbfleet: model misuse.withStruct: misuse.withStruct.Owner: unsupported type: no column can be a misuse.user`},
		{"an option of a tag that is none", model[withOption](w, table), `dbfleet: model misuse.withOption: misuse.withOption.Name: db tag "name,omitempty" holds more than a column's name; options do not belong in it`},
		{"Table of a type that maps to nothing", of(dbfleet.Table[int](w.reg.DB("main"), "users").Get(w.ctx)), `dbfleet: unsupported type: a model must be a named struct type, not int`},
	}
}
