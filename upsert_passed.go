package dbfleet

import (
	"context"
	"errors"
	"slices"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Rows that an upsert has passed by: a row with their key was in the way.

// passedBy looks after an upsert that left rows as they are: those of other tenants or
// shard keys, or those that are to be left. A row that is not there any more was deleted by
// others meanwhile, and its record is upserted again.
func (v *upsertion) passedBy(ctx context.Context, p *place, res driver.Result) error {
	across := v.q.recordsTellOwner(p, &v.in)
	if v.later && !across {
		if err := v.findKeys(ctx, p); !errors.Is(err, ErrNotFound) {
			return v.thenTell(res, err)
		} // two records may be one row
	}
	leaves := leavesRows(&v.in, p.e.dialect)
	var gone []int
	for i := range v.records.N {
		if leaves {
			there, err := v.ownRow(ctx, p, i, across)
			if err != nil {
				return err
			}
			if there {
				continue
			}
		}
		theirs, err := v.q.meetsTheirs(ctx, p, &v.in, v.argsOf(i))
		switch {
		case err != nil:
			return err
		case theirs:
			return v.q.errTheirRow(v.in.Owner)
		}
		gone = append(gone, i)
	}
	switch {
	case !leaves && v.records.N > 1: // the transaction holds a row that was met
		return written(p, nil, otherRows(v.q.src.table, res.RowsAffected, v.records.N))
	case !v.alone:
		if err := v.thenTell(res, nil); err != nil {
			return err
		}
	case v.outcomes != nil && len(gone) == 0:
		v.outcomes[0] = Unchanged
	}
	for _, i := range gone {
		if err := v.again(ctx, p, i); err != nil {
			return err
		}
	}
	return nil
}

// ownRow reads the key of the row that record i has, of its own tenant.
func (v *upsertion) ownRow(ctx context.Context, p *place, i int, across bool) (there bool, err error) {
	t, one, n := v.q.src.table, v.records.Part(i, 1), int64(0)
	back := v.back
	if len(back) == 0 {
		back = t.Key()
	}
	made := t.ByFields(v.records.At(i), v.key).OnlyColumns(columnsOf(t, back)...)
	if across {
		owner, err := t.Index(v.in.Owner)
		if err != nil {
			return false, err
		}
		made = made.WithCond(sqlgen.Compare(v.in.Owner, sqlgen.Eq, t.Plan.Value(owner, v.records.At(i))))
	}
	if p.tx != nil && p.e.dialect.RowLocks {
		made = made.WithLock(sqlgen.ForShare)
	}
	err = v.q.made(ctx, p, &made, true, func(rows driver.Rows) (_ int64, err error) {
		var fault error
		if n, fault, err = readBack(t, rows, back, one); err == nil {
			err = fault
		}
		return n, err
	})
	return n > 0, err
}

func (v *upsertion) argsOf(i int) []any {
	n := len(v.in.Columns)
	return v.args[i*n : (i+1)*n]
}

// leftRows says that the statement leaves rows as they are, and that its arguments tell
// their key.
func (v *upsertion) leftRows(p *place) bool {
	return leavesRows(&v.in, p.e.dialect) && !slices.ContainsFunc(v.in.Keys, func(k string) bool { return !slices.Contains(v.in.Columns, k) })
}

// again upserts record i once more, unless that was done often enough.
func (v *upsertion) again(ctx context.Context, p *place, i int) error {
	switch {
	case v.tries < maxSearches:
	case leavesRows(&v.in, p.e.dialect):
		return v.q.notFound(v.q.src.table.KeyNames())
	default:
		return written(p, nil, otherRows(v.q.src.table, 0, 1))
	}
	one := &upsertion{
		recording: recording{writing: writing{trip{q: v.q}}, home: v.home}, in: v.in, records: rowmap.One(v.records.At(i)), args: v.argsOf(i),
		key: v.key, back: v.back, alone: true, counted: v.counted, there: v.there, tries: v.tries + 1,
	}
	one.place.landing = v.place.landing
	one.in.Rows, one.in.Returning, one.in.KeepID = 1, nil, ""
	if v.outcomes != nil {
		one.outcomes = v.outcomes[i : i+1]
	}
	_, err := one.run(ctx, one)
	return err
}

// passedBy looks after an upsert that left a row as it is: that of another tenant, or the
// tenant's own that is to be left. It is upserted again if others have deleted it meanwhile.
func (v *rowInsert) passedBy(ctx context.Context, p *place) error {
	in, t, args := &v.part.in, v.q.src.table, v.part.rows[0]
	leaves := leavesRows(in, p.e.dialect)
	if leaves {
		made := sqlgen.From(t.Name)
		for i, c := range in.Columns {
			if slices.Contains(in.Keys, c) || c == in.Owner && v.q.recordsTellOwner(p, in) {
				made = made.WithCond(sqlgen.Compare(c, sqlgen.Eq, args[i])).WithColumns(sqlgen.Column{Name: c})
			}
		}
		if n, err := v.q.countMade(ctx, p, &made); err != nil || n > 0 {
			return err
		}
	}
	theirs, err := v.q.meetsTheirs(ctx, p, in, args)
	switch {
	case err != nil:
		return err
	case theirs:
		return v.q.errTheirRow(in.Owner)
	case v.tries == maxSearches && leaves:
		return v.q.notFound(in.Keys)
	case v.tries == maxSearches:
		return written(p, nil, otherRows(t, 0, 1))
	}
	again := &rowInsert{recording: recording{writing: writing{trip{q: v.q}}, home: v.home}, part: v.part, tries: v.tries + 1}
	_, err = again.run(ctx, again)
	v.result = again.result
	return err
}

// recordsTellOwner says that an upsert keeps to the rows of one owner which the records
// tell and the context does not: of a shard key, or of a tenant in a context for all.
func (q *query) recordsTellOwner(p *place, in *sqlgen.Insert) bool {
	return in.Owner != "" && (p.wants().across || q.isShardKey(in.Owner))
}

// isShardKey says that the owner of rows is their shard key, and no tenant.
func (q *query) isShardKey(owner string) bool {
	return q.src.shard != nil && owner == q.src.shard.column() && owner != q.src.table.TenantColumn()
}

// meetsTheirs says that an upsert of one row, whose arguments args are, meets the row of
// another owner. One whose key the database makes is taken to do so.
func (q *query) meetsTheirs(ctx context.Context, p *place, in *sqlgen.Insert, args []any) (bool, error) {
	if in.Owner == "" {
		return false, nil
	}
	made, known := q.src.table.TheirRows(in, args, p.e.dialect)
	if !known {
		return true, nil
	}
	env := q.env(p)
	env.Owned = nil // the rows of all
	n, err := q.countMadeIn(ctx, p, &made, env)
	return n > 0, err
}
