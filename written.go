package dbfleet

import "strings"

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
	return "dbfleet: " + what + strings.TrimPrefix(e.err.Error(), "dbfleet: ")
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
