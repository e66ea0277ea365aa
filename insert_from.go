package dbfleet

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// InsertFrom inserts the rows that a query gives into the columns of a table, in one
// statement of the database, and returns how many there were. The columns of the query
// are taken in their order, whatever they are called.
//
//	old := orders.Where("created_at", "<", limit).Select("id", "user_id", "total")
//	n, err := dbfleet.InsertFrom(ctx, archive.Query(), []string{"id", "user_id", "total"}, old)
//
// Both live on the same connection, or the error says where each does, and nothing is
// sent. into names the table: a Query or Model that asks for nothing else. On a model its
// columns are checked, and with Timestamps created_at and updated_at are set unless they
// are among the columns. Callbacks do not run. Into a sharded model it needs a key by
// Shard: which rows belong there is the query's affair.
//
// All rows are inserted or none. MySQL locks the rows that it reads against changes until
// the transaction ends.
func InsertFrom(ctx context.Context, into Queryable, columns []string, rows Queryable) (int64, error) {
	n, err := insertFrom(ctx, baseOf(into), columns, baseOf(rows))
	return n, told(err)
}

// fromInsert is the verb of InsertFrom.
type fromInsert struct {
	writing
	columns []string
	more    []sqlgen.Set
	rows    *query
}

func (v *fromInsert) render(p *place, s *statement) (err error) {
	s.op, s.write = "insert", true
	s.text, s.args, err = sqlgen.InsertFrom(&v.q.q, v.columns, v.more, v.rows, v.q.env(p))
	return err
}

func (v *fromInsert) to() (destination, error) {
	if q := v.q; q.src.shard != nil && !q.wish().placed() {
		return destination{}, q.src.missingKey("the rows of a query go to the shard that Shard names")
	}
	return v.q.src.destination(v.q.wish(), nil, false)
}

func insertFrom(ctx context.Context, into *query, columns []string, rows *query) (int64, error) {
	if into == nil || rows == nil {
		return 0, &StatementError{Part: "InsertFrom", Reason: oneOf(into == nil, "where to insert is nil", "the query of the rows is nil")}
	}
	if err := into.usable(); err != nil {
		return 0, err
	}
	t := into.src.table
	switch {
	case !into.q.Unasked() || len(into.relations) > 0 || into.shape != nil:
		return 0, t.Fail("InsertFrom takes the table only of where it inserts; what else is asked would be lost")
	case len(columns) == 0:
		return 0, t.Fail("InsertFrom has no columns")
	}
	for i, c := range columns {
		if err := t.Insertable(c); err != nil {
			return 0, err
		}
		if err := t.CheckInserted(c, rows); err != nil {
			return 0, err
		}
		if slices.Contains(columns[:i], c) {
			return 0, t.Fail("InsertFrom has the column %q twice", c)
		}
	}
	v := &fromInsert{writing: writing{trip{q: into}}, columns: columns, rows: rows}
	var at time.Time
	if t.DatabaseClock() {
		home, err := v.to()
		if err != nil {
			return 0, err
		}
		if at, err = into.clock(ctx, home); err != nil {
			return 0, err
		}
	}
	for column, value := range t.StampRow(map[string]any{}, at) {
		if !slices.Contains(columns, column) {
			v.more = append(v.more, sqlgen.Set{Column: column, Value: value})
		}
	}
	to, err := v.to()
	if err != nil {
		return 0, err
	}
	own, err := into.ownSet(ctx, to.connection, columns)
	if err != nil {
		return 0, err
	}
	v.more = append(v.more, own...)
	slices.SortFunc(v.more, func(a, b sqlgen.Set) int { return cmp.Compare(a.Column, b.Column) })
	res, err := v.run(ctx, v)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected, nil
}
