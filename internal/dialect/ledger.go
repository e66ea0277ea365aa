package dialect

import (
	"strconv"
	"strings"
)

// LedgerTable is the table of a database in which the decisions of commits over several
// databases are kept, and the markers of their branches.
//
// Its key is a transaction's id and a number: 0 is the decision, others are markers. Two
// rows more describe the ledger itself. Times are milliseconds since 1970 by the
// database's own clock: a column of a time's type would depend on zones and precisions.
const LedgerTable = "dbfleet_ledger"

// The states of its rows.
const (
	LedgerCommit   = "commit"
	LedgerAbort    = "abort"
	LedgerMarker   = "marker"
	ledgerIdentity = "identity" // detail is the ledger's id, incidents the database's name
	ledgerHorizon  = "horizon"  // made is the youngest of what was forgotten
)

// A Ledger is the texts for LedgerTable in one dialect. A text's arguments are named
// beside it. The rows of Read, Open and Old are id, state, detail, made, created,
// finished (NULL while it is open), incidents.
type Ledger struct {
	// Create makes the table if it is missing. On MySQL it commits an open transaction,
	// on PostgreSQL it may fail with a unique violation when two do it at once: then it
	// is there.
	Create string
	// Durable asks, in one value, what kind of table it is, which must be DurableKind: one
	// that was made before by others may be lost in a crash, or know no transactions.
	Durable, DurableKind string
	// Hidden is for where Durable finds no table: it gives the schema that has one, or is
	// refused, if there may be one that the account does not see. It may be "".
	Hidden string
	// Loses selects the settings of the server, as name=value, with which it may lose in a
	// crash what it has acknowledged, and which no session can change. It may be "".
	Loses string
	// Found inserts the rows of the ledger itself, if they are missing. (the ledger's id)
	Found []string
	// Rows counts all rows: none while another process is just making the table.
	Rows string
	// Identity selects the ledger's id, the name of the database that it was given in,
	// and the name of this one. Rename gives a copy an id of its own. (the new id, the old)
	Identity, Rename string

	// Decide inserts a decision to commit. (id, detail, made)
	Decide string
	// Mark inserts a marker. (id, number, made)
	Mark string

	// FenceWait is sent before the transaction of Fence or, where FenceInside, as its first
	// statement: Fence waits a second at most after it. It may be "". On MySQL it stays with
	// the session, which is given up.
	FenceWait   string
	FenceInside bool
	// Fence inserts a decision to abort, in a transaction of its own at READ COMMITTED, so
	// that neither a snapshot nor a gap lock takes part. A unique violation says that a
	// decision is there; a lock timeout, or a deadlock, that one is about to be. (id, made)
	//
	// SQLite, which has one writer, says so at BEGIN IMMEDIATE: give that a short context.
	Fence string
	// Horizon selects the horizon. It is read after Fence, in the same transaction.
	Horizon string

	// Open selects the decisions that are not finished, Old those that were longer ago.
	// (milliseconds)
	Open, Old string
	// Lock selects one decision and keeps others from it until the transaction ends. (id)
	Lock string
	// Incident opens a decision with these incidents. (incidents, id)
	Incident string
	// Lost inserts a decision to abort that has incidents. (id, made, incidents)
	Lost string
	// Raise raises the horizon. (made)
	Raise string

	// Marked selects the numbers of a transaction's markers. (id)
	Marked string
	// Marks selects the transactions that have markers.
	Marks string

	// Finish finishes a decision, if it is of this state and has no incidents. (state, id)
	//
	// This one and the two below name one whole key, because MySQL waits for every row that
	// it passes on its way to another: for those of living and of prepared transactions,
	// of which the latter wait for a recovery.
	Finish string
	// Together says that FinishAll passes no row but those that it names.
	Together bool
	// Forget deletes a decision that is finished. (id)
	Forget string
	// Unmark deletes a marker. (id, number)
	Unmark string

	now   string
	flush string // an expression that is true, and makes the COMMIT of its transaction wait for the disk; may be ""
	d     *Dialect
}

// LedgerOf is the texts in a dialect.
func LedgerOf(d *Dialect) *Ledger { return ledgers[d.Index] }

