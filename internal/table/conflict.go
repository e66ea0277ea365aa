package table

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Conflict says what an upsert does with a row whose key exists. The root's
// Conflict documents its settings.
type Conflict struct {
	Key       []string
	Update    []string
	DoNothing bool
	KeepEqual bool
}

// ConflictKey returns the fields that decide whether a row exists, and checks
// the columns of c.
func (t *Table) ConflictKey(c *Conflict) ([]int, error) {
	if c.DoNothing && len(c.Update) > 0 {
		return nil, t.Fail("Conflict has DoNothing and Update; only one of them says what happens to the row that is there")
	}
	if c.DoNothing && c.KeepEqual {
		return nil, t.Fail("Conflict has DoNothing and KeepEqual; the first leaves every row as it is")
	}
	var key []int
	for _, name := range c.Key {
		i, err := t.Index(name)
		if err != nil {
			return nil, err
		}
		if i, err = t.blindKey(i); err != nil {
			return nil, err
		}
		key = append(key, i)
	}
	if len(key) == 0 {
		key = t.key
	}
	for _, name := range c.Update {
		if _, err := t.Index(name); err != nil {
			return nil, err
		}
		if err := t.Settable(name); err != nil {
			return nil, err
		}
	}
	if err := t.checkKept(c); err != nil {
		return nil, err
	}
	return key, nil
}

// UpsertInsert describes the upsert of rows of one plan. back are the fields of
// the primary key that neither the records nor the conflict's key tell.
func (t *Table) UpsertInsert(p *InsertPlan, rows int, key []int, c *Conflict) (in sqlgen.Insert, back []int) {
	in = sqlgen.Insert{
		Table: t.Name, Columns: p.Columns, Rows: rows,
		Conflict: sqlgen.Replace, Keys: t.ColumnsOf(key), Sets: t.resealedSets(t.upsertSets(p, key, c), key), Raise: t.VersionColumn(), Owner: t.UpsertOwner(t.ColumnsOf(key), c),
	}
	if len(in.Sets) == 0 {
		in.Conflict = sqlgen.Ignore
	}
	if in.Equal = t.compared(in.Sets, c); c.KeepEqual && len(in.Equal) == 0 {
		in.Conflict, in.Sets = sqlgen.Ignore, nil
	}
	for _, f := range t.key {
		if !slices.Contains(key, f) || slices.Contains(p.Back, f) || !t.exact(f) {
			back = append(back, f)
		}
	}
	return in, back
}

// UpsertOwner is the column that says whose row an existing one is, "" for none: an upsert
// by keys changes no row of another tenant or, where the keys may be those of another one's
// row, shard key. Rows that are left alone are left whosever they are.
func (t *Table) UpsertOwner(keys []string, c *Conflict) string {
	if t.tenant < 0 && !c.DoNothing && !slices.Contains(keys, t.shardName) {
		return t.shardName
	}
	return t.columnOr(t.tenant)
}

// compared are the columns by which an upsert tells that a row need not be updated.
// Without any the row is left alone: there is nothing else that it would take.
func (t *Table) compared(sets []string, c *Conflict) []string {
	if !c.KeepEqual {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(sets), func(column string) bool { return column == t.columnOr(t.updated) })
}

// Inserts says that rows of a plan are inserted and not upserted: the primary key, by
// which a row would be found, is left to the database. If the one that it makes is
// taken, as after rows were copied with theirs, that row is somebody else's. MySQL
// looks at the other unique keys as well, where there are columns to take.
func (t *Table) Inserts(p *InsertPlan, key []int, d *dialect.Dialect) bool {
	if len(key) != 1 || len(t.key) != 1 || key[0] != t.key[0] || slices.Contains(p.Write, key[0]) {
		return false
	}
	return d.UpsertConflict || len(p.Write) == 0
}

// KeyIsMade says that the database makes a column of the conflict's key for the rows of
// a plan: what their records hold there says nothing.
func (t *Table) KeyIsMade(p *InsertPlan, key []int) bool {
	return slices.ContainsFunc(key, func(f int) bool { return !slices.Contains(p.Write, f) })
}

// exact says that Go and the database agree on which values of a field are equal:
// those of a text depend on its collation, its padding and what its type cuts off.
func (t *Table) exact(field int) bool {
	switch t.Plan.Field(field).Kind {
	case rowmap.Int, rowmap.Uint, rowmap.Bool, rowmap.UUID, rowmap.BlindIndex:
		return true
	}
	return false
}

// Exact says that Distinct finds all records whose values of these fields are equal
// to the database.
func (t *Table) Exact(fields []int) bool {
	return !slices.ContainsFunc(fields, func(f int) bool { return !t.exact(f) })
}

