// Package language tests the typed language of queries on every database: columns of
// struct fields, orders, expressions, and where they stand.
package language
