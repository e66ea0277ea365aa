//go:build !dbfleet_no_sqlite

package sqlite

import (
	"context"
	sqldriver "database/sql/driver"
	"strings"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// rowids remembers of which columns it is known that they are, or are not, another
// name of the rowid.
type rowids struct {
	of    schema // what they hold for
	known map[column]bool
}

type column struct{ table, name string }

// maxRowids bounds what a connection remembers.
const maxRowids = 512

// Returns implements session.IDTeller.
func (s *conn) Returns() bool { return true }

// Changes implements session.IDTeller.
func (s *conn) Changes() int64 {
	if !s.in.known() {
		return -1
	}
	return s.in.changes()
}

// InsertTold implements session.IDTeller. The key is the rowid if the table's
// definition says so, which SQLite checks in the file when it runs the INSERT: a
// connection whose schema is old reads it again and then has another version of it.
func (s *conn) InsertTold(ctx context.Context, in *session.ToldInsert, args []sqldriver.NamedValue) (session.Result, bool, error) {
	if in.Key == "" {
		res, err := s.insertID(ctx, in, args)
		return res, true, err
	}
	if is, err := s.isRowid(ctx, in); err != nil || !is {
		return session.Result{}, false, err
	}
	was, before := s.rowids.of, s.in.changes()
	res, err := s.insertID(ctx, in, args)
	if err != nil || res.RowsAffected != 1 {
		return res, true, err
	}
	// A trigger that had a hand in it may have changed the key.
	res.Elsewhere = false
	if s.in.schema() == was && s.in.changes()-before == 1 {
		return res, true, nil
	}
	is, err := s.isRowid(ctx, in)
	if err == nil {
		err = s.readKey(ctx, in, is, &res)
	}
	if err != nil {
		return res, true, &session.UntoldError{}
	}
	return res, true, nil
}

// readKey reads the key of the row whose rowid is LastInsertID.
func (s *conn) readKey(ctx context.Context, in *session.ToldInsert, isRowid bool, res *session.Result) error {
	rowid := in.QuotedKey
	if !isRowid {
		rowid = "rowid = oid AND _rowid_" // a column may have one of the names
	}
	id := []sqldriver.NamedValue{{Ordinal: 1, Value: res.LastInsertID}}
	return s.numbers(ctx, "SELECT "+in.QuotedKey+" FROM "+in.QuotedTable+" WHERE "+rowid+" = ? AND ?1 <> 0", id, &res.LastInsertID)
}

// insertID runs an INSERT and tells the rowid of its row, if it has made one.
func (s *conn) insertID(ctx context.Context, in *session.ToldInsert, args []sqldriver.NamedValue) (session.Result, error) {
	if !s.in.known() {
		res, err := s.Exec(ctx, in.Text, args)
		if err == nil {
			var has int64
			if s.numbers(ctx, hasRowids, []sqldriver.NamedValue{{Ordinal: 1, Value: in.Table}}, &has) != nil || has != 1 {
				res.LastInsertID = 0
			}
		}
		return res, err
	}
	earlier := s.in.lastID()
	s.in.setLastID(0)
	res, err := s.Exec(ctx, in.Text, args)
	if s.in.lastID() == 0 { // what SQL asks for by last_insert_rowid() stays
		s.in.setLastID(earlier)
	}
	return res, err
}

const hasRowids = "SELECT count(*) = 1 AND total(type = 'table' AND NOT wr) = 1 FROM pragma_table_list(?)"

// isAlias asks whether a column is another name of the rowid: the one column of the
// primary key of a table with rowids that keeps no index for it.
const isAlias = `SELECT (SELECT count(*) = 1 AND total(schema = 'main' AND type = 'table' AND NOT wr) = 1 FROM pragma_table_list(?1))
	AND (SELECT count(*) = 1 AND total(name = ?2 COLLATE NOCASE) = 1 FROM pragma_table_info(?1) WHERE pk > 0)
	AND NOT EXISTS (SELECT 1 FROM pragma_index_list(?1) WHERE origin = 'pk')`

// isRowid says whether the key is known to be the rowid.
func (s *conn) isRowid(ctx context.Context, in *session.ToldInsert) (bool, error) {
	if !s.in.known() {
		return false, nil
	}
	c := column{in.Table, in.Key}
	for {
		now := s.in.schema()
		r := &s.rowids
		if r.of != now || r.known == nil || len(r.known) > maxRowids {
			r.of, r.known = now, make(map[column]bool)
		}
		if is, ok := r.known[c]; ok {
			return is, nil
		}
		if strings.Contains(c.table, ".") { // of a database that may be any
			r.known[c] = false
			continue
		}
		var is int64
		if err := s.numbers(ctx, isAlias, []sqldriver.NamedValue{{Ordinal: 1, Value: c.table}, {Ordinal: 2, Value: c.name}}, &is); err != nil {
			return false, err
		}
		if s.in.schema() == now {
			r.known[c] = is == 1
		}
	}
}
