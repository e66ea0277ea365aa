package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// pivot is the table between two models, without their types.
type pivot struct {
	model *query
	rows  tie        // of the parent, all of them
	to    tie        // the child that a row refers to
	is    []constant // what all rows have
}

func pivotOf(parents, children, rows *query, toParent, toChild Link) pivot {
	p := pivot{model: rows}
	both := Link{is: slices.Concat(toParent.is, toChild.is)}
	both.foreign = slices.Concat(toParent.foreign, toChild.foreign)
	toParent.is, toChild.is = nil, nil // the database looks at them, in the pivot
	p.rows = has(partOfRelation, parents, rows, toParent, false)
	p.to = belongs(partOfRelation, rows, children, toChild, false)
	if p.rows.err != nil {
		return p
	}
	if len(both.is) > 0 {
		if p.is, p.rows.err = rows.fixed(both); p.rows.err == nil {
			p.rows.related = p.rows.related.whose(p.is)
		}
	}
	if at := firstTwice(both.foreign); at >= 0 && p.to.err == nil && p.rows.err == nil {
		p.rows.err = rows.src.table.Fail("both links name the column %q", both.foreign[at])
	}
	p.told()
	return p
}

// attaching is one call of Attach or Sync.
type attaching struct {
	parent     any
	parentless bool // it is a nil pointer
	row        any  // *[]J of one, as which new rows begin
	children   rowmap.Records
	old        bool // plain reads may be of rows that others have deleted since
}

// attach inserts a row for each child that has none with the parent, and returns which
// those are.
//
//go:noinline
func (p *pivot) attach(ctx context.Context, a attaching, fault error) ([]int, error) {
	if fault != nil {
		return nil, told(fault)
	}
	if ctx == nil {
		return nil, noContext("")
	}
	q := p.rows.queryFor(a.parent, a.parentless)
	if err := q.usable(); err != nil {
		return nil, told(err)
	}
	if err := p.saved(a); err != nil || a.children.N == 0 {
		return nil, told(err)
	}
	to, err := q.destination()
	if err != nil {
		return nil, told(err)
	}
	if a.old, err = q.readsOld(ctx, to.connection); err != nil {
		return nil, told(err)
	}
	var attached []int
	err = q.atomicUnlessDeadlocked(ctx, to.connection, false, func(ctx context.Context) error {
		attached, err = p.attachAt(ctx, q, to, a)
		return err
	})
	return attached, told(err)
}

func (p *pivot) attachAt(ctx context.Context, q *query, to destination, a attaching) ([]int, error) {
	at := q.named(to.connection)
	missing, there, keys, err := p.lacking(ctx, at, to, a.children)
	if err == nil && a.old && len(there) > 0 { // as it was; whether it still is, only a lock tells
		some := rowmap.Records{N: len(there), At: func(i int) any { return a.children.At(there[i]) }}
		var gone []int
		gone, _, _, err = p.lacking(ctx, at.lock(sqlgen.ForShare), to, some)
		for _, i := range gone {
			missing = append(missing, there[i])
		}
	}
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	slices.SortFunc(missing, func(i, j int) int { return compareKeys(keys[i], keys[j]) }) // in which all callers lock them
	list, columns, err := p.made(a, missing)
	if err != nil {
		return nil, err
	}
	conflict := Conflict{Key: columns, DoNothing: true}
	if t := p.model.src.table; t.Marks() { // a deleted row that is in the way is brought back
		conflict = Conflict{Key: columns, Update: []string{t.DeletedMark()}, KeepEqual: true}
	}
	outcomes, err := p.model.named(to.connection).upsertTold(ctx, list, conflict)
	if err != nil {
		return nil, err
	}
	var attached []int
	for n, i := range missing {
		if outcomes == nil || outcomes[n] != Unchanged { // which another has attached meanwhile
			attached = append(attached, i)
		}
	}
	slices.Sort(attached)
	return attached, nil
}

// lacking finds out which of the children have no row among those of q, each once, and which
// have one, with the keys of all.
func (p *pivot) lacking(ctx context.Context, q *query, to destination, children rowmap.Records) (missing, there []int, keys []any, err error) {
	back := p.to.reversed(q)
	g, err := back.gather(ctx, origin{to.connection, true}, children)
	if err != nil {
		return nil, nil, nil, err
	}
	_, bounds := g.keys.Deal(g.fits, true)
	seen := map[any]bool{}
	keys = make([]any, children.N)
	for i := range children.N {
		if _, keys[i], _, err = back.key(children.At(i)); err != nil {
			return nil, nil, nil, err
		}
		switch {
		case bounds[i] < bounds[i+1]:
			there = append(there, i)
		case !seen[keys[i]]:
			seen[keys[i]] = true
			missing = append(missing, i)
		}
	}
	return missing, there, keys, nil
}

