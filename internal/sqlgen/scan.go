package sqlgen

import "strings"

// scan calls f at each byte of sql that is outside string literals, quoted
// identifiers, comments and dollar quotes; f returns where to go on. mysql says
// to read them as MySQL does: with backslashes in literals, and # for comments.
// open tells of one of those that sql does not end.
func scan(sql string, mysql bool, f func(i int) int) (open bool) {
	i := 0
	for i < len(sql) {
		if j := skipQuoted(sql, i, mysql); j > i {
			i = j
			continue
		}
		i = f(i)
	}
	return i > len(sql)
}

// skipQuoted returns the end of the literal, quoted identifier or comment that
// begins at i, or i when none does. One without an end goes beyond sql.
func skipQuoted(sql string, i int, mysql bool) int {
	switch c := sql[i]; {
	case c == '\'' || c == '"' || c == '`':
		escapes := mysql && c != '`' || c == '\'' && i > 0 && sql[i-1]|0x20 == 'e' && (i == 1 || !wordByte(sql[i-2]))
		for j := i + 1; j < len(sql); j++ {
			if escapes && sql[j] == '\\' {
				j++
			} else if sql[j] == c {
				return j + 1
			}
		}
		return len(sql) + 1
	case c == '-' && strings.HasPrefix(sql[i:], "--"), c == '#' && mysql:
		if j := strings.IndexByte(sql[i:], '\n'); j >= 0 {
			return i + j + 1
		}
		return len(sql) + 1
	case c == '/' && strings.HasPrefix(sql[i:], "/*"):
		return skipComment(sql, i)
	case c == '$' && (i == 0 || !wordByte(sql[i-1])):
		j := i + 1
		for j < len(sql) && wordByte(sql[j]) && sql[j] != '$' {
			j++
		}
		if j < len(sql) && sql[j] == '$' && (j == i+1 || sql[i+1] < '0' || sql[i+1] > '9') {
			tag := sql[i : j+1]
			if k := strings.Index(sql[j+1:], tag); k >= 0 {
				return j + 1 + k + len(tag)
			}
			return len(sql) + 1
		}
	}
	return i
}

// skipComment returns the end of the comment that begins at i. PostgreSQL
// nests them; where others do not, SQL that only they understand fails by its
// number of placeholders.
func skipComment(sql string, i int) int {
	depth := 0
	for i < len(sql) {
		switch {
		case strings.HasPrefix(sql[i:], "/*"):
			depth++
			i += 2
		case strings.HasPrefix(sql[i:], "*/"):
			depth--
			i += 2
			if depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return len(sql) + 1
}
