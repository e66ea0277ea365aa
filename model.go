package dbfleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
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
	// CreatedAt and UpdatedAt are the columns of Timestamps, where they have other names.
	//
	// Default to "created_at" and "updated_at".
	CreatedAt, UpdatedAt string
	// DatabaseClock takes the times of Timestamps and SoftDelete from the clock of the
	// database that is written to, instead of the program's: those of many programs are then
	// of one clock. Each call that writes asks it once before, by one short statement at the
	// primary or in the transaction, and gives all records and rows of the call that time;
	// Load, once for each transaction of its own. Zone and precision are the same as without;
	// SQLite's clock, the machine's own, tells milliseconds.
	DatabaseClock bool
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
	// Scopes are conditions that hold for every query that starts from the model; see
	// Scope. None by default.
	Scopes []Scope
	// SoftDelete is the column that holds when a row was deleted, such as "deleted_at". Its
	// field may be NULL: a *time.Time, sql.NullTime or sql.Null[time.Time]. Delete then sets
	// it, by the clock and precision of timestamps, and leaves the row where it is. No query
	// that starts from the model finds such a row, as long as it does not ask for it by
	// Query.WithDeleted or Query.OnlyDeleted: not by its key, not to count, to change or to
	// relate it, not in a subquery or a union. Tables that a query joins, and SQL of one's
	// own, are not narrowed. Model.Restore brings a row back, Model.ForceDelete removes it.
	//
	// To the database the row is there: its unique keys are taken, unless the index leaves
	// deleted rows out (on PostgreSQL and SQLite, WHERE deleted_at IS NULL), and rows that
	// refer to it stay.
	//
	// Defaults to none: Delete removes rows.
	SoftDelete string
	// Version is the column that holds how often a row was written: 1 when it is created,
	// and one more with each write. Its field is an int, int32 or int64, and the column not
	// NULL. Save, SaveColumns, Delete and whatever else writes one record then change its row only
	// if that still has the record's version, else they fail with ErrStaleRecord: somebody has
	// written the row since the record was read. The record's version moves when that has
	// succeeded. Update, Increment and Upsert raise the version of the rows that they
	// change and ask for none.
	//
	// Defaults to none: the last write wins.
	Version string
	// Encryption says how the fields that are an Encrypted are sealed. Required if there
	// are some.
	Encryption Encryption
	// Tenant keeps the tenants of a service apart: each context of WithTenant sees what is
	// its tenant's, and without one the model is ErrNoTenant. See TenantByColumn.
	//
	// Defaults to none: everybody sees all rows.
	Tenant TenantRule
	// Shard places each record on a connection of its own, by a key; see
	// ShardBy. It takes the place of Connection.
	Shard ShardRule
}

// Model is the home of one struct type: queries start from it, and records are
// written through it. It is immutable and may be shared by many goroutines; DB,
// Shard, Primary and Using return a changed one.
type Model[T any] query

func (m *Model[T]) base() *query { return (*query)(m) }

// NewModel checks a type and its configuration, and reports all faults at once;
// each is a *ModelError. It does no I/O.
//
// A field's column is its name in snake case, or what its tag db:"name" says:
//
//	UserID       user_id       a run of capitals is one word
//	HTTPServer   http_server   of which the last belongs to the small letters behind it
//	UserIDs      user_ids      the s of a plural is part of the run
//	IPv4Addr     ipv4_addr     and so are a v and digits
//	S3Key        s3_key        digits belong to the word before them
//	ID2          id2
//	OAuthToken   oauth_token   the one word with a capital in it
//	APIURL       apiurl        two runs side by side cannot be told apart: write db:"api_url"
//
// A field may be a number, string, bool, []byte, time.Time, Date or JSON, a type made of
// one of these, a [16]byte (a UUID), what has the methods of sql.Scanner and
// driver.Valuer, any, and a pointer or sql.Null for what may be NULL; a slice with a tag is
// an array of PostgreSQL. Fields that are structs, pointers to them or slices of them,
// without a tag and none of these, are no columns but for relations. Embedded structs
// count as if their fields were T's own. docs/models.md has more on names and types.
//
// db:"-" skips a field. A tag is the column's name as the database has it, whatever
// characters are in it: it is always quoted. Two columns may differ in case only, where
// the database tells them apart; MySQL and SQLite do not, and what is sent there is
// refused.
//
// CreateTable makes the model's table, for tests and first steps (CreateTableSQL shows how); Registry.Check compares
// the models with the tables that are there.
func NewModel[T any](r *Registry, config ModelConfig) (*Model[T], error) {
	plan, err := rowmap.Of[T]()
	q, err := newModel(r, config, plan, err, (*T)(nil))
	return (*Model[T])(q), err
}

