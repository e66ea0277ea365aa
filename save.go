package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Save writes all columns of a record that was created before. A record whose
// integer key is zero is created, one with another key that is zero, as an empty text,
// refused. A record that is not in the database (any more) is ErrNotFound: nothing is
// brought back. The key itself, created_at, the shard key and generated columns are not
// written. On an error the record is as it was before. With ModelConfig.SoftDelete a deleted
// row is not found either, and the mark of the deletion is not written; with
// ModelConfig.Version a row that was changed since is ErrStaleRecord. If a trigger or rule does something else instead, the error is
// ErrWritten. A record that Select read in part is refused with ErrUnread; see there.
func (m *Model[T]) Save(ctx context.Context, record *T) error {
	return writeRecord(ctx, m, record, recordWrite{do: saveRecord})
}

// SaveColumns writes only these columns of a record (and updated_at), also
// when they are zero. What BeforeUpdate changes in other columns that Save would
// write is written as well.
func (m *Model[T]) SaveColumns(ctx context.Context, record *T, columns ...string) error {
	return writeRecord(ctx, m, record, recordWrite{do: saveColumns, columns: columns})
}

// Delete deletes a record by its primary key. One that is not there is
// ErrNotFound, and one that a trigger or rule keeps or puts elsewhere is ErrWritten.
// With ModelConfig.SoftDelete the row stays and is marked, as is the record, and
// updated_at is set; one that is marked already is ErrNotFound. With ModelConfig.Version
// a row that was changed since is ErrStaleRecord.
// On an error the record is as it was before.
func (m *Model[T]) Delete(ctx context.Context, record *T) error {
	return writeRecord(ctx, m, record, recordWrite{do: deleteRecord})
}

func (q *query) checkColumns(columns []string) error {
	if err := q.usable(); err != nil {
		return err
	}
	t := q.src.table
	if len(columns) == 0 {
		return t.Fail("SaveColumns names no column")
	}
	for _, c := range columns {
		if _, err := t.Index(c); err != nil {
			return err
		}
		if err := t.Settable(c); err != nil {
			return err
		}
		if c == t.DeletedMark() {
			return t.Fail("column %q tells that the row was deleted; Delete and Restore set it", c)
		}
	}
	return nil
}

func (q *query) save(ctx context.Context, record any, only []string, l *landing) error {
	v := q.saves(record, l)
	v.change.Only = only
	if only != nil && len(q.src.callbacks.updating.before) > 0 {
		v.before = q.src.table.State(record)
	}
	return q.recorded(ctx, &v.recording, v, record, q.updating)
}

// saves is the verb that updates a record, whose version is as it was read.
func (q *query) saves(record any, l *landing) *saving {
	v := &saving{recording: recording{writing: writing{trip{q: q}}}, op: "update", record: record, change: table.Change{Version: q.src.table.Version(record)}}
	v.place.landing = l
	return v
}

func (q *query) delete(ctx context.Context, record any, l *landing) error {
	if !q.src.table.Marks() {
		return q.erase(ctx, record, l)
	}
	v := q.saves(record, l)
	v.op, v.deletes, v.change.Only = "delete", true, []string{q.src.table.DeletedMark()}
	return q.recorded(ctx, &v.recording, v, record, q.deleting)
}

// erase removes the row of a record, whether it is marked or not.
func (q *query) erase(ctx context.Context, record any, l *landing) error {
	v := &deletion{recording: recording{writing: writing{trip{q: q}}}, record: record, change: table.Change{Deleted: sqlgen.AnyDeleted, Version: q.src.table.Version(record)}}
	v.place.landing = l
	return q.recorded(ctx, &v.recording, v, record, q.deleting)
}

//go:noinline
func (q *query) updating() step { return q.src.callbacks.updating }

//go:noinline
func (q *query) deleting() step { return q.src.callbacks.deleting }

// recorded runs a verb of one record, between its callbacks.
func (q *query) recorded(ctx context.Context, r *recording, v verb, record any, step func() step) (err error) {
	if r.home, err = q.homeOf(record); err != nil {
		return err
	}
	if q.src.callbacks.none() {
		return r.stamped(ctx, v)
	}
	t, st := q.src.table, step()
	var was rowmap.State
	if len(st.before) > 0 {
		was = t.IdentityState(record)
	}
	return q.around(ctx, r.home.connection, st, rowmap.One(record), func(ctx context.Context) error {
		if was != nil && len(was.Changed(t.IdentityState(record))) > 0 {
			return t.Fail("a callback changed the key of the record, by which its row is found")
		}
		return r.stamped(ctx, v)
	})
}

// stamped runs a verb of one record, which asks the database's clock before if it sets
// times by it.
func (r *recording) stamped(ctx context.Context, v verb) (err error) {
	if _, saves := v.(*saving); saves {
		if r.at, err = r.q.clock(ctx, r.home); err != nil {
			return err
		}
	}
	_, err = r.run(ctx, v)
	return err
}

// saving is the verb that updates one record.
type saving struct {
	recording
	op       string
	record   any
	change   table.Change
	before   rowmap.State // the record before its callback, which may change more columns
	deletes  bool         // the record is marked as deleted
	restores bool         // the mark is taken away
	settled  bool
}

func (v *saving) render(p *place, s *statement) (err error) {
	s.op, s.write = v.op, true
	t := v.q.src.table
	if err := t.CheckKey(v.record); err != nil {
		return err
	}
	if err := t.Stamp(v.record, false, v.at); err != nil {
		return err
	}
	check := t.CheckRead
	if v.change.Only != nil {
		check = t.CheckOwn
	}
	if err := check(v.record); err != nil {
		return err
	}
	if v.before != nil {
		v.change.Only = t.WithChanged(v.change.Only, v.before, v.record)
	}
	if v.deletes || v.restores {
		if err := t.MarkDeleted(v.record, v.deletes, v.at); err != nil {
			return err
		}
	}
	if err := t.Raise(v.record, v.change.Version); err != nil {
		return err
	}
	if scopes := v.q.q.Implicit(); len(scopes) > 0 || v.q.isOwned() {
		v.change.Within, v.change.Env = scopes, v.q.env(p)
	}
	s.text, s.args, v.settled, err = t.Saving(v.record, v.change, p.e.dialect)
	return err
}

func (v *saving) finish(ctx context.Context, p *place, res driver.Result) error {
	if res.RowsAffected == 0 {
		return v.q.missed(ctx, p, v.record, v.change, res)
	}
	if !v.settled {
		v.q.src.table.SettleSaved(v.record, p.e.dialect)
	}
	v.q.src.table.RememberSaved(v.record, v.change)
	return nil
}

// deletion is the verb that deletes one record.
type deletion struct {
	recording
	record any
	change table.Change
}

func (v *deletion) render(p *place, s *statement) error {
	s.op, s.write = "delete", true
	t := v.q.src.table
	if err := t.CheckOwn(v.record); err != nil {
		return err
	}
	q, err := t.ByIdentity(v.record)
	if err != nil {
		return err
	}
	if t.Versioned() {
		q.AddCompare(false, t.VersionColumn(), sqlgen.Eq, v.change.Version)
	}
	q = t.Rows(q).WithImplicit(v.q.q.Implicit()...)
	s.text, s.args, err = sqlgen.Delete(&q, v.q.env(p))
	return err
}

func (v *deletion) finish(ctx context.Context, p *place, res driver.Result) error {
	if res.RowsAffected == 0 {
		return v.q.missed(ctx, p, v.record, v.change, res)
	}
	return nil
}
