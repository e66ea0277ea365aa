package sqlgen

import "github.com/dbfleet/dbfleet/internal/dialect"

// Unit is a part of a time.
type Unit uint8

// The units.
const (
	NoUnit Unit = iota
	Year
	Month
	Day
	Hour
	Minute
	Second
)

// The units in SQL: their names, those of SQLite's strftime, and what a time that is cut
// to one looks like to MySQL and SQLite.
var (
	unitNames   = [...]string{Year: "YEAR", Month: "MONTH", Day: "DAY", Hour: "HOUR", Minute: "MINUTE", Second: "SECOND"}
	unitFormats = [...]string{Year: "%Y", Month: "%m", Day: "%d", Hour: "%H", Minute: "%M", Second: "%S"}
	mysqlCuts   = [...]string{
		Year: "%Y-01-01 00:00:00", Month: "%Y-%m-01 00:00:00", Day: "%Y-%m-%d 00:00:00",
		Hour: "%Y-%m-%d %H:00:00", Minute: "%Y-%m-%d %H:%i:00", Second: "%Y-%m-%d %H:%i:%s",
	}
	sqliteCuts = [...]string{
		Year: "%Y-01-01 00:00:00", Month: "%Y-%m-01 00:00:00", Day: "%Y-%m-%d 00:00:00",
		Hour: "%Y-%m-%d %H:00:00", Minute: "%Y-%m-%d %H:%M:00", Second: "%Y-%m-%d %H:%M:%S",
	}
)

// Part is a part of a time, as a whole number.
type Part struct {
	Unit Unit
	Of   Term
}

func (p Part) reads(f func(string)) { p.Of.reads(f) }

func (p Part) write(r *renderer) {
	switch r.d {
	case dialect.SQLite:
		r.str("CAST(strftime('")
		r.str(unitFormats[p.Unit])
		r.str("', ")
		r.term(p.Of, false)
		r.str(") AS INTEGER)")
	case dialect.Postgres:
		r.str("CAST(FLOOR(EXTRACT(")
		r.str(unitNames[p.Unit])
		r.str(" FROM ")
		r.term(p.Of, true)
		r.str(")) AS BIGINT)")
	default:
		r.str("EXTRACT(")
		r.str(unitNames[p.Unit])
		r.str(" FROM ")
		r.term(p.Of, false)
		r.str(")")
	}
}

// Truncated is a time without what is finer than a unit.
type Truncated struct {
	Unit Unit
	Of   Term
}

func (t Truncated) reads(f func(string)) { t.Of.reads(f) }

func (t Truncated) write(r *renderer) {
	switch r.d {
	case dialect.SQLite:
		r.str("strftime('")
		r.str(sqliteCuts[t.Unit])
		r.str("', ")
		r.term(t.Of, false)
		r.str(")")
	case dialect.Postgres:
		r.str("DATE_TRUNC('")
		r.str(unitNames[t.Unit])
		r.str("', ")
		r.term(t.Of, true)
		r.str(")")
	default:
		r.str("CAST(DATE_FORMAT(")
		r.term(t.Of, false)
		r.str(", '")
		r.str(mysqlCuts[t.Unit])
		r.str("') AS DATETIME)")
	}
}
