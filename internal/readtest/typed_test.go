package readtest

import "github.com/dbfleet/dbfleet/internal/rowmap"

// readAll is Plan.ReadAll with its type.
func readAll[T any](p *rowmap.Plan, src rowmap.Source, hint int) ([]T, error) {
	var rows []T
	_, err := p.ReadAll(src, &rows, hint)
	return rows, err
}

// eachOf is Plan.ReadEach with its type.
func eachOf[T any](p *rowmap.Plan, src rowmap.Source, yield func(row *T) bool) (int64, error) {
	var row T
	return p.ReadEach(src, &row, func() bool { return yield(&row) })
}
