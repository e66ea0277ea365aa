package dbfleet

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// source is what queries come from: a model, or a table of a connection. It is
// immutable. As a sqlgen.Table it knows the columns and their kinds.
type source struct {
	reg        *Registry
	table      string
	connection string // "" is the default
	why        string // why that connection, for Route
	shard      ShardRule
	plan       *rowmap.Plan // nil for rows without a struct
	quick      bool         // reading calls no code of the program's own; see target
	model      string       // the Go type's name, "" without one
	key        []int        // the primary key's fields
	located    []int        // the fields that find one record; see identity
	auto       bool         // the key is one integer that the database may give
	created    int          // the field of created_at, -1 none
	updated    int
	precision  time.Duration // of a model's times, at least a microsecond
	skip       []bool        // by field: left out of inserts and updates
	optional   []bool        // by field: left out of an insert when zero
	fillable   []string
	callbacks  callbacks
	err        error // the table is unusable; told at its use

	// usual is what rendering for the source's own connection needs, once known.
	usual atomic.Pointer[rendering]
	// Texts that do not change, by dialect: the columns of a SELECT, the
	// statements of Save.
	named     [dialect.Count]atomic.Pointer[names]
	saves     [dialect.Count]atomic.Pointer[string]
	finds     [dialect.Count]atomic.Pointer[string]
	saved     []int           // the columns that Save writes
	savedArgs *rowmap.ArgPlan // of them and of located
	// plain are the shapes of inserts without and with the generated key,
	// shapes those of a model with defaults, by their masks.
	plain  [2]*shape
	shapes sync.Map
}

// Columns implements sqlgen.Table.
func (s *source) Columns() []string { return s.plan.Columns() }

// names are a table's columns as SQL of one dialect.
type names struct {
	quoted []string // "" for one that the dialect cannot have
	list   string   // all of them
	err    error
}

// SelectList implements sqlgen.Table.
func (s *source) SelectList(d *dialect.Dialect) (string, error) {
	n := s.namesIn(d)
	return n.list, n.err
}

// Quoted implements sqlgen.Table.
func (s *source) Quoted(column string, d *dialect.Dialect) string {
	if i, ok := s.plan.Column(column); ok {
		return s.namesIn(d).quoted[i]
	}
	return ""
}

func (s *source) namesIn(d *dialect.Dialect) *names {
	if n := s.named[d.Index].Load(); n != nil {
		return n
	}
	n := &names{}
	for _, c := range s.plan.Columns() {
		name, err := sqlgen.QuoteIdent(d, c)
		n.err = errors.Join(n.err, err)
		n.quoted = append(n.quoted, name)
	}
	n.list = strings.Join(n.quoted, ", ")
	s.named[d.Index].Store(n)
	return n
}

// Known implements sqlgen.Table.
//
// A struct without a model says what is read, not what the table has.
func (s *source) Known(column string) bool {
	_, ok := s.plan.Column(column)
	return ok || len(s.key) == 0 && !strings.Contains(column, ".")
}

// Fit implements sqlgen.Table: a value for a column must be of the kind of its
// field, else databases compare it as they like (MySQL finds 'abc' equal to 0).
func (s *source) Fit(i int, v any) (any, error) { return s.plan.Fit(i, v) }

// FitList implements sqlgen.Table.
func (s *source) FitList(i int, list any) (any, error) { return s.plan.FitList(i, list) }

// Operand implements sqlgen.Table.
func (s *source) Operand(i int, v any, d *dialect.Dialect) (any, error) {
	return s.plan.Operand(i, v, d)
}

// now is the time for timestamps, as the table's columns keep it.
func (s *source) now() time.Time { return now().Truncate(s.precision) }

// settle makes the times of a record that was written what reading them gives:
// instants in UTC, cut as they were when they were sent.
func (s *source) settle(record any) { s.plan.CutTimes(record, s.precision, time.UTC) }

// Field implements sqlgen.Table: it finds a column by its name, or its name
// after the table's.
func (s *source) Field(column string) (int, bool) {
	if i, ok := s.plan.Column(column); ok {
		return i, true
	}
	if n := len(s.table); len(column) > n+1 && column[n] == '.' && column[:n] == s.table {
		return s.plan.Column(column[n+1:])
	}
	return 0, false
}

// asTable returns s for sqlgen, nil when its columns are not known.
func (s *source) asTable() sqlgen.Table {
	if s.plan == nil {
		return nil
	}
	return s
}

// rendering is what rendering for a connection needs to know. It is kept for the
// source's own connection as long as the registry's entries are those.
type rendering struct {
	entries *entrySet
	env     sqlgen.Env
}

