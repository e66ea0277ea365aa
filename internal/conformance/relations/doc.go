// Package relations holds the tests of what is asked of relations beyond loading them by
// With: conditions and aggregates, and records at hand.
package relations
