// Package table holds what a model knows of its table: the columns and which of
// them are the key, the timestamps, made by the database or left to defaults; the
// texts of inserts and updates of records; the marks that a write leaves on a
// record. It does no I/O.
package table

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Config says how records are stored. The root's ModelConfig documents its
// settings.
type Config struct {
	Name          string
	PrimaryKey    []string
	Generated     []string
	Defaults      []string
	Timestamps    bool
	CreatedAt     string // "" is created_at
	UpdatedAt     string // "" is updated_at
	DatabaseClock bool
	TimePrecision time.Duration
	SoftDelete    string // the column of the time when a row was deleted, "" deletes rows
	Version       string // the column of the rows' versions, "" is none
	ShardColumn   string // "" when the table is not sharded
	Encryption    Encryption
	TenantColumn  string // whose row it is, "" when no row is a tenant's
}

// A Fault is one thing that is wrong with a Config. Key names the setting.
type Fault struct {
	Key, Reason string
	Err         error
}

// Table is a table whose columns are known from a struct type, or one of which
// only the name is known. It is immutable but for the texts that it keeps, and
// safe for concurrent use. It implements sqlgen.Table.
//
// Fields are numbered as those of its plan.
type Table struct {
	Name  string
	Plan  *rowmap.Plan // nil for rows without a struct
	Model string       // the Go type's name, "" without one

	key       []int         // the primary key
	keyNames  []string      // its columns; "id" without a model
	modelKey  []string      // the same, nil without a model
	located   []int         // what finds one record; see Identity
	auto      bool          // the key is one integer that the database may make
	created   int           // created_at, -1 is none
	updated   int           // updated_at, -1 is none
	mark      int           // when the row was deleted, -1 is none
	version   int           // the version, -1 is none
	shard     int           // the shard key, -1 is none
	shardName string        // its column, also without a plan
	tenant    int           // whose row it is, -1 is none
	clock     bool          // timestamps are the database's
	precision time.Duration // of times, at least a microsecond
	sealed    []int         // the encrypted columns
	bound     []int         // what they are bound to
	blinds    []blind       // their blind indexes
	generated []bool        // by field: left out of inserts and updates
	optional  []bool        // by field: left out of an insert when zero

	quoted [dialect.Count]atomic.Pointer[quotedColumns]

	// twofold says by dialect that what finds a record may stand in two forms.
	twofold [dialect.Count]bool

	saved     []int // the fields that Save writes
	sent      []int // the same, and behind them what is written along; see resealed
	savedArgs *rowmap.ArgPlan
	// locatedArgs are the arguments of located.
	locatedArgs *rowmap.ArgPlan
	saves       [maxCare][dialect.Count]atomic.Pointer[string]
	finds       [maxCare][dialect.Count]atomic.Pointer[string] // see Finding

	// TellsOutcome says by database whether the rows of the table tell what an upsert did.
	TellsOutcome Told

	plain   [2]*InsertPlan // without and with the generated key; nil for a table with defaults
	inserts sync.Map       // mask → *InsertPlan, for a table with defaults
	// insertCount is about how many plans inserts has.
	insertCount atomic.Int64
}

// Unmodelled returns the table of that name whose rows are read into the plan's
// struct, or into maps if plan is nil. It has no key and writes no records.
func Unmodelled(name string, plan *rowmap.Plan) *Table {
	t := &Table{Name: name, Plan: plan, keyNames: []string{"id"}, created: -1, updated: -1, shard: -1, tenant: -1, mark: -1, version: -1, precision: time.Microsecond}
	if plan != nil {
		t.Model = plan.Model()
	}
	return t
}

