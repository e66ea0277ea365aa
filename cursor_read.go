package dbfleet

import (
	"context"
	"crypto/sha256"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/token"
)

// paging is the verb that reads rows from a place of the query's order on.
type paging struct {
	selection
	size int // how many rows; one more is looked for
	keys []sqlgen.Order
	part sqlgen.Keyset
	cut  bool        // the rows may not be in order, since the database sorted by the first bytes of long texts
	keep func(n int) // cuts the list to n rows, and turns it if it was read backwards

	after     token.Cursor // where the page begins, if given
	given     bool
	signs     bool   // cursors are wanted
	made      *query // q when it asks for the page
	of        [12]byte
	rows      int
	typeNames []string
	first     []sqlgen.Key // of the first row that was read, and of the last of the page
	last      []sqlgen.Key

	next, previous       string
	hasNext, hasPrevious bool
}

// paging is the verb for rows that go into *list, a *[]T.
func (q *query) paging(list any) *paging {
	return &paging{selection: selection{trip: trip{q: q}, into: list}}
}

// ordered finds the columns of the order.
func (v *paging) ordered(verb string) error {
	q := v.q
	if err := q.usable(); err != nil {
		return err
	}
	var why string
	if v.keys, why = q.q.KeysetColumns(q.src.table.KeyNames()); why != "" {
		return &StatementError{Table: q.src.table.Name, Part: verb, Reason: "does not take " + why}
	}
	return nil
}

// page reads the page of a cursor.
func (v *paging) page(ctx context.Context, at Cursor) error {
	if err := v.asked(at); err != nil {
		return told(err)
	}
	v.signs = true
	return v.ask(ctx, v.q)
}

// ask reads the rows of q. Those that the database may have sorted by the first bytes of long
// texts are read once more, by the whole of them, and so is what comes behind them.
func (v *paging) ask(ctx context.Context, q *query) error {
	for ; ; v.part.Whole = true {
		v.trip = trip{q: q} // a trip is of one statement
		if _, err := v.run(ctx, v); err != nil || !v.cut || v.part.Whole {
			return err
		}
	}
}

// asked takes what is asked of the page.
func (v *paging) asked(at Cursor) error {
	if err := v.ordered("CursorPage"); err != nil {
		return err
	}
	t := v.q.src.table
	switch {
	case at.Size <= 0:
		return t.Fail("Cursor.Size is %d; a page has at least one row", at.Size)
	case at.After != "" && at.Before != "":
		return t.Fail("a page lies behind Cursor.After or before Cursor.Before, not both")
	}
	v.size, v.part.Back = at.Size, at.Before != ""
	text := at.After + at.Before
	if text == "" {
		return nil
	}
	var err error
	if v.after, err = token.OpenCursor(text, v.q.src.reg.sessionKeys); err != nil {
		return fmt.Errorf("%w: table %q: %w", ErrCursor, t.Name, err)
	}
	if len(v.after.Keys) != len(v.keys) {
		return v.foreign()
	}
	v.given, v.part.With = true, v.after.With
	for _, k := range v.after.Keys {
		v.part.After = append(v.part.After, sqlgen.Key(k))
	}
	return nil
}

func (v *paging) foreign() error {
	return fmt.Errorf("%w: table %q: it was made for a query with another table, other conditions or another order", ErrCursor, v.q.src.table.Name)
}

func (v *paging) render(p *place, s *statement) error {
	if v.q == v.made { // again, with what other connections have told of it
		return v.selection.render(p, s)
	}
	for _, k := range v.part.After {
		if usually, _ := p.e.dialect.SortedBy(k.Value); !usually {
			v.part.Whole = true
		}
	}
	if v.signs {
		if err := v.identify(p); err != nil {
			return err
		}
		if v.given && v.of != v.after.Query {
			return v.foreign()
		}
	}
	q := v.q.next()
	var never []string
	if q.src.table.HasModel() {
		never = q.src.table.KeyNames()
	}
	q.q = q.q.WithKeyset(v.part, v.keys, never).WithLimit(int64(v.size) + 1)
	v.q, v.made = q, q
	return v.selection.render(p, s)
}

