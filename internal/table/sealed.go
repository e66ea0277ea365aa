package table

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Encrypted columns. A value is sealed with the record that it is written with, and
// opens with the columns that it is bound to. So a statement that changes one of the two
// in a row has to change the other as well, or to know it.

// Encryption says how columns are sealed. The root's Encryption documents it.
type Encryption struct {
	Cipher  rowmap.Cipher
	Ciphers map[string]rowmap.Cipher // of columns that have another
	BoundTo []string
	Table   string // "" is the table's name
	Indexes []BlindIndex
}

// configureSealed takes the setting of encrypted columns, and gives the table a plan that
// seals and opens them.
func (t *Table) configureSealed(c Config, fault func(key, reason string, err error), columns func(key string, names []string, each func(field int))) {
	sealed := t.Plan.Sealed()
	if len(sealed) == 0 {
		if e := c.Encryption; len(e.BoundTo) > 0 || e.Table != "" || len(e.Indexes) > 0 || len(e.Ciphers) > 0 {
			fault("Encryption", "no field is an Encrypted", nil)
		}
		return
	}
	for _, i := range sealed {
		switch {
		case slices.Contains(t.key, i), i == t.shard:
			fault("Encryption", "column "+quote(t.Column(i))+" is encrypted: no row is found by it, so it cannot be a key", nil)
		case t.generated[i]:
			fault("Generated", "column "+quote(t.Column(i))+" is encrypted, which the database cannot do", nil)
		}
	}
	for _, i := range sealed {
		if _, own := c.Encryption.Ciphers[t.Column(i)]; c.Encryption.Cipher == nil && !own {
			fault("Encryption", "column "+quote(t.Column(i))+" is encrypted, and there is no Cipher", nil)
			break
		}
	}
	for _, column := range slices.Sorted(maps.Keys(c.Encryption.Ciphers)) {
		switch i, ok := t.Plan.Column(column); {
		case !ok || !slices.Contains(sealed, i):
			fault("Encryption.Ciphers", "column "+quote(column)+" is not encrypted", nil)
		case c.Encryption.Ciphers[column] == nil:
			fault("Encryption.Ciphers", "the Cipher of column "+quote(column)+" is nil", nil)
		}
	}
	bound := t.key
	if len(c.Encryption.BoundTo) > 0 {
		bound = nil
		columns("Encryption.BoundTo", c.Encryption.BoundTo, func(i int) { bound = append(bound, i) })
	}
	for _, i := range bound {
		switch f := t.Plan.Field(i); {
		case !t.Plan.Bindable(i):
			fault("Encryption.BoundTo", "column "+quote(f.Column)+" is a "+f.Type+", not a whole number, a text, bytes or a UUID, of which every database keeps all", nil)
		case t.generated[i], i == t.version:
			fault("Encryption.BoundTo", "column "+quote(f.Column)+" changes by itself", nil)
		}
	}
	t.sealed, t.bound = sealed, bound
	name := c.Encryption.Table
	if name == "" {
		name = c.Name
	}
	blinds := t.configureBlinds(c.Encryption.Indexes, sealed, fault)
	t.Plan = t.Plan.Seals(rowmap.Sealing{Cipher: c.Encryption.Cipher, Ciphers: c.Encryption.Ciphers, Table: name, Bound: bound, Blinds: blinds})
	t.takeBlinds()
}

// Encrypted implements sqlgen.Table.
func (t *Table) Encrypted(column string) bool {
	if len(t.sealed) == 0 {
		return false
	}
	i, ok := t.Field(column)
	return ok && slices.Contains(t.sealed, i)
}

// Encrypts says whether the table has encrypted columns.
func (t *Table) Encrypts() bool { return len(t.sealed) > 0 }

// resealed are the fields of an update of one record, found by its values of located, and
// those that have to be written along: the columns that its sealed ones are bound to,
// unless the row is known to have the record's. A text by which a row was found may be
// another to Go than the row's.
func (t *Table) resealed(fields, located []int) []int {
	if !slices.ContainsFunc(fields, func(i int) bool { return slices.Contains(t.sealed, i) }) {
		return fields
	}
	for _, i := range t.bound {
		if !slices.Contains(fields, i) && !(slices.Contains(located, i) && t.exact(i)) {
			fields = append(slices.Clip(fields), i)
		}
	}
	return t.withBlinds(fields)
}

