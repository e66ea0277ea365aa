package rowmap

// ReadAll is Plan.ReadAll with its type.
func ReadAll[T any](p *Plan, src Source, hint int) ([]T, error) {
	var rows []T
	_, err := p.ReadAll(src, &rows, hint)
	return rows, err
}

// ReadOne is Plan.ReadFirst with its type.
func ReadOne[T any](p *Plan, src Source, dst *T) (bool, error) { return p.ReadFirst(src, dst) }

// Each is Plan.ReadEach with its type.
func Each[T any](p *Plan, src Source, yield func(row *T) bool) (int64, error) {
	var row T
	return p.ReadEach(src, &row, func() bool { return yield(&row) })
}
