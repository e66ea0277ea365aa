// Package promises has a test for each line of docs/promises.md. It has no code to
// import.
package promises
