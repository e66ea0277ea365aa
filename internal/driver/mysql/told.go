//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// returning says whether a server of that version knows INSERT … RETURNING: MariaDB
// does from 10.5 on, MySQL does not.
func returning(version string) bool { return isMariaDBFrom(version, 5) }

// isMariaDBFrom says whether a version is one of MariaDB, and not older than 10.minor.
func isMariaDBFrom(version string, minor int) bool {
	if !strings.Contains(version, "MariaDB") {
		return false
	}
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "5.5.5-"), ".")
	second, _, _ := strings.Cut(rest, ".")
	if n, _ := strconv.Atoi(major); n != 10 {
		return n > 10
	}
	n, _ := strconv.Atoi(second)
	return n >= minor
}

// Numbers implements session.Numberer: MariaDB bounds what a statement examines. What is
// older than 10.6 was never tried.
func (s *conn) Numbers() bool { return s.numbers }

// Returns implements session.IDTeller.
func (s *conn) Returns() bool { return s.returns }

// Changes implements session.IDTeller: a trigger that runs after an INSERT cannot
// change its table.
func (s *conn) Changes() int64 { return 0 }

// counts asks whether the server's counter makes the key: the column is the one that
// counts, and no trigger sets it before.
const counts = `SELECT COUNT(*) FROM information_schema.columns c
	WHERE c.table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND c.table_name = ? AND c.column_name = ? AND c.extra LIKE '%auto_increment%'
	AND NOT EXISTS (SELECT 1 FROM information_schema.triggers t WHERE t.event_object_schema = c.table_schema
		AND t.event_object_table = c.table_name AND t.event_manipulation = 'INSERT' AND t.action_timing = 'BEFORE')`

// InsertTold implements session.IDTeller. It asks the schema before each INSERT: an
// answer that is kept may be old.
func (s *conn) InsertTold(ctx context.Context, in *session.ToldInsert, args []sqldriver.NamedValue) (session.Result, bool, error) {
	if in.Key != "" {
		if is, err := s.countsKey(ctx, in); err != nil || !is {
			return session.Result{}, false, err
		}
	}
	res, err := s.Exec(ctx, in.Text, args)
	return res, true, err
}

func (s *conn) countsKey(ctx context.Context, in *session.ToldInsert) (bool, error) {
	database, table, qualified := strings.Cut(in.Table, ".")
	if !qualified {
		database, table = "", in.Table
	}
	rows, err := s.Session.Read(ctx, counts, []sqldriver.NamedValue{
		{Ordinal: 1, Value: database}, {Ordinal: 2, Value: table}, {Ordinal: 3, Value: in.Key}})
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	var dest [1]sqldriver.Value
	if err := rows.Next(dest[:]); err != nil {
		return false, err
	}
	return toInt(dest[0]) == 1, nil
}
