//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	sqldriver "database/sql/driver"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbfleet/dbfleet/internal/cell"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// pgx takes options of a statement as its first arguments: how it is sent, in which
// formats the rows come, what rewrites it. Such a statement goes by pgx's own road,
// with pgx's own caches.

// hasOptions says whether the first argument is one of pgx's options.
func hasOptions(args []sqldriver.NamedValue) bool {
	if len(args) == 0 {
		return false
	}
	switch args[0].Value.(type) {
	case nil, int64, string, []byte, bool, float64, time.Time, uint64: // most of them
		return false
	case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID, pgx.QueryRewriter:
		return true
	}
	return false
}

// execOptions is Exec for arguments that begin with options.
func (s *conn) execOptions(ctx context.Context, query string, args []sqldriver.NamedValue) (res session.Result, err error) {
	defer session.RecoverArgument(0, &err)
	if err := s.beginNow(ctx); err != nil {
		return session.Result{}, err
	}
	s.unnamed = nil
	tag, err := s.conn.Exec(ctx, query, plainArgs(nil, args)...)
	if err == nil {
		s.changed(tag)
	}
	return session.Result{RowsAffected: tag.RowsAffected(), IDStep: 1}, err
}

// queryOptions is Query for arguments that begin with options.
func (s *conn) queryOptions(ctx context.Context, query string, args []sqldriver.NamedValue) (src session.RowSource, err error) {
	defer session.RecoverArgument(0, &err)
	if err := s.beginNow(ctx); err != nil {
		return nil, err
	}
	s.unnamed = nil
	of, err := s.conn.Query(ctx, query, plainArgs([]any{resultFormats}, args)...)
	if err != nil {
		return nil, err
	}
	more := of.Next() // the columns are known, and what the server refuses, with the first row
	if err := of.Err(); err != nil {
		of.Close()
		return nil, err
	}
	cols := asSent(of.FieldDescriptions())
	if !more {
		s.changed(of.CommandTag())
	}
	return &pgxRows{rows: rows{s: s, cols: cols, first: more, done: !more}, of: of}, nil
}

// resultFormats are the formats of columns where the options name none: those that
// this package asks for elsewhere.
var resultFormats = func() pgx.QueryResultFormatsByOID {
	formats := pgx.QueryResultFormatsByOID{}
	for oid := range forms {
		formats[oid] = pgtype.BinaryFormatCode
	}
	return formats
}()

func plainArgs(first []any, args []sqldriver.NamedValue) []any {
	for i := range args {
		first = append(first, args[i].Value)
	}
	return first
}

// pgxRows are rows that pgx itself reads.
type pgxRows struct {
	rows
	of pgx.Rows
}

func (r *pgxRows) Next(dest []sqldriver.Value) error {
	values, err := r.next(len(dest))
	if err != nil {
		return err
	}
	var c cell.Cell
	for i, src := range values {
		if err := r.decodeAny(&c, i, src); err != nil {
			return err
		}
		dest[i] = c.Value()
	}
	return nil
}

func (r *pgxRows) NextCells(row []cell.Cell) error {
	values, err := r.next(len(row))
	if err != nil {
		return err
	}
	for i, src := range values {
		if err := r.decodeAny(&row[i], i, src); err != nil {
			return err
		}
	}
	return nil
}

func (r *pgxRows) next(columns int) ([][]byte, error) {
	switch {
	case r.done:
		return nil, io.EOF
	case r.first:
		r.first = false
	case !r.of.Next():
		r.done = true
		if err := r.of.Err(); err != nil {
			return nil, err
		}
		r.s.changed(r.of.CommandTag())
		return nil, io.EOF
	}
	values := r.of.RawValues()
	if len(values) != columns || len(values) != len(r.cols.oids) {
		return nil, fmt.Errorf("the server sent %d columns, %d were announced", len(values), len(r.cols.oids))
	}
	return values, nil
}

// decodeAny is decode, and for a binary form that options have asked for and that
// this package does not decode, the text that pgx makes of it.
func (r *pgxRows) decodeAny(c *cell.Cell, i int, src []byte) error {
	if src == nil || r.cols.forms[i] != formStrange {
		return r.decode(c, i, src)
	}
	var text string
	if err := r.s.conn.TypeMap().Scan(r.cols.oids[i], pgtype.BinaryFormatCode, src, &text); err != nil {
		return r.columnError(i, err)
	}
	c.SetText([]byte(text))
	return nil
}

func (r *pgxRows) Close() error {
	r.done = true
	r.of.Close()
	return r.of.Err()
}
