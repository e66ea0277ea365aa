// Package config turns the text of a configuration into settings and faults.
// The text comes from environment variables, from URLs or from JSON.
//
// It knows no type of the root package. The root gives the table of its keys
// ([Keys]) and takes what was read as [Settings], by key. No fault and no error
// contains a value that could be a secret. Nothing is kept between calls, and
// every function may be called at once from several goroutines.
package config
