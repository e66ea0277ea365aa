package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// ModelConfig says how a struct type is stored. The zero value of each field
// means what is documented there.
type ModelConfig struct {
	// Table is the table's name; a dot separates the schema. Required.
	Table string
	// Connection is the connection where the table lives.
	//
	// Defaults to the registry's default connection.
	Connection string
	// PrimaryKey are the columns of the primary key. A single integer column
	// is filled in by the database when it is zero on insert.
	//
	// Defaults to "id".
	PrimaryKey []string
	// Fillable are the columns that Fill and CreateFrom may set; none by
	// default. Setting a struct's fields in Go is not restricted.
	Fillable []string
	// Timestamps sets created_at when a record is created and updated_at
	// whenever it is written, in UTC and to the microsecond. The struct must
	// have at least one of the two, as time.Time, *time.Time or sql.NullTime.
	Timestamps bool
	// TimePrecision is the finest part of a time that the table's columns keep:
	// time.Second for MySQL's DATETIME and TIMESTAMP without digits. Times are
	// cut to it before they are written, so that a record in Go has what the
	// database has.
	//
	// Defaults to time.Microsecond, which is also the smallest.
	TimePrecision time.Duration
	// Generated are columns whose value the database makes. They are never
	// written, and read back after Create.
	Generated []string
	// Defaults are columns that an insert leaves out while their field is zero,
	// so that the database's default applies, which is read back by Create.
	Defaults []string
	// Shard places each record on a connection of its own, by a key; see
	// ShardBy. It takes the place of Connection.
	Shard ShardRule
}

// Model is the home of one struct type: queries start from it (it embeds a
// Query without conditions, so that every builder method starts there) and
// records are written through it. It is a value that may be shared by many
// goroutines; DB, Shard, Primary and Using return a changed one.
type Model[T any] struct {
	Query[T]
}

// NewModel checks a type and its configuration, and reports all faults at once;
// each is a *ModelError. It does no I/O.
//
// A field's column is its name in snake case (UserID is user_id), or what its
// tag db:"name" says; db:"-" skips it. Embedded structs count as if their
// fields were T's own. Fields that are structs, or slices of them, without a
// tag are for relations.
func NewModel[T any](r *Registry, config ModelConfig) (Model[T], error) {
	plan, err := rowmap.Of[T]()
	if err != nil {
		return Model[T]{}, &ModelError{Model: fmt.Sprintf("%T", (*T)(nil))[1:], Err: err}
	}
	s, err := newSource(r, config, plan, callbacksOf((*T)(nil)))
	if err != nil {
		return Model[T]{}, err
	}
	return Model[T]{Query[T]{c: core{src: s, q: sqlgen.From(s.table)}}}, nil
}

func newSource(r *Registry, config ModelConfig, plan *rowmap.Plan, c callbacks) (*source, error) {
	if r == nil {
		return nil, &ModelError{Model: plan.Model(), Reason: "the registry is nil"}
	}
	s := &source{
		reg: r, table: config.Table, connection: config.Connection, why: "the model's", shard: config.Shard,
		plan: plan, model: plan.Model(), created: -1, updated: -1,
		skip: make([]bool, len(plan.Columns())), optional: make([]bool, len(plan.Columns())),
		fillable: slices.Clone(config.Fillable), callbacks: c,
		precision: cmp.Or(config.TimePrecision, time.Microsecond),
		quick:     !plan.Foreign(),
	}
	if err := s.configure(config); err != nil {
		return nil, err
	}
	s.located = slices.Clone(s.key)
	if s.shard != nil {
		if i, _ := plan.Column(s.shard.column()); !slices.Contains(s.key, i) {
			s.located = append(s.located, i)
		}
	}
	s.prepareShapes()
	s.saved = s.updateColumns(nil)
	s.savedArgs = plan.ArgPlan(slices.Concat(s.saved, s.located)...)
	r.models.add(s)
	return s, nil
}

// MustModel is NewModel for package variables; it panics on a fault.
func MustModel[T any](r *Registry, config ModelConfig) Model[T] {
	m, err := NewModel[T](r, config)
	if err != nil {
		panic(err)
	}
	return m
}

