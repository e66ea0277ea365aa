//go:build !dbfleet_no_postgres

package postgres

import (
	"cmp"
	"context"
	sqldriver "database/sql/driver"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// InsertKeyed sends one INSERT … RETURNING and looks at the keys before it lets the
// server commit. It rests on the protocol: what is sent outside of BEGIN and COMMIT
// is one transaction up to the next Sync message, and the Sync commits it. So the
// INSERT goes with a Flush, which makes the server answer, and the Sync follows only
// when there is a key for each row: a trigger or rule may leave rows out, add some,
// or leave a key NULL. That is two round trips, where BEGIN, INSERT and COMMIT are
// three.
//
// Until the Sync is sent nothing can persist: a statement that was refused is
// undone by the server, one whose keys do not do is rolled back, and a connection
// that is lost or given up is rolled back with its session.
func (s *conn) InsertKeyed(ctx context.Context, in *session.KeyedInsert, args []sqldriver.NamedValue) (session.Keyed, error) {
	if s.b.o.Pooler || in.Rows == 0 {
		return session.Keyed{}, nil
	}
	made, stale, err := s.insertKeyed(ctx, in, args)
	if stale {
		made, _, err = s.insertKeyed(ctx, in, args)
	}
	return made, err
}

// insertKeyed is one try. stale says that the server has refused a statement that a
// change of the schema may have made stale, and which is forgotten now.
func (s *conn) insertKeyed(ctx context.Context, in *session.KeyedInsert, args []sqldriver.NamedValue) (made session.Keyed, stale bool, err error) {
	text, _, err := s.unnested(ctx, in.One, args)
	if err != nil {
		return session.Keyed{Undone: true, Sent: in.One}, false, err
	}
	arrays := text != ""
	if !arrays {
		text = in.Text
	}
	if text == "" {
		return session.Keyed{}, false, nil
	}
	var st *statement
	var fresh bool
	if arrays {
		st, fresh, err = s.statement(ctx, text)
	} else {
		st, fresh, err = s.bound(ctx, text, args)
	}
	if err == nil {
		if len(st.oids) != 1 || !integers[st.oids[0]] {
			return session.Keyed{Never: true}, false, nil
		}
		values, formats := s.arrays, binaryFormats
		if !arrays {
			values, formats = s.params.ParamValues, s.params.ParamFormats
		}
		made, err = s.sendKeyed(ctx, st, values, formats, in.Rows)
	} else {
		made.Undone = true
	}
	made.Sent = text
	if err == nil || !made.Undone {
		return made, false, err
	}
	stale, err = s.again(text, fresh, err)
	stale = stale || refusesText(err)
	if arrays { // the types that it was made for may be others now
		s.unlearn(in.One, err)
		return made, stale || refusesValue(err), err
	}
	return made, stale && !fresh, err
}

// sendKeyed sends the INSERT and, if the keys are as they must be, the Sync.
func (s *conn) sendKeyed(ctx context.Context, st *statement, values [][]byte, formats []int16, rows int) (session.Keyed, error) {
	p := s.pc.StartPipeline(ctx)
	keys, n, err := s.askKeys(p, st, values, formats, rows)
	if err == nil {
		err = ctx.Err()
	}
	switch {
	case err != nil:
		if refused(err) { // the server has undone it, and waits for the Sync
			_ = p.Sync()
		}
		_ = p.Close() // gives the connection up if there was no Sync
		return session.Keyed{Undone: true}, err
	case n != rows:
		return session.Keyed{Undone: true}, cmp.Or[error](undo(p), &session.RowsError{Rows: int64(n), Given: int64(rows)})
	case len(keys) != rows:
		return session.Keyed{Undone: true, Never: true}, undo(p)
	}
	sent, err := s.sync(p, st)
	if err != nil {
		return session.Keyed{Undone: !sent || refused(err) && !s.Verdict(err).CommitUnknown}, err
	}
	return session.Keyed{Keys: keys, OK: true}, nil
}

// askKeys sends the INSERT with a Flush and reads its rows, of which there are n.
// The keys are fewer if some are NULL, or 0, by which a record is new, or if there are more rows than were given.
func (s *conn) askKeys(p *pgconn.Pipeline, st *statement, values [][]byte, formats []int16, rows int) (keys []int64, n int, err error) {
	for _, name := range s.closes {
		p.SendDeallocate(name)
	}
	parsed := st.sd.Name != "" || s.unnamed == st
	s.unnamed = nil
	if parsed {
		p.SendQueryStatement(st.sd, values, formats, st.formats)
	} else {
		p.SendQueryParams(st.sd.SQL, values, st.sd.ParamOIDs, formats, st.formats)
	}
	p.SendFlushRequest()
	if err := p.Flush(); err != nil {
		return nil, 0, err
	}
	s.closes = s.closes[:0]
	rr, err := result(p)
	if err != nil {
		return nil, 0, err
	}
	keys = make([]int64, 0, rows)
	for ; rr.NextRow(); n++ {
		if key, ok := integer(rr.Values()); ok && key != 0 && len(keys) < rows {
			keys = append(keys, key)
		}
	}
	_, err = rr.Close()
	return keys, n, err
}

// result is the answer to the statement of a pipeline, behind those to the Close
// messages before it.
func result(p *pgconn.Pipeline) (*pgconn.ResultReader, error) {
	for {
		switch answer, err := p.GetResults(); answer := answer.(type) {
		case *pgconn.ResultReader:
			return answer, nil
		case nil:
			if err == nil {
				err = errNoAnswer
			}
			return nil, err
		}
	}
}

var errNoAnswer = errors.New("the server's answers are fewer than the requests")

// sync sends the Sync and reads the server's word on it, which is an error if a
// deferred constraint is violated. sent is false if nothing of it left.
func (s *conn) sync(p *pgconn.Pipeline, st *statement) (sent bool, err error) {
	over := s.takesAlong(st.sd.SQL)
	err = p.Sync()
	over()
	if err != nil {
		_ = p.Close()
		return !pgconn.SafeToRetry(err), err
	}
	answer, err := p.GetResults()
	if _, ok := answer.(*pgconn.PipelineSync); !ok && err == nil {
		err = errNoAnswer
	}
	if closeErr := p.Close(); err == nil {
		err = closeErr
	}
	return true, err
}

// undo rolls the INSERT back instead of committing it. Should ROLLBACK fail, so has
// the transaction. Its error is that of the connection.
func undo(p *pgconn.Pipeline) error {
	p.SendQueryParams("ROLLBACK", nil, nil, nil, nil)
	err := p.Sync()
	if err == nil {
		err = p.Close()
	} else {
		_ = p.Close()
	}
	if refused(err) {
		return nil
	}
	return err
}

// refused says that err is the server's refusal of a statement, after which the
// connection goes on.
func refused(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && strings.EqualFold(pe.Severity, "ERROR")
}

// refusesText says that err refuses a statement as such, whatever its arguments.
func refusesText(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && (strings.HasPrefix(pe.Code, "42") || strings.HasPrefix(pe.Code, "0A"))
}

// refusesValue says that err refuses a value of a statement as none of its type.
func refusesValue(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && strings.HasPrefix(pe.Code, "22")
}

// integers are the types that a key may have.
var integers = map[uint32]bool{pgtype.Int2OID: true, pgtype.Int4OID: true, pgtype.Int8OID: true}

// integer reads a row of one whole number in its binary form. It is not ok if that
// is NULL.
func integer(row [][]byte) (n int64, ok bool) {
	if len(row) != 1 {
		return 0, false
	}
	be := binary.BigEndian
	switch b := row[0]; len(b) {
	case 2:
		return int64(int16(be.Uint16(b))), true
	case 4:
		return int64(int32(be.Uint32(b))), true
	case 8:
		return int64(be.Uint64(b)), true
	}
	return 0, false
}
