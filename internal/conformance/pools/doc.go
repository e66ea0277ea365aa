// Package pools tests that what is lent as a *sql.DB behaves as with the database's own
// driver: both are asked the same, and docs/pools.md lists where they differ. It has no
// code to import.
package pools
