package plain

import (
	"context"
	sqldriver "database/sql/driver"
	"io"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

func execStmt(ctx context.Context, s sqldriver.Stmt, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	if err := session.CheckInputs(s.NumInput(), len(args)); err != nil {
		return nil, err
	}
	if c, ok := s.(sqldriver.StmtExecContext); ok {
		return c.ExecContext(ctx, args)
	}
	//lint:ignore SA1019 a driver may have nothing newer
	return s.Exec(values(args))
}

func queryStmt(ctx context.Context, s sqldriver.Stmt, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	if err := session.CheckInputs(s.NumInput(), len(args)); err != nil {
		return nil, err
	}
	if c, ok := s.(sqldriver.StmtQueryContext); ok {
		return c.QueryContext(ctx, args)
	}
	//lint:ignore SA1019 a driver may have nothing newer
	return s.Query(values(args))
}

func values(args []sqldriver.NamedValue) []sqldriver.Value {
	out := make([]sqldriver.Value, len(args))
	for i := range args {
		out[i] = args[i].Value
	}
	return out
}

// rowed is a statement with rows whose driver cannot execute it but as a query.
type rowed struct {
	sqldriver.Stmt
	writes bool // its rows are those that it has written
}

// ExecContext passes the rows over, and counts those that were written.
func (s rowed) ExecContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	rows, err := queryStmt(ctx, s.Stmt, args)
	if err != nil {
		return nil, err
	}
	row, n := make([]sqldriver.Value, len(rows.Columns())), sqldriver.RowsAffected(0)
	for {
		if err = rows.Next(row); err != nil {
			break
		}
		if s.writes {
			n++
		}
	}
	closeErr := rows.Close()
	if err != io.EOF {
		return nil, err
	}
	return n, closeErr
}

// QueryContext is that of the driver.
func (s rowed) QueryContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	return queryStmt(ctx, s.Stmt, args)
}
