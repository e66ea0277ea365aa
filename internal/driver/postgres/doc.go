// Package postgres speaks with PostgreSQL by jackc/pgx, below database/sql: it
// keeps its own prepared statements and decodes the binary format itself. Build
// tag dbfleet_no_postgres leaves it out.
package postgres
