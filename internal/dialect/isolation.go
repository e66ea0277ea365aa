package dialect

import "database/sql"

// Strictness orders the isolation levels that the database has: a level is at least as
// strict as those whose number is not above its own. ok is false for a level that it
// does not have, and for the default, which the server decides.
//
// PostgreSQL's read uncommitted is read committed, and its repeatable read is a snapshot.
// SQLite has one level.
func (d *Dialect) Strictness(level sql.IsolationLevel) (n int, ok bool) {
	switch level {
	case sql.LevelReadUncommitted:
		if d == Postgres {
			return 2, true
		}
		return 1, d == MySQL
	case sql.LevelReadCommitted:
		return 2, d != SQLite
	case sql.LevelRepeatableRead:
		return 3, d != SQLite
	case sql.LevelSnapshot:
		return 3, d == Postgres
	case sql.LevelSerializable:
		return 4, true
	}
	return 0, false
}
