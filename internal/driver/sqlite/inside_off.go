//go:build !dbfleet_no_sqlite && dbfleet_plain_sqlite

package sqlite

// inside says that mutex.go and reader.go may use what the driver does not export.
// This build forbids it.
const inside = false
