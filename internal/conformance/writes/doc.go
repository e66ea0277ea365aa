// Package writes tests creates, saves, updates, upserts, bulk writes, loads and
// callbacks. It has no code to import.
package writes
