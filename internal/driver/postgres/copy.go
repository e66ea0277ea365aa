//go:build !dbfleet_no_postgres

package postgres

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dbfleet/dbfleet/internal/driver/netconn"
	"github.com/dbfleet/dbfleet/internal/driver/session"
	"github.com/dbfleet/dbfleet/internal/value"
)

// copyStream streams rows by COPY … FROM STDIN.
type copyStream struct {
	s      *conn
	text   string
	cols   []string
	oids   []uint32
	binary bool
	spare  []byte
}

// CopyInto asks for the columns' types by preparing an INSERT, as that of a
// single row does. The binary format is taken where each type has an encoding
// below and the first row's values are what it encodes.
func (s *conn) CopyInto(ctx context.Context, into *session.LoadTarget, first []any) (session.Copier, error) {
	text, err := into.Insert(1)
	if err != nil {
		return nil, &session.NotSentError{Err: err}
	}
	st, fresh, err := s.statement(ctx, text)
	if err == nil && !fresh { // COPY reads the values as of today's types
		st, err = s.today(ctx, text, st)
	}
	if err != nil {
		return nil, err
	}
	if err := session.CheckInputs(len(st.sd.ParamOIDs), len(first)); err != nil {
		return nil, err
	}
	l := &copyStream{s: s, cols: into.Columns, oids: st.sd.ParamOIDs, binary: true}
	for i, v := range first {
		l.binary = l.binary && natural(l.oids[i], v)
	}
	l.text = "COPY " + into.Table + " (" + strings.Join(into.Columns, ", ") + ") FROM STDIN"
	if l.binary {
		l.text += " (FORMAT binary)"
	}
	return l, nil
}

func (l *copyStream) Head(buf []byte) []byte {
	if l.binary {
		buf = append(buf, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	}
	return buf
}

func (l *copyStream) Tail(buf []byte) []byte {
	if l.binary {
		buf = append(buf, 0xff, 0xff)
	}
	return buf
}

func (l *copyStream) Row(buf []byte, row []any) ([]byte, error) {
	if l.binary {
		buf = binary.BigEndian.AppendUint16(buf, uint16(len(row)))
	}
	var err error
	for i, v := range row {
		if l.binary {
			buf, err = appendBinary(l.s.conn.TypeMap(), buf, l.oids[i], v)
		} else {
			if i > 0 {
				buf = append(buf, '\t')
			}
			buf, err = l.value(buf, l.oids[i], v)
		}
		if err != nil {
			return buf, &session.ArgumentError{Reason: "column " + l.cols[i] + ": the value cannot be sent as " + typeName(l.s.conn.TypeMap(), l.oids[i])}
		}
	}
	if !l.binary {
		buf = append(buf, '\n')
	}
	return buf, nil
}

// value appends a value in COPY's text format.
func (l *copyStream) value(buf []byte, oid uint32, v any) ([]byte, error) {
	switch x := v.(type) {
	case nil:
		return append(buf, `\N`...), nil
	case string:
		return appendCopyText(buf, x), nil
	case []byte:
		if oid == pgtype.ByteaOID {
			return hex.AppendEncode(append(buf, `\\x`...), x), nil
		}
		return appendCopyText(buf, x), nil
	case int64:
		if oid == pgtype.OIDOID && x != int64(uint32(x)) || oid == pgtype.QCharOID || oid == pgtype.XMLOID {
			return buf, errRange // as in a statement, or otherwise
		}
		return strconv.AppendInt(buf, x, 10), nil
	case uint64:
		if oid == pgtype.OIDOID || oid == pgtype.XMLOID {
			return buf, errRange
		}
		return strconv.AppendUint(buf, x, 10), nil
	case float64:
		switch oid {
		case pgtype.Float4OID, pgtype.Float8OID, pgtype.NumericOID:
			switch {
			case math.IsInf(x, 1):
				return append(buf, "Infinity"...), nil
			case math.IsInf(x, -1):
				return append(buf, "-Infinity"...), nil
			}
			return strconv.AppendFloat(buf, x, 'g', -1, 64), nil
		case pgtype.JSONOID:
			text, err := json.Marshal(x)
			return append(buf, text...), err
		case pgtype.OIDOID:
			if !isWhole(x) {
				return buf, errRange
			}
		case pgtype.XMLOID:
			return buf, errRange
		}
		return strconv.AppendFloat(buf, x, 'f', -1, 64), nil // as a statement's argument
	case bool:
		switch oid {
		case pgtype.BoolOID:
		case pgtype.XMLOID:
			return buf, errRange
		case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.JSONOID, pgtype.JSONBOID:
			return strconv.AppendBool(buf, x), nil // as a statement's argument
		}
		if x {
			return append(buf, 't'), nil
		}
		return append(buf, 'f'), nil
	case time.Time:
		if x.Year() >= 1 && x.Year() <= 9999 {
			switch oid {
			case pgtype.TimestamptzOID:
				return append(value.AppendTime(buf, x), "+00"...), nil
			case pgtype.TimestampOID:
				return value.AppendTime(buf, x), nil
			case pgtype.DateOID:
				return x.AppendFormat(buf, "2006-01-02"), nil
			}
		}
	}
	text, err := l.s.conn.TypeMap().Encode(oid, pgx.TextFormatCode, v, l.spare[:0])
	if err != nil {
		return buf, err
	}
	if text == nil {
		return append(buf, `\N`...), nil
	}
	l.spare = text
	return appendCopyText(buf, text), nil
}

// appendCopyText escapes what has a meaning of its own in COPY's text format.
func appendCopyText[S string | []byte](buf []byte, s S) []byte {
	from := 0
	for i := 0; i < len(s); i++ {
		var escaped byte
		switch s[i] {
		case '\\':
			escaped = '\\'
		case '\t':
			escaped = 't'
		case '\n':
			escaped = 'n'
		case '\r':
			escaped = 'r'
		default:
			continue
		}
		buf = append(buf, s[from:i]...)
		buf = append(buf, '\\', escaped)
		from = i + 1
	}
	return append(buf, s[from:]...)
}

func (l *copyStream) Send(ctx context.Context, stream io.Reader, asked func()) (int64, error) {
	asked()
	if err := l.s.beginNow(ctx); err != nil {
		return 0, err
	}
	l.s.unnamed = nil
	l.s.net.Feeding(true)
	tag, err := l.s.pc.CopyFrom(ctx, &feed{stream, l.s.net}, l.text)
	l.s.net.Feeding(false)
	return tag.RowsAffected(), err
}

// feed notes when it is the server's turn again to say something.
type feed struct {
	io.Reader
	net *netconn.Conn
}

func (r *feed) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if err != nil {
		r.net.Feeding(false)
	}
	return n, err
}

func (l *copyStream) After(_ context.Context, _ int64, err error) error { return err }

// RowOf reads the row's number from the error's context, "COPY t, line 7". The
// binary format counts the header's "line" not either.
func (l *copyStream) RowOf(err error) int64 {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return -1
	}
	for line := range strings.SplitSeq(pe.Where, "\n") {
		if !strings.HasPrefix(line, "COPY ") {
			continue
		}
		_, text, ok := strings.Cut(line, ", line ")
		end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
		if end >= 0 {
			text = text[:end]
		}
		if n, err := strconv.ParseInt(text, 10, 64); ok && err == nil && n > 0 {
			return n - 1
		}
	}
	return -1
}
