package dbfleet

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// Conflict says what Upsert and UpsertMany do when a record's key exists. They take at
// most one; none is the zero value.
type Conflict struct {
	// Key are the columns of the unique constraint that decides. MySQL decides
	// by any unique key of the table, so a table with several should be upserted
	// by PostgreSQL or SQLite only.
	//
	// Defaults to the primary key. The database may make the key, as a generated column
	// or by a default, but then PostgreSQL and SQLite refuse DoNothing.
	Key []string
	// Update are the columns that the existing row takes from the record, and
	// updated_at on a model with Timestamps. With ModelConfig.SoftDelete the row takes the
	// record's mark as well: one that was deleted is back, unless the record says that it is
	// deleted. With ModelConfig.Version the row's version grows by 1.
	//
	// Defaults to all columns that the insert writes, but the key, the primary
	// key, created_at, the version and the shard key: a row of another shard key that has
	// the key takes nothing, which is ErrUnique.
	Update []string
	// DoNothing leaves the existing row as it is.
	DoNothing bool
	// KeepEqual leaves an existing row as it is, with its updated_at and its version, if it
	// has the record's values in all columns that it would take. Values are equal as they
	// are stored, byte by byte, whatever the collation says. An encrypted column among those is
	// ErrEncrypted: its value is another ciphertext each time. It costs UpsertMany a statement
	// on PostgreSQL and SQLite that reads the keys, as DoNothing does.
	KeepEqual bool
}

// Upsert inserts a record or updates the row with the same key, in one
// statement. A record whose primary key is zero, and decides, is inserted: no row is
// its own yet. The record's primary key is then that of the row, new or old, written
// as the row has it; its other fields are not read back, the version of ModelConfig.Version
// neither: Refresh the record before it is saved. On an error the record is
// as it was before.
func (m *Model[T]) Upsert(ctx context.Context, record *T, conflict ...Conflict) error {
	return writeRecord(ctx, m, record, recordWrite{do: upsertRecord, conflict: conflict})
}

// UpsertMany upserts records, all of them or none. Two records that are the same
// row to the database are refused by a *SameRowError, on every database: it compares
// the keys, by the column's collation and type, and not Go.
//
// A chunk is one statement, and with DoNothing one more that reads the keys of the
// rows. A transaction (a savepoint inside one) frames several statements, and a
// single one where only the keys of the rows show that two records are one: on MySQL,
// and on SQLite with a conflict's key that is a text, a time or a decimal. What a
// trigger leaves out of a statement without a transaction is told by ErrWritten.
func (m *Model[T]) UpsertMany(ctx context.Context, records []T, conflict ...Conflict) error {
	return (*query)(m).upsertAll(ctx, &records, conflict)
}

//go:noinline
func (q *query) upsertAll(ctx context.Context, list any, conflicts []Conflict) error {
	conflict, err := q.conflict(conflicts)
	if err != nil {
		return err
	}
	return q.restoring(list, func(records rowmap.Records, l *landing) error { return q.upsertMany(ctx, records, conflict, nil, l) })
}

// conflict is the one that an upsert was given, or the zero value.
func (q *query) conflict(conflicts []Conflict) (Conflict, error) {
	c, err := atMostOne(conflicts)
	if err == nil || q.usable() != nil {
		return c, q.usable()
	}
	return c, q.src.table.Fail("%s", err)
}

// upsertMany upserts records, and tells what became of each in outcomes, unless that is nil.
func (q *query) upsertMany(ctx context.Context, records rowmap.Records, conflict Conflict, outcomes []Outcome, l *landing) (err error) {
	if err := q.usable(); err != nil {
		return err
	}
	if q, err = q.inSchema(ctx); err != nil {
		return err
	}
	c := table.Conflict(conflict)
	t := q.src.table
	key, err := t.ConflictKey(&c)
	if err != nil {
		return err
	}
	owner := t.UpsertOwner(t.ColumnsOf(key), &c)
	return q.writeMany(ctx, records, false, func(ctx context.Context, home destination) error {
		for i := range records.N {
			if err := t.CheckRead(records.At(i)); err != nil {
				return recordError(i, err)
			}
		}
		if err := t.Distinct(records, key); err != nil {
			return err
		}
		e, err := q.entryAt(ctx, home.connection)
		if err != nil {
			return err
		}
		batches, err := q.batches(records, e.dialect)
		if err != nil {
			return err
		}
		defer giveBack(batches)
		u := upserts{q: q, home: home, records: records, batches: batches, key: key, conflict: &c, d: e.dialect, outcomes: outcomes, landing: l}
		return q.theirRow(owner, u.run(ctx))
	})
}

