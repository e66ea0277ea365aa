package dbfleet

import (
	"time"

	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// The parts of a time are those of its UTC, as the library writes it. A connection of
// PostgreSQL whose Params name another TimeZone has those of that zone for TIMESTAMPTZ.

// Unit is a part of a time, for Truncate: UnitYear, UnitMonth, UnitDay, UnitHour,
// UnitMinute or UnitSecond.
type Unit string

// The units.
const (
	UnitYear   Unit = "year"
	UnitMonth  Unit = "month"
	UnitDay    Unit = "day"
	UnitHour   Unit = "hour"
	UnitMinute Unit = "minute"
	UnitSecond Unit = "second"
)

var units = map[Unit]sqlgen.Unit{
	UnitYear: sqlgen.Year, UnitMonth: sqlgen.Month, UnitDay: sqlgen.Day,
	UnitHour: sqlgen.Hour, UnitMinute: sqlgen.Minute, UnitSecond: sqlgen.Second,
}

// Year is the year of a time.
func Year(at Operand[time.Time]) Expression[int64] { return partOf("Year", sqlgen.Year, at) }

// Month is the month of a time, 1 to 12.
func Month(at Operand[time.Time]) Expression[int64] { return partOf("Month", sqlgen.Month, at) }

// Day is the day of a time's month, 1 to 31.
func Day(at Operand[time.Time]) Expression[int64] { return partOf("Day", sqlgen.Day, at) }

// Hour is the hour of a time, 0 to 23.
func Hour(at Operand[time.Time]) Expression[int64] { return partOf("Hour", sqlgen.Hour, at) }

// Minute is the minute of a time, 0 to 59.
func Minute(at Operand[time.Time]) Expression[int64] { return partOf("Minute", sqlgen.Minute, at) }

// Second is the whole second of a time, 0 to 59.
func Second(at Operand[time.Time]) Expression[int64] { return partOf("Second", sqlgen.Second, at) }

// Truncate is a time without what is finer than the unit: the beginning of its month
// for UnitMonth.
func Truncate(at Operand[time.Time], unit Unit) Expression[time.Time] {
	u, ok := units[unit]
	if !ok {
		return Expression[time.Time]{t: broken("Truncate", "there is no unit "+quoted(string(unit))+"; there are year, month, day, hour, minute and second")}
	}
	return Expression[time.Time]{t: sqlgen.Truncated{Unit: u, Of: termOf("Truncate", at)}}
}

func partOf(part string, unit sqlgen.Unit, at Operand[time.Time]) Expression[int64] {
	return Expression[int64]{t: sqlgen.Part{Unit: unit, Of: termOf(part, at)}}
}
