package sqlgen

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// ident writes a quoted identifier.
func (r *renderer) ident(name string) {
	if why := checkIdent(r.d, name); why != "" {
		r.fail(r.fault("name "+strconv.Quote(name), why, nil))
		return
	}
	r.buf = appendIdent(r.buf, r.d.Quote, name)
}

// checkIdent returns what is wrong with a name, "" if nothing is.
func checkIdent(d *dialect.Dialect, name string) string {
	if name == "" {
		return "is empty"
	}
	for i := 0; i < len(name); i++ {
		if name[i] == 0 {
			return "contains a NUL byte"
		}
		if name[i] >= utf8.RuneSelf {
			if !utf8.ValidString(name) {
				return "is not valid UTF-8"
			}
			if strings.IndexByte(name, 0) >= 0 {
				return "contains a NUL byte"
			}
			break
		}
	}
	if d.MaxIdentifier > 0 && len(name) > d.MaxIdentifier {
		if d.Numbered || len([]rune(name)) > d.MaxIdentifier {
			return "is longer than the " + strconv.Itoa(d.MaxIdentifier) + " that " + d.Name + " takes"
		}
	}
	return ""
}

// appendIdent appends a name in quotes, each quote inside of it doubled.
func appendIdent(buf []byte, quote byte, name string) []byte {
	buf = append(buf, quote)
	start := 0
	for i := 0; i < len(name); i++ {
		if name[i] == quote {
			buf = append(buf, name[start:i+1]...)
			start = i // the quote itself comes once more
		}
	}
	buf = append(buf, name[start:]...)
	return append(buf, quote)
}

// QuoteIdent returns name as an identifier of the dialect; a dot is part of
// the name.
func QuoteIdent(d *dialect.Dialect, name string) (string, error) {
	if why := checkIdent(d, name); why != "" {
		return "", &StatementError{Part: "name " + strconv.Quote(name), Reason: why}
	}
	return string(appendIdent(nil, d.Quote, name)), nil
}

// path writes a name whose dots separate schema, table and column.
func (r *renderer) path(name string) {
	if why := Fault(name); why != "" {
		r.fail(r.fault("", why, nil))
		return
	}
	for {
		i := strings.IndexByte(name, '.')
		if i < 0 {
			r.ident(name)
			return
		}
		r.ident(name[:i])
		r.buf = append(r.buf, '.')
		name = name[i+1:]
	}
}

// lastPart is a name without its schema.
func lastPart(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
