// Package dialect says how each database writes SQL, what its limits are and
// which features it has. It holds data and pure functions, nothing else.
package dialect

// Dialect describes one database's SQL. The package's variables are the only
// values; they are never changed and are safe to share.
type Dialect struct {
	// Name is the canonical name: "postgres", "mysql" or "sqlite".
	Name string
	// Index is 0, 1 or 2: a place for what is kept per dialect.
	Index int
	// Quote is the character around an identifier.
	Quote byte
	// Numbered says that placeholders are $1, $2, … instead of ?.
	Numbered bool
	// MaxParams is the largest number of placeholders in one statement.
	MaxParams int
	// MaxIdentifier is the longest identifier: bytes on PostgreSQL (a longer
	// one is cut in silence by the server), characters on MySQL; 0 is no limit.
	MaxIdentifier int
	// InsertReturning says that each server knows INSERT … RETURNING. Of the dialect
	// MySQL, MariaDB does: there the connection is asked.
	InsertReturning bool
	// RowLocks says that SELECT … FOR UPDATE exists.
	RowLocks bool
	// Deferrable says that a transaction may wait for a snapshot that needs no checks.
	Deferrable bool
	// ArrayIn says that column = ANY($1) takes a list as one argument.
	ArrayIn bool
	// FoldsColumns says that columns whose names differ only in case are one.
	FoldsColumns bool
	// NullSafeEqual is the operator for equality that also finds NULL equal to
	// NULL.
	NullSafeEqual string
	// LimitRequired is the LIMIT that an OFFSET without one needs.
	LimitRequired string
	// InNothing and NotInNothing compare a value of any type with an empty list, which
	// is false and true also for NULL. They stand for IN (…) and NOT IN (…).
	InNothing, NotInNothing string
	// PlansByLimit says that a prepared SELECT whose LIMIT is an argument is
	// planned anew each time it is run.
	PlansByLimit bool
	// DefaultValues is what follows INSERT INTO t for a row of defaults only.
	DefaultValues string
	// UpsertConflict says ON CONFLICT (…) DO UPDATE; otherwise
	// ON DUPLICATE KEY UPDATE.
	UpsertConflict bool
	// Explain stands before a SELECT whose plan is asked for, and Analyze before one that
	// is run for that; "" if there is no such statement. MariaDB's is MariaDBAnalyze.
	Explain, Analyze string
}

// MariaDBAnalyze is Analyze of MariaDB.
const MariaDBAnalyze = "ANALYZE "

// OutcomeVariable is the variable of a session of MySQL by which an upsert tells what it
// did with a row. It means nothing to any other statement.
const OutcomeVariable = "dbfleet_outcome"

// Count is how many dialects there are.
const Count = 3

// The three dialects.
//
// MySQL stands for MySQL and MariaDB. Sources of the limits: PostgreSQL's
// protocol counts parameters in 16 bits and names in NAMEDATALEN-1 bytes;
// MySQL's prepared statements count in 16 bits, names have 64 characters;
// SQLITE_MAX_VARIABLE_NUMBER is 32766.
var (
	Postgres = &Dialect{
		Name: "postgres", Index: 0, Quote: '"', Numbered: true, MaxParams: 65535, MaxIdentifier: 63,
		InsertReturning: true, RowLocks: true, Deferrable: true, ArrayIn: true, PlansByLimit: true,
		NullSafeEqual: "IS NOT DISTINCT FROM", DefaultValues: "DEFAULT VALUES", UpsertConflict: true,
		Explain: "EXPLAIN ", Analyze: "EXPLAIN ANALYZE ",
		InNothing: "= ANY('{}')", NotInNothing: "<> ALL('{}')",
	}
	MySQL = &Dialect{
		Name: "mysql", Index: 1, Quote: '`', MaxParams: 65535, MaxIdentifier: 64,
		RowLocks: true, NullSafeEqual: "<=>", FoldsColumns: true,
		LimitRequired: "18446744073709551615", DefaultValues: "() VALUES ()",
		Explain: "EXPLAIN ", Analyze: "EXPLAIN ANALYZE ",
		InNothing: "IN (SELECT NULL FROM DUAL WHERE 1 = 0)", NotInNothing: "NOT IN (SELECT NULL FROM DUAL WHERE 1 = 0)",
	}
	SQLite = &Dialect{
		Name: "sqlite", Index: 2, Quote: '"', MaxParams: 32766, InsertReturning: true,
		NullSafeEqual: "IS", FoldsColumns: true, LimitRequired: "-1", DefaultValues: "DEFAULT VALUES", UpsertConflict: true,
		Explain:   "EXPLAIN QUERY PLAN ",
		InNothing: "IN (SELECT NULL WHERE 1 = 0)", NotInNothing: "NOT IN (SELECT NULL WHERE 1 = 0)",
	}
)

// Lookup returns the dialect that a driver's name or one of its usual aliases
// stands for.
func Lookup(name string) (*Dialect, bool) {
	switch name {
	case "postgres", "postgresql", "pgx", "pg":
		return Postgres, true
	case "mysql", "mariadb":
		return MySQL, true
	case "sqlite", "sqlite3":
		return SQLite, true
	}
	return nil, false
}
