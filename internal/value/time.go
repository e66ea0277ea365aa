package value

import "time"

// CutToMicro is t.Truncate(time.Microsecond), without the monotonic clock: the
// finest that all three databases keep.
func CutToMicro(t time.Time) time.Time {
	if rest := t.Nanosecond() % 1000; rest != 0 {
		t = t.Add(-time.Duration(rest))
	}
	return t.Round(0)
}

// FirstSecond and LastSecond are those of the years 1 to 9999, as
// time.Time.Unix counts them.
var (
	FirstSecond = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	LastSecond  = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).Unix() - 1
)

// InYears reports whether t is of the years 1 to 9999.
func InYears(t time.Time) bool {
	s := t.Unix()
	return s >= FirstSecond && s <= LastSecond
}

// MaxTimeText is the length of the longest text that FormatTime writes.
const MaxTimeText = len("2006-01-02 15:04:05.999999")

// FormatTime writes a time of the years 1 to 9999 as 2006-01-02 15:04:05.999999
// in UTC, cut to microseconds and without the zeros at the end of the fraction,
// so that the order of the texts is that of the instants.
func FormatTime(t time.Time) string {
	var text [MaxTimeText]byte
	return string(AppendTime(text[:0], t))
}

// AppendTime appends what FormatTime writes. A time of other years is written too,
// but its text is none that ParseTime reads.
func AppendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	if !InYears(t) {
		return t.AppendFormat(b, "2006-01-02 15:04:05.999999")
	}
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	text := [MaxTimeText]byte{4: '-', 7: '-', 10: ' ', 13: ':', 16: ':', 19: '.'}
	putPair(text[0:], year/100)
	putPair(text[2:], year%100)
	putPair(text[5:], int(month))
	putPair(text[8:], day)
	putPair(text[11:], hour)
	putPair(text[14:], minute)
	putPair(text[17:], second)
	micros := t.Nanosecond() / 1000
	if micros == 0 {
		return append(b, text[:19]...)
	}
	putPair(text[20:], micros/10000)
	putPair(text[22:], micros/100%100)
	putPair(text[24:], micros%100)
	end := len(text)
	for text[end-1] == '0' {
		end--
	}
	return append(b, text[:end]...)
}

// putPair writes a number below 100 as two digits.
func putPair(b []byte, n int) {
	_ = b[1]
	b[0], b[1] = byte('0'+n/10), byte('0'+n%10)
}
