// Package transactions tests what runs inside a transaction, what ends one, and what
// is known when an answer is lost. It has no code to import.
package transactions
