package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
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
func (q *query) missed(ctx context.Context, p *place, record any, res driver.Result) error {
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

// countMade is how many rows made finds.
func (q *query) countMade(ctx context.Context, p *place, made *sqlgen.Query) (n int64, err error) {
	err = q.made(ctx, p, made, true, func(rows driver.Rows) (int64, error) {
		list, err := rowmap.ReadRows(rows, p.e.dialect)
		n = int64(len(list))
		return n, err
	})
	return n, err
}
