package dbfleet

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// How an upsert tells what became of each record.

// leavesRows says that an upsert leaves rows as they are, and does not return those.
func leavesRows(in *sqlgen.Insert, d *dialect.Dialect) bool {
	return d.UpsertConflict && (in.Conflict == sqlgen.Ignore || len(in.Equal) > 0)
}

// outcomesOf are the places for the outcomes of a batch.
func (u *upserts) outcomesOf(b *batch) []Outcome {
	if u.outcomes == nil {
		return nil
	}
	first := 0
	for i := range u.batches {
		if &u.batches[i] == b {
			break
		}
		first += u.batches[i].records.N
	}
	return u.outcomes[first : first+b.records.N]
}

// outcomeTokens gives each statement a token that no other one of a session has.
var outcomeTokens = func() *atomic.Int64 {
	n := new(atomic.Int64)
	n.Store(1 + rand.Int64N(1<<48))
	return n
}()

// markOutcome adds the arguments of an upsert of MySQL that tells what it did.
func (v *upsertion) markOutcome(p *place, s *statement) {
	if !v.in.Tells || p.e.dialect != dialect.MySQL {
		return
	}
	v.token = outcomeTokens.Add(1)
	s.args = append(append(make([]any, 0, len(v.args)+4), v.args...), v.in.OutcomeMarks(v.token)...)
	if len(v.in.Returning) > 0 {
		s.args = append(s.args, sqlgen.OutcomeAnswers(v.token)...)
	}
}

// askOutcome asks MySQL what became of one row, where the number of rows that were changed
// does not tell: 2 is a row that was updated, 1 is one that was inserted, or that was there
// and has the same values still.
func (v *upsertion) askOutcome(ctx context.Context, c *driver.Conn, res driver.Result) error {
	if !v.in.Tells {
		return nil
	}
	if res.RowsAffected == 2 {
		v.outcomes[0] = Updated
		return nil
	}
	rows, err := c.Query(ctx, sqlgen.AskOutcome, sqlgen.OutcomeAnswers(v.token))
	if err != nil {
		return nil // the row is written: what is not known is not told
	}
	defer func() { _ = rows.Close() }()
	if n, err := oneNumber(rows); err == nil {
		v.outcomes[0] = Outcome(n)
	}
	return nil
}

// oneNumber is the number that is the only value of a result.
func oneNumber(rows driver.Rows) (int64, error) {
	dest := make([]sqldriver.Value, len(rows.Columns()))
	if err := rows.Next(dest); err != nil {
		return 0, err
	}
	n, ok := wholeNumber(dest[0])
	if !ok {
		return 0, errNoNumber
	}
	return n, nil
}

var errNoNumber = errors.New("dbfleet: the database gave no number")

func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case []byte:
		i, err := strconv.ParseInt(string(n), 10, 64)
		return i, err == nil
	case string:
		i, err := strconv.ParseInt(n, 10, 64)
		return i, err == nil
	}
	return 0, false
}

// markedRows are rows of which a column tells the outcome.
type markedRows struct {
	driver.Rows
	at    int
	marks []int64
}

func (m *markedRows) Next(dest []sqldriver.Value) error {
	err := m.Rows.Next(dest)
	if err == nil {
		n, _ := wholeNumber(dest[m.at])
		m.marks = append(m.marks, n)
	} else if err != io.EOF {
		m.marks = nil
	}
	return err
}

// readKeys reads the keys of the rows that came back, and what is told of them.
func (v *upsertion) readKeys(rows driver.Rows) (n int64, fault, err error) {
	v.marks, v.returned = nil, nil
	if !v.in.Tells {
		return v.readInto(rows)
	}
	marked := &markedRows{Rows: rows, at: len(v.in.Returning)}
	n, fault, err = v.readInto(marked)
	v.marks = marked.marks
	return n, fault, err
}

// readInto reads keys into the records. With later they are read into others: which row is
// whose is not known as long as some are missing.
func (v *upsertion) readInto(rows driver.Rows) (n int64, fault, err error) {
	t := v.q.src.table
	if !v.later {
		return readBack(t, rows, v.back, v.records)
	}
	n, err = t.Plan.ReadInto(rows, v.back, v.records.N, func(int) any {
		v.returned = append(v.returned, t.Plan.New())
		return v.returned[len(v.returned)-1]
	})
	var column *rowmap.ColumnError
	if errors.As(err, &column) {
		return int64(v.records.N), err, nil
	}
	return n, nil, err
}

// outcome is what became of the row that came back at place i, whose key is the record's.
func (v *upsertion) outcome(i int, record any) Outcome {
	t := v.q.src.table
	switch {
	case v.in.Tells && i < len(v.marks):
		return Outcome(v.marks[i])
	case v.in.Tells:
		return NotTold
	case v.in.Conflict == sqlgen.Ignore:
		return Inserted
	case v.there == nil:
		return NotTold
	}
	k, ok := t.RowKey(record)
	switch {
	case !ok:
		return NotTold
	case v.there[k]:
		return Updated
	}
	return Inserted
}

// tellInOrder tells the outcomes of records whose rows all came back, in their order.
func (v *upsertion) tellInOrder() {
	for i := range v.outcomes {
		v.outcomes[i] = v.outcome(i, v.records.At(i))
	}
}

// tellLater reads the keys of all records, unless all rows came back, and by those of the
// rows that came back tells which were left as they are.
func (v *upsertion) tellLater(ctx context.Context, p *place, res driver.Result) error {
	t := v.q.src.table
	if len(v.returned) == v.records.N && res.RowsAffected == int64(v.records.N) {
		for i, record := range v.returned {
			for _, f := range v.back {
				if err := t.Plan.Set(f, v.records.At(i), t.Plan.Value(f, record)); err != nil {
					return written(p, nil, err)
				}
			}
		}
		v.tellInOrder()
		return nil
	}
	return v.passedBy(ctx, p, res)
}

// thenTell tells the outcomes of records that have the keys of their rows.
func (v *upsertion) thenTell(res driver.Result, err error) error {
	if err != nil || v.outcomes == nil {
		return err
	}
	t := v.q.src.table
	came := make(map[any]Outcome, len(v.returned))
	for i, record := range v.returned {
		k, ok := t.RowKey(record)
		if !ok || int64(len(v.returned)) != res.RowsAffected {
			return nil // not told
		}
		came[k] = v.outcome(i, record)
	}
	for i := range v.outcomes {
		k, ok := t.RowKey(v.records.At(i))
		outcome, is := came[k]
		switch {
		case !ok:
		case is:
			v.outcomes[i] = outcome
		default:
			v.outcomes[i] = Unchanged
		}
	}
	return nil
}