// upserts is one call of UpsertMany, or of Upsert.
type upserts struct {
	q        *query
	home     destination
	records  rowmap.Records
	batches  []batch
	key      []int // the conflict's
	conflict *table.Conflict
	d        *dialect.Dialect
	landing  *landing
	outcomes []Outcome // by record; nil if nobody asks
	told     bool      // PostgreSQL tells whether a row was inserted or updated
}

func (u *upserts) run(ctx context.Context) error {
	t := u.q.src.table
	// MySQL decides by whatever unique key there is, and a key that the database makes may
	// be that of another record.
	made := false
	for _, b := range u.batches {
		if err := t.CheckUpsert(b.plan, u.key, u.conflict, u.d); err != nil {
			return err
		}
		if !t.KeyIsMade(b.plan, u.key) {
			continue
		}
		made = true
		if !u.conflict.DoNothing || !u.d.UpsertConflict || t.Inserts(b.plan, u.key, u.d) {
			continue
		}
		return t.Fail("DoNothing does not tell which row is there by a key that the database makes (%s); update a column of it", strings.Join(t.ColumnsOf(u.key), ", "))
	}
	judged := u.records.N > 1 && (made || !u.d.UpsertConflict || !t.Exact(u.key))
	inTx := u.q.wish().tx != nil || txOf(ctx, u.q.src.reg, u.home.connection) != nil
	if err := u.asksWhetherTold(ctx); err != nil {
		return err
	}
	several := u.several(judged, inTx)
	err := u.q.atomic(ctx, u.home.connection, several, func(ctx context.Context) error {
		for i := range u.batches {
			if err := u.batch(ctx, &u.batches[i]); err != nil {
				return err
			}
		}
		if judged { // by the keys of the rows
			if err := t.Distinct(u.records, t.Key()); err != nil {
				return err
			}
		}
		for i := range u.records.N {
			t.Settle(u.records.At(i))
			t.Plan.Forget(u.records.At(i))
		}
		return nil
	})
	if !several {
		err = partly(err)
	}
	var refused *QueryError
	if u.told && errors.As(err, &refused) && (refused.Code == noSystemColumn || refused.Code == noSuchColumn) {
		t.TellsOutcome.Forget(u.where(ctx)) // it is another table by now
	}
	if judged && (errors.Is(err, ErrNotFound) || errors.As(err, &refused) && refused.Code == sameRowTwice) {
		return cmp.Or(u.findTwins(ctx), err)
	}
	return err
}

// The codes of PostgreSQL for a row that does not tell what locked it.
const (
	noSystemColumn = "0A000"
	noSuchColumn   = "42703"
)

// sameRowTwice is PostgreSQL's code for an upsert that meets a row for the second
// time.
const sameRowTwice = "21000"

// several says whether a transaction is needed: for several statements, and where
// only the answer shows that two records are one row. PostgreSQL looks by itself,
// but in a transaction the error would end it.
func (u *upserts) several(judged, inTx bool) bool {
	t := u.q.src.table
	switch {
	case u.looks():
		return true
	case u.records.N == 1:
		return false
	case len(u.batches) > 1, t.UpsertOwner(t.ColumnsOf(u.key), u.conflict) != "":
		return true
	case t.Inserts(u.batches[0].plan, u.key, u.d):
		return u.q.severalSteps(u.batches, u.d)
	case judged && (!u.d.Numbered || inTx):
		return true
	}
	in, back := t.UpsertInsert(u.batches[0].plan, u.records.N, u.key, u.conflict)
	if leavesRows(&in, u.d) && (len(back) > 0 || u.outcomes != nil) {
		return true
	}
	return slices.ContainsFunc(back, func(f int) bool { return t.Exact([]int{f}) && !t.Plan.HoldsInt64(f) })
}

