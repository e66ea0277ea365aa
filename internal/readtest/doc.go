// Package readtest tests how rows are read through package driver and package
// rowmap together, which do not know each other: that a row means the same
// whether it comes as cells, as driver values or through database/sql, on real
// servers, and what it costs.
package readtest