// upsertSets are the columns that an existing row takes from a record.
func (t *Table) upsertSets(p *InsertPlan, key []int, c *Conflict) []string {
	if c.DoNothing {
		return nil
	}
	if len(c.Update) > 0 {
		sets := slices.Clip(c.Update)
		for _, f := range []int{t.updated, t.mark} {
			if f >= 0 && !slices.Contains(sets, t.Column(f)) {
				sets = append(sets, t.Column(f))
			}
		}
		return sets
	}
	return t.ColumnsOf(slices.DeleteFunc(slices.Clone(p.Write), func(i int) bool {
		return slices.Contains(key, i) || slices.Contains(t.key, i) || i == t.created || i == t.shard || i == t.tenant || i == t.version
	}))
}

// UpsertRow makes an upsert of the insert of rows that are given by column.
func (t *Table) UpsertRow(in *sqlgen.Insert, c *Conflict) error {
	if c.DoNothing && c.KeepEqual {
		return t.Fail("Conflict has DoNothing and KeepEqual; the first leaves every row as it is")
	}
	in.Conflict, in.Keys, in.Raise = sqlgen.Ignore, c.Key, t.VersionColumn()
	if len(in.Keys) == 0 {
		in.Keys = t.keyNames
	}
	for _, k := range in.Keys {
		if !slices.Contains(in.Columns, k) {
			return t.Fail("the key column %q is not in the row", k)
		}
		if t.Encrypted(k) {
			return t.encrypted("column %q in Conflict.Key: only records are found by it; upsert one", k)
		}
	}
	for _, name := range c.Update {
		if err := t.Settable(name); err != nil {
			return err
		}
		if !slices.Contains(in.Columns, name) {
			return t.Fail("the column %q of Conflict.Update is not in the row", name)
		}
	}
	if c.DoNothing {
		return nil
	}
	for _, name := range in.Columns {
		if t.takes(name, in.Keys, c) {
			in.Sets = append(in.Sets, name)
		}
	}
	in.Sets = append(in.Sets, t.BlindColumns(in.Sets)...)
	for _, name := range in.Sets {
		if err := t.CheckAssigned(name, nil); err != nil {
			return err
		}
	}
	if len(in.Sets) > 0 {
		in.Conflict = sqlgen.Replace
	}
	if owner := t.UpsertOwner(in.Keys, c); t.tenant < 0 && slices.Contains(in.Columns, owner) {
		in.Owner = owner
	}
	if in.Equal = t.compared(in.Sets, c); c.KeepEqual && len(in.Equal) == 0 {
		in.Conflict, in.Sets = sqlgen.Ignore, nil
	}
	return nil
}

// takes says whether an existing row takes a column from the row that is upserted.
func (t *Table) takes(column string, key []string, c *Conflict) bool {
	if len(c.Update) > 0 {
		return slices.Contains(c.Update, column) || column == t.columnOr(t.updated) || column == t.columnOr(t.mark)
	}
	return !slices.Contains(key, column) && !(t.HasModel() && slices.Contains(t.keyNames, column)) && !t.staysOnUpsert(column)
}

// staysOnUpsert says that an existing row keeps its own value of a column.
func (t *Table) staysOnUpsert(column string) bool {
	return column == t.columnOr(t.created) || column == t.columnOr(t.version) || column == t.columnOr(t.tenant) || t.shardName != "" && column == t.shardName
}

// A SameRowError says that two records of one UpsertMany or SaveMany are the same row to the
// database, which decides whether keys are equal.
type SameRowError struct {
	First, Second int // the records' indexes
}

func (e *SameRowError) Error() string {
	return fmt.Sprintf("records %d and %d have the same key", e.First, e.Second)
}

// SameRow is the error of two records.
func (t *Table) SameRow(first, second int) error {
	return &sqlgen.StatementError{Table: t.Name, Err: &SameRowError{first, second}}
}

// Distinct refuses two records with the same key, by a *SameRowError. PostgreSQL
// would refuse them, the others let the last one win.
func (t *Table) Distinct(records rowmap.Records, key []int) error {
	if records.N < 2 {
		return nil
	}
	seen := make(map[any]int, records.N)
	for i := range records.N {
		k, ok := t.keyOf(records.At(i), key)
		if !ok {
			continue
		}
		if before, known := seen[k]; known {
			return t.SameRow(before, i)
		}
		seen[k] = i
	}
	return nil
}

// Findable says that a record's row can be found by these fields: none of them is
// NULL, or yet to be made by the database.
func (t *Table) Findable(p *InsertPlan, record any, key []int) bool {
	return !slices.ContainsFunc(key, func(f int) bool {
		return slices.Contains(p.Back, f) || rowmap.IsNull(t.Plan.Value(f, record))
	})
}

