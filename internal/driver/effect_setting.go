package driver

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/lex"
)

// keptNames are the settings of PostgreSQL that decide neither what a name means nor how a
// text is read: what is prepared stays right when they change.
var keptNames = map[string]bool{
	"application_name": true, "commit_delay": true, "deadlock_timeout": true, "idle_in_transaction_session_timeout": true, "lock_timeout": true,
	"statement_timeout": true, "synchronous_commit": true, "transaction_timeout": true, "work_mem": true,
}

// movedBy is the effect of a setting of PostgreSQL that changes within a transaction, "" for
// one that is not known. One with a dot in its name belongs to an application, which sets it
// for its row policies and triggers, or to an extension.
func movedBy(setting string) effect {
	if keptNames[setting] || strings.Contains(setting, ".") {
		return 0
	}
	return movesNames
}

// setting reads the name of a setting, up to what it is set to.
func (st statementOf) setting() string {
	var name strings.Builder
	for t := st.s.Next(); t.Kind == lex.Word || strings.HasPrefix(t.Text, `"`) || t.Text == "."; t = st.s.Next() {
		if t.Is("TO") {
			break
		}
		name.WriteString(strings.Trim(t.Text, `"`))
	}
	return strings.ToLower(name.String())
}

// literal reads the first argument of set_config when it is a text and nothing else.
func (st statementOf) literal() string {
	name := st.s.Next().Text
	if st.s.Next().Text != "," || len(name) < 2 || name[0] != '\'' {
		return ""
	}
	return strings.ToLower(name[1 : len(name)-1])
}