// findTwins finds the records that are one row, by upserting them one by one in a
// transaction that is undone.
func (u *upserts) findTwins(ctx context.Context) error {
	undo := errors.New("dbfleet: undone")
	u.outcomes = nil
	err := u.q.atomic(ctx, u.home.connection, true, func(ctx context.Context) error {
		for i := range u.batches {
			if err := u.oneByOne(ctx, &u.batches[i], true); err != nil {
				return undo
			}
		}
		return cmp.Or(u.q.src.table.Distinct(u.records, u.q.src.table.Key()), undo)
	})
	if same := new(SameRowError); errors.As(told(err), &same) {
		return err
	}
	return nil
}

// batch upserts records of one plan: by one statement, and where it does not return
// the keys of rows that it leaves as they are, by another that reads them.
func (u *upserts) batch(ctx context.Context, b *batch) error {
	t := u.q.src.table
	if t.Inserts(b.plan, u.key, u.d) {
		return u.insert(ctx, b)
	}
	if u.looks() {
		if err := u.look(ctx, b); err != nil {
			return err
		}
	}
	v := u.upsertion(b, true)
	switch {
	case !u.d.UpsertConflict && !b.plan.Keyable(u.d):
		return u.oneByOne(ctx, b, false)
	case v.in.Tells && len(v.args)+sqlgen.MaxOutcomeArgs > u.d.MaxParams && b.records.N > 1:
		return u.oneByOne(ctx, b, true)
	}
	if len(v.back) == 0 || b.records.N == 1 || !leavesRows(&v.in, u.d) {
		v.alone = b.records.N == 1
		_, err := v.run(ctx, v)
		if errors.Is(err, errKeysUnknown) {
			b.plan.NeverKeyable(u.d)
			return u.oneByOne(ctx, b, false)
		}
		return err
	}
	for i := range b.records.N {
		if !t.Findable(b.plan, b.records.At(i), u.key) {
			return u.oneByOne(ctx, b, true)
		}
	}
	v.later = true
	_, err := v.run(ctx, v)
	return err
}

// insert inserts records whose key is left to the database.
func (u *upserts) insert(ctx context.Context, b *batch) error {
	for i := range u.outcomesOf(b) {
		u.outcomesOf(b)[i] = Inserted
	}
	v := &insertion{recording: recording{writing: writing{trip{q: u.q}}, home: u.home}, records: b.records, plan: b.plan, args: b.args}
	v.place.landing = u.landing
	_, err := v.run(ctx, v)
	return err
}

// upsertion describes the upsert of a batch. all says that the keys of all rows are
// told where the statement does so: another unique key, or a trigger, may have
// changed them.
func (u *upserts) upsertion(b *batch, all bool) *upsertion {
	in, back := u.q.src.table.UpsertInsert(b.plan, b.records.N, u.key, u.conflict)
	if all && (!u.d.UpsertConflict || u.d.Numbered && !leavesRows(&in, u.d)) || u.outcomes != nil {
		back = u.q.src.table.Key()
	}
	in.Tells = u.outcomes != nil && (u.told || !u.d.UpsertConflict)
	v := &upsertion{recording: recording{writing: writing{trip{q: u.q}}, home: u.home}, in: in, records: b.records, args: b.args, key: u.key, back: back, outcomes: u.outcomesOf(b), there: b.there}
	v.place.landing = u.landing
	return v
}

// oneByOne upserts records by a statement each, unless there is nothing to be told.
func (u *upserts) oneByOne(ctx context.Context, b *batch, returning bool) error {
	if u.q.src.table.Inserts(b.plan, u.key, u.d) {
		return u.insert(ctx, b)
	}
	v := u.upsertion(b, false)
	v.counted = !returning
	if len(v.back) == 0 {
		_, err := v.run(ctx, v)
		return err
	}
	n := len(v.in.Columns)
	for i := range b.records.N {
		one := *v
		one.in.Rows, one.records, one.args, one.alone = 1, rowmap.One(b.records.At(i)), b.args[i*n:(i+1)*n], true
		if one.outcomes != nil {
			one.outcomes = v.outcomes[i : i+1]
		}
		if _, err := one.run(ctx, &one); err != nil {
			return err
		}
	}
	return nil
}