// newModel is NewModel without its type; zero is a nil *T.
func newModel(r *Registry, config ModelConfig, plan *rowmap.Plan, err error, zero any) (*query, error) {
	name := strings.TrimPrefix(fmt.Sprintf("%T", zero), "*")
	switch {
	case err != nil:
		return nil, &ModelError{Model: name, Err: told(err)}
	}
	if err := r.usable(); err != nil {
		return nil, &ModelError{Model: name, Err: err}
	}
	s := &source{
		reg: r, connection: config.Connection, why: "the model's", shard: config.Shard,
		fillable: slices.Clone(config.Fillable), scopes: slices.Clone(config.Scopes), callbacks: callbacksOf(zero),
		relations: &relationList{},
	}
	if s.table, err = s.configure(config, plan); err != nil {
		return nil, err
	}
	if err := s.keepsApart(config.Tenant, s.tableConfig(config)); err != nil {
		return nil, &ModelError{Model: name, Key: "Tenant", Err: err}
	}
	r.models.add(s)
	return &query{src: s, q: sqlgen.From(config.Table)}, nil
}

// MustModel is NewModel for package variables; it panics on a fault.
func MustModel[T any](r *Registry, config ModelConfig) *Model[T] {
	m, err := NewModel[T](r, config)
	if err != nil {
		panic(err)
	}
	return m
}

// configure makes the table of a model, or reports all faults of its
// configuration.
func (s *source) configure(config ModelConfig, plan *rowmap.Plan) (*table.Table, error) {
	c := s.tableConfig(config)
	t, faults := table.New(c, plan)
	if config.Tenant != nil && config.Tenant.fault() != "" {
		faults = append(faults, table.Fault{Key: "Tenant", Reason: config.Tenant.fault()})
	}
	if config.Connection != "" {
		if _, err := s.reg.lookup(config.Connection); err != nil {
			faults = append(faults, table.Fault{Key: "Connection", Err: err})
		}
		if config.Shard != nil {
			faults = append(faults, table.Fault{Key: "Shard", Reason: "a sharded model has no Connection of its own"})
		}
	}
	if config.Shard != nil && config.Shard.fault() != "" {
		faults = append(faults, table.Fault{Key: "Shard", Reason: config.Shard.fault()})
	}
	if t != nil && config.Shard == nil {
		if e, err := s.reg.lookup(s.reg.nameOr(config.Connection)); err == nil {
			if err := t.CheckOn(e.dialect); err != nil {
				faults = append(faults, table.Fault{Err: err})
			}
		}
	}
	faults = append(faults, config.Encryption.keyFaults()...)
	faults = append(faults, scopeFaults(config.Scopes)...)
	faults = append(faults, table.Unknown("Fillable", config.Fillable, config.Table, plan)...)
	var errs []error
	for _, f := range faults {
		errs = append(errs, &ModelError{Model: plan.Model(), Key: f.Key, Reason: f.Reason, Err: told(f.Err)})
	}
	return t, errors.Join(errs...)
}

// Query returns the query for all rows of the model.
func (m *Model[T]) Query() *Query[T] { return (*Query[T])(m) }

// DB returns the model on the connection of that name.
func (m *Model[T]) DB(name string) *Model[T] { return (*Model[T])((*query)(m).named(name)) }

// Shard returns the model on the shard of that key.
func (m *Model[T]) Shard(key any) *Model[T] { return (*Model[T])((*query)(m).sharded(key)) }

// Primary returns the model reading from the primary.
func (m *Model[T]) Primary() *Model[T] { return (*Model[T])((*query)(m).primary()) }

// OnReplica returns the model reading from that replica alone; see Query.OnReplica.
func (m *Model[T]) OnReplica(name string) *Model[T] { return (*Model[T])((*query)(m).onReplica(name)) }

