//go:build race

package rowmap

// raceEnabled says that allocations cannot be counted: sync.Pool drops values
// at random under the race detector.
const raceEnabled = true
