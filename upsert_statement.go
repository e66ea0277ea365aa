package dbfleet

import (
	"context"
	"errors"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// upsertion is the verb that upserts records by one statement.
type upsertion struct {
	recording
	in        sqlgen.Insert
	records   rowmap.Records
	args      []any
	key, back []int // the conflict's key; the fields of the primary key that it does not tell
	alone     bool  // there is one record, whose row may be an old one that is not returned
	later     bool  // the keys are read when all rows are there
	doubt     bool  // a trigger may have changed what was returned
	counted   bool  // the server knows no RETURNING: the driver tells the counter's ids
	fault     error
	outcomes  []Outcome    // takes what became of each record; nil if nobody asks
	there     map[any]bool // the rows that were there before, by key; nil is not known
	token     int64        // by which MySQL tells it
	tries     int          // how often it was sent before, and found its row deleted by others
	marks     []int64      // what the statement tells
	returned  []any        // with later: records for the keys of the rows that come back
}

func (v *upsertion) render(p *place, s *statement) (err error) {
	s.op, s.write, s.args = "upsert", true, v.args
	t, d := v.q.src.table, p.e.dialect
	switch {
	case len(v.back) == 0 || v.later && v.outcomes == nil:
	case !v.counted:
		v.in.Returning = t.ColumnsOf(v.back)
	case t.Auto():
		v.in.KeepID = t.Column(t.Key()[0])
	}
	v.markOutcome(p, s)
	s.text, err = sqlgen.InsertText(&v.in, d)
	return err
}

func (v *upsertion) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	if v.in.Returning == nil && v.in.KeepID == "" && !v.in.Tells {
		return execution{}.exchange(ctx, p, s)
	}
	c, err := p.hold(ctx)
	if err != nil {
		return unknownRows, err
	}
	defer p.letGo(c)
	switch {
	case v.in.Returning != nil && !c.Returns():
		return unknownRows, errKeysUnknown
	case v.in.Returning != nil:
		res, doubt, err := p.returned(ctx, c, s, v)
		v.doubt = doubt
		return res, err
	case v.in.KeepID != "":
		res, told, err := c.InsertTold(ctx, &driver.ToldInsert{Text: s.text, Table: v.in.Table, Key: v.in.KeepID}, s.args)
		if !told && err == nil { // another makes the key, so it is read
			v.in.KeepID = ""
			res, err = c.Exec(ctx, s.text, s.args)
		}
		if err != nil {
			return unknownRows, err
		}
		return res, v.askOutcome(ctx, c, res)
	}
	res, err := c.Exec(ctx, s.text, s.args)
	if err != nil {
		return unknownRows, err
	}
	return res, v.askOutcome(ctx, c, res)
}

func (v *upsertion) read(rows driver.Rows) (int64, error) {
	n, fault, err := v.readKeys(rows)
	v.fault = fault
	return n, err
}

func (v *upsertion) finish(ctx context.Context, p *place, res driver.Result) error {
	t := v.q.src.table
	switch {
	case v.fault != nil:
		return written(p, nil, v.fault)
	case v.in.Owner != "" && p.e.dialect.UpsertConflict && res.RowsAffected < int64(v.records.N):
		return v.passedBy(ctx, p, res)
	case v.in.Conflict == sqlgen.Replace && p.e.dialect.UpsertConflict && !leavesRows(&v.in, p.e.dialect) && res.RowsAffected != int64(v.records.N):
		return written(p, nil, otherRows(t, res.RowsAffected, v.records.N))
	case len(v.back) == 0:
		return nil
	case v.later:
		return v.tellLater(ctx, p, res)
	case v.in.Returning != nil && res.RowsAffected == int64(v.records.N):
		if v.doubt {
			if err := v.q.there(ctx, p, v.records); err != nil {
				return written(p, nil, err)
			}
		}
		v.tellInOrder()
		return nil
	case !v.alone:
		return written(p, nil, otherRows(t, res.RowsAffected, v.records.N))
	case v.in.KeepID == "":
		if v.outcomes != nil && p.e.dialect.UpsertConflict {
			v.outcomes[0] = Unchanged
		}
		err := v.findKey(ctx, p)
		if errors.Is(err, ErrNotFound) && v.leftRows(p) {
			return v.again(ctx, p, 0)
		}
		return err
	case res.LastInsertID == 0: // a new row with an id of the program's
		return nil
	}
	return t.Plan.SetInt(t.Key()[0], v.records.At(0), res.LastInsertID)
}

// findKey reads the primary key of the row that an upsert found.
func (v *upsertion) findKey(ctx context.Context, p *place) error {
	q := v.q.src.table.ByFields(v.records.At(0), v.key).OnlyColumns(columnsOf(v.q.src.table, v.back)...)
	if p.tx != nil && p.e.dialect.RowLocks {
		q = q.WithLock(sqlgen.ForShare) // the row may be younger than the transaction's snapshot
	}
	return v.find(ctx, p, &q, v.records)
}

// findKeys is findKey for several records, in as few statements as the database
// allows.
func (v *upsertion) findKeys(ctx context.Context, p *place) error {
	for i := 0; i < v.records.N; i += table.MaxFound {
		part := v.records.Part(i, min(table.MaxFound, v.records.N-i))
		q, err := v.q.src.table.FindEach(part, v.key, v.back, p.e.dialect)
		if err == nil {
			err = v.find(ctx, p, &q, part)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *upsertion) find(ctx context.Context, p *place, q *sqlgen.Query, records rowmap.Records) error {
	n := int64(0)
	err := v.q.made(ctx, p, q, true, func(rows driver.Rows) (_ int64, err error) {
		var fault error
		if n, fault, err = readBack(v.q.src.table, rows, v.back, records); err == nil {
			err = fault
		}
		return n, err
	})
	if err == nil && n != int64(records.N) {
		err = v.q.notFound(v.q.src.table.KeyNames()) // deleted by another in between, or stored under another key
	}
	return err
}