// usually returns the rendering for the source's own connection. The source is
// not sharded.
func (s *source) usually() (*rendering, error) {
	entries := s.reg.entries.Load()
	if k := s.usual.Load(); k != nil && k.entries == entries {
		return k, nil
	}
	name, _, err := s.connectionFor(&nowhere, nil, false)
	if err != nil {
		return nil, err
	}
	e, err := s.reg.lookupIn(entries, name)
	if err != nil {
		return nil, err
	}
	k := &rendering{entries, *s.envOn(e)}
	s.usual.Store(k)
	return k, nil
}

func (s *source) env(t *target) *sqlgen.Env { return s.envOn(t.e) }

// envOn is what rendering for a connection needs to know.
func (s *source) envOn(e *entry) *sqlgen.Env {
	env := &sqlgen.Env{Dialect: e.dialect, Values: values{}, Connection: e.name, Table: s.asTable()}
	if e.dialect == dialect.MySQL {
		env.Untyped = untyped
	}
	return env
}

// maxDouble is the largest whole number up to which every one is a double.
const maxDouble = 1 << 53

// untyped makes text of a number that MySQL compares with a column that no
// model knows. Bound as a number, 0 would be equal to every text that is none,
// and 1 to '1abc'; bound as text, a text column compares text and a column of
// numbers the number, since MySQL makes a number of a text that is constant.
// A whole number that a double does not hold stays a number: DECIMAL columns
// compare with text as doubles do.
func untyped(a any, _ *dialect.Dialect) any {
	switch a := a.(type) {
	case int64:
		if -maxDouble <= a && a <= maxDouble {
			return strconv.FormatInt(a, 10)
		}
	case float64:
		return strconv.FormatFloat(a, 'g', -1, 64)
	}
	return a
}

// values connects sqlgen with rowmap.
type values struct{}

func (values) Arg(v any, d *dialect.Dialect) (any, error) { return rowmap.Arg(v, d) }

func (values) Operand(v any, d *dialect.Dialect) (any, error) { return rowmap.Operand(v, d) }

func (values) AppendList(args []any, v any, d *dialect.Dialect, arrays bool) (all []any, array any, hasNull bool, err error) {
	if arrays {
		slice, hasNull, ok, err := rowmap.Slice(v)
		if err != nil {
			return args, nil, false, err
		}
		if ok {
			if emptySlice(slice) {
				slice = nil
			}
			return args, slice, hasNull, nil
		}
	} else if all, ok := rowmap.AppendList(args, v); ok {
		return all, nil, false, nil
	}
	list, hasNull, err := rowmap.List(v, d)
	return append(args, list...), nil, hasNull, err
}

func emptySlice(slice any) bool {
	switch s := slice.(type) {
	case []int64:
		return len(s) == 0
	case []string:
		return len(s) == 0
	}
	return false // Slice gives other types only when there are elements
}

// Row is a row without a struct: column to value. On all databases alike the
// values are int64 (uint64 above its range), float64, bool (PostgreSQL only),
// string, []byte, time.Time in UTC, or nil. Exact decimals are strings.
type Row map[string]any

// Table returns a query for a table of this connection whose rows are Row.
func (db *DB) Table(name string) Query[Row] { return Table[Row](db, name) }

// Table returns a query for a table in the transaction, whose rows are Row.
func (tx *Tx) Table(name string) Query[Row] {
	q := Table[Row](tx.st.e.reg.DB(tx.st.e.name), name)
	q.c.using(tx)
	return q
}

// Table returns a query for a table of a connection whose rows are mapped to T,
// a struct, without a model; T may be Row. A T that cannot be mapped is told
// when the query is used. One of a handle for reads refuses to write and to lock,
// with ErrReadHandle.
func Table[T any](db *DB, name string) Query[T] {
	s := &source{reg: db.reg, table: name, connection: db.name, why: "named by the handle", created: -1, updated: -1}
	var zero T
	if _, ok := any(zero).(Row); !ok {
		s.plan, s.err = rowmap.Of[T]()
	}
	if name == "" {
		s.err = &StatementError{Part: "table", Reason: "its name is empty"}
	}
	if s.err == nil && s.plan != nil {
		s.model = s.plan.Model()
	}
	s.quick = s.plan == nil || !s.plan.Foreign()
	q := Query[T]{c: core{src: s, q: sqlgen.From(name)}}
	if db.read {
		q.c.at = &place{read: true}
	}
	return q
}

func (s *source) fail(format string, args ...any) error {
	return &StatementError{Table: s.table, Reason: fmt.Sprintf(format, args...)}
}

// columnIndex finds a column or tells the known ones.
func (s *source) columnIndex(column string) (int, error) {
	i, ok := s.plan.Column(column)
	if !ok {
		return 0, &UnknownColumnError{Table: s.table, Column: column, Known: s.plan.Columns()}
	}
	return i, nil
}

func quoted(name string) string { return strconv.Quote(name) }
