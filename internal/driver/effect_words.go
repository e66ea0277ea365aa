package driver

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/lex"
)

// statementOf is one statement, which s has not read yet.
type statementOf struct {
	d *dialect.Dialect
	s lex.Scanner
}

// effect knows the statement by its first two words, in upper case.
func (st statementOf) effect(first, second string) effect {
	mysql := st.d == dialect.MySQL
	switch first {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "WITH", "VALUES", "TABLE", "EXPLAIN", "DESCRIBE", "DESC", "DECLARE", "COPY":
		return st.calls()
	case "SAVEPOINT":
		return begins
	case "BEGIN", "START":
		if mysql && (second == "NOT" || first == "START" && second != "TRANSACTION") { // BEGIN NOT ATOMIC, START SLAVE
			return begins | mayEnd | unsure | movesNames
		}
		return begins
	case "COMMIT", "END", "ROLLBACK", "ABORT", "RELEASE", "SHOW", "FETCH", "MOVE", "CLOSE", "NOTIFY", "UNLISTEN", "COMMENT",
		"VACUUM", "REINDEX", "CLUSTER", "CHECKPOINT", "HELP", "CHECKSUM", "SIGNAL", "RESIGNAL", "GET", "":
		return 0
	case "SET":
		return st.set(second)
	case "CREATE":
		return st.create()
	case "DROP":
		if mysql && second != "TEMPORARY" {
			return commits | movesNames
		}
		return movesNames
	case "ALTER":
		if mysql {
			return commits | movesNames
		}
		return movesNames
	case "USE", "ATTACH", "DETACH":
		return changesSession | movesNames
	case "DISCARD", "DEALLOCATE", "HANDLER", "PREPARE", "LISTEN":
		return changesSession | movesNames
	case "PRAGMA":
		if st.skipFirst(); pragmaSets(st.s) {
			return changesSession | movesNames
		}
		return 0
	case "RESET":
		if mysql {
			return commits
		}
		return changesSession | movesNames
	case "LOCK": // LOCK TABLES outlives the transaction on MySQL
		switch {
		case second == "TABLES":
			return changesSession | commitsOn(mysql)
		case mysql: // LOCK TABLE is the same
			return changesSession | commits
		}
		return 0
	case "LOAD":
		switch {
		case mysql && second == "INDEX":
			return commits
		case second == "DATA", second == "XML": // it commits into NDB only, which the flags tell
			return 0
		}
		return changesSession | movesNames // a library, on PostgreSQL
	case "TRUNCATE", "RENAME", "OPTIMIZE", "REPAIR", "CHECK", "CACHE", "FLUSH", "GRANT", "REVOKE", "INSTALL", "UNINSTALL", "IMPORT",
		"BACKUP", "UNLOCK", "CHANGE", "CLONE", "STOP":
		if mysql {
			return commits | movesNames
		}
		return movesNames
	case "ANALYZE":
		if !mysql {
			return 0
		}
		switch second {
		case "TABLE", "TABLES", "LOCAL", "NO_WRITE_TO_BINLOG":
			return commits
		}
		return st.calls()
	case "DO":
		if mysql { // an expression
			return st.calls()
		}
		return unsure | movesNames
	case "XA":
		return begins
	case "EXECUTE":
		if mysql {
			return mayEnd | changesSession | movesNames
		}
		return unsure | movesNames
	case "CALL":
		return mayEndOn(mysql) | unsure | movesNames
	}
	if mysql { // IF, WHILE, CASE, what is not known
		return mayEnd | changesSession | movesNames
	}
	return unsure | movesNames
}

func commitsOn(mysql bool) effect {
	if mysql {
		return commits
	}
	return 0
}

func mayEndOn(mysql bool) effect {
	if mysql {
		return mayEnd
	}
	return 0
}

// set is the effect of SET.
func (st statementOf) set(second string) effect {
	if st.d != dialect.MySQL {
		switch second {
		case "LOCAL":
			st.skipFirst()
			st.s.Next()
			return movedBy(st.setting())
		case "TRANSACTION", "CONSTRAINTS":
			return 0
		case "STATEMENT":
			return 0
		}
		return changesSession | movesNames
	}
	switch second {
	case "PASSWORD", "DEFAULT": // of a role
		return commits
	case "STATEMENT": // which runs another one
		return mayEnd | changesSession | movesNames
	}
	e := changesSession | movesNames
	for t := st.s.Next(); t.Kind != lex.End; t = st.s.Next() {
		if t.Is("AUTOCOMMIT") || strings.EqualFold(t.Text, "`autocommit`") {
			return e | mayEnd
		}
	}
	return e
}

