// Package sessions tests on replicated servers that the reads of a session find what it has
// written, whatever their replicas have got and whoever is the primary by then. It has no
// code to import.
package sessions
