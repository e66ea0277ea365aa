//go:build !dbfleet_no_mysql

package mysql

import (
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// nameIn reads the names of constraint, table and column from a message: the protocol
// has no fields for them. What stands around them is the server's English; in another
// language a name is taken if it alone is quoted. Where a name has quotes or dots of
// its own, so that it could be two, none is told.
func nameIn(p *session.Problem, e *mysql.MySQLError) {
	text := e.Message
	switch e.Number {
	case 1062, 1586:
		// MySQL 8 writes "table.key", MariaDB the key only.
		name := between(text, "for key '", "'")
		if p.Table, p.Constraint, _ = strings.Cut(name, "."); p.Constraint == "" || strings.Contains(p.Constraint, ".") {
			p.Table, p.Constraint = "", name
		}
	case 1451, 1452:
		foreignKey(p, text)
	case 4025: // MariaDB: "CONSTRAINT `c` failed for `db`.`t`"; of a column's own check, `t.column`
		p.Constraint = between(text, "CONSTRAINT `", "` failed for `")
		if names := dotted(between(text, "` failed for ", "")); len(names) == 2 {
			p.Table = names[1]
			p.Column, _ = strings.CutPrefix(p.Constraint, p.Table+".")
			if p.Column == p.Constraint {
				p.Column = ""
			}
		}
	case 3819: // MySQL: "Check constraint 'c' is violated."
		p.Constraint = between(text, "onstraint '", "'")
	case 1048:
		p.Column = column(text, "Column '", "' cannot be null")
	case 1263:
		p.Column = column(text, "Column set to default value; NULL supplied to NOT NULL column '", "' at row ")
	case 1364:
		p.Column = column(text, "Field '", "' doesn't have a default value")
	case 1264:
		p.Column = column(text, "Out of range value for column '", "' at row ")
	case 1265:
		p.Column = column(text, "Data truncated for column '", "' at row ")
	case 1406:
		p.Column = column(text, "Data too long for column '", "' at row ")
	case 1366, 1292: // a value stands before it; MariaDB writes `db`.`table`.`column`
		name := between(text, "for column ", " at row ")
		if names := dotted(name); len(names) == 3 {
			p.Table, p.Column = names[1], names[2]
		} else if len(name) > 2 && name[0] == '\'' && name[len(name)-1] == '\'' {
			p.Column = name[1 : len(name)-1]
		}
	}
}

// between is the text behind the last before and ahead of the last after, which is
// the end if it is "".
func between(s, before, after string) string {
	i := strings.LastIndex(s, before)
	if i < 0 {
		return ""
	}
	s = s[i+len(before):]
	if after == "" {
		return s
	}
	j := strings.LastIndex(s, after)
	if j < 0 {
		return ""
	}
	return s[:j]
}

// column is the name in a message of one name.
func column(s, before, after string) string {
	if strings.HasPrefix(s, before) {
		return between(s, before, after)
	}
	if strings.Count(s, "'") == 2 {
		return between(s[:strings.LastIndexByte(s, '\'')], "'", "")
	}
	return ""
}

// dotted splits `a`.`b`.
func dotted(s string) []string {
	if len(s) < 2 || s[0] != '`' || s[len(s)-1] != '`' {
		return nil
	}
	return strings.Split(s[1:len(s)-1], "`.`")
}

// foreignKey reads "(`db`.`table`, CONSTRAINT `name` FOREIGN KEY (`a`, `b`) REFERENCES",
// which is the definition of the key and not translated.
func foreignKey(p *session.Problem, s string) {
	_, s, _ = strings.Cut(s, "(`")
	_, s, ok := name(s)
	var table, constraint string
	if table, s, ok = nameAfter(s, ".`", ok); !ok {
		return
	}
	if constraint, s, ok = nameAfter(s, ", CONSTRAINT `", ok); !ok {
		return
	}
	p.Table, p.Constraint = table, constraint
	var columns []string
	for before := " FOREIGN KEY (`"; ; before = ", `" {
		var c string
		if c, s, ok = nameAfter(s, before, true); !ok {
			break
		}
		columns = append(columns, c)
	}
	if strings.HasPrefix(s, ") REFERENCES ") {
		p.Column = strings.Join(columns, ", ")
	}
}

func nameAfter(s, before string, ok bool) (string, string, bool) {
	if rest, found := strings.CutPrefix(s, before); ok && found {
		return name(rest)
	}
	return "", s, false
}

// name reads a name up to its closing backtick; one of its own is written twice.
func name(s string) (name, rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		if s[i] != '`' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '`' {
			i++
			continue
		}
		return strings.ReplaceAll(s[:i], "``", "`"), s[i+1:], true
	}
	return "", s, false
}
