package rowmap

import (
	"github.com/dbfleet/dbfleet/internal/dialect"
)

// EachRow is [Plan.ReadEach] for maps, which hold what [ReadRows] gives. Each row is
// a map of its own.
func EachRow(src Source, d *dialect.Dialect, yield func(row map[string]any) bool) (rows int64, err error) {
	r, err := newRowRead(src, d)
	if err != nil {
		return 0, err
	}
	for {
		row, err := r.next()
		if row == nil || err != nil {
			return rows, err
		}
		rows++
		if !yield(row) {
			return rows, nil
		}
	}
}
