//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// keyColumns asks for the columns of a unique key, and columnOf for a column, of a
// table without triggers. A trigger may have met the key or column of another table.
const (
	keyColumns = `SELECT s.column_name FROM information_schema.statistics s
	WHERE s.table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND s.table_name = ? AND s.index_name = ? AND s.non_unique = 0
	AND NOT EXISTS (SELECT 1 FROM information_schema.triggers t WHERE t.event_object_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND t.event_object_table = ?)
	ORDER BY s.seq_in_index`
	columnOf = `SELECT c.column_name FROM information_schema.columns c
	WHERE c.table_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND c.table_name = ? AND c.column_name = ?
	AND NOT EXISTS (SELECT 1 FROM information_schema.triggers t WHERE t.event_object_schema = COALESCE(NULLIF(?, ''), DATABASE()) AND t.event_object_table = ?)`
)

// Names implements session.Namer. The server names a unique key by its name only, and
// a column without its table: they are those of the statement's table, if it has them
// and no trigger could have met others.
func (s *conn) Names(ctx context.Context, err error, query string) (table, column string, failure error) {
	var me *mysql.MySQLError
	if !errors.As(err, &me) {
		return "", "", nil
	}
	p, _ := classify(me)
	ask, name := keyColumns, p.Constraint
	switch {
	case p.Class == session.Unique:
	case (p.Class == session.NotNull || p.Class == session.InvalidValue) && p.Table == "":
		ask, name = columnOf, p.Column
	default:
		return "", "", nil
	}
	schema, table := lex.Target(query, dialect.MySQL)
	if table == "" || name == "" || p.Table != "" && !strings.EqualFold(p.Table, table) {
		return "", "", nil
	}
	names, failure := s.column(ctx, ask, schema, table, name, schema, table)
	if failure != nil || len(names) == 0 {
		return "", "", failure
	}
	if p.Column != "" || slices.Contains(names, "") { // it is known, or an expression
		return table, "", nil
	}
	return table, strings.Join(names, ", "), nil
}

// column reads the only column of a query, NULL as "".
func (s *conn) column(ctx context.Context, query string, args ...string) (list []string, err error) {
	values := make([]sqldriver.NamedValue, len(args))
	for i, a := range args {
		values[i] = sqldriver.NamedValue{Ordinal: i + 1, Value: a}
	}
	rows, err := s.Session.Read(ctx, query, values)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var dest [1]sqldriver.Value
	for {
		if err := rows.Next(dest[:]); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		switch v := dest[0].(type) {
		case []byte:
			list = append(list, string(v))
		case string:
			list = append(list, v)
		default:
			list = append(list, "")
		}
	}
}
