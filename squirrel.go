package dbfleet

import (
	"context"
	"errors"

	"github.com/Masterminds/squirrel"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Whole statements that squirrel built, on the route of a query.

// GetStatement runs a whole SELECT that squirrel built on the query's route and
// maps its rows into T. The query's own conditions are refused. Placeholders of
// any format are accepted. A squirrel INSERT, UPDATE or DELETE that returns rows
// goes to the primary; as for ExecStatement, it must have a condition. Relations
// of With are loaded if the statement selects the columns that they need.
func (q *Query[T]) GetStatement(ctx context.Context, s squirrel.Sqlizer) ([]T, error) {
	var rows []T
	err := (*query)(q).getStatement(ctx, &rows, s)
	return rows, err
}

// ExecStatement runs a whole INSERT, UPDATE or DELETE that squirrel built on
// the primary of the query's route, and returns the affected rows. A squirrel
// UPDATE or DELETE without conditions is refused with ErrMissingWhere unless
// AllRows was called; SQL given by squirrel.Expr is not looked at.
func (q *Query[T]) ExecStatement(ctx context.Context, s squirrel.Sqlizer) (int64, error) {
	return (*query)(q).execStatement(ctx, s)
}

// wholeStatement is a statement that squirrel built, or that the caller wrote.
type wholeStatement struct {
	made   squirrel.Sqlizer
	table  string
	raw    string // in place of made
	writes bool
}

// whole checks a statement that takes the place of the query's own.
func (q *query) whole(s squirrel.Sqlizer) (*wholeStatement, error) {
	if err := q.usable(); err != nil {
		return nil, err
	}
	if q.q.HasConditions() {
		return nil, q.src.table.Fail("a whole statement has its own conditions; the query's would be lost")
	}
	if rowmap.IsNil(s) {
		return nil, q.src.table.Fail("the statement is nil")
	}
	writes, unconditional := sqlgen.Verb(s)
	if unconditional && !q.q.AllRows() {
		return nil, q.src.table.MissingWhere()
	}
	return &wholeStatement{made: s, table: q.src.table.Name, writes: writes}, nil
}

func (w *wholeStatement) text(env *sqlgen.Env) (string, []any, error) {
	text, args, err := sqlgen.Text(&sqlgen.Expr{Sqlizer: w.made}, env)
	var fault *sqlgen.StatementError
	if errors.As(err, &fault) && fault.Table == "" {
		fault.Table = w.table
	}
	return text, args, err
}

func (q *query) getStatement(ctx context.Context, list any, s squirrel.Sqlizer) error {
	w, err := q.whole(s)
	if err != nil {
		return told(err)
	}
	v := &selection{trip: trip{q: q}, into: list, stmt: w}
	_, err = v.run(ctx, v)
	return err
}

// statementExec is the verb of ExecStatement.
type statementExec struct {
	writing
	stmt *wholeStatement
}

func (v *statementExec) render(p *place, s *statement) (err error) {
	s.op, s.write = "exec", true
	s.text, s.args, err = v.stmt.text(v.q.env(p))
	return err
}

func (q *query) execStatement(ctx context.Context, s squirrel.Sqlizer) (int64, error) {
	w, err := q.whole(s)
	if err != nil {
		return 0, told(err)
	}
	v := &statementExec{writing{trip{q: q}}, w}
	res, err := v.run(ctx, v)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected, nil
}