// MaxFound is how many rows FindEach finds: each is compared with each record.
const MaxFound = 250

// FindEach is the query for the fields back of the rows that have the records'
// values of key, in the order of the records. The database compares, each value with
// its column. Two records of one row find it once.
func (t *Table) FindEach(records rowmap.Records, key, back []int, d *dialect.Dialect) (sqlgen.Query, error) {
	names, q := t.quotedIn(d).names, sqlgen.From(t.Name)
	turn := &sqlgen.Expr{}
	var text strings.Builder
	text.WriteString("CASE")
	values := make([]any, 0, records.N)
	for i := range records.N {
		word := " WHEN "
		var same []sqlgen.Cond
		for _, f := range key {
			value := t.Plan.Value(f, records.At(i))
			arg, err := t.Plan.Operand(f, value, d)
			if err != nil {
				return q, err
			}
			turn.Args = append(turn.Args, arg)
			values = append(values, value)
			same = append(same, sqlgen.Compare(t.Column(f), sqlgen.Eq, value))
			text.WriteString(word + names[f] + " = ?")
			word = " AND "
		}
		text.WriteString(" THEN " + strconv.Itoa(i))
		if len(key) > 1 {
			q = q.WithCond(sqlgen.Group(same...).Or())
		}
	}
	if len(key) == 1 {
		q = q.WithCond(sqlgen.Compare(t.Column(key[0]), sqlgen.In, values))
	}
	turn.SQL = text.String() + " END"
	columns := make([]sqlgen.Column, len(back))
	for i, f := range back {
		columns[i] = sqlgen.Column{Name: t.Column(f)}
	}
	q = q.OnlyColumns(columns...)
	q.AddOrder(sqlgen.Order{Expr: turn})
	return q, nil
}

// ByFields is the query for the rows that have the record's values of fields.
func (t *Table) ByFields(record any, fields []int) sqlgen.Query {
	q := sqlgen.From(t.Name)
	for _, i := range fields {
		q = q.WithCond(sqlgen.Compare(t.Column(i), sqlgen.Eq, t.Plan.Value(i, record)))
	}
	return q
}

// TheirRows is the query for the rows of other owners that an upsert of one row meets, whose
// arguments args are. known is false if they do not tell the key.
func (t *Table) TheirRows(in *sqlgen.Insert, args []any, d *dialect.Dialect) (q sqlgen.Query, known bool) {
	is := func(column, word string, op sqlgen.Op) (sqlgen.Cond, bool) {
		i := slices.Index(in.Columns, column)
		if i < 0 {
			return sqlgen.Cond{}, false
		}
		switch args[i].(type) {
		case *sqlgen.Expr, sqlgen.Subquery:
			return sqlgen.Compare(column, op, args[i]), true
		}
		quoted, err := sqlgen.QuoteIdent(d, column)
		return sqlgen.Raw(&sqlgen.Expr{SQL: quoted + " " + word + " ?", Args: []any{args[i]}}), err == nil
	}
	q = sqlgen.From(t.Name).WithColumns(sqlgen.Column{Name: in.Owner})
	for _, k := range in.Keys {
		cond, ok := is(k, "=", sqlgen.Eq)
		if !ok {
			return q, false
		}
		q = q.WithCond(cond)
	}
	cond, ok := is(in.Owner, "<>", sqlgen.NotEq)
	return q.WithCond(sqlgen.Group(cond, sqlgen.Compare(in.Owner, sqlgen.Is, nil).Or())), ok
}

// keyOf is comparable, and equal for equal keys. ok is false for a key that
// conflicts with none: one with a NULL in it, or one that the database is to make.
func (t *Table) keyOf(record any, key []int) (k any, ok bool) {
	for _, f := range key {
		if t.generated[f] || t.optional[f] && t.Plan.IsZero(f, record) {
			return nil, false
		}
	}
	if len(key) == 1 && key[0] == t.key[0] && t.Unsaved(record) {
		return nil, false
	}
	return t.valuesOf(record, key)
}

// valuesOf is comparable, and equal for equal values of these fields. ok is false if one
// is NULL.
func (t *Table) valuesOf(record any, fields []int) (k any, ok bool) {
	if len(fields) == 1 {
		return t.Plan.FieldKey(fields[0], record)
	}
	text := ""
	for _, f := range fields {
		v, ok := t.Plan.FieldKey(f, record)
		if !ok {
			return nil, false
		}
		text += fmt.Sprintf("%T:%#v,", v, v)
	}
	return text, true
}
