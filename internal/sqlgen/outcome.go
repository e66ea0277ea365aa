package sqlgen

import (
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// OutcomeTable is the name of the table in which a transaction leaves a marker, by which
// its outcome can be asked for later.
const OutcomeTable = "dbfleet_outcomes"

// What the table has in its column state.
const (
	OutcomeDone   = "done"   // by the transaction itself
	OutcomeFenced = "fenced" // by who has asked and found nothing
)

// OutcomeIdentity is the id of the row whose state names the table itself. Who asks
// another table of that name, as that of another database, finds another one, or none.
const OutcomeIdentity = "database"

// Outcomes are the texts for the table of outcomes, "" where the database needs none.
type Outcomes struct {
	// Create makes the table in the session's own schema. Home tells the schema in which
	// it is there as it must be: a row is gone with its transaction.
	Create, Home string
	// Name sets the identity to its argument if there is none.
	Name string
	// Mark leaves the marker of an id, in its transaction.
	Mark string
	// Fence, whose arguments are an id and the identity, sets a fence for an id that has
	// no row: no marker can come any more. It waits for a transaction that has left one
	// and is open. It sets nothing if the identity is another one.
	Fence string
	// Read gives id and state of an id and of the identity.
	Read string
	// Expire deletes what is older than OutcomeDays.
	Expire string

	forget string
}

// OutcomeDays is how many days a marker is kept, of which nobody knows any more whether
// it is wanted.
const OutcomeDays = 7

// NewOutcomes makes the texts for the table in a schema. Those that name no schema, Create
// and Home, are there without one as well.
func NewOutcomes(d *dialect.Dialect, schema string) Outcomes {
	table := string(appendIdent(append(appendIdent(nil, d.Quote, schema), '.'), d.Quote, OutcomeTable))
	days := strconv.Itoa(OutcomeDays)
	switch d {
	case dialect.Postgres:
		return Outcomes{
			Create: "CREATE TABLE IF NOT EXISTS " + OutcomeTable + " (id VARCHAR(64) PRIMARY KEY, state VARCHAR(64) NOT NULL, made TIMESTAMPTZ NOT NULL DEFAULT now())",
			Home: "SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" +
				" WHERE c.oid = to_regclass('" + OutcomeTable + "') AND c.relpersistence = 'p' AND c.relkind = 'r'",
			Name: "INSERT INTO " + table + " (id, state) VALUES ('" + OutcomeIdentity + "', $1) ON CONFLICT DO NOTHING",
			Mark: "INSERT INTO " + table + " (id, state) VALUES ($1, '" + OutcomeDone + "')",
			Fence: "INSERT INTO " + table + " (id, state) SELECT CAST($1 AS VARCHAR(64)), '" + OutcomeFenced + "' FROM " + table +
				" WHERE id = '" + OutcomeIdentity + "' AND state = $2 ON CONFLICT DO NOTHING",
			Read:   "SELECT id, state FROM " + table + " WHERE id IN ($1, '" + OutcomeIdentity + "')",
			Expire: "DELETE FROM " + table + " WHERE made < now() - INTERVAL '" + days + " days' AND id <> '" + OutcomeIdentity + "'",
			forget: "DELETE FROM " + table + " WHERE state = '" + OutcomeDone + "' AND id IN (",
		}
	case dialect.MySQL:
		return Outcomes{
			Create: "CREATE TABLE IF NOT EXISTS " + OutcomeTable + " (id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY," +
				" state VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB",
			Home: "SELECT table_schema FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '" + OutcomeTable + "' AND engine = 'InnoDB'",
			Name: "INSERT IGNORE INTO " + table + " (id, state) VALUES ('" + OutcomeIdentity + "', ?)",
			Mark: "INSERT INTO " + table + " (id, state) VALUES (?, '" + OutcomeDone + "')",
			Fence: "INSERT IGNORE INTO " + table + " (id, state) SELECT ?, '" + OutcomeFenced + "' FROM " + table +
				" WHERE id = '" + OutcomeIdentity + "' AND state = ?",
			Read:   "SELECT id, state FROM " + table + " WHERE id IN (?, '" + OutcomeIdentity + "')",
			Expire: "DELETE FROM " + table + " WHERE made < NOW() - INTERVAL " + days + " DAY AND id <> '" + OutcomeIdentity + "'",
			forget: "DELETE FROM " + table + " WHERE state = '" + OutcomeDone + "' AND id IN (",
		}
	}
	return Outcomes{} // SQLite: no answer can be lost within a process
}

// Forget deletes so many markers of transactions whose outcome is known.
func (o *Outcomes) Forget(d *dialect.Dialect, n int) string {
	var b strings.Builder
	b.WriteString(o.forget)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if d.Numbered {
			b.WriteString("$" + strconv.Itoa(i+1))
		} else {
			b.WriteByte('?')
		}
	}
	b.WriteByte(')')
	return b.String()
}
