// Package misuse tests what a new user gets for a wrong use of the library: every
// mistake of its tables has the exact message, and no call with something nil ends
// in silence or in a panic without words. It has no code to import.
package misuse