// readsOld says whether plain reads in a transaction of the caller's may show rows that
// others have deleted since it has begun to read. PostgreSQL does not by default.
func (q *query) readsOld(ctx context.Context, connection string) (bool, error) {
	e, err := q.entryAt(ctx, connection)
	if err != nil || e.dialect != dialect.MySQL {
		return false, err
	}
	return q.joins(ctx, connection), nil
}

// compareKeys orders keys in any way that is the same for all callers.
func compareKeys(a, b any) int {
	x, whole := a.(int64)
	y, both := b.(int64)
	if whole && both {
		return cmp.Compare(x, y)
	}
	return strings.Compare(fmt.Sprintf("%T %v", a, a), fmt.Sprintf("%T %v", b, b))
}

// saved refuses a parent or child that nothing can refer to.
func (p *pivot) saved(a attaching) error {
	if _, _, ok, err := p.rows.key(a.parent); !ok || err != nil || unsavedIn(p.rows.parents, p.rows.parentColumns, a.parent) {
		return errors.Join(err, p.rows.parents.table.Fail("the parent has no key to refer to; was it saved?"))
	}
	return p.savedEach(a.children)
}

// savedEach refuses a child that nothing can refer to.
func (p *pivot) savedEach(children rowmap.Records) error {
	back := p.to.reversed(p.model)
	for i := range children.N {
		child := children.At(i)
		if _, _, ok, err := back.key(child); !ok || err != nil || unsavedIn(back.parents, back.parentColumns, child) {
			return recordError(i, errors.Join(err, back.parents.table.Fail("the child has no key to refer to; was it saved?")))
		}
	}
	return nil
}

// unsavedIn says whether one of the columns is a key that the database is yet to make.
func unsavedIn(s *source, columns []int, record any) bool {
	return s.table.Unsaved(record) && slices.Contains(columns, s.table.Key()[0])
}

// made makes the rows that tie some of the children to the parent.
func (p *pivot) made(a attaching, which []int) (list any, columns []string, err error) {
	plan := p.model.src.table.Plan
	list = plan.Dealt(a.row, make([]int32, len(which)))
	rows := plan.Records(list)
	value, _, _, err := p.rows.key(a.parent)
	if err != nil {
		return nil, nil, err
	}
	ofParent := []any{value}
	if tuple, several := value.(group.Tuple); several {
		ofParent = tuple.Values
	}
	children := p.to.related.src.table.Plan
	for n, i := range which {
		row := rows.At(n)
		var errs error
		for k, field := range p.rows.relatedColumns {
			errs = errors.Join(errs, plan.Set(field, row, ofParent[k]))
		}
		for k, field := range p.to.parentColumns {
			errs = errors.Join(errs, plan.Set(field, row, children.Value(p.to.relatedColumns[k], a.children.At(i))))
		}
		for _, c := range p.is {
			errs = errors.Join(errs, plan.Set(c.field, row, c.value))
		}
		if errs != nil {
			return nil, nil, recordError(i, errs)
		}
	}
	columns = slices.Concat(p.rows.columns(), p.model.src.table.ColumnsOf(p.to.parentColumns))
	for _, c := range p.is {
		columns = append(columns, c.column)
	}
	return list, columns, nil
}

// detach deletes those of a parent's rows, which q finds, that refer to children.
//
//go:noinline
func (p *pivot) detach(ctx context.Context, q *query, children rowmap.Records) (int64, error) {
	if err := q.usable(); err != nil {
		return 0, told(err)
	}
	if ctx == nil {
		return 0, noContext("")
	}
	to, err := q.destination()
	if err != nil {
		return 0, told(err)
	}
	if err := p.savedEach(children); err != nil {
		return 0, told(err)
	}
	q = q.named(to.connection)
	back := p.to.reversed(q)
	keys, err := back.collect(children)
	if err != nil || children.N == 0 {
		return 0, told(err)
	}
	parts, n := keys.Parts(), int64(0)
	err = q.atomicUnlessDeadlocked(ctx, to.connection, len(parts) > 1, func(ctx context.Context) error {
		n = 0
		for _, part := range parts {
			deleted, err := q.rowsAlone().where(back.among(part)).deleteRows(ctx)
			if err != nil {
				return err
			}
			n += deleted
		}
		return nil
	})
	return n, told(err)
}

//go:noinline
func detachAll(ctx context.Context, q *query) (int64, error) {
	if err := q.usable(); err != nil {
		return 0, told(err)
	}
	if ctx == nil {
		return 0, noContext("")
	}
	to, err := q.destination()
	if err != nil {
		return 0, told(err)
	}
	var n int64
	err = q.atomicUnlessDeadlocked(ctx, to.connection, false, func(ctx context.Context) error {
		n, err = q.rowsAlone().deleteRows(ctx)
		return err
	})
	return n, err
}

// rowsAlone is the query for the same rows, in no order and whole.
func (q *query) rowsAlone() *query {
	next := q.next()
	next.q, next.relations = next.q.Rows(), nil
	return next
}
