package driver

import "strings"

// firstWord returns the first keyword of a statement and what follows it.
// Comments before it are skipped.
func firstWord(query string) (word, rest string) {
	for {
		query = strings.TrimLeft(query, " \t\r\n\f;(")
		switch {
		case strings.HasPrefix(query, "--"), strings.HasPrefix(query, "#"):
			i := strings.IndexByte(query, '\n')
			if i < 0 {
				return "", ""
			}
			query = query[i+1:]
		case strings.HasPrefix(query, "/*"):
			i := strings.Index(query[2:], "*/")
			if i < 0 {
				return "", ""
			}
			query = query[i+4:]
		default:
			i := 0
			for i < len(query) && (query[i]|0x20 >= 'a' && query[i]|0x20 <= 'z' || query[i] == '_') {
				i++
			}
			return query[:i], query[i:]
		}
	}
}

func isRollbackTo(query string) bool {
	word, rest := firstWord(query)
	if !strings.EqualFold(word, "ROLLBACK") {
		return false
	}
	word, rest = firstWord(rest)
	if strings.EqualFold(word, "WORK") || strings.EqualFold(word, "TRANSACTION") {
		word, _ = firstWord(rest)
	}
	return strings.EqualFold(word, "TO")
}

// changesSession reports whether a statement changes the session beyond its
// transaction, so that the connection must not serve somebody else afterwards.
// It looks at the keywords only: a function that does so is not seen.
func changesSession(query string) bool {
	if query == "" {
		return false
	}
	// The statements of nearly every program begin with one of these; none of
	// them needs a second look.
	switch query[0] {
	case 'I', 'i', 'W', 'w':
		return false
	case 'S', 's':
		if len(query) > 2 && query[2]|0x20 != 't' {
			return false
		}
	case 'U', 'u':
		if len(query) > 1 && query[1]|0x20 != 's' {
			return false
		}
	}
	word, rest := firstWord(query)
	switch strings.ToUpper(word) {
	case "SET":
		word, _ = firstWord(rest)
		switch strings.ToUpper(word) {
		case "LOCAL", "TRANSACTION", "CONSTRAINTS", "STATEMENT":
			return false
		}
		return true
	case "USE", "RESET", "DISCARD", "DEALLOCATE", "LISTEN", "ATTACH", "DETACH", "HANDLER":
		return true
	case "LOCK": // LOCK TABLES outlives the transaction on MySQL
		word, _ = firstWord(rest)
		return strings.EqualFold(word, "TABLES")
	case "PRAGMA":
		_, value, set := strings.Cut(rest, "=")
		if !set {
			var name string
			// With an argument in parentheses most pragmas set, these only ask.
			if name, value, set = strings.Cut(rest, "("); set {
				name = strings.ToLower(strings.TrimSpace(name))
				for _, asks := range [...]string{"info", "_list", "_check", "_checkpoint", "optimize"} {
					set = set && !strings.HasSuffix(name, asks)
				}
			}
		}
		return set && value != ""
	case "CREATE":
		word, _ = firstWord(rest)
		return strings.EqualFold(word, "TEMP") || strings.EqualFold(word, "TEMPORARY")
	}
	return false
}

// beginsTx reports whether a statement begins a transaction that this package
// knows nothing of. The connection is given up after it: not every server tells.
func beginsTx(query string) bool {
	if query == "" {
		return false
	}
	switch query[0] { // those of nearly every program; see changesSession
	case 'I', 'i', 'W', 'w', 'U', 'u', 'D', 'd':
		return false
	case 'S', 's':
		if len(query) > 1 && query[1]|0x20 == 'e' {
			return false
		}
	}
	word, _ := firstWord(query)
	switch strings.ToUpper(word) {
	case "BEGIN", "START", "SAVEPOINT":
		return true
	}
	return false
}

// preparable reports whether a statement without arguments is of a kind that is
// worth preparing when it comes again.
func preparable(query string) bool {
	word, _ := firstWord(query)
	switch strings.ToUpper(word) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "VALUES":
		return true
	}
	return false
}

// endsOrBegins reports whether a statement is one of those that frame a
// transaction.
func endsOrBegins(query string) bool {
	word, _ := firstWord(query)
	switch strings.ToUpper(word) {
	case "BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE":
		return true
	}
	return false
}