// New returns the table of a model, and everything that is wrong with c.
func New(c Config, plan *rowmap.Plan) (*Table, []Fault) {
	t := Unmodelled(c.Name, plan)
	columns := plan.Columns()
	t.generated, t.optional = make([]bool, len(columns)), make([]bool, len(columns))
	t.precision = cmp.Or(c.TimePrecision, time.Microsecond)
	faults := t.configure(c)
	if len(faults) > 0 {
		return nil, faults
	}
	t.keyNames = t.ColumnsOf(t.key)
	t.modelKey = t.keyNames
	t.located = slices.Clone(t.key)
	if t.shard >= 0 && !slices.Contains(t.key, t.shard) {
		t.located = append(t.located, t.shard)
	}
	for _, d := range []*dialect.Dialect{dialect.Postgres, dialect.MySQL, dialect.SQLite} {
		t.twofold[d.Index] = t.isTwofold(t.located, d)
	}
	t.prepareInserts()
	t.saved = t.updateFields(nil)
	t.sent = t.resealed(t.saved, t.located)
	t.locatedArgs = t.Plan.ArgPlan(t.located...)
	t.savedArgs = t.Plan.ArgPlan(slices.Concat(t.sent, t.located)...)
	return t, nil
}

func (t *Table) configure(c Config) (faults []Fault) {
	fault := func(key, reason string, err error) { faults = append(faults, Fault{key, reason, err}) }
	if c.Name == "" {
		fault("Table", "is required", nil)
	}
	columns := func(key string, names []string, each func(field int)) {
		unknown := Unknown(key, names, t.Name, t.Plan)
		faults = append(faults, unknown...)
		if len(unknown) > 0 {
			return
		}
		for _, name := range names {
			i, _ := t.Plan.Column(name)
			each(i)
		}
	}
	keys := c.PrimaryKey
	if len(keys) == 0 {
		keys = []string{"id"}
	}
	columns("PrimaryKey", keys, func(i int) { t.key = append(t.key, i) })
	columns("Generated", c.Generated, func(i int) { t.generated[i] = true })
	columns("Defaults", c.Defaults, func(i int) { t.optional[i] = true })
	for _, i := range t.key {
		if t.generated[i] {
			fault("Generated", "the primary key "+quote(t.Column(i))+" is filled in by itself", nil)
		}
	}
	if len(t.key) == 1 && len(keys) == 1 {
		k := t.Plan.Field(t.key[0]).Kind
		t.auto = k == rowmap.Int || k == rowmap.Uint
	}
	if c.ShardColumn != "" {
		t.shardName = c.ShardColumn
		columns("Shard", []string{c.ShardColumn}, func(i int) { t.shard = i })
	}
	if c.TenantColumn != "" {
		columns("Tenant", []string{c.TenantColumn}, func(i int) { t.tenant = t.checkTenant(i, fault) })
	}
	if t.precision < time.Microsecond {
		fault("TimePrecision", "no database keeps less than a microsecond", nil)
	}
	if c.Timestamps {
		t.created, t.updated = t.timestamp("CreatedAt", c.CreatedAt, "created_at", fault), t.timestamp("UpdatedAt", c.UpdatedAt, "updated_at", fault)
		if t.created < 0 && t.updated < 0 && c.CreatedAt == "" && c.UpdatedAt == "" {
			fault("Timestamps", "there is no column created_at or updated_at", nil)
		}
	} else if c.CreatedAt != "" || c.UpdatedAt != "" {
		fault("Timestamps", "is off, so CreatedAt and UpdatedAt name columns that nothing sets", nil)
	}
	t.configureState(c, fault, columns)
	t.configureSealed(c, fault, columns)
	if t.clock = c.DatabaseClock; t.clock && t.created < 0 && t.updated < 0 && t.mark < 0 {
		fault("DatabaseClock", "there is no time that it would set: Timestamps is off and SoftDelete names no column", nil)
	}
	return faults
}

// timestamp is the field of a timestamp: of the column that the setting names, which
// must be there, or else of the usual one, if there is any.
func (t *Table) timestamp(key, named, usual string, fault func(key, reason string, err error)) int {
	column := cmp.Or(named, usual)
	i, ok := t.Plan.Column(column)
	if !ok {
		if named != "" {
			fault(key, "", &sqlgen.UnknownColumnError{Table: t.Name, Column: named, Known: t.Plan.Columns()})
		}
		return -1
	}
	if f := t.Plan.Field(i); f.Kind != rowmap.Time {
		fault("Timestamps", "column "+quote(column)+" is a "+f.Type+", not a time", nil)
	}
	return i
}

