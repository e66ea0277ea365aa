// Package dbfleet works with many databases at once.
package dbfleet
