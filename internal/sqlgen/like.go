package sqlgen

import (
	"strings"
	"unicode"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// isPattern says whether what follows the operator is a pattern of LIKE.
func isPattern(op Op) bool { return Like <= op && op <= NotLikeExact }

// like writes the comparison of what left writes with a pattern, which is a string.
//
// Like is the database's own. The others mean the same on all: LikeExact tells all
// letters' case and marks, ILike tells the marks only. MySQL is made to by a collation,
// SQLite by GLOB, in whose patterns [aA] is either letter.
func (r *renderer) like(op Op, left func(), pattern any) {
	not, fold := op == NotLike || op == NotILike || op == NotLikeExact, op == ILike || op == NotILike
	exact := op == LikeExact || op == NotLikeExact
	switch {
	case r.d == dialect.SQLite && (fold || exact):
		left()
		r.str([2]string{" GLOB ", " NOT GLOB "}[index(not)])
		r.ready(glob(pattern.(string), fold))
	case r.d == dialect.MySQL && fold:
		r.str("LOWER(")
		left()
		r.str([2]string{") LIKE LOWER(", ") NOT LIKE LOWER("}[index(not)])
		r.ready(pattern)
		r.str(") COLLATE utf8mb4_bin")
	default:
		left()
		r.str([2]string{" ", " NOT "}[index(not)])
		r.str([2]string{"LIKE ", "ILIKE "}[index(fold)])
		r.ready(pattern)
		switch {
		case r.d == dialect.MySQL && exact:
			r.str(" COLLATE utf8mb4_bin")
		case r.d == dialect.SQLite:
			r.str(` ESCAPE '\'`)
		}
	}
}

// glob is the pattern of GLOB for one of LIKE with the escape character \.
func glob(pattern string, fold bool) string {
	var b strings.Builder
	escaped := false
	for _, c := range pattern {
		switch {
		case !escaped && c == '\\':
			escaped = true
			continue
		case !escaped && c == '%':
			b.WriteByte('*')
		case !escaped && c == '_':
			b.WriteByte('?')
		case c == '*', c == '?', c == '[':
			b.WriteByte('[')
			b.WriteRune(c)
			b.WriteByte(']')
		case fold && unicode.SimpleFold(c) != c:
			b.WriteByte('[')
			b.WriteRune(c)
			for other := unicode.SimpleFold(c); other != c; other = unicode.SimpleFold(other) {
				b.WriteRune(other)
			}
			b.WriteByte(']')
		default:
			b.WriteRune(c)
		}
		escaped = false
	}
	if escaped {
		b.WriteByte('\\')
	}
	return b.String()
}
