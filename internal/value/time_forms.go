package value

import "strings"

// TimeForms are the texts in which a database without a type for times may hold one: as
// FormatTime writes it, which TimeForms itself is, or a date alone for a midnight; and as
// other libraries write it, with the fraction of a second filled up with zeros to three
// or six digits, and with +00:00 behind it. Between the first and the last of them, as
// texts are ordered, there is no other time of these forms.
//
// A time of nanoseconds, which [TimeForms.WithNanos] makes, stands in the forms of its
// microsecond, which FormatTime writes, and with all of its digits or nine of them.
type TimeForms string

const (
	midnight      = " 00:00:00"
	utc           = "+00:00"
	zeros         = ".000000"
	nanos         = zeros + "000"
	dateLength    = len("2006-01-02")
	secondsLength = MaxTimeText - len(zeros)
)

// TimeFormsOf is a time by a text of it. ok is false for a text that FormatTime does not
// write, and that is no date.
func TimeFormsOf(text string) (f TimeForms, ok bool) {
	switch n := len(text); {
	case n == dateLength:
	case n < secondsLength || n == secondsLength+1 || n > MaxTimeText, text[dateLength] != ' ' || text[secondsLength-3] != ':':
		return "", false
	case n > secondsLength && (text[secondsLength] != '.' || text[n-1] == '0' || strings.Trim(text[secondsLength+1:], "0123456789") != ""):
		return "", false
	}
	_, ok = ParseTime(text)
	return TimeForms(text), ok
}

// WithNanos are the forms of the time that is so many nanoseconds, 1 to 999, behind f,
// which [TimeFormsOf] has made.
func (f TimeForms) WithNanos(n int) TimeForms {
	text := f.full()
	text += zeros[len(text)-secondsLength:] + string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
	return TimeForms(strings.TrimRight(text, "0"))
}

// Cut is the text of the time's microsecond, as FormatTime writes it; a date, which is
// none, stays one.
func (f TimeForms) Cut() string {
	if len(f) <= MaxTimeText {
		return string(f)
	}
	return strings.TrimSuffix(strings.TrimRight(string(f[:MaxTimeText]), "0"), ".")
}

// full is the text with the time of day.
func (f TimeForms) full() string {
	if len(f) == dateLength {
		return string(f) + midnight
	}
	return string(f)
}

// First is the first of the texts.
func (f TimeForms) First() string {
	return strings.TrimSuffix(f.Cut(), midnight)
}

// Last is the last of the texts.
func (f TimeForms) Last() string {
	text := f.full()
	if len(text) > MaxTimeText {
		return text + nanos[len(text)-secondsLength:] + utc
	}
	return text + zeros[len(text)-secondsLength:] + utc
}

// AppendOthers appends the texts but for that of Cut.
func (f TimeForms) AppendOthers(list []any) []any {
	if len(f) > MaxTimeText {
		list = TimeForms(f.Cut()).AppendOthers(list)
		list = append(list, string(f), string(f)+utc)
		if digits := len(f) - secondsLength; digits < len(nanos) {
			filled := string(f) + nanos[digits:]
			list = append(list, filled, filled+utc)
		}
		return list
	}
	text := f.full()
	if first := f.First(); first != string(f) {
		list = append(list, first)
	}
	if text != string(f) {
		list = append(list, text)
	}
	list = append(list, text+utc)
	digits := len(text) - secondsLength // with the point
	for _, n := range [...]int{len(".000"), len(zeros)} {
		if digits < n {
			filled := text + zeros[digits:n]
			list = append(list, filled, filled+utc)
		}
	}
	return list
}
