package sqlgen

import "strings"

// faulty begins the name of a column that could not be found. No database takes such a
// name, so what uses it fails whatever it does.
const faulty = "\x00"

// Faulty is the name of a column that could not be found: whatever uses it fails and
// tells why.
func Faulty(reason string) string { return faulty + reason }

// Fault is why a name is Faulty, "" for others.
func Fault(name string) string {
	if reason, ok := strings.CutPrefix(name, faulty); ok {
		return reason
	}
	return ""
}
