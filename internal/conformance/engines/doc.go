// Package engines tests dbfleet behind what stands before databases in production:
// PgBouncer, HAProxy, PostgreSQL under Patroni, MariaDB in a Galera cluster. It has no
// code to import.
package engines