// identify makes the mark of the query by which its cursors know it: what it asks of the
// rows, and the order. Of related records on other connections that is the question, as it
// is on one connection, and not the keys that are the answer, which may be others for the
// next page.
func (v *paging) identify(p *place) error {
	asks, env := v.q.q.ForExistence(), v.q.env(p)
	env.Far = &sqlgen.Far{Names: true}
	text, args, err := sqlgen.Select(&asks, env)
	if err != nil { // one database may refuse what another one takes
		env.Far = p.answers
		text, args, err = sqlgen.Select(&asks, env)
	}
	if err != nil {
		return err
	}
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%q %q\n", p.e.name, text)
	for _, a := range args {
		hashArg(h, a)
	}
	for _, k := range v.keys {
		_, _ = fmt.Fprintf(h, "%q %t %d\n", k.Column, k.Desc, k.Nulls)
	}
	copy(v.of[:], h.Sum(nil))
	return nil
}

// hashArg writes an argument, so that equal ones are written alike.
func hashArg(h hash.Hash, arg any) {
	switch a := arg.(type) {
	case time.Time:
		arg = a.UTC().Format(time.RFC3339Nano)
	case []byte:
		arg = string(a)
	}
	_, _ = fmt.Fprintf(h, "%T %q\n", arg, fmt.Sprint(arg))
}

func (v *paging) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *paging) read(rows driver.Rows) (int64, error) {
	v.rows, v.first, v.last, v.typeNames, v.cut = 0, nil, nil, nil, false
	d, n := v.place.e.dialect, len(v.keys)
	shown := len(rows.Columns()) - n
	for i := range n {
		v.typeNames = append(v.typeNames, rows.TypeName(shown+i))
	}
	return v.selection.rows(rowmap.Trailing(rows, n, func(values []sqldriver.Value) error {
		v.rows++
		if v.rows > v.size {
			return nil
		}
		keys := make([]sqlgen.Key, n)
		for i, value := range values {
			kept, decimal, ok, err := rowmap.Trailed(value, v.typeNames[i], d)
			switch {
			case err != nil:
				return &ColumnError{Table: v.q.src.table.Name, Column: v.keys[i].Column, Err: err}
			case !ok:
				return &ColumnError{Table: v.q.src.table.Name, Column: v.keys[i].Column, Err: errors.New("MySQL does not sort a column of ENUM or SET by its text; order by another one")}
			}
			usually, ever := d.SortedBy(kept)
			if !ever {
				return &ColumnError{Table: v.q.src.table.Name, Column: v.keys[i].Column, Err: errSortedShort}
			}
			v.cut = v.cut || !usually
			keys[i] = sqlgen.Key{Value: kept, Decimal: decimal}
		}
		if v.first == nil {
			v.first = keys
		}
		v.last = keys
		return nil
	}))
}

var errSortedShort = errors.New("MySQL and MariaDB do not sort by the whole of a text this long; order by another column")

// finish makes the cursors and loads the relations of the page's rows.
func (v *paging) finish(ctx context.Context, p *place, res driver.Result) error {
	if v.cut && !v.part.Whole {
		return nil
	}
	more := v.rows > v.size
	v.keep(min(v.rows, v.size))
	if v.signs {
		if err := v.cursors(more); err != nil {
			return err
		}
	}
	return v.selection.finish(ctx, p, res)
}

// cursors makes those of the page's two ends.
func (v *paging) cursors(more bool) (err error) {
	if v.part.Back {
		v.hasPrevious, v.hasNext = more, v.given
		v.first, v.last = v.last, v.first
	} else {
		v.hasNext, v.hasPrevious = more, v.given
	}
	if v.rows > 0 {
		if v.previous, err = v.seal(v.first, false); err == nil {
			v.next, err = v.seal(v.last, false)
		}
		return err
	}
	if !v.given {
		return nil
	}
	// Of no rows the ends are one place, on one side of which the row of the cursor lies.
	here, there := &v.next, &v.previous
	if v.part.Back {
		here, there = there, here
	}
	if *here, err = v.seal(v.part.After, v.part.With); err == nil {
		*there, err = v.seal(v.part.After, !v.part.With)
	}
	return err
}

func (v *paging) seal(keys []sqlgen.Key, with bool) (string, error) {
	c := token.Cursor{Query: v.of, With: with}
	for _, k := range keys {
		c.Keys = append(c.Keys, token.Key(k))
	}
	var key []byte
	if list := v.q.src.reg.sessionKeys; len(list) > 0 {
		key = list[0]
	}
	text, err := token.SealCursor(c, key)
	if err != nil {
		return "", v.q.src.table.Fail("a cursor of this row: %s", err)
	}
	return text, nil
}