// Unknown returns a fault for each of the names that is no column of the plan, or
// is there twice.
func Unknown(key string, names []string, table string, plan *rowmap.Plan) (faults []Fault) {
	for at, name := range names {
		if _, ok := plan.Column(name); !ok {
			faults = append(faults, Fault{Key: key, Err: &sqlgen.UnknownColumnError{Table: table, Column: name, Known: plan.Columns()}})
		} else if slices.Index(names, name) != at {
			faults = append(faults, Fault{Key: key, Reason: "column " + quote(name) + " is named twice"})
		}
	}
	return faults
}

// Column is the name of field i.
func (t *Table) Column(i int) string { return t.Plan.Field(i).Column }

// ColumnsOf are the names of fields.
func (t *Table) ColumnsOf(fields []int) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = t.Column(f)
	}
	return names
}

// Index finds a column, or tells the known ones by an
// *sqlgen.UnknownColumnError.
func (t *Table) Index(column string) (int, error) {
	i, ok := t.Plan.Column(column)
	if !ok {
		return 0, &sqlgen.UnknownColumnError{Table: t.Name, Column: column, Known: t.Plan.Columns()}
	}
	return i, nil
}

// Fail is an *sqlgen.StatementError of this table.
func (t *Table) Fail(format string, args ...any) error {
	return &sqlgen.StatementError{Table: t.Name, Reason: fmt.Sprintf(format, args...)}
}

// MissingWhere is the error of a write that would change every row.
func (t *Table) MissingWhere() error {
	return &sqlgen.StatementError{Table: t.Name, Err: sqlgen.ErrMissingWhere}
}

// Settable refuses a column that an update may not set.
func (t *Table) Settable(column string) error {
	if t.shardName != "" && column == t.shardName {
		return t.Fail("column %q is the shard key; a row does not move by an update", column)
	}
	if t.Plan == nil {
		return nil
	}
	i, ok := t.Plan.Column(column)
	switch {
	case ok && t.isGenerated(i):
		return t.Fail("column %q is generated by the database", column)
	case ok && i == t.tenant:
		return t.Fail("column %q says whose row it is; a row does not move to another tenant by an update", column)
	case ok && i == t.version:
		return t.Fail("column %q is the version, which each write raises by itself", column)
	}
	return t.checkBlind(column)
}

// Insertable refuses a column that an insert may not set.
func (t *Table) Insertable(column string) error {
	if !t.HasModel() {
		return nil
	}
	i, err := t.Index(column)
	if err == nil && t.isGenerated(i) {
		err = t.Fail("column %q is generated by the database", column)
	}
	if err == nil {
		err = t.checkBlind(column)
	}
	return err
}

func (t *Table) isGenerated(i int) bool { return t.generated != nil && t.generated[i] }

// HasModel says whether the table's columns are those of a model. A struct
// without one says what is read, not what the table has.
func (t *Table) HasModel() bool { return len(t.key) > 0 }

// ShardField is the field of the shard key, -1 without one.
func (t *Table) ShardField() int { return t.shard }

// quotedColumns are a table's columns as SQL of one dialect.
type quotedColumns struct {
	names []string // "" for one that the dialect cannot have
	list  string   // all of them
	err   error
}

func (t *Table) quotedIn(d *dialect.Dialect) *quotedColumns {
	if q := t.quoted[d.Index].Load(); q != nil {
		return q
	}
	q := &quotedColumns{}
	for _, c := range t.Plan.Columns() {
		name, err := sqlgen.QuoteIdent(d, c)
		q.err = errors.Join(q.err, err)
		q.names = append(q.names, name)
	}
	q.list = strings.Join(q.names, ", ")
	t.quoted[d.Index].Store(q)
	return q
}

// QuotedName is the table's name as SQL.
func (t *Table) QuotedName(d *dialect.Dialect) (string, error) {
	parts := strings.Split(t.Name, ".")
	for i := range parts {
		var err error
		if parts[i], err = sqlgen.QuoteIdent(d, parts[i]); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, "."), nil
}

func quote(name string) string { return fmt.Sprintf("%q", name) }
