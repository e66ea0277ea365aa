package sqlgen

import (
	"slices"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// What this is. MariaDB sorts once for several windows where it can, and sometimes leaves out
// a sort that another one needs: then the values of that are wrong, and nothing tells it. Take
// each window as the list of its partition, followed by its order. The statement needs three
// windows in one SELECT: one whose list begins the lists of two others, of which neither
// begins the other's, with partitions of different lengths. Of such statements a quarter to a
// half are wrong, and none of 15,000 others was. All such are refused.
//
// Seen on MariaDB 10.11. The dialect is that of MySQL too, where it was never tried.
//
// Which test tells more. TestWindows_ThatMariaDBComputesWronglyAreRefused.

// windowsOf are the windows that were written for one SELECT.
type windowsOf struct {
	q    *Query
	list []windowList
}

// windowList is a window's partition and order, as written.
type windowList struct {
	items []string
	parts int // how many of them are the partition's
}

// windowed notes a window of the SELECT that is being written, whose items end at places of
// the buffer, and refuses it beside those of which MariaDB makes wrong values.
func (r *renderer) windowed(w windowList) {
	if r.d != dialect.MySQL {
		return
	}
	i := slices.IndexFunc(r.windows, func(of windowsOf) bool { return of.q == r.q })
	if i < 0 {
		r.windows, i = append(r.windows, windowsOf{q: r.q}), len(r.windows)
	}
	of := &r.windows[i]
	of.list = append(of.list, w)
	if tooManySorts(of.list) {
		r.fail(r.fault("windows", "MariaDB computes wrong values for three windows of which two go on, in different ways, where the third ends (partition, then order), with partitions of different lengths; ask for one of them in a query of its own", nil))
	}
}

// tooManySorts says whether three of the windows are such.
func tooManySorts(list []windowList) bool {
	for _, p := range list {
		for i, a := range list {
			if !p.begins(a) {
				continue
			}
			for _, b := range list[i+1:] {
				if p.begins(b) && !a.begins(b) && !b.begins(a) && !slices.Equal(a.items, b.items) && (a.parts != p.parts || b.parts != p.parts) {
					return true
				}
			}
		}
	}
	return false
}

// begins says that the other window's list goes on where this one's ends.
func (w windowList) begins(other windowList) bool {
	return len(w.items) < len(other.items) && slices.Equal(w.items, other.items[:len(w.items)])
}
