package dbfleet

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// shape says which fields of a record an insert writes, and which it wants
// back. Records of one shape go into one statement. It is immutable but for the
// texts that it keeps.
type shape struct {
	write, back        []int
	args               *rowmap.ArgPlan // of write
	columns, returning []string        // their names
	mask               string          // which fields are written; equal for equal shapes
	onlyID             bool            // nothing but the generated key is wanted back

	one [dialect.Count]atomic.Pointer[string] // the insert of one record
	// unkeyed says that the driver could not tell the keys of several; see
	// createKeyed.
	unkeyed [dialect.Count]atomic.Bool
	// many are inserts of several, by the number of rows; many[1] return what the
	// database made.
	many [2][dialect.Count]atomic.Pointer[map[int]string]
}

// maxInsertTexts is how many texts of inserts of several rows a shape keeps.
const maxInsertTexts = 64

// shapeOf returns the shape of a record. A model has two of them, without and
// with the generated key, and more if it has columns with defaults.
func (s *source) shapeOf(record any) *shape {
	keyed := !s.auto || !s.plan.IsZero(s.key[0], record)
	at := 0
	if keyed {
		at = 1
	}
	if s.plain[at] != nil {
		return s.plain[at]
	}
	mask := make([]byte, len(s.skip))
	for i := range mask {
		if s.writes(i, keyed) && !(s.optional[i] && s.plan.IsZero(i, record)) {
			mask[i] = 1
		}
	}
	if known, ok := s.shapes.Load(string(mask)); ok {
		return known.(*shape)
	}
	known, _ := s.shapes.LoadOrStore(string(mask), s.newShape(mask))
	return known.(*shape)
}

// writes says whether an insert writes a field, defaults apart.
func (s *source) writes(i int, keyed bool) bool {
	return !s.skip[i] && (keyed || i != s.key[0])
}

// prepareShapes makes the shapes of a model without defaults.
func (s *source) prepareShapes() {
	if slices.Contains(s.optional, true) || len(s.key) == 0 {
		return
	}
	for at, keyed := range []bool{false, true} {
		mask := make([]byte, len(s.skip))
		for i := range mask {
			if s.writes(i, keyed) {
				mask[i] = 1
			}
		}
		s.plain[at] = s.newShape(mask)
	}
}

func (s *source) newShape(mask []byte) *shape {
	sh := &shape{mask: string(mask)}
	for i, written := range mask {
		if written == 1 {
			sh.write = append(sh.write, i)
		} else {
			sh.back = append(sh.back, i)
		}
	}
	sh.args = s.plan.ArgPlan(sh.write...)
	sh.columns, sh.returning = s.names(sh.write), s.names(sh.back)
	sh.onlyID = len(sh.back) == 1 && s.auto && sh.back[0] == s.key[0]
	return sh
}

// quotedTable is the table's name as SQL.
func (s *source) quotedTable(d *dialect.Dialect) (string, error) {
	parts := strings.Split(s.table, ".")
	for i := range parts {
		var err error
		if parts[i], err = sqlgen.QuoteIdent(d, parts[i]); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, "."), nil
}

func (s *source) names(fields []int) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = s.plan.Field(f).Column
	}
	return names
}

// returns says whether the insert of one record of this shape returns what the
// database made. A generated key alone is had cheaper where the driver tells it.
func (sh *shape) returns(d *dialect.Dialect) bool {
	return len(sh.back) > 0 && d.InsertReturning && (d.Numbered || !sh.onlyID)
}

// insertOneText is the insert of one record.
func (s *source) insertOneText(sh *shape, d *dialect.Dialect) (string, error) {
	if text := sh.one[d.Index].Load(); text != nil {
		return *text, nil
	}
	in := sqlgen.Insert{Table: s.table, Columns: sh.columns, Rows: 1}
	if sh.returns(d) {
		in.Returning = sh.returning
	}
	text, err := sqlgen.InsertText(&in, d)
	if err == nil {
		sh.one[d.Index].Store(&text)
	}
	return text, err
}

