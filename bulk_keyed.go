package dbfleet

import (
	"context"
	"errors"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
)

// errKeysUnknown says that the database could not tell the keys of the rows for
// certain. Nothing was inserted: the rows are sent once more, in a transaction.
var errKeysUnknown = errors.New("dbfleet: the keys of the rows could not be told; nothing was inserted")

// keyedInsertion is the verb that inserts the records of a single batch that wants
// nothing back but their keys, outside of a transaction. The driver does it by one
// statement whose rows and keys are judged before they are committed, so that it is
// all or nothing without the statements of a transaction.
type keyedInsertion struct {
	insertion
	in driver.KeyedInsert
}

// keyable says whether a batch can be inserted so. A key that might not fit its
// field would be known too late.
func (q *query) keyable(b *batch, d *dialect.Dialect) bool {
	t := q.src.table
	return b.records.N > 1 && b.plan.OnlyKey && d.InsertReturning && t.Plan.HoldsInt64(t.Key()[0]) && b.plan.Keyable(d)
}

func (v *keyedInsertion) render(p *place, s *statement) error {
	if p.tx != nil {
		return errKeysUnknown // its statements are judged by who began it
	}
	s.op, s.write, s.args = "insert", true, v.args
	in, err := v.plan.KeyedInsert(p.e.dialect, v.records.N)
	v.in = driver.KeyedInsert{Text: in.Text, One: in.One, Table: in.Table, Key: in.Key, Rows: v.records.N}
	s.text = in.Text
	return err
}

func (v *keyedInsertion) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	c, err := p.hold(ctx)
	if err != nil {
		return unknownRows, err
	}
	defer p.letGo(c)
	made, err := c.InsertKeyed(ctx, &v.in, s.args)
	if made.Sent != "" {
		s.text = made.Sent
	}
	var other *driver.RowsError
	switch {
	case errors.As(err, &other):
		return unknownRows, otherRows(v.q.src.table, other.Rows, v.records.N)
	case err != nil:
		return unknownRows, err
	case !made.OK:
		if made.Never {
			v.plan.NeverKeyable(p.e.dialect)
		}
		return unknownRows, errKeysUnknown
	}
	t := v.q.src.table
	for i, key := range made.Keys {
		if v.fault = t.Plan.SetInt(t.Key()[0], v.records.At(i), key); v.fault != nil {
			break
		}
	}
	return driver.Result{RowsAffected: int64(len(made.Keys))}, nil
}

func (v *keyedInsertion) finish(_ context.Context, p *place, _ driver.Result) error {
	if v.fault != nil {
		return written(p, nil, v.fault)
	}
	t := v.q.src.table
	for i := range v.records.N {
		t.Settle(v.records.At(i))
		t.RememberAll(v.records.At(i))
	}
	return nil
}
