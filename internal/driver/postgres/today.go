//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	sqldriver "database/sql/driver"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// bound finds or prepares the statement of that text and brings the arguments into
// its form, in s.params. fresh says that its types are today's. A text goes without a
// type even then: between two round trips a type may change too.
func (s *conn) bound(ctx context.Context, query string, args []sqldriver.NamedValue) (st *statement, fresh bool, err error) {
	st, fresh, err = s.boundAsKnown(ctx, query, args)
	if err != nil && st != nil {
		if wide := widened(st, args); wide != nil && s.bind(wide, args) == nil {
			return wide, fresh, nil
		}
	}
	return st, fresh, err
}

// widened is a statement that only compares, with a larger type for whole numbers that
// the column's has no room for: no row has them, and that is the answer. It is nil
// where there are none.
func widened(st *statement, args []sqldriver.NamedValue) *statement {
	if st.stores || len(args) != len(st.sd.ParamOIDs) {
		return nil
	}
	oids := slices.Clone(st.sd.ParamOIDs)
	found := false
	for i, oid := range oids {
		switch v := args[i].Value.(type) {
		case int64:
			if !fitsInteger(oid, v) {
				oids[i], found = pgtype.Int8OID, true
			}
		case []int64:
			if slices.ContainsFunc(v, func(n int64) bool { return !fitsInteger(elementOf[oid], n) }) {
				oids[i], found = pgtype.Int8ArrayOID, true
			}
		}
	}
	if !found {
		return nil
	}
	return st.retyped(oids)
}

// retyped is the statement with other types of its parameters. It is sent whole.
func (st *statement) retyped(oids []uint32) *statement {
	sd := &pgconn.StatementDescription{SQL: st.sd.SQL, ParamOIDs: oids, Fields: st.sd.Fields}
	return &statement{sd: sd, columns: st.columns}
}

// fitsInteger says whether a type of whole numbers has room for one; other types are
// not judged.
func fitsInteger(oid uint32, n int64) bool {
	switch oid {
	case pgtype.Int2OID:
		return n == int64(int16(n))
	case pgtype.Int4OID:
		return n == int64(int32(n))
	}
	return true
}

// boundAsKnown is bound for the types of the columns, which values may not fit.
func (s *conn) boundAsKnown(ctx context.Context, query string, args []sqldriver.NamedValue) (st *statement, fresh bool, err error) {
	st, fresh, err = s.statement(ctx, query)
	if err != nil {
		return nil, false, err
	}
	if len(args) != len(st.sd.ParamOIDs) || !st.wary && fresh {
		return st, fresh, s.bind(st, args)
	}
	worst := sure
	if st.wary {
		for i, oid := range st.sd.ParamOIDs {
			worst = max(worst, s.doubtIn(st, oid, args[i].Value))
		}
	}
	if worst < askFirst || fresh {
		if err = s.bind(st, args); err == nil || fresh {
			return s.infer(st, worst, args), fresh, err
		}
	}
	// It is in doubt, or cannot be encoded for the type that is known.
	today, askErr := s.today(ctx, query, st)
	switch {
	case askErr != nil:
		return nil, false, askErr
	case today == st && err != nil:
		return st, false, err
	}
	err = s.bind(today, args)
	return s.infer(today, worst, args), true, err
}

// infer is the statement with the values in doubt as texts of no known type, if there
// are some.
func (s *conn) infer(st *statement, worst doubt, args []sqldriver.NamedValue) *statement {
	if worst == sure || len(s.params.ParamValues) != len(args) {
		return st
	}
	oids := slices.Clone(st.sd.ParamOIDs)
	found := false
	for i, oid := range oids {
		if s.doubtIn(st, oid, args[i].Value) == asText {
			oids[i], found = 0, true
			if b, ok := args[i].Value.([]byte); ok { // they are the same in bytea and text
				s.params.ParamValues[i], s.params.ParamFormats[i] = b, pgtype.BinaryFormatCode
				continue
			}
			s.params.ParamValues[i], s.params.ParamFormats[i] = text(args[i].Value), pgtype.TextFormatCode
		}
	}
	if !found {
		return st
	}
	return st.retyped(oids)
}

// today describes a statement anew, and is the known one if that is still right.
func (s *conn) today(ctx context.Context, query string, known *statement) (*statement, error) {
	s.unnamed = nil
	sd, err := s.pc.Prepare(ctx, "", query, nil)
	if err != nil {
		_, err = s.again(query, false, err)
		return nil, err
	}
	if slices.Equal(sd.ParamOIDs, known.sd.ParamOIDs) && known.match(sd.Fields) {
		return known, nil
	}
	s.forget(query)
	asked, err := s.learnBases(ctx, sd.ParamOIDs)
	if err != nil {
		return nil, err
	}
	st := s.newStatement(sd)
	if !asked && !s.b.o.Pooler {
		s.unnamed = st
	}
	return st, nil
}

// changed notes what a statement's tag tells of the schema, of which prepared
// statements may know an older state: within a transaction nothing could be prepared
// again once one of them was refused. What ROLLBACK takes back changes it too.
func (s *conn) changed(tag pgconn.CommandTag) {
	word, _, _ := strings.Cut(tag.String(), " ")
	s.turned(word, tag.String())
	switch word {
	case "ALTER", "CREATE", "DROP", "DO", "CALL", "IMPORT", "DISCARD", "DEALLOCATE":
		s.altered = s.pc.TxStatus() != 'I'
	case "ROLLBACK":
		if !s.altered {
			return
		}
		s.altered = s.pc.TxStatus() != 'I'
	case "COMMIT":
		s.altered = false
		return
	default:
		return
	}
	s.clear()
}
