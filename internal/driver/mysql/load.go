//go:build !dbfleet_no_mysql

package mysql

import (
	"context"
	"crypto/rand"
	sqldriver "database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// load streams rows by LOAD DATA LOCAL INFILE.
//
// LOCAL makes the server take what it would refuse: it skips duplicates and
// bends values, with a warning for each. So the warnings are read afterwards
// and the worst of them is the statement's error.
//
// The "file" is a reader that the driver knows under a random name for this one
// statement. A server that asks for another name, at any time, gets nothing:
// the driver gives out no files unless it is told to.
type load struct {
	s    *conn
	text string
	name string
	as   []loadForm
	cols []string
	// quiet says that notes are off in the session.
	quiet bool
	at    int64 // the row of the warning, from 1, where the server tells it; else 0
}

// CopyInto looks at the columns' types. Types whose text is read otherwise than
// the value that a statement would send are left to INSERT.
func (s *conn) CopyInto(ctx context.Context, into *session.LoadTarget, _ []any) (session.Copier, error) {
	if s.noLocal || s.pooler {
		return nil, nil
	}
	rows, err := s.Query(ctx, "SELECT "+strings.Join(into.Columns, ", ")+" FROM "+into.Table+" LIMIT 0", nil)
	if err != nil {
		if v := s.Verdict(err); v.Answered && !v.Broken && !v.TxLost {
			return nil, nil // no right to read; what else it may be, INSERT tells
		}
		return nil, err
	}
	l := &load{s: s, cols: into.Columns, as: make([]loadForm, len(into.Columns))}
	for i := range l.as {
		switch rows.TypeName(i) {
		case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT",
			"UNSIGNED TINYINT", "UNSIGNED SMALLINT", "UNSIGNED MEDIUMINT", "UNSIGNED INT", "UNSIGNED BIGINT":
			l.as[i] = loadWhole
		case "DECIMAL", "FLOAT", "DOUBLE", "DATE", "TIME", "DATETIME", "TIMESTAMP":
		case "CHAR", "VARCHAR", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT", "JSON":
			l.as[i] = loadText
		case "BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB":
			l.as[i] = loadHex
		default: // BIT, YEAR, ENUM and SET read digits as something else
			l = nil
		}
		if l == nil {
			break
		}
	}
	if err := rows.Close(); err != nil || l == nil {
		return nil, err
	}
	l.name = "dbfleet-" + rand.Text()
	l.text = l.statement(into.Table)
	return l, nil
}

func (l *load) statement(table string) string {
	var b strings.Builder
	b.WriteString("LOAD DATA LOCAL INFILE 'Reader::" + l.name + "' INTO TABLE " + table +
		" CHARACTER SET utf8mb4 FIELDS TERMINATED BY 0x09 ENCLOSED BY '' ESCAPED BY 0x5C LINES STARTING BY '' TERMINATED BY 0x0A (")
	for i, column := range l.cols {
		if i > 0 {
			b.WriteString(", ")
		}
		if l.as[i] == loadHex {
			column = "@dbfleet_" + strconv.Itoa(i)
		}
		b.WriteString(column)
	}
	b.WriteString(")")
	sep := " SET "
	for i, column := range l.cols {
		if l.as[i] == loadHex {
			b.WriteString(sep + column + " = UNHEX(@dbfleet_" + strconv.Itoa(i) + ")")
			sep = ", "
		}
	}
	return b.String()
}

func (l *load) Head(buf []byte) []byte { return buf }
func (l *load) Tail(buf []byte) []byte { return buf }

func (l *load) Row(buf []byte, row []any) ([]byte, error) {
	for i, v := range row {
		if i > 0 {
			buf = append(buf, '\t')
		}
		var err error
		if buf, err = l.value(buf, v, l.as[i]); err != nil {
			return buf, &session.ArgumentError{Reason: "column " + l.cols[i] + ": the value " + err.Error()}
		}
	}
	return append(buf, '\n'), nil
}

func (l *load) value(buf []byte, v any, as loadForm) ([]byte, error) {
	start := len(buf)
	switch x := v.(type) {
	case nil:
		return append(buf, `\N`...), nil
	case string:
		if as == loadHex {
			return appendHexString(buf, x), nil
		}
		return appendLoadText(buf, x)
	case []byte:
		if as == loadHex {
			return hex.AppendEncode(buf, x), nil
		}
		return appendLoadText(buf, x)
	case int64:
		buf = strconv.AppendInt(buf, x, 10)
	case uint64:
		buf = strconv.AppendUint(buf, x, 10)
	case bool:
		if x {
			buf = append(buf, '1')
		} else {
			buf = append(buf, '0')
		}
	case float64:
		if finite(0, x) != nil {
			return buf, errors.New("is not a finite number")
		}
		buf = as.appendFloat(buf, x)
	case time.Time:
		if checkTime(0, x) != nil {
			return buf, errors.New("is a time outside of the years 0 to 9999")
		}
		if x.IsZero() {
			buf = append(buf, "0000-00-00"...)
		} else {
			buf = as.appendTime(buf, x)
		}
	default:
		nv := sqldriver.NamedValue{Ordinal: 1, Value: v}
		if err := l.s.Convert(&nv); err != nil {
			return buf, errors.New("cannot be sent")
		}
		switch nv.Value.(type) {
		case nil, string, []byte, int64, uint64, bool, float64, time.Time:
			return l.value(buf, nv.Value, as)
		}
		return buf, fmt.Errorf("is a %T, which cannot be sent", v)
	}
	if as == loadHex { // a number for a column of bytes: its text
		text := string(buf[start:])
		buf = appendHexString(buf[:start], text)
	}
	return buf, nil
}

func appendHexString(buf []byte, s string) []byte {
	const digits = "0123456789abcdef"
	for i := 0; i < len(s); i++ {
		buf = append(buf, digits[s[i]>>4], digits[s[i]&15])
	}
	return buf
}

// appendLoadText appends a text so that the server's reader finds its end and
// gives it back as it was. Bytes that are no characters could make it miss the
// end; it would refuse them for most columns anyway.
func appendLoadText[S string | []byte](buf []byte, s S) ([]byte, error) {
	from, wide := 0, false
	for i := 0; i < len(s); i++ {
		var escaped byte
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			wide = true
			continue
		case c == '\\', c == '\t', c == '\n':
			escaped = c
		case c == 0:
			escaped = '0'
		default:
			continue
		}
		buf = append(buf, s[from:i]...)
		switch escaped {
		case '\t':
			escaped = 't'
		case '\n':
			escaped = 'n'
		}
		buf = append(buf, '\\', escaped)
		from = i + 1
	}
	buf = append(buf, s[from:]...)
	if wide && !utf8.ValidString(string(s)) {
		return buf, errors.New("is not valid UTF-8")
	}
	return buf, nil
}

