package sqlgen

// untyped is the argument for a column that no model knows; see Env.Untyped.
func (r *renderer) untyped(column string, a any) any {
	if r.env.Untyped == nil || r.table != nil && r.table.Known(column) {
		return a
	}
	return r.env.Untyped(a, r.d)
}

func (r *renderer) untypedList(column string, list []any) {
	for i, a := range list {
		list[i] = r.untyped(column, a)
	}
}
