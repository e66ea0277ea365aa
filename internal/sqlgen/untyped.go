package sqlgen

// untyped is the argument for a column that no model knows; see Env.Untyped.
func (r *renderer) untyped(column string, a any) any {
	if r.typed(column) {
		return a
	}
	return r.env.Untyped(a, r.d)
}

func (r *renderer) untypedList(column string, list []any) {
	if r.typed(column) {
		return
	}
	for i, a := range list {
		list[i] = r.env.Untyped(a, r.d)
	}
}

// typed says that a value for the column needs no more care: a model knows the
// column, or the database compares what it is given as it is.
func (r *renderer) typed(column string) bool {
	return r.env.Untyped == nil || r.table != nil && r.table.Quoted(column, r.d) != ""
}