func (s *source) configure(config ModelConfig) error {
	var errs []error
	fault := func(key, reason string, err error) {
		errs = append(errs, &ModelError{Model: s.model, Key: key, Reason: reason, Err: err})
	}
	if config.Table == "" {
		fault("Table", "is required", nil)
	}
	if config.Connection != "" {
		if _, err := s.reg.lookup(config.Connection); err != nil {
			fault("Connection", "", err)
		}
		if config.Shard != nil {
			fault("Shard", "a sharded model has no Connection of its own", nil)
		}
	}
	columns := func(key string, names []string, each func(i int)) {
		for at, name := range names {
			i, err := s.columnIndex(name)
			if err != nil {
				fault(key, "", err)
			} else if slices.Index(names, name) != at {
				fault(key, "column "+quoted(name)+" is named twice", nil)
			} else {
				each(i)
			}
		}
	}
	keys := config.PrimaryKey
	if len(keys) == 0 {
		keys = []string{"id"}
	}
	columns("PrimaryKey", keys, func(i int) { s.key = append(s.key, i) })
	columns("Fillable", config.Fillable, func(int) {})
	columns("Generated", config.Generated, func(i int) { s.skip[i] = true })
	columns("Defaults", config.Defaults, func(i int) { s.optional[i] = true })
	for _, i := range s.key {
		if s.skip[i] {
			fault("Generated", "the primary key "+quoted(s.plan.Field(i).Column)+" is filled in by itself", nil)
		}
	}
	if len(s.key) == 1 && len(keys) == 1 {
		f := s.plan.Field(s.key[0])
		s.auto = (f.Kind == rowmap.Int || f.Kind == rowmap.Uint)
	}
	if config.Shard != nil {
		columns("Shard", []string{config.Shard.column()}, func(int) {})
	}
	if s.precision < time.Microsecond {
		fault("TimePrecision", "no database keeps less than a microsecond", nil)
	}
	if config.Timestamps {
		s.created, s.updated = s.timestamp("created_at", fault), s.timestamp("updated_at", fault)
		if s.created < 0 && s.updated < 0 {
			fault("Timestamps", "there is no column created_at or updated_at", nil)
		}
	}
	return errors.Join(errs...)
}

func (s *source) timestamp(column string, fault func(key, reason string, err error)) int {
	i, ok := s.plan.Column(column)
	if !ok {
		return -1
	}
	if s.plan.Field(i).Kind != rowmap.Time {
		fault("Timestamps", "column "+quoted(column)+" is a "+s.plan.Field(i).Type+", not a time", nil)
	}
	return i
}

// DB returns the model on the connection of that name.
func (m Model[T]) DB(name string) Model[T] { return Model[T]{m.Query.DB(name)} }

// Shard returns the model on the shard of that key.
func (m Model[T]) Shard(key any) Model[T] { return Model[T]{m.Query.Shard(key)} }

// Primary returns the model reading from the primary.
func (m Model[T]) Primary() Model[T] { return Model[T]{m.Query.Primary()} }

// Using returns the model in a transaction, whatever the context carries.
func (m Model[T]) Using(tx *Tx) Model[T] { return Model[T]{m.Query.Using(tx)} }

// Fill sets the record's fields from column names and values, as mass
// assignment does: only columns of ModelConfig.Fillable are taken, another one
// is a *NotFillableError. Values are converted where nothing is lost. On an
// error nothing has been set.
func (m Model[T]) Fill(record *T, values map[string]any) error {
	if record == nil {
		return m.c.fill(nil, values)
	}
	filled := *record
	if err := m.c.fill(&filled, values); err != nil {
		return err
	}
	*record = filled
	return nil
}

func (m *core) fill(record any, values map[string]any) error {
	if m.src == nil {
		return errNoSource
	}
	if record == nil {
		return m.src.nilRecord()
	}
	for _, column := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(m.src.fillable, column) {
			return &NotFillableError{Model: m.src.model, Column: column, Fillable: m.src.fillable}
		}
		i, err := m.src.columnIndex(column)
		if err != nil {
			return err
		}
		if err := m.src.plan.Set(i, record, values[column]); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) nilRecord() error { return s.fail("the record is a nil pointer") }

// CreateFrom fills a new record and creates it.
func (m Model[T]) CreateFrom(ctx context.Context, values map[string]any) (T, error) {
	var record T
	if err := m.Fill(&record, values); err != nil {
		return record, err
	}
	err := m.Create(ctx, &record)
	return record, err
}

// ModelDescription tells where a model lives.
type ModelDescription struct {
	Model      string // the Go type
	Table      string
	Connection string // "" for a sharded model
	Driver     Driver // "" when the connection is not known (any more)
	ShardKey   string // "" when not sharded
	PrimaryKey []string
	Columns    []string
}

// modelList is what Describe tells.
type modelList struct {
	mu   sync.Mutex // protects list
	list []*source
}

func (l *modelList) add(s *source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, s)
}

// Describe lists the models made so far, in order of connection and model.
func (r *Registry) Describe() []ModelDescription {
	r.models.mu.Lock()
	list := slices.Clone(r.models.list)
	r.models.mu.Unlock()
	out := make([]ModelDescription, len(list))
	for i, s := range list {
		d := ModelDescription{Model: s.model, Table: s.table, PrimaryKey: s.keyNames(), Columns: slices.Clone(s.plan.Columns())}
		if s.shard != nil {
			d.ShardKey = s.shard.column()
		} else {
			d.Connection = r.nameOr(s.connection)
			if e, err := r.lookup(d.Connection); err == nil {
				d.Driver = Driver(e.dialect.Name)
			}
		}
		out[i] = d
	}
	slices.SortStableFunc(out, func(a, b ModelDescription) int {
		if a.Connection != b.Connection {
			return cmp.Compare(a.Connection, b.Connection)
		}
		return cmp.Compare(a.Model, b.Model)
	})
	return out
}
