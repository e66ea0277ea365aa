package driver

import "strconv"

// widen makes a float64 that reads like the float32: 1.1 stays 1.1, as
// database/sql has it, rather than 1.10000002384185791015625.
func widen(f float32) float64 {
	if f == float32(int32(f)) {
		return float64(f)
	}
	w, err := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	if err != nil {
		return float64(f)
	}
	return w
}
