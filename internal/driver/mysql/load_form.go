//go:build !dbfleet_no_mysql

package mysql

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/dbfleet/dbfleet/internal/value"
)

// loadForm is how the values of a column are written in the "file", so that the same is
// stored as by a statement with arguments.
type loadForm uint8

const (
	loadNumber loadForm = iota // or a time: text that the server reads
	loadWhole                  // whole numbers
	loadText                   // text that stays text
	loadHex                    // bytes, as hexadecimal digits
)

// appendFloat writes a float. For whole numbers the server rounds the half of a double
// to the even, and that of a text away from 0. What it makes of a double for a text is
// written as it does.
func (as loadForm) appendFloat(buf []byte, f float64) []byte {
	switch as {
	case loadWhole:
		return strconv.AppendFloat(buf, math.RoundToEven(f), 'f', 0, 64)
	case loadText, loadHex:
		return appendServerFloat(buf, f)
	}
	return strconv.AppendFloat(buf, f, 'g', -1, 64)
}

// maxServerDigits is up to how many digits the server writes before the point, or
// zeros behind it, without an exponent: its MAX_DECPT_FOR_F_FORMAT.
const maxServerDigits = 15

func appendServerFloat(buf []byte, f float64) []byte {
	from := len(buf)
	buf = strconv.AppendFloat(buf, f, 'e', -1, 64) // 9.007199254740992e+15
	e := from + bytes.IndexByte(buf[from:], 'e')
	exponent, err := strconv.Atoi(string(buf[e+1:]))
	if err != nil || exponent+1 <= maxServerDigits && exponent+1 > -maxServerDigits {
		return strconv.AppendFloat(buf[:from], f, 'f', -1, 64)
	}
	return strconv.AppendInt(buf[:e+1], int64(exponent), 10)
}

// appendTime writes a time. A text gets a midnight without its hours, as the driver
// sends it.
func (as loadForm) appendTime(buf []byte, t time.Time) []byte {
	from := len(buf)
	buf = value.AppendTime(buf, t)
	if as == loadText || as == loadHex {
		buf = append(buf[:from], bytes.TrimSuffix(buf[from:], []byte(" 00:00:00"))...)
	}
	return buf
}
