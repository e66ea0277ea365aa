// Package sqlite speaks with SQLite by modernc.org/sqlite. Build tag
// dbfleet_no_sqlite leaves it out.
package sqlite
