//go:build !race

package readtest

const raceEnabled = false