// MaxLag returns the model reading what is at most so old; see Query.MaxLag.
func (m *Model[T]) MaxLag(d time.Duration) *Model[T] { return (*Model[T])((*query)(m).within(d)) }

// Using returns the model in a transaction, whatever the context carries.
func (m *Model[T]) Using(tx *Tx) *Model[T] { return (*Model[T])((*query)(m).using(tx)) }

// The beginnings of most queries. Query has the rest.

// Where is Query.Where.
func (m *Model[T]) Where(column, op string, value any) *Query[T] {
	return (*Query[T])((*query)(m).compares(false, column, op, value))
}

// Filter is Query.Filter.
func (m *Model[T]) Filter(conds ...Cond) *Query[T] { return (*Query[T])((*query)(m).filter(conds)) }

// WhereIn is Query.WhereIn.
func (m *Model[T]) WhereIn(column string, values any) *Query[T] {
	return (*Query[T])((*query)(m).compare(false, column, sqlgen.In, values))
}

// Select is Query.Select.
func (m *Model[T]) Select(columns ...string) *Query[T] {
	return (*Query[T])((*query)(m).selects(columns))
}

// Limit is Query.Limit.
func (m *Model[T]) Limit(n int) *Query[T] { return (*Query[T])((*query)(m).limit(n)) }

// With is Query.With.
func (m *Model[T]) With(relations ...Relation[T]) *Query[T] {
	return (*Query[T])((*query)(m).with(erased(relations)))
}

// OrderBy is Query.OrderBy.
func (m *Model[T]) OrderBy(column string, direction Direction) *Query[T] {
	return (*Query[T])((*query)(m).orderBy(column, direction))
}

// Find is Query.Find.
func (m *Model[T]) Find(ctx context.Context, key ...any) (T, error) {
	var row T
	err := (*query)(m).find(ctx, &row, key)
	return row, err
}

// Get is Query.Get.
func (m *Model[T]) Get(ctx context.Context) ([]T, error) { return (*Query[T])(m).Get(ctx) }

// First is Query.First.
func (m *Model[T]) First(ctx context.Context) (T, error) { return (*Query[T])(m).First(ctx) }

// Count is Query.Count.
func (m *Model[T]) Count(ctx context.Context) (int64, error) { return (*query)(m).count(ctx) }

// Fill sets the record's fields from column names and values, as mass
// assignment does: only columns of ModelConfig.Fillable are taken, another one
// is a *NotFillableError. Values are converted where nothing is lost: a number of
// encoding/json, which is a float64, becomes a text of its digits, and above 2^53,
// where digits may be lost already, ErrRange (json.Number keeps them). On an error
// nothing has been set.
func (m *Model[T]) Fill(record *T, values map[string]any) error {
	if record == nil {
		return recordWrite{}.refuseNil((*query)(m))
	}
	return (*query)(m).fill(record, values)
}

func (q *query) fill(record any, values map[string]any) error {
	return told(q.filling(record, values))
}

func (q *query) filling(record any, values map[string]any) error {
	if err := q.usable(); err != nil {
		return err
	}
	t := q.src.table
	if values == nil {
		return t.Fail("the map of values is nil")
	}
	var fields []int
	var list []any
	for _, column := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(q.src.fillable, column) {
			return &NotFillableError{Model: t.Model, Column: column, Fillable: q.src.fillable}
		}
		i, err := t.Index(column)
		if err != nil {
			return err
		}
		fields, list = append(fields, i), append(list, values[column])
	}
	return t.Plan.SetAll(fields, record, list)
}

// tableConfig is what a model's configuration says of its table.
func (s *source) tableConfig(config ModelConfig) table.Config {
	c := table.Config{
		Name: config.Table, PrimaryKey: config.PrimaryKey, Generated: config.Generated, Defaults: config.Defaults,
		Timestamps: config.Timestamps, CreatedAt: config.CreatedAt, UpdatedAt: config.UpdatedAt, DatabaseClock: config.DatabaseClock,
		SoftDelete: config.SoftDelete, Version: config.Version, TimePrecision: config.TimePrecision,
		Encryption: config.Encryption.ofTable(),
	}
	if config.Shard != nil {
		c.ShardColumn = config.Shard.column()
	}
	if config.Tenant != nil && config.Tenant.fault() == "" {
		c.TenantColumn = config.Tenant.rule().column
	}
	return c
}
