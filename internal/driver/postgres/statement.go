//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// statement is a prepared statement and what is known about its rows.
type statement struct {
	sd *pgconn.StatementDescription
	*columns
	wary   bool    // a value may be in doubt, see doubt
	stores bool    // values may be stored, not only compared
	arrays *string // see InsertRows; nil until it is asked for
}

func (s *conn) newStatement(sd *pgconn.StatementDescription) *statement {
	word, _ := lex.FirstWord(sd.SQL, dialect.Postgres)
	return &statement{
		sd: sd, columns: describe(sd.Fields), wary: slices.ContainsFunc(sd.ParamOIDs, func(oid uint32) bool { return doubted(s.base(oid)) }),
		stores: !strings.EqualFold(word, "SELECT") && !strings.EqualFold(word, "DELETE"),
	}
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
	asked, err := s.learnBases(ctx, sd.ParamOIDs)
	if err != nil {
		if name != "" {
			s.closes = append(s.closes, name)
		}
		return nil, false, err
	}
	st = s.newStatement(sd)
	switch {
	case keep:
		s.cache.Put(query, st)
		s.described.Forget(query)
	default:
		if steady && s.described.Admit(query) {
			s.described.Put(query, st)
		}
		if !asked && !s.b.o.Pooler {
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
	defer s.takesAlong(st.sd.SQL)()
	if !parsed {
		return s.pc.ExecParams(ctx, st.sd.SQL, values, st.sd.ParamOIDs, formats, results)
	}
	return s.pc.ExecStatement(ctx, st.sd, values, formats, results)
}

// send finds or prepares the statement of that text, binds the arguments and sends
// it. fresh says that it was prepared just now.
func (s *conn) send(ctx context.Context, query string, args []sqldriver.NamedValue) (rr *pgconn.ResultReader, st *statement, fresh bool, err error) {
	st, fresh, err = s.bound(ctx, query, args)
	if err != nil {
		return nil, nil, false, err
	}
	return s.run(ctx, st, s.params.ParamValues, s.params.ParamFormats, st.formats), st, fresh, nil
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
		v := args[i].Value
		if list, ok := v.([][]byte); ok {
			v = s.asTexts(st.sd.ParamOIDs[i], list)
		}
		s.args = append(s.args, v)
	}
	return s.encode(st, args)
}

// asTexts is a list of bytes for an array: texts, as bytes are, if its elements are
// neither bytea nor UUIDs of 16 bytes.
func (s *conn) asTexts(array uint32, list [][]byte) any {
	element := s.elements[array]
	switch {
	case array == 0, array == pgtype.ByteaArrayOID, array >= firstUserOID && (element == 0 || element == pgtype.ByteaOID):
		return list
	case array == pgtype.UUIDArrayOID, element == pgtype.UUIDOID:
		if slices.ContainsFunc(list, func(b []byte) bool { return len(b) == 16 }) {
			return list
		}
	}
	texts := make([]*string, len(list))
	for i, b := range list {
		if b != nil {
			text := string(b)
			texts[i] = &text
		}
	}
	return texts
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
	for i := range args {
		if b, ok := args[i].Value.([]byte); ok && b != nil && s.isText(st.sd.ParamOIDs[i], b) {
			s.params.ParamValues[i], s.params.ParamFormats[i] = b, pgx.TextFormatCode
		}
	}
	return nil
}

// isText says whether bytes are the text of a value of the type, as they are read;
// pgx would make an array of numbers of them where the type is an array.
func (s *conn) isText(oid uint32, b []byte) bool {
	switch base := s.base(oid); {
	case base == 0, base == pgtype.ByteaOID:
		return false
	case base == pgtype.UUIDOID:
		return len(b) != 16
	case base >= firstUserOID:
		return s.bases[base] == base // a type of its own, for which pgx would write \x…
	}
	return true
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

// again forgets a statement that a change of the schema may have made stale. It
// reports whether the statement may be prepared and sent once more: the server said
// so before it executed anything, and no transaction is broken by it. If one is, the
// error says why. fresh says that the statement was prepared just now.
func (s *conn) again(query string, fresh bool, err error) (bool, error) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return false, err
	}
	switch pe.Code[:min(2, len(pe.Code))] {
	case "0A", "26", "42", "XX", "08":
		s.forget(query)
	case "22":
		if refusesParameter(pe) {
			s.forget(query)
		}
	}
	switch {
	case fresh:
		return false, err
	case isStale(pe):
		// Others may be stale as well, and a transaction can only begin again.
		s.clear()
		if s.alone() {
			return true, err
		}
		return false, &session.SchemaChangedError{Err: err}
	}
	return refusesParameter(pe) && s.alone(), err
}

// isStale says that the server refuses a statement that it has taken before, and has
// not executed anything of it.
func isStale(pe *pgconn.PgError) bool {
	switch pe.Code {
	case "0A000": // it would have other columns now
		return pe.Routine == "RevalidateCachedQuery"
	case "08P01":
		return pe.Routine == "PortalSetResultFormat"
	case "26000": // it was deallocated
		return true
	case "42804", "42846", "42883", "42725": // a parameter's type does not fit the column's
		return pe.Where == "" // else a function says so
	case "XX000": // a parameter's type is there no more
		return strings.HasPrefix(pe.Message, "cache lookup failed for type")
	}
	return false
}

// refusesParameter says that a value is none of its parameter's type, which may be
// another one by now. The server then names the parameter, as in "unnamed portal
// parameter $1", in the language of its messages, and has executed nothing.
func refusesParameter(pe *pgconn.PgError) bool {
	last := pe.Where[strings.LastIndexByte(pe.Where, '\n')+1:]
	return strings.HasPrefix(pe.Code, "22") && strings.Contains(last, "$")
}

// clear forgets all statements.
func (s *conn) clear() {
	s.unnamed = nil
	s.cache.Clear()
	s.described.Clear()
}
