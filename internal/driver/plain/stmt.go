package plain

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
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
type rowed struct{ sqldriver.Stmt }

// ExecContext passes the rows over.
func (s rowed) ExecContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	rows, err := queryStmt(ctx, s.Stmt, args)
	if err != nil {
		return nil, err
	}
	row := make([]sqldriver.Value, len(rows.Columns()))
	for err == nil {
		err = rows.Next(row)
	}
	closeErr := rows.Close()
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return sqldriver.RowsAffected(0), closeErr
}

// QueryContext is that of the driver.
func (s rowed) QueryContext(ctx context.Context, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	return queryStmt(ctx, s.Stmt, args)
}
