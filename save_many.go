package dbfleet

import (
	"context"
	"errors"
	"time"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// SaveMany writes all columns of records that were created before, as Save does, with few
// statements: one for each 64 records, or less of many columns or large values. All of
// them are written or none: they share a transaction, or a savepoint inside of one. No
// records are no statement.
//
// What is wrong with a record is a *RecordError with its index: a row that is not there
// (any more) is ErrNotFound, one with another version ErrStaleRecord. If there are several, the
// error has them all. Two records that are the same row to the database are refused by a
// *SameRowError: for keys other than whole numbers, bools and UUIDs that costs a statement
// that reads the keys of 250 rows, unless one statement saves all records. Records
// whose key is zero are not created. On an error the records are as they were before.
func (m *Model[T]) SaveMany(ctx context.Context, records []T) error {
	return (*query)(m).saveAll(ctx, &records)
}

//go:noinline
func (q *query) saveAll(ctx context.Context, list any) error {
	return q.restoring(list, func(records rowmap.Records, l *landing) error { return q.saveMany(ctx, records, l) })
}

func (q *query) saveMany(ctx context.Context, records rowmap.Records, l *landing) error {
	home, err := q.homeOfAll(records)
	if err != nil || records.N == 0 {
		return err
	}
	t := q.src.table
	versions, was := make([]int64, records.N), make([]rowmap.State, records.N)
	for i := range records.N {
		if err := t.CheckKey(records.At(i)); err != nil {
			return recordError(i, err)
		}
		versions[i], was[i] = t.Version(records.At(i)), t.IdentityState(records.At(i))
	}
	if err := t.Distinct(records, t.Key()); err != nil {
		return err
	}
	st := q.src.callbacks.updating
	st.indexed = true
	return q.around(ctx, home.connection, st, records, func(ctx context.Context) error {
		e, err := q.entryAt(ctx, home.connection)
		if err != nil {
			return err
		}
		at, err := q.clock(ctx, home)
		if err != nil {
			return err
		}
		s := &saves{q: q, home: home, at: at, records: records, versions: versions, d: e.dialect, landing: l}
		for i := range records.N {
			if len(st.before) > 0 && len(was[i].Changed(t.IdentityState(records.At(i)))) > 0 {
				return recordError(i, t.Fail("a callback changed the key of the record, by which its row is found"))
			}
			if err := t.Stamp(records.At(i), false, at); err != nil {
				return recordError(i, err)
			}
		}
		return s.run(ctx)
	})
}

// saves is one call of SaveMany.
type saves struct {
	q        *query
	home     destination
	at       time.Time // see recording
	records  rowmap.Records
	versions []int64 // what the rows must have
	d        *dialect.Dialect
	update   sqlgen.EachUpdate
	sent     int // how many arguments of a row are sent at most
	landing  *landing
}

// errSomeMissed says that a statement has changed fewer rows than it should.
var errSomeMissed = errors.New("dbfleet: not all rows were changed")

// A statement of SaveMany writes at most so many rows. Each of them is compared with the
// key of each.
const maxSavedRows = 64

func (s *saves) run(ctx context.Context) error {
	rows, together, err := s.rows()
	if err != nil {
		return err
	}
	if together {
		err = s.allOrNone(ctx, func(ctx context.Context) error { return s.together(ctx, rows) })
	}
	if !together || errors.Is(err, errSomeMissed) {
		err = s.allOrNone(ctx, s.apart)
	}
	return err
}

// allOrNone runs what saves the records, which are what their rows are after it.
func (s *saves) allOrNone(ctx context.Context, save func(ctx context.Context) error) error {
	return s.q.atomic(ctx, s.home.connection, true, func(ctx context.Context) error {
		if err := save(ctx); err != nil {
			return err
		}
		t := s.q.src.table
		for i := range s.records.N {
			if err := t.Raise(s.records.At(i), s.versions[i]); err != nil {
				return recordError(i, err)
			}
			t.SettleSaved(s.records.At(i), s.d)
			t.RememberSaved(s.records.At(i), table.Change{})
		}
		return nil
	})
}

// rows are the arguments of the records. together is false if they are better saved one
// by one.
func (s *saves) rows() (rows [][]any, together bool, err error) {
	t := s.q.src.table
	update, plan, together := t.SavingEach(s.d)
	s.update = update
	keys := len(update.Sets)
	for i := range s.records.N {
		record := s.records.At(i)
		if err := t.CheckRead(record); err != nil {
			return nil, false, recordError(i, err)
		}
		args, _, err := plan.Args(record, s.d)
		if err != nil {
			return nil, false, recordError(i, err)
		}
		together = together && t.Located(record, args[keys:], s.d)
		if t.Versioned() {
			args = append(args, s.versions[i])
		}
		rows = append(rows, args)
	}
	return rows, together && s.records.N > 1 && len(s.q.src.scopes) == 0 && !s.q.isOwned(), nil
}

// together saves records by a statement for many.
func (s *saves) together(ctx context.Context, rows [][]any) error {
	most, sent := maxSavedRows, 0
	if s.d.MaxParams > 0 {
		s.sent = s.update.Sent(rows)
		most = max(1, min(most, s.d.MaxParams/s.sent))
	}
	for first := 0; first < len(rows); {
		n, size := 0, 0
		for n < most && first+n < len(rows) && (n == 0 || size+argBytes(rows[first+n]) <= maxBatchBytes) {
			size += argBytes(rows[first+n])
			n++
		}
		v := &savingMany{recording: recording{writing: writing{trip{q: s.q}}, home: s.home}, saves: s, rows: rows[first : first+n], n: int64(n)}
		v.place.landing = s.landing
		if _, err := v.run(ctx, v); err != nil {
			return err
		}
		first += n
		sent++
	}
	if sent == 1 { // which has changed as many rows as there are records
		return nil
	}
	return s.distinct(ctx, nil)
}

// distinct refuses records that are one row to the database, which says so by the keys of
// the rows: where the key is no number, Go does not know which values are equal. absent are
// records that are known to have no row.
func (s *saves) distinct(ctx context.Context, absent map[any]bool) error {
	t := s.q.src.table
	if s.records.N < 2 || t.ExactlyLocated() {
		return nil
	}
	all, err := s.rowsOf(ctx, t.FindLocated(s.records, func(record any) bool { return !absent[record] })...)
	if err != nil || len(all)+len(absent) == s.records.N {
		return err
	}
	seen := map[any]int{}
	for i := range s.records.N {
		if absent[s.records.At(i)] {
			continue
		}
		q, err := t.ByIdentity(s.records.At(i))
		if err != nil {
			return recordError(i, err)
		}
		own, err := s.rowsOf(ctx, q.OnlyColumns(t.LocatedColumns()...))
		if err != nil {
			return err
		}
		for key := range own {
			if before, known := seen[key]; known {
				return t.SameRow(before, i)
			}
			seen[key] = i
		}
	}
	return nil
}

// rowsOf are the keys of the rows that queries find.
func (s *saves) rowsOf(ctx context.Context, queries ...sqlgen.Query) (map[any]bool, error) {
	found := map[any]bool{}
	for _, q := range queries {
		v := &lookForRows{
			recording: recording{writing: writing{trip{q: s.q}}, home: s.home}, looked: q.WithImplicit(s.q.q.Implicit()...),
			key: s.q.src.table.LocatedKey, there: found,
		}
		v.place.landing = s.landing
		if _, err := v.run(ctx, v); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// apart saves records one by one, and tells of each that cannot be.
func (s *saves) apart(ctx context.Context) error {
	var missed []error
	absent := map[any]bool{}
	for i := range s.records.N {
		v := &saving{
			recording: recording{writing: writing{trip{q: s.q}}, home: s.home, at: s.at}, op: "update", record: s.records.At(i),
			change: table.Change{Version: s.versions[i]},
		}
		v.place.landing = s.landing
		_, err := v.run(ctx, v)
		switch {
		case err == nil:
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrStaleRecord):
			missed = append(missed, recordError(i, err))
			if errors.Is(err, ErrNotFound) {
				absent[s.records.At(i)] = true
			}
		default:
			return recordError(i, err)
		}
	}
	if err := s.distinct(ctx, absent); err != nil {
		return err
	}
	if len(missed) == 1 {
		return missed[0]
	}
	return errors.Join(missed...)
}

// savingMany is the verb that updates several records by one statement.
type savingMany struct {
	recording
	saves *saves
	rows  [][]any
	n     int64
}

func (v *savingMany) render(p *place, s *statement) (err error) {
	s.op, s.write = "update", true
	rows := v.rows
	for len(rows)&(len(rows)-1) != 0 && len(rows) < maxSavedRows && (p.e.dialect.MaxParams == 0 || (len(rows)+1)*v.saves.sent <= p.e.dialect.MaxParams) {
		rows = append(rows[:len(rows):len(rows)], v.rows[len(v.rows)-1]) // again, so that few statements are prepared
	}
	s.text, s.args, err = v.saves.update.Text(rows, p.e.dialect)
	return err
}

func (v *savingMany) finish(_ context.Context, _ *place, res driver.Result) error {
	if res.RowsAffected != v.n || res.Elsewhere {
		return errSomeMissed
	}
	return nil
}
