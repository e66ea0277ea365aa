package plain

import (
	"context"
	sqldriver "database/sql/driver"

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