var ledgers = [Count]*Ledger{ // by Dialect.Index
	newLedger(&Ledger{
		d:      Postgres,
		now:    "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
		Create: ledgerColumns("varchar(64)", "integer", "varchar(16)", "text", "bigint"),
		Durable: "SELECT CAST(relpersistence AS text) FROM pg_catalog.pg_class WHERE oid = CAST('" +
			LedgerTable + "' AS regclass)",
		DurableKind: "p",
		Hidden: "SELECT CAST(min(n.nspname) AS text) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" +
			" WHERE c.relname = '" + LedgerTable + "' AND c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_temp\\_%'",
		Loses: "SELECT name || '=' || setting FROM pg_catalog.pg_settings WHERE name = 'fsync' AND setting = 'off'",
		flush: "CASE WHEN pg_catalog.current_setting('synchronous_commit') <> 'off' THEN true" +
			" ELSE pg_catalog.set_config('synchronous_commit', 'on', true) = 'on' END",
		FenceWait: "SET LOCAL lock_timeout = '200ms'", FenceInside: true, Together: true,
	}, "current_database()", "ON CONFLICT (id, number) DO NOTHING", "GREATEST"),
	newLedger(&Ledger{
		d:   MySQL,
		now: "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)",
		Create: ledgerColumns("varchar(64)", "integer", "varchar(16)", "longtext", "bigint") +
			" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
		Durable:     "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '" + LedgerTable + "'",
		DurableKind: "InnoDB",
		Hidden:      "SELECT id FROM " + LedgerTable + " WHERE 1 = 0",
		Loses: "SELECT CONCAT('innodb_flush_log_at_trx_commit=', @@GLOBAL.innodb_flush_log_at_trx_commit) FROM DUAL WHERE @@GLOBAL.innodb_flush_log_at_trx_commit NOT IN (1, 3)" +
			" UNION ALL SELECT CONCAT('sync_binlog=', @@GLOBAL.sync_binlog) FROM DUAL WHERE @@GLOBAL.log_bin <> 0 AND @@GLOBAL.sync_binlog <> 1",
		FenceWait: "SET SESSION innodb_lock_wait_timeout = 1",
	}, "DATABASE()", "ON DUPLICATE KEY UPDATE "+LedgerTable+".number = "+LedgerTable+".number", "GREATEST"),
	newLedger(&Ledger{
		d:           SQLite,
		now:         "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
		Create:      ledgerColumns("text", "integer", "text", "text", "integer"),
		Durable:     "SELECT type FROM sqlite_master WHERE name = '" + LedgerTable + "'",
		DurableKind: "table",
	}, "(SELECT file FROM pragma_database_list WHERE name = 'main')", "ON CONFLICT (id, number) DO NOTHING", "MAX"),
}

func ledgerColumns(id, number, state, text, big string) string {
	return "CREATE TABLE IF NOT EXISTS " + LedgerTable + " (id " + id + " NOT NULL, number " + number + " NOT NULL, state " + state +
		" NOT NULL, detail " + text + " NOT NULL, made " + big + " NOT NULL, created " + big + " NOT NULL, finished " + big +
		", incidents " + text + " NOT NULL, PRIMARY KEY (id, number))"
}

const ledgerRow = "SELECT id, state, detail, made, created, finished, incidents FROM " + LedgerTable