// insertText is the insert of several records, which returns what the database
// made of them if that is wanted.
func (s *source) insertText(sh *shape, d *dialect.Dialect, rows int, returning bool) (string, error) {
	in := sqlgen.Insert{Table: s.table, Columns: sh.columns, Rows: rows}
	kept := &sh.many[0][d.Index]
	if returning {
		in.Returning = sh.returning
		kept = &sh.many[1][d.Index]
	}
	known := kept.Load()
	if known != nil {
		if text, ok := (*known)[rows]; ok {
			return text, nil
		}
	}
	text, err := sqlgen.InsertText(&in, d)
	if err != nil {
		return "", err
	}
	// Texts of other numbers make room for this one. That one of several
	// goroutines' texts may be lost does no harm.
	next := map[int]string{}
	if known != nil {
		next = maps.Clone(*known)
	}
	for n := range next {
		if len(next) < maxInsertTexts {
			break
		}
		delete(next, n)
	}
	next[rows] = text
	kept.CompareAndSwap(known, &next)
	return text, nil
}

// findText is the select of one row by its key, and its argument.
func (s *source) findText(key []any, d *dialect.Dialect) (string, []any, error) {
	a, err := s.plan.Operand(s.key[0], key[0], d)
	if err != nil {
		return "", nil, err
	}
	if a == nil {
		return "", nil, s.nilKey(s.plan.Field(s.key[0]).Column)
	}
	text := s.finds[d.Index].Load()
	if text == nil {
		q := sqlgen.From(s.table).WithCond(sqlgen.Compare(s.plan.Field(s.key[0]).Column, sqlgen.Eq, 0)).WithFixedLimit(1)
		made, _, err := sqlgen.Select(&q, &sqlgen.Env{Dialect: d, Values: values{}, Table: keyless{s}})
		if err != nil {
			return "", nil, err
		}
		text = &made
		s.finds[d.Index].Store(text)
	}
	return *text, []any{a}, nil
}

// keyless is a table whose conditions take any value.
type keyless struct{ *source }

func (keyless) Operand(_ int, v any, _ *dialect.Dialect) (any, error) { return v, nil }

// saving is the update of one record, of all of its columns or only some, and
// what its arguments are made of: the columns, then the key.
func (s *source) saving(record any, only []string, d *dialect.Dialect) (string, *rowmap.ArgPlan, error) {
	columns, keys := s.saved, s.identity(record)
	if only == nil && len(keys) == len(s.located) {
		text, err := s.saveText(d)
		return text, s.savedArgs, err
	}
	if only != nil {
		columns = s.updateColumns(only)
	}
	text, err := s.updateText(columns, keys, d)
	return text, s.plan.ArgPlan(slices.Concat(columns, keys)...), err
}

// saveText is the update of one record: all of its columns, then its key.
func (s *source) saveText(d *dialect.Dialect) (string, error) {
	if text := s.saves[d.Index].Load(); text != nil {
		return *text, nil
	}
	text, err := s.updateText(s.saved, s.located, d)
	if err == nil {
		s.saves[d.Index].Store(&text)
	}
	return text, err
}

// updateText is the update of some columns of one record, found by keys.
func (s *source) updateText(columns, keys []int, d *dialect.Dialect) (string, error) {
	q := sqlgen.From(s.table)
	for _, i := range keys {
		q = q.WithCond(sqlgen.Compare(s.plan.Field(i).Column, sqlgen.Eq, 0))
	}
	sets := make([]sqlgen.Set, len(columns))
	for at, i := range columns {
		sets[at] = sqlgen.Set{Column: s.plan.Field(i).Column, Ready: true}
	}
	text, _, err := sqlgen.Update(&q, sets, &sqlgen.Env{Dialect: d, Values: values{}})
	return text, err
}