func (l *load) Send(ctx context.Context, stream io.Reader, asked func()) (int64, error) {
	// Notes tell of roundings, which INSERT makes in silence too. They would use
	// up the room for warnings.
	if _, err := l.s.ExecText(ctx, "SET @dbfleet_notes = @@SESSION.sql_notes, SESSION sql_notes = 0", nil); err != nil {
		return 0, err
	}
	l.quiet = true
	given := false
	mysql.RegisterReaderHandler(l.name, func() io.Reader {
		if given { // once only
			return strings.NewReader("")
		}
		given = true
		asked()
		return stream
	})
	defer mysql.DeregisterReaderHandler(l.name)
	res, err := l.s.ExecText(ctx, l.text, nil)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (l *load) After(ctx context.Context, sent int64, err error) error {
	switch number := numberOf(err); {
	case errors.Is(err, session.ErrCopyCut):
		err = nil
	case number == 1148 || number == 3948 || number == 4166:
		l.s.noLocal = true
	case err != nil && number == 0:
		_ = l.s.Conn.Close() // a server that asks for something else is not asked again
	}
	if err == nil && sent >= 0 {
		err = l.warning(ctx)
	}
	if l.quiet && l.s.Usable() {
		l.quiet = false
		if _, quietErr := l.s.ExecText(ctx, "SET SESSION sql_notes = @dbfleet_notes", nil); quietErr != nil {
			_ = l.s.Conn.Close() // nobody else is to have a session without notes
			if err == nil {
				err = quietErr
			}
		}
	}
	return err
}

// warning returns the first warning of the statement as its error.
func (l *load) warning(ctx context.Context) error {
	for _, query := range [...]string{"SHOW COUNT(*) WARNINGS", "SHOW WARNINGS"} {
		rows, err := l.s.QueryText(ctx, query, nil)
		if err != nil {
			return err
		}
		dest := make([]sqldriver.Value, len(rows.Columns()))
		err = rows.Next(dest)
		dest = slices.Clone(dest)
		for i, v := range dest {
			if b, ok := v.([]byte); ok {
				dest[i] = string(b)
			}
		}
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
		switch {
		case err == io.EOF: // the server keeps none
			return &mysql.MySQLError{Number: 1105, Message: "the server warned of the rows and does not tell why"}
		case err != nil:
			return err
		case len(dest) == 1 && loadInt(dest[0]) == 0:
			return nil
		case len(dest) >= 3:
			l.at = l.warnedRow(ctx)
			text, _ := dest[2].(string)
			return &mysql.MySQLError{Number: uint16(loadInt(dest[1])), Message: text}
		}
	}
	return nil
}

// warnedRow is the row of the first warning, which MariaDB tells from 10.7 on.
func (l *load) warnedRow(ctx context.Context) int64 {
	if !strings.Contains(l.s.version, "MariaDB") {
		return 0
	}
	if _, err := l.s.ExecText(ctx, "GET DIAGNOSTICS CONDITION 1 @dbfleet_row = ROW_NUMBER", nil); err != nil {
		return 0
	}
	rows, err := l.s.QueryText(ctx, "SELECT @dbfleet_row", nil)
	if err != nil {
		return 0
	}
	defer func() { _ = rows.Close() }()
	dest := make([]sqldriver.Value, 1)
	if rows.Next(dest) != nil {
		return 0
	}
	return toInt(dest[0])
}

func loadInt(v sqldriver.Value) int64 {
	if s, ok := v.(string); ok {
		n, _ := strconv.ParseInt(s, 10, 64)
		return n
	}
	return toInt(v)
}

// RowOf is the row that the server has told, or reads it from the message,
// where it stands last.
func (l *load) RowOf(err error) int64 {
	var me *mysql.MySQLError
	switch {
	case !errors.As(err, &me):
		return -1
	case l.at > 0:
		return l.at - 1
	}
	_, text, ok := strings.Cut(me.Message, " at row ")
	for {
		_, next, more := strings.Cut(text, " at row ")
		if !more {
			break
		}
		text = next
	}
	n, convErr := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if !ok || convErr != nil || n < 1 {
		return -1
	}
	return n - 1
}
