package value

import (
	"strings"
	"time"
)

// ParseTime reads the forms in which databases and their drivers write times
// as text:
//
//	2006-01-02
//	2006-01-02 15:04[:05[.999999999]][zone]    (or T in place of the space)
//
// where zone, with or without a space before it, is Z, UTC, ±07, ±07:00,
// ±07:00:00 or ±0700, and may be followed by a zone's name and Go's monotonic
// reading, as in the output of time.Time.String. No zone is UTC. The result is
// in UTC. ok is false for every other text and for a date that does not exist or
// is not of the years 1 to 9999. It keeps nothing of s and allocates nothing.
func ParseTime(s string) (t time.Time, ok bool) {
	year, month, day, ok := parseDate(s)
	if !ok || year < 1 || day < 1 || day > daysIn(year, month) {
		return time.Time{}, false
	}
	if len(s) == 10 {
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC), true
	}
	clock, rest, ok := parseClock(s[11:])
	if !ok || s[10] != ' ' && s[10] != 'T' {
		return time.Time{}, false
	}
	offset, ok := parseZone(rest)
	if !ok {
		return time.Time{}, false
	}
	t = time.Date(year, month, day, clock.hour, clock.minute, clock.second, clock.nanos, time.UTC)
	if offset != 0 {
		t = t.Add(-offset)
		if !InYears(t) {
			return time.Time{}, false
		}
	}
	return t, true
}

// NamesDate tells, of a text that ParseTime does not take, one that is written as
// a time: it names a date that does not exist, or that Go has no room for.
func NamesDate(s string) bool {
	_, _, _, dated := parseDate(s)
	return dated || strings.TrimLeft(s, "+-") == "infinity" || strings.HasSuffix(s, " BC")
}

func parseDate(s string) (year int, month time.Month, day int, ok bool) {
	if len(s) < 10 || len(s) == 11 || s[4] != '-' || s[7] != '-' {
		return 0, 0, 0, false
	}
	century, ok1 := twoDigits(s)
	y, ok2 := twoDigits(s[2:])
	m, ok3 := twoDigits(s[5:])
	d, ok4 := twoDigits(s[8:])
	return century*100 + y, time.Month(m), d, ok1 && ok2 && ok3 && ok4
}

// daysIn is 0 for a month that does not exist.
func daysIn(year int, month time.Month) int {
	switch month {
	case time.January, time.March, time.May, time.July, time.August, time.October, time.December:
		return 31
	case time.April, time.June, time.September, time.November:
		return 30
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 0
}

type clock struct{ hour, minute, second, nanos int }

// parseClock reads the time of day at the front of s.
func parseClock(s string) (c clock, rest string, ok bool) {
	if len(s) < 5 || s[2] != ':' {
		return c, s, false
	}
	hour, ok1 := twoDigits(s)
	minute, ok2 := twoDigits(s[3:])
	if !ok1 || !ok2 || hour > 23 || minute > 59 {
		return c, s, false
	}
	c.hour, c.minute = hour, minute
	s = s[5:]
	if len(s) < 3 || s[0] != ':' {
		return c, s, len(s) == 0 || s[0] != ':'
	}
	second, ok := twoDigits(s[1:])
	if !ok || second > 59 {
		return c, s, false
	}
	c.second = second
	s = s[3:]
	if len(s) < 2 || s[0] != '.' {
		return c, s, len(s) == 0 || s[0] != '.'
	}
	n, scale := 1, 100_000_000
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		c.nanos += int(s[n]-'0') * scale
		scale /= 10
		n++
	}
	return c, s[n:], n > 1
}

// parseZone reads what follows the time of day.
func parseZone(s string) (offset time.Duration, ok bool) {
	switch s {
	case "", "Z", " Z", "UTC", " UTC":
		return 0, true
	}
	s = strings.TrimPrefix(s, " ")
	if s == "" || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	negative := s[0] == '-'
	s = s[1:]
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
		n, ok := twoDigits(s)
		if !ok || n > 59 || i == 0 && n > 23 {
			return 0, false
		}
		offset += time.Duration(n) * unit
		s = s[2:]
		next := strings.TrimPrefix(s, ":")
		if next == "" && s != "" {
			return 0, false
		}
		if next == "" || next[0] < '0' || next[0] > '9' {
			break
		}
		s = next
	}
	if negative {
		offset = -offset
	}
	return offset, isZoneName(s)
}

// isZoneName accepts what time.Time.String puts behind the offset: a name or
// an offset once more, and the monotonic clock.
func isZoneName(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ' ' {
		return false
	}
	name, monotonic, found := strings.Cut(s[1:], " ")
	if found && !strings.HasPrefix(monotonic, "m=") {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '+', c == '-':
		default:
			return false
		}
	}
	return len(name) >= 3
}

func twoDigits(s string) (int, bool) {
	if len(s) < 2 {
		return 0, false
	}
	tens, ones := s[0]-'0', s[1]-'0'
	return int(tens)*10 + int(ones), tens <= 9 && ones <= 9
}
