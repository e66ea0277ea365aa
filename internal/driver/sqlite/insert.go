//go:build !dbfleet_no_sqlite

package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// InsertKeyed inserts the rows without RETURNING, which would cost SQLite half as
// much again as the INSERT, and works the keys out from that of the last row. It
// does so between BEGIN and COMMIT, looks before the COMMIT whether the keys are
// certain, and rolls back if they are not. They are certain when all this holds:
//
//   - The INSERT has inserted as many rows as it was given, and total_changes(),
//     which counts the rows that triggers change too, has grown by no more. So no
//     trigger has left out a row or had a hand in one. Nobody else can have written
//     in between: the transaction holds the file's only write lock.
//   - The key's column is another name of the rowid, and no column has taken one of
//     the rowid's own names. A table without rowids, and a view, fail this check.
//   - The first and the last of the keys, as they were worked out, are in the table.
//     SQLite gives a row the rowid after the greatest that there is. Only when that
//     is the greatest possible it looks for a free one at random, and then the keys
//     are not one after the other and the first of them is not there.
//   - None of them is 0, by which a record is new.
func (s *conn) InsertKeyed(ctx context.Context, in *session.KeyedInsert, args []sqldriver.NamedValue) (session.Keyed, error) {
	if !s.Cache.Keeps(in.Text) {
		return session.Keyed{}, nil
	}
	if err := s.Begin(ctx, session.TxOptions{}); err != nil {
		return session.Keyed{Undone: true}, err
	}
	made, err := s.keyed(ctx, in, args)
	if err == nil && made.OK {
		err = s.Commit(ctx)
		made.OK, made.Undone = err == nil, err != nil
		return made, err
	}
	doubt := err == nil
	if undoErr := s.Rollback(ctx); undoErr != nil {
		err = &session.NotUndoneError{Err: errors.Join(err, undoErr)} // closing the connection rolls back
	}
	return session.Keyed{Undone: true, Never: doubt, Sent: made.Sent}, err
}

// keyed inserts the rows. Its Keyed is not OK where the keys are not certain.
func (s *conn) keyed(ctx context.Context, in *session.KeyedInsert, args []sqldriver.NamedValue) (session.Keyed, error) {
	var changes, found int64
	if err := s.numbers(ctx, "SELECT total_changes()", nil, &changes); err != nil {
		return session.Keyed{}, err
	}
	sent := session.Keyed{Sent: in.Text}
	res, err := s.Session.Exec(ctx, in.Text, args)
	rows := int64(in.Rows)
	if err != nil || res.RowsAffected != rows {
		return sent, err
	}
	last := res.LastInsertID
	first := last - rows + 1
	if first <= 0 && last >= 0 { // 0 is no key of a record
		return sent, nil
	}
	changes += rows
	ends := []sqldriver.NamedValue{{Ordinal: 1, Value: first}, {Ordinal: 2, Value: last}, {Ordinal: 3, Value: changes}}
	// A column may have one of the rowid's names, and then has it to itself.
	check := "SELECT count(*) FROM " + in.Table + " WHERE _rowid_ IN (?, ?) AND " + in.Key + " = _rowid_ AND rowid = _rowid_ AND oid = _rowid_" +
		" AND total_changes() = ?"
	if err := s.numbers(ctx, check, ends, &found); err != nil || found != 2 {
		// A view, or a table without rowids, has no rowid to compare with.
		return sent, ctx.Err()
	}
	keys := make([]int64, rows)
	for i := range keys {
		keys[i] = first + int64(i)
	}
	return session.Keyed{Keys: keys, OK: true, Sent: in.Text}, nil
}

var errNoNumber = errors.New("the answer is no whole number")

// numbers runs a query for one number.
func (s *conn) numbers(ctx context.Context, query string, args []sqldriver.NamedValue, n *int64) error {
	rows, err := s.Session.Read(ctx, query, args)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var dest [1]sqldriver.Value
	if err := rows.Next(dest[:]); err != nil {
		return err
	}
	is, ok := dest[0].(int64)
	if *n = is; !ok {
		return errNoNumber
	}
	return nil
}
