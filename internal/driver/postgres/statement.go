//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// statement is a prepared statement and what is known about its rows.
type statement struct {
	sd *pgconn.StatementDescription
	*columns
	arrays *string // see InsertRows; nil until it is asked for
}

// describedPerKept is how many statements are described for one that is kept: a
// description takes about a kilobyte here, and nothing on the server.
const describedPerKept = 4

// statement finds or prepares the statement of that text. fresh says that it
// was prepared just now.
func (s *conn) statement(ctx context.Context, query string) (st *statement, fresh bool, err error) {
	if e := s.cache.Get(query); e != nil {
		return e.Stmt, false, nil
	}
	steady := isSteady(query)
	keep := steady && s.cache.Admit(query)
	name := ""
	if keep {
		s.names++
		name = "dbfleet_" + strconv.Itoa(s.names)
	} else if e := s.described.Get(query); e != nil {
		return e.Stmt, false, nil
	}
	s.unnamed = nil
	sd, err := s.pc.Prepare(ctx, name, query, nil)
	if err != nil {
		var pe *pgconn.PrepareError
		if name != "" && errors.As(err, &pe) && pe.ParseComplete {
			s.closes = append(s.closes, name)
		}
		return nil, false, err
	}
	st = &statement{sd: sd, columns: describe(sd.Fields)}
	switch {
	case keep:
		s.cache.Put(query, st)
		s.described.Forget(query)
	default:
		if steady && s.described.Admit(query) {
			s.described.Put(query, st)
		}
		if !s.b.o.Pooler {
			s.unnamed = st
		}
	}
	return st, true, nil
}

// isSteady reports whether a text means the same each time. FETCH and EXECUTE have
// the columns of what their name stands for at the moment.
func isSteady(query string) bool {
	word, _ := lex.FirstWord(query, dialect.Postgres)
	return !strings.EqualFold(word, "FETCH") && !strings.EqualFold(word, "EXECUTE")
}

// forget forgets what is known of the statement of that text.
func (s *conn) forget(query string) {
	s.cache.Forget(query)
	s.described.Forget(query)
}

// run executes a statement with arguments in the protocol's form.
func (s *conn) run(ctx context.Context, st *statement, values [][]byte, formats []int16, results []int16) *pgconn.ResultReader {
	s.sendCloses()
	parsed := st.sd.Name != "" || s.unnamed == st
	s.unnamed = nil // whatever comes next takes its place
	if !parsed {
		return s.pc.ExecParams(ctx, st.sd.SQL, values, st.sd.ParamOIDs, formats, results)
	}
	return s.pc.ExecStatement(ctx, st.sd, values, formats, results)
}

// send binds the arguments and sends the statement.
func (s *conn) send(ctx context.Context, st *statement, args []sqldriver.NamedValue) (*pgconn.ResultReader, error) {
	if err := s.bind(st, args); err != nil {
		return nil, err
	}
	return s.run(ctx, st, s.params.ParamValues, s.params.ParamFormats, st.formats), nil
}

// bind brings the arguments into the protocol's form, in s.params.
func (s *conn) bind(st *statement, args []sqldriver.NamedValue) error {
	if err := session.CheckInputs(len(st.sd.ParamOIDs), len(args)); err != nil {
		return err
	}
	s.args = s.args[:0]
	for i := range args {
		if err := wholeNumber(i+1, st.sd.ParamOIDs[i], args[i].Value); err != nil {
			return err
		}
		s.args = append(s.args, args[i].Value)
	}
	return s.encode(st, args)
}

// sendCloses sends, with the next statement, which ones fell out of the cache.
func (s *conn) sendCloses() {
	for _, name := range s.closes {
		s.pc.Frontend().SendClose(&pgproto3.Close{ObjectType: 'S', Name: name})
	}
	s.closes = s.closes[:0]
}

// encode encodes s.args, which are args. pgx asks Value methods.
func (s *conn) encode(st *statement, args []sqldriver.NamedValue) (err error) {
	defer session.RecoverArgument(0, &err)
	defer clear(s.args)
	if err := s.params.Build(s.conn.TypeMap(), st.sd, s.args); err != nil {
		return s.argumentError(st, args)
	}
	return nil
}

// argumentError says which argument could not be encoded, without its value.
func (s *conn) argumentError(st *statement, args []sqldriver.NamedValue) error {
	m := s.conn.TypeMap()
	for i, oid := range st.sd.ParamOIDs {
		if args[i].Value == nil {
			continue
		}
		var format int16 = pgx.TextFormatCode
		if _, err := m.Encode(oid, format, args[i].Value, nil); err == nil {
			continue
		}
		format = pgx.BinaryFormatCode
		if _, err := m.Encode(oid, format, args[i].Value, nil); err != nil {
			return &session.NotSentError{Err: &session.ArgumentError{Ordinal: i + 1, Reason: "cannot be sent as " + typeName(m, oid)}}
		}
	}
	return &session.NotSentError{Err: &session.ArgumentError{Reason: "an argument cannot be sent"}}
}

// again forgets a statement that a change of the schema may have made stale,
// and reports whether the server said so before it executed anything.
func (s *conn) again(query string, err error) bool {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false
	}
	switch pe.Code[:min(2, len(pe.Code))] {
	case "0A", "26", "42", "XX", "08":
		s.forget(query)
	}
	stale := pe.Code == "0A000" && pe.Routine == "RevalidateCachedQuery" || pe.Code == "26000" ||
		pe.Code == "08P01" && pe.Routine == "PortalSetResultFormat" // it has another number of columns now
	return stale && s.pc.TxStatus() == 'I'
}
