// Package archtest holds tests of the repository as a whole: who may import
// whom, that the map in CONTRIBUTING.md shows the house as it is, and that each
// driver can be left out of a build. It has no code to import.
package archtest
