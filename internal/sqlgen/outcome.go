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

// OutcomeDays is how many days a marker is kept of which nobody knows any more whether
// it is wanted.
const OutcomeDays = 7

// outcomes are the texts by the name of the table, which is not quoted where the session's
// own schema is meant.
var outcomes = map[*dialect.Dialect]Outcomes{
	dialect.Postgres: {
		Create: "CREATE TABLE IF NOT EXISTS dbfleet_outcomes (id VARCHAR(64) PRIMARY KEY, state VARCHAR(64) NOT NULL, made TIMESTAMPTZ NOT NULL DEFAULT now())",
		Home:   "SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass('dbfleet_outcomes') AND c.relpersistence = 'p' AND c.relkind = 'r'",
		Name:   "INSERT INTO {table} (id, state) VALUES ('database', $1) ON CONFLICT DO NOTHING",
		Mark:   "INSERT INTO {table} (id, state) VALUES ($1, 'done')",
		Fence:  "INSERT INTO {table} (id, state) SELECT CAST($1 AS VARCHAR(64)), 'fenced' FROM {table} WHERE id = 'database' AND state = $2 ON CONFLICT DO NOTHING",
		Read:   "SELECT id, state FROM {table} WHERE id IN ($1, 'database')",
		Expire: "DELETE FROM {table} WHERE made < now() - INTERVAL '7 days' AND id <> 'database'",
		forget: "DELETE FROM {table} WHERE state = 'done' AND id IN (",
	},
	dialect.MySQL: {
		Create: "CREATE TABLE IF NOT EXISTS dbfleet_outcomes (id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY, state VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB",
		Home:   "SELECT table_schema FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'dbfleet_outcomes' AND engine = 'InnoDB'",
		Name:   "INSERT IGNORE INTO {table} (id, state) VALUES ('database', ?)",
		Mark:   "INSERT INTO {table} (id, state) VALUES (?, 'done')",
		Fence:  "INSERT IGNORE INTO {table} (id, state) SELECT ?, 'fenced' FROM {table} WHERE id = 'database' AND state = ?",
		Read:   "SELECT id, state FROM {table} WHERE id IN (?, 'database')",
		Expire: "DELETE FROM {table} WHERE made < NOW() - INTERVAL 7 DAY AND id <> 'database'",
		forget: "DELETE FROM {table} WHERE state = 'done' AND id IN (",
	},
	// SQLite needs none: no answer is lost within a process.
}

// NewOutcomes makes the texts for the table in a schema. Create and Home, which name no
// schema, serve without one as well.
func NewOutcomes(d *dialect.Dialect, schema string) Outcomes {
	o := outcomes[d]
	table := appendIdent(append(appendIdent(nil, d.Quote, schema), '.'), d.Quote, OutcomeTable)
	for _, text := range []*string{&o.Name, &o.Mark, &o.Fence, &o.Read, &o.Expire, &o.forget} {
		*text = strings.ReplaceAll(*text, "{table}", string(table))
	}
	return o
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
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(i + 1))
		} else {
			b.WriteByte('?')
		}
	}
	b.WriteByte(')')
	return b.String()
}
