package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// clocks ask for the microseconds since 1970 when the statement began: no zone of the
// session and no type of a column has a part in it.
var clocks = map[*dialect.Dialect]string{
	dialect.Postgres: "SELECT CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS BIGINT) AS micros",
	dialect.MySQL:    "SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) AS micros",
	dialect.SQLite:   "SELECT CAST(strftime('%s', 'now') AS INTEGER) * 1000000 + CAST(substr(strftime('%f', 'now'), 4) AS INTEGER) * 1000 AS micros",
}

// Clock asks a database for the time, in microseconds since 1970.
func Clock(d *dialect.Dialect) string { return clocks[d] }
