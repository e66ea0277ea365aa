package table

import (
	"slices"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// InsertPlan says which fields of a record an insert writes, and which the
// database makes. Records of one plan go into one statement. It is immutable but
// for the texts that it keeps.
type InsertPlan struct {
	Write, Back []int           // what is written, and what is wanted back
	Args        *rowmap.ArgPlan // of Write
	Columns     []string        // the names of Write
	OnlyKey     bool            // nothing but the generated key is wanted back
	told        []int           // Back, and the fields of the primary key that are written
	returning   []string        // the names of told

	table *Table
	// one are the inserts of one record; one[1] return what the database made.
	one [2][dialect.Count]atomic.Pointer[string]
	ids [dialect.Count]atomic.Pointer[ToldInsert] // see Told
	// many are the last inserts of several; many[1] return what the database made.
	many [2][dialect.Count]atomic.Pointer[manyText]
	// unkeyable says that the database could not tell the keys of several rows that
	// were inserted without a transaction.
	unkeyable [dialect.Count]atomic.Bool
}

// manyText is an insert of so many rows.
type manyText struct {
	rows int
	text string
}

// InsertPlan returns the plan of a record. A model has two of them, without and
// with the generated key, and more if it has columns with defaults.
func (t *Table) InsertPlan(record any) *InsertPlan {
	keyed := !t.auto || !t.Plan.IsZero(t.key[0], record)
	at := 0
	if keyed {
		at = 1
	}
	if t.plain[at] != nil {
		return t.plain[at]
	}
	mask := t.mask(keyed)
	for i := range mask {
		if t.optional[i] && t.Plan.IsZero(i, record) {
			mask[i] = 0
		}
	}
	if known, ok := t.inserts.Load(string(mask)); ok {
		return known.(*InsertPlan)
	}
	if t.insertCount.Add(1) > maxInsertPlans {
		t.inserts.Clear()
		t.insertCount.Store(1)
	}
	known, _ := t.inserts.LoadOrStore(string(mask), t.newInsertPlan(mask))
	return known.(*InsertPlan)
}

// maxInsertPlans is about how many plans a table with defaults keeps; each set of
// columns that records leave to the database has one.
const maxInsertPlans = 64

// mask tells by field whether an insert writes it, defaults apart: 1 or 0.
func (t *Table) mask(keyed bool) []byte {
	mask := make([]byte, len(t.generated))
	for i := range mask {
		if !t.generated[i] && (keyed || i != t.key[0]) {
			mask[i] = 1
		}
	}
	return mask
}

// prepareInserts makes the plans of a model without defaults.
func (t *Table) prepareInserts() {
	if slices.Contains(t.optional, true) {
		return
	}
	for at, keyed := range []bool{false, true} {
		t.plain[at] = t.newInsertPlan(t.mask(keyed))
	}
}

func (t *Table) newInsertPlan(mask []byte) *InsertPlan {
	p := &InsertPlan{table: t}
	for i, written := range mask {
		if written == 1 {
			p.Write = append(p.Write, i)
		} else {
			p.Back = append(p.Back, i)
		}
	}
	p.Args = t.Plan.ArgPlan(p.Write...)
	p.told = p.Back
	for _, f := range t.key {
		if !slices.Contains(p.Back, f) {
			p.told = append(slices.Clip(p.told), f)
		}
	}
	p.Columns, p.returning = t.ColumnsOf(p.Write), t.ColumnsOf(p.told)
	p.OnlyKey = len(p.Back) == 1 && t.auto && p.Back[0] == t.key[0]
	return p
}

// Returns says whether the insert returns something: what the database made, and
// the key, which a trigger that runs before may change. SQLite has none that can.
func (p *InsertPlan) Returns(d *dialect.Dialect) bool { return len(p.Returned(d)) > 0 }

// Returned are the fields that the insert returns.
func (p *InsertPlan) Returned(d *dialect.Dialect) []int {
	if d == dialect.SQLite {
		return p.Back
	}
	return p.told
}

// AsksDriver says whether the driver is asked for the key of one record first: on
// SQLite RETURNING costs more.
func (p *InsertPlan) AsksDriver(d *dialect.Dialect) bool {
	return p.OnlyKey && d.InsertReturning && !d.Numbered
}

// NeedsReturning is the error of an insert on a server without RETURNING whose key
// the database makes in another way than by counting.
func (p *InsertPlan) NeedsReturning() error {
	for _, i := range p.Back {
		if slices.Contains(p.table.key, i) {
			return p.table.Fail("this server tells only a key that it counts by itself (AUTO_INCREMENT, no BEFORE INSERT trigger), and %q is none; set it before", p.table.Column(i))
		}
	}
	return nil
}

// MakesKey says whether the database makes the key of the records.
func (p *InsertPlan) MakesKey() bool {
	return p.table.auto && slices.Contains(p.Back, p.table.key[0])
}

// OneText is the insert of one record, which returns what Returned says
// if that is wanted.
func (p *InsertPlan) OneText(d *dialect.Dialect, returning bool) (string, error) {
	in := sqlgen.Insert{Table: p.table.Name, Columns: p.Columns, Rows: 1}
	kept := &p.one[0][d.Index]
	if returning {
		in.Returning = p.returning[:len(p.Returned(d))]
		kept = &p.one[1][d.Index]
	}
	if text := kept.Load(); text != nil {
		return *text, nil
	}
	text, err := sqlgen.InsertText(&in, d)
	if err == nil {
		kept.Store(&text)
	}
	return text, err
}

// A ToldInsert is an INSERT without RETURNING whose key the driver may tell.
type ToldInsert struct {
	Text                   string
	Table, Key             string
	QuotedTable, QuotedKey string
}

// Told returns the insert of so many records.
func (p *InsertPlan) Told(d *dialect.Dialect, rows int) (in *ToldInsert, err error) {
	if in = p.ids[d.Index].Load(); in != nil && rows == 1 {
		return in, nil
	}
	in = &ToldInsert{Table: p.table.Name, Key: p.table.Column(p.table.key[0])}
	in.QuotedKey = p.table.quotedIn(d).names[p.table.key[0]]
	if in.QuotedTable, err = p.table.QuotedName(d); err != nil {
		return nil, err
	}
	if rows != 1 {
		in.Text, err = p.ManyText(d, rows, false)
		return in, err
	}
	if in.Text, err = p.OneText(d, false); err == nil {
		p.ids[d.Index].Store(in)
	}
	return in, err
}

// ManyText is the insert of several records, which returns what Returned says if
// that is wanted. The last text is kept: a long series of
// statements has one number of rows.
func (p *InsertPlan) ManyText(d *dialect.Dialect, rows int, returning bool) (string, error) {
	in := sqlgen.Insert{Table: p.table.Name, Columns: p.Columns, Rows: rows}
	kept := &p.many[0][d.Index]
	if returning {
		in.Returning = p.returning[:len(p.Returned(d))]
		kept = &p.many[1][d.Index]
	}
	if known := kept.Load(); known != nil && known.rows == rows {
		return known.text, nil
	}
	text, err := sqlgen.InsertText(&in, d)
	if err != nil {
		return "", err
	}
	kept.Store(&manyText{rows, text})
	return text, nil
}

// A KeyedInsert is an INSERT of several rows whose keys the driver tells.
type KeyedInsert struct {
	Text       string // of all rows, without RETURNING where the driver works the keys out
	One        string // of one row
	Table, Key string // as SQL
}

// KeyedInsert returns the texts for so many rows whose only wanted value is the
// generated key.
func (p *InsertPlan) KeyedInsert(d *dialect.Dialect, rows int) (in KeyedInsert, err error) {
	if in.Text, err = p.ManyText(d, rows, d.Numbered); err != nil {
		return in, err
	}
	if in.One, err = p.OneText(d, true); err != nil {
		return in, err
	}
	in.Key = p.table.quotedIn(d).names[p.table.key[0]]
	in.Table, err = p.table.QuotedName(d)
	return in, err
}

// Keyable says whether the driver may be asked for the keys of several rows; see
// NeverKeyable.
func (p *InsertPlan) Keyable(d *dialect.Dialect) bool { return !p.unkeyable[d.Index].Load() }

// NeverKeyable notes that the driver cannot tell the keys of several rows.
func (p *InsertPlan) NeverKeyable(d *dialect.Dialect) { p.unkeyable[d.Index].Store(true) }
