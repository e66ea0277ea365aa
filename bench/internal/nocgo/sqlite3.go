// Package sqlite3 stands in for the driver that GORM's SQLite dialect imports
// for its side effect only: the real one needs cgo, and the benchmark hands
// every peer a pool of the pure Go driver.
package sqlite3
