package dbfleet

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"github.com/dbfleet/dbfleet/internal/dialect"
	dbdriver "github.com/dbfleet/dbfleet/internal/driver"
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

// replaces says that the outcomes of rows that are updated are asked for.
func (u *upserts) replaces() bool { return u.outcomes != nil && !u.conflict.DoNothing }

// looks says that the rows are looked for before they are upserted: SQLite has no words
// for what an upsert did. A transaction, of which there is one at a time, holds them.
func (u *upserts) looks() bool { return u.replaces() && u.d == dialect.SQLite }

// look finds which rows are there.
func (u *upserts) look(ctx context.Context, b *batch) error {
	t := u.q.src.table
	if t.KeyIsMade(b.plan, u.key) {
		return nil
	}
	b.there = map[any]bool{}
	for _, q := range t.FindThere(b.plan, b.records, u.key) {
		v := &lookForRows{recording: recording{writing: writing{trip{q: u.q}}, home: u.home}, looked: q, there: b.there}
		if _, err := v.run(ctx, v); err != nil {
			return err
		}
		u.in = v.place.within
	}
	return nil
}

// lookForRows is the verb that reads the keys of rows before they are upserted.
type lookForRows struct {
	recording
	looked sqlgen.Query
	there  map[any]bool
}

func (v *lookForRows) render(p *place, s *statement) (err error) {
	all := v.q.src.table.Rows(v.looked)
	s.op, s.write = "select", true
	s.text, s.args, err = sqlgen.Select(&all, v.q.env(p))
	return err
}

func (v *lookForRows) exchange(ctx context.Context, p *place, s *statement) (dbdriver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *lookForRows) read(rows dbdriver.Rows) (int64, error) {
	t := v.q.src.table
	list := t.Plan.NewList()
	n, err := t.Plan.ReadAll(rows, list, 0)
	if err != nil {
		return int64(n), err
	}
	records := t.Plan.Records(list)
	for i := range records.N {
		if k, ok := t.RowKey(records.At(i)); ok {
			v.there[k] = true
		}
	}
	return int64(n), nil
}

// asksWhetherTold asks PostgreSQL whether the rows of the table tell what an upsert did,
// once for a table of a connection.
func (u *upserts) asksWhetherTold(ctx context.Context) error {
	if !u.replaces() || !u.d.Numbered {
		return nil
	}
	t := u.q.src.table
	if known, ok := t.TellsOutcome.Load(u.home.connection); ok {
		u.told = known.(bool)
		return nil
	}
	v := &outcomeQuestion{recording: recording{writing: writing{trip{q: u.q}}, home: u.home}}
	if _, err := v.run(ctx, v); err != nil {
		return err
	}
	t.TellsOutcome.Store(u.home.connection, v.tells)
	u.told = v.tells
	return nil
}

// outcomeQuestion is the verb of asksWhetherTold.
type outcomeQuestion struct {
	recording
	tells bool
}

func (v *outcomeQuestion) render(p *place, s *statement) error {
	name, err := v.q.src.table.QuotedName(p.e.dialect)
	s.op, s.write, s.text, s.args = "select", true, sqlgen.TellsOutcome, []any{name}
	return err
}

func (v *outcomeQuestion) exchange(ctx context.Context, p *place, s *statement) (dbdriver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *outcomeQuestion) read(rows dbdriver.Rows) (int64, error) {
	n, err := oneNumber(rows)
	v.tells = n == 1
	return 1, err
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
func (v *upsertion) askOutcome(ctx context.Context, c *dbdriver.Conn, res dbdriver.Result) error {
	if !v.in.Tells {
		return nil
	}
	if res.RowsAffected == 2 {
		v.outcomes[0] = Updated
		return nil
	}
	rows, err := c.Query(ctx, sqlgen.AskOutcome, sqlgen.OutcomeAnswers(v.token))
	if err != nil {
		return nil //nolint:nilerr // the row is written: what is not known is not told
	}
	defer func() { _ = rows.Close() }()
	if n, err := oneNumber(rows); err == nil {
		v.outcomes[0] = Outcome(n)
	}
	return nil
}

// oneNumber is the number that is the only value of a result.
func oneNumber(rows dbdriver.Rows) (int64, error) {
	dest := make([]driver.Value, len(rows.Columns()))
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
	dbdriver.Rows
	at    int
	marks []int64
}

func (m *markedRows) Next(dest []driver.Value) error {
	err := m.Rows.Next(dest)
	if err == nil {
		n, _ := wholeNumber(dest[m.at])
		m.marks = append(m.marks, n)
	} else if !errors.Is(err, io.EOF) {
		m.marks = nil
	}
	return err
}

// readKeys reads the keys of the rows that came back, and what is told of them.
func (v *upsertion) readKeys(rows dbdriver.Rows) (n int64, fault, err error) {
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
func (v *upsertion) readInto(rows dbdriver.Rows) (n int64, fault, err error) {
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

// tellLater reads the keys of all records and, by those of the rows that came back, tells
// which were left as they are.
func (v *upsertion) tellLater(ctx context.Context, p *place, res dbdriver.Result) error {
	if err := v.findKeys(ctx, p); err != nil || v.outcomes == nil {
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
