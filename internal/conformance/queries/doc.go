// Package queries tests what queries find: conditions, lists, joins, subqueries,
// iterations, relations, and that no text becomes SQL. It has no code to import.
package queries
