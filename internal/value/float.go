package value

import "strconv"

// Widen gives the float64 that is written with the same digits: a FLOAT column
// that shows 3.3 becomes 3.3 and not 3.299999952316284, as it does with
// database/sql.
func Widen(f float32) float64 {
	if f == float32(int32(f)) {
		return float64(f)
	}
	wide, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	if err != nil {
		return float64(f)
	}
	return wide
}
