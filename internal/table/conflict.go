package table

import (
	"fmt"
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Conflict says what an upsert does with a row whose key exists. The root's
// Conflict documents its settings.
type Conflict struct {
	Key       []string
	Update    []string
	DoNothing bool
}

// ConflictKey returns the fields that decide whether a row exists, and checks
// the columns of c.
func (t *Table) ConflictKey(c *Conflict) ([]int, error) {
	var key []int
	for _, name := range c.Key {
		i, err := t.Index(name)
		if err != nil {
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
	return key, nil
}

// UpsertInsert describes the upsert of rows of one plan. back are the fields of
// the primary key that neither the records nor the conflict's key tell.
func (t *Table) UpsertInsert(p *InsertPlan, rows int, key []int, c *Conflict) (in sqlgen.Insert, back []int) {
	in = sqlgen.Insert{
		Table: t.Name, Columns: p.Columns, Rows: rows,
		Conflict: sqlgen.Replace, Keys: t.ColumnsOf(key), Sets: t.upsertSets(p, key, c),
	}
	if len(in.Sets) == 0 {
		in.Conflict = sqlgen.Ignore
	}
	for _, f := range t.key {
		if !slices.Contains(key, f) || slices.Contains(p.Back, f) {
			back = append(back, f)
		}
	}
	return in, back
}

// upsertSets are the columns that an existing row takes from a record.
func (t *Table) upsertSets(p *InsertPlan, key []int, c *Conflict) []string {
	if c.DoNothing {
		return nil
	}
	if len(c.Update) > 0 {
		if t.updated < 0 || slices.Contains(c.Update, t.Column(t.updated)) {
			return c.Update
		}
		return append(slices.Clip(c.Update), t.Column(t.updated))
	}
	return t.ColumnsOf(slices.DeleteFunc(slices.Clone(p.Write), func(i int) bool {
		return slices.Contains(key, i) || slices.Contains(t.key, i) || i == t.created || i == t.shard
	}))
}

// StaysOnUpsert says that an existing row keeps its own value of a column.
func (t *Table) StaysOnUpsert(column string) bool {
	return t.created >= 0 && column == t.Column(t.created) || t.shardName != "" && column == t.shardName
}

// Distinct refuses two records with the same key: PostgreSQL would refuse them,
// the others let the last one win.
func (t *Table) Distinct(records rowmap.Records, key []int) error {
	if records.N < 2 {
		return nil
	}
	seen := make(map[string]int, records.N)
	for i := range records.N {
		k, ok := t.keyText(records.At(i), key)
		if !ok {
			continue
		}
		if before, known := seen[k]; known {
			return t.Fail("records %d and %d have the same key", before, i)
		}
		seen[k] = i
	}
	return nil
}

// keyText is equal for equal keys. ok is false for a key that conflicts with
// none: one with a NULL in it, or one that the database is to make.
func (t *Table) keyText(record any, key []int) (text string, ok bool) {
	if len(key) == 1 && key[0] == t.key[0] && t.Unsaved(record) {
		return "", false
	}
	for _, f := range key {
		v, ok := t.Plan.FieldKey(f, record)
		if !ok {
			return "", false
		}
		text += fmt.Sprintf("%T:%#v,", v, v)
	}
	return text, true
}
