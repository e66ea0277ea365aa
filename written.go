package dbfleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
	"github.com/dbfleet/dbfleet/internal/table"
)

// writtenError says that a statement has written, and that what it did is not what
// was asked. It is ErrWritten.
type writtenError struct {
	record any // that was inserted and keeps what is known of its row; nil is none
	err    error
}

func (e *writtenError) Error() string {
	what := "written, but not as asked: "
	if e.record != nil {
		what = "the record was created, what the database made of it could not be read: "
	}
	return "dbfleet: " + what + once(e.err.Error())
}

func (e *writtenError) Unwrap() error { return e.err }

func (e *writtenError) Is(target error) bool { return target == ErrWritten }

// written marks what went wrong once a statement had written. In a transaction the
// record is as it was before: what is written may yet be undone.
func written(p *place, record any, err error) error {
	if p.tx != nil {
		record = nil
	}
	return &writtenError{record, err}
}

// partly marks the error of a statement that has left rows changed when it failed, as
// SQLite's ON CONFLICT FAIL does.
func partly(err error) error {
	e := new(driver.PartlyError)
	if !errors.As(err, &e) {
		return err
	}
	return &writtenError{nil, fmt.Errorf("%w; the rows before the failing one stay as they were written: %d", err, e.Rows)}
}

// isWritten says whether err tells that this record was inserted, and not another
// one, by a callback.
func isWritten(err error, record any) bool {
	e, ok := err.(*writtenError) //nolint:errorlint // as the verb returns it
	return ok && e.record == record
}

// undone is the error of a transaction or savepoint of ours that was rolled back.
func undone(err error) error {
	if e, ok := err.(*writtenError); ok { //nolint:errorlint // else more has gone wrong
		return e.err
	}
	return err
}

// there says by an error that some rows with the keys of records are not there.
func (q *query) there(ctx context.Context, p *place, records rowmap.Records) error {
	t, found := q.src.table, int64(0)
	for _, made := range t.ByKeys(records) {
		n, err := q.countMade(ctx, p, &made)
		if err != nil {
			return err
		}
		found += n
	}
	if found != int64(records.N) {
		return t.Fail("%d of %d rows have the keys that they were inserted with; a trigger changed them", found, records.N)
	}
	return nil
}

// missed tells why a write has changed no row of the table: it is not there, or a
// trigger or rule has done something else.
func (q *query) missed(ctx context.Context, p *place, record any, c table.Change, res driver.Result) error {
	if t := q.src.table; !res.Elsewhere && (t.Marks() || t.Versioned()) {
		if is, err := q.missing(ctx, p, record, c); is || err != nil {
			return err
		}
		res.Elsewhere = true
	}
	elsewhere := res.Elsewhere
	if !elsewhere && p.e.dialect != dialect.MySQL { // whose triggers leave no row out
		there, err := q.src.table.ByIdentity(record)
		if err != nil {
			return err
		}
		there = there.WithImplicit(q.q.Implicit()...)
		there = there.OnlyColumns(columnsOf(q.src.table, q.src.table.Key())...)
		n, err := q.countMade(ctx, p, &there)
		if err != nil {
			return err
		}
		elsewhere = n > 0
	}
	if !elsewhere {
		return q.notFound(q.src.table.KeyNames())
	}
	return written(p, nil, q.src.table.Fail("the row was not changed; a trigger or rule left it out or put the change elsewhere"))
}

// missing says by an error whether the row of a record is not there, is marked otherwise,
// or has another version than the one that was to be changed. is false if nothing of that
// explains why the row was not changed.
func (q *query) missing(ctx context.Context, p *place, record any, c table.Change) (is bool, err error) {
	t := q.src.table
	there, err := t.ByIdentity(record)
	if err != nil {
		return false, err
	}
	there = there.WithImplicit(q.q.Implicit()...).OnlyColumns(columnsOf(t, t.Key())...)
	for _, column := range []string{t.DeletedMark(), t.VersionColumn()} {
		if column != "" {
			there = there.WithColumns(sqlgen.Column{Name: column})
		}
	}
	if p.tx != nil && p.e.dialect.RowLocks {
		there = there.WithLock(sqlgen.ForShare) // the row may be younger than the transaction's snapshot
	}
	var rows []map[string]any
	err = q.made(ctx, p, &there, true, func(r driver.Rows) (n int64, err error) {
		rows, err = rowmap.ReadRows(r, p.e.dialect)
		return int64(len(rows)), err
	})
	switch {
	case err != nil:
		return false, err
	case len(rows) == 0, !t.Takes(rows[0], c):
		return true, q.notFound(t.KeyNames())
	case t.Versioned() && (!t.Has(rows[0], c) || p.e.dialect == dialect.MySQL): // whose triggers leave no row out
		return true, errorf("%w: %s", ErrStaleRecord, q.place())
	case p.e.dialect == dialect.MySQL: // it was marked otherwise until now
		return true, q.notFound(t.KeyNames())
	}
	return false, nil
}

// countMade is how many rows made finds.
func (q *query) countMade(ctx context.Context, p *place, made *sqlgen.Query) (int64, error) {
	return q.countMadeIn(ctx, p, made, q.env(p))
}

// countMadeIn is countMade with what the statement knows of tables.
func (q *query) countMadeIn(ctx context.Context, p *place, made *sqlgen.Query, env *sqlgen.Env) (n int64, err error) {
	err = q.madeIn(ctx, p, made, env, true, func(rows driver.Rows) (int64, error) {
		list, err := rowmap.ReadRows(rows, p.e.dialect)
		n = int64(len(list))
		return n, err
	})
	return n, err
}

// madeIn is made with what the statement knows of tables.
func (q *query) madeIn(ctx context.Context, p *place, made *sqlgen.Query, env *sqlgen.Env, write bool, read readerFunc) error {
	all := q.src.table.Rows(*made)
	env.ByDigits = true
	text, args, err := sqlgen.Select(&all, env)
	if err != nil {
		return err
	}
	_, err = p.query(ctx, &statement{op: "select", table: q.src.table.Name, text: text, args: args, write: write}, read)
	return err
}
