//go:build !dbfleet_no_sqlite

package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// InsertKeyed inserts without RETURNING, which costs SQLite half as much again
// as the INSERT, and works the keys out from the last one. It does so in a
// transaction, to undo the rows where they are not certain:
//
//   - the statement has inserted as many rows as it was given, and nothing else
//     was changed in the meantime, so that no trigger had a hand in it;
//   - the first and the last of the keys are those of rows, and are rowids. So the
//     key is the rowid, which SQLite makes one greater than the greatest there is;
//     only when there is none greater left it takes any, and then the first of
//     these rows would not be there.
func (s *conn) InsertKeyed(ctx context.Context, in *session.KeyedInsert, args []sqldriver.NamedValue) (session.Keyed, error) {
	if !s.Cache.Keeps(in.Text) {
		return session.Keyed{}, nil
	}
	if err := s.Begin(ctx, session.TxOptions{}); err != nil {
		return session.Keyed{Undone: true}, err
	}
	made, err := s.keyed(ctx, in, args)
	doubt := err == nil && !made.OK
	if err == nil && made.OK {
		err = s.Commit(ctx)
		made.Undone = err != nil
		return made, err
	}
	if undoErr := s.Rollback(ctx); undoErr != nil {
		return session.Keyed{}, &session.NotUndoneError{Err: errors.Join(err, undoErr)}
	}
	return session.Keyed{Undone: true, Never: doubt}, err
}

// keyed inserts the rows. Its Keyed is not OK where the keys are not certain.
func (s *conn) keyed(ctx context.Context, in *session.KeyedInsert, args []sqldriver.NamedValue) (session.Keyed, error) {
	var changes, found int64
	if err := s.numbers(ctx, "SELECT total_changes()", nil, &changes); err != nil {
		return session.Keyed{}, err
	}
	res, err := s.Session.Exec(ctx, in.Text, args)
	rows := int64(in.Rows)
	if err != nil || res.RowsAffected != rows {
		return session.Keyed{}, err
	}
	last := res.LastInsertID
	first := last - rows + 1
	changes += rows
	ends := []sqldriver.NamedValue{{Ordinal: 1, Value: first}, {Ordinal: 2, Value: last}, {Ordinal: 3, Value: changes}}
	// A column may have one of the rowid's names, and then has it to itself.
	check := "SELECT count(*) FROM " + in.Table + " WHERE _rowid_ IN (?, ?) AND " + in.Key + " = _rowid_ AND rowid = _rowid_ AND oid = _rowid_" +
		" AND total_changes() = ?"
	if err := s.numbers(ctx, check, ends, &found); err != nil || found != 2 {
		// A view, or a table without rowids, has no rowid to compare with.
		return session.Keyed{}, ctx.Err()
	}
	keys := make([]int64, rows)
	for i := range keys {
		keys[i] = first + int64(i)
	}
	return session.Keyed{Keys: keys, OK: true}, nil
}

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
	*n, _ = dest[0].(int64)
	return nil
}
