// Package value writes and reads values as the databases have them in texts:
// times, UUIDs, and the floats that stand between. It holds pure functions, which
// package rowmap needs for the values of records and the packages of the drivers
// for what they send and receive.
package value
