// Package values tests that every kind of value comes back as it was written, from
// each kind of column of each database. It has no code to import.
package values