// create is the effect of CREATE.
func (st statementOf) create() effect {
	mysql := st.d == dialect.MySQL
	st.skipFirst()
	next := st.s.Next
	t := next()
	if t.Is("OR") {
		next() // REPLACE
		t = next()
	}
	if t.Is("LOCAL") || t.Is("GLOBAL") {
		t = next()
	}
	if t.Is("TEMP") || t.Is("TEMPORARY") {
		if mysql && !next().Is("TABLE") {
			return changesSession | movesNames | commits
		}
		return changesSession | movesNames
	}
	if mysql {
		return commits | movesNames
	}
	for before := t; t.Kind != lex.End && t.Text != "(" && t.Text != ";"; t = next() {
		if t.Text == "." && isTempSchema(before) {
			return changesSession | movesNames
		}
		before = t
	}
	return movesNames
}

func isTempSchema(t lex.Token) bool {
	name := strings.ToLower(strings.Trim(t.Text, "\"`[]"))
	return name == "temp" || strings.HasPrefix(name, "pg_temp")
}

// skipFirst goes behind the first word.
func (st *statementOf) skipFirst() {
	for t := st.s.Next(); t.Text == ";" || t.Text == "("; t = st.s.Next() {
	}
}

// sessionFunctions are the functions whose effect outlives the transaction.
var sessionFunctions = map[string]bool{
	"PG_ADVISORY_LOCK": true, "PG_ADVISORY_LOCK_SHARED": true, "PG_TRY_ADVISORY_LOCK": true, "PG_TRY_ADVISORY_LOCK_SHARED": true,
	"GET_LOCK": true, "SETSEED": true, "SET_LIMIT": true, "LOAD_EXTENSION": true, "DBLINK_CONNECT": true, "DBLINK_CONNECT_U": true,
	"PG_REPLICATION_ORIGIN_SESSION_SETUP": true,
}

// calls is the effect of a statement that reads or changes rows: it may call a function
// that changes the session, set a variable, make a temporary table or a cursor that is
// held.
func (st statementOf) calls() (e effect) {
	var before, word, name lex.Token // name is the last word or quoted name
	for t := st.s.Next(); t.Kind != lex.End; t = st.s.Next() {
		switch {
		case t.Kind == lex.Word || t.Kind == lex.Quoted:
			name = t
			switch {
			case before.Is("INTO") && !word.Is("INSERT") && !word.Is("MERGE") && !word.Is("REPLACE") && !word.Is("IGNORE"):
				if t.Is("TEMP") || t.Is("TEMPORARY") || t.Is("LOCAL") || t.Is("GLOBAL") || isTempSchema(t) {
					e |= changesSession | movesNames
				}
			case before.Is("WITH") && t.Is("HOLD"):
				e |= changesSession
			}
			word = before
		case t.Text == "(":
			name := strings.ToUpper(strings.Trim(before.Text, "\"`[]"))
			switch {
			case sessionFunctions[name]:
				e |= changesSession
			case name == "SET_CONFIG":
				e |= movedBy(st.literal())
				if ahead := st.s; !isLocal(&ahead) {
					e |= changesSession
				}
			}
		case t.Text == "@" && before.Is("INTO"), t.Text == "=" && before.Text == ":" && st.d == dialect.MySQL && name.Text != dialect.OutcomeVariable:
			e |= changesSession
		}
		before = t
	}
	return e
}

// isLocal reads the arguments of set_config and says whether the last is true.
func isLocal(s *lex.Scanner) bool {
	var before lex.Token
	for depth := 0; ; {
		t := s.Next()
		switch {
		case t.Kind == lex.End:
			return false
		case t.Text == "(":
			depth++
		case t.Text == ")" && depth == 0:
			return before.Is("TRUE") || strings.EqualFold(before.Text, "'true'") || strings.EqualFold(before.Text, "'t'")
		case t.Text == ")":
			depth--
		}
		before = t
	}
}