// newLedger writes what the dialects have in common. Where the session may have a COMMIT
// answered before it is on the disk, an INSERT and Finish keep it from that: the markers
// of what is finished are deleted, which must not outlive it in a crash. database is the name of the current
// one, missing the end of an INSERT that leaves an existing row as it is, greatest the
// function of that name.
func newLedger(l *Ledger, database, missing, greatest string) *Ledger {
	insert := func(id, number, state, detail, made, incidents string) string {
		if l.flush != "" {
			incidents = "CASE WHEN " + l.flush + " THEN " + incidents + " END"
		}
		return "INSERT INTO " + LedgerTable + " (id, number, state, detail, made, created, finished, incidents) VALUES (" +
			strings.Join([]string{id, number, state, detail, made, l.now, "NULL", incidents}, ", ") + ")"
	}
	p := l.placeholder
	l.Found = []string{
		insert(quoted(ledgerIdentity), "0", quoted(ledgerIdentity), p(1), "0", database) + " " + missing,
		insert(quoted(ledgerHorizon), "0", quoted(ledgerHorizon), "''", "0", "''") + " " + missing,
	}
	l.Rows = "SELECT COUNT(*) FROM " + LedgerTable
	l.Identity = "SELECT detail, incidents, " + database + " FROM " + LedgerTable + " WHERE id = 'identity' AND number = 0"
	l.Rename = "UPDATE " + LedgerTable + " SET detail = " + p(1) + ", incidents = " + database + " WHERE id = 'identity' AND number = 0 AND detail = " + p(2)

	l.Decide = insert(p(1), "0", quoted(LedgerCommit), p(2), p(3), "''")
	l.Mark = insert(p(1), p(2), quoted(LedgerMarker), "''", p(3), "''")
	l.Fence = insert(p(1), "0", quoted(LedgerAbort), "''", p(2), "''")
	l.Lost = insert(p(1), "0", quoted(LedgerAbort), "''", p(2), p(3))
	l.Horizon = "SELECT made FROM " + LedgerTable + " WHERE id = 'horizon' AND number = 0"
	l.Raise = "UPDATE " + LedgerTable + " SET made = " + greatest + "(made, " + p(1) + ") WHERE id = 'horizon' AND number = 0"

	decision := " WHERE number = 0 AND state IN ('commit', 'abort')"
	l.Open = ledgerRow + decision + " AND finished IS NULL ORDER BY created, id"
	l.Old = ledgerRow + decision + " AND finished < " + l.now + " - " + p(1) + " ORDER BY finished, id"
	l.Lock = ledgerRow + " WHERE id = " + p(1) + " AND number = 0"
	if l.d.RowLocks {
		l.Lock += " FOR UPDATE"
	}
	l.Incident = "UPDATE " + LedgerTable + " SET incidents = " + p(1) + ", finished = NULL WHERE id = " + p(2) + " AND number = 0"
	l.Marked = "SELECT number FROM " + LedgerTable + " WHERE id = " + p(1) + " AND number > 0 ORDER BY number"
	l.Marks = "SELECT DISTINCT id FROM " + LedgerTable + " WHERE number > 0 ORDER BY id"

	key := func(first int) string { return "id = " + p(first) + " AND number = " }
	l.Finish = l.finish(" = " + p(2))
	l.Forget = "DELETE FROM " + LedgerTable + " WHERE " + key(1) + "0 AND finished IS NOT NULL"
	l.Unmark = "DELETE FROM " + LedgerTable + " WHERE " + key(1) + p(2)
	return l
}

// FinishAll is Finish for n decisions, where Together. (state, id, …)
func (l *Ledger) FinishAll(n int) string { return l.finish(l.in(2, n)) }

func (l *Ledger) finish(those string) string {
	text := "UPDATE " + LedgerTable + " SET finished = " + l.now + " WHERE state = " + l.placeholder(1) + " AND id" + those +
		" AND number = 0 AND finished IS NULL AND incidents = ''"
	if l.flush != "" {
		text += " AND " + l.flush
	}
	return text
}

// Keys selects the markers of n transactions. (id, …)
func (l *Ledger) Keys(n int) string {
	return "SELECT id, number FROM " + LedgerTable + " WHERE number > 0 AND id" + l.in(1, n) + " ORDER BY id, number"
}

// Read selects the decisions of n transactions. (id, …)
func (l *Ledger) Read(n int) string { return ledgerRow + " WHERE number = 0 AND id" + l.in(1, n) }

// in compares with n placeholders, the first of which has that number.
func (l *Ledger) in(first, n int) string {
	if n == 0 {
		return " " + l.d.InNothing
	}
	var b strings.Builder
	for i := range n {
		b.WriteString([2]string{" IN (", ", "}[min(i, 1)])
		b.WriteString(l.placeholder(first + i))
	}
	b.WriteByte(')')
	return b.String()
}

func (l *Ledger) placeholder(n int) string {
	if l.d.Numbered {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

// quoted is a word of this file as a literal.
func quoted(word string) string { return "'" + word + "'" }