// CheckRebound refuses to write columns of a record when that would leave what is
// encrypted in the row bound to what was there before.
func (t *Table) CheckRebound(columns []string) error {
	rebound := ""
	for _, i := range t.bound {
		if slices.Contains(columns, t.Column(i)) {
			rebound = t.Column(i)
		}
	}
	if rebound == "" || !slices.ContainsFunc(t.sealed, func(i int) bool { return !slices.Contains(columns, t.Column(i)) }) {
		return nil
	}
	return t.encrypted("column %q is what %s is bound to; write both, as Save does", rebound, t.sealedNames())
}

// CheckAssigned refuses an assignment to rows that are not read: of SQL to an encrypted
// column, and of anything to a column that one is bound to.
func (t *Table) CheckAssigned(column string, v any) error {
	if len(t.sealed) == 0 {
		return nil
	}
	i, ok := t.Field(column)
	if ok && slices.Contains(t.bound, i) {
		return t.encrypted("column %q is what %s is bound to: no row could be opened after it; save the records instead", column, t.sealedNames())
	}
	return t.CheckInserted(column, v)
}

// CheckUpsert refuses an upsert by which an existing row would have an encrypted value
// that is bound to the record's columns and not to its own.
func (t *Table) CheckUpsert(p *InsertPlan, key []int, c *Conflict, d *dialect.Dialect) error {
	if len(t.sealed) == 0 {
		return nil
	}
	sets := t.upsertSets(p, key, c)
	if len(sets) == 0 {
		return nil
	}
	if err := t.CheckRebound(sets); err != nil {
		return err
	}
	if !slices.ContainsFunc(sets, t.Encrypted) {
		return nil
	}
	for _, i := range t.bound {
		column := t.Column(i)
		switch {
		case slices.Contains(sets, column) && !slices.Contains(key, i):
		case !slices.Contains(key, i):
			return t.encrypted("%s is bound to %q, which the existing row keeps, and an upsert that decides by other columns does not know it; use UpdateOrCreate, or a Conflict.Key that has it", t.sealedNames(), column)
		case !d.UpsertConflict:
			return t.encrypted("%s is bound to %q, and this database finds the existing row by any unique key; use UpdateOrCreate, or a Conflict.Update without %s", t.sealedNames(), column, t.sealedNames())
		}
	}
	return nil
}

// resealedSets are the columns that an existing row takes by an upsert, and those that it
// has to take along, as resealed has it.
func (t *Table) resealedSets(sets []string, key []int) []string {
	if !slices.ContainsFunc(sets, t.Encrypted) {
		return sets
	}
	for _, i := range t.bound {
		if column := t.Column(i); slices.Contains(key, i) && !t.exact(i) && !slices.Contains(sets, column) {
			sets = append(slices.Clip(sets), column)
		}
	}
	// Also one that decides: MySQL may have found the row by another key.
	return append(slices.Clip(sets), t.BlindColumns(sets)...)
}

// CheckInserted refuses a value for an encrypted column of a row that is no record.
func (t *Table) CheckInserted(column string, v any) error {
	switch {
	case v == nil:
		return nil
	case !t.Encrypted(column):
		return t.checkBlind(column)
	}
	return t.encrypted("column %q takes nothing but NULL in rows that are no records; its plaintext is written with a record", column)
}

func (t *Table) sealedNames() string {
	return strings.Join(t.ColumnsOf(t.sealed), ", ")
}

// checkKept refuses KeepEqual where a row takes an encrypted column: a value is sealed anew
// each time, so that no row has it as it is stored.
func (t *Table) checkKept(c *Conflict) error {
	if !c.KeepEqual {
		return nil
	}
	for _, i := range t.sealed {
		if name := t.Column(i); len(c.Update) == 0 || slices.Contains(c.Update, name) {
			return t.encrypted("Conflict.KeepEqual with the encrypted column %q, of which no two ciphertexts are equal; leave it out of Conflict.Update, or KeepEqual", name)
		}
	}
	return nil
}

// encrypted is an error of what an encrypted column cannot do.
func (t *Table) encrypted(format string, args ...any) error {
	err := t.Fail(format, args...)
	var of *sqlgen.StatementError
	if errors.As(err, &of) {
		of.Err = rowmap.ErrEncrypted
	}
	return err
}
