// Package sqlgen turns the description of a statement into SQL text and
// arguments for one dialect. Everything in it is a value or a pure function:
// it does no I/O and holds no lock.
package sqlgen
