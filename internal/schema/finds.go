package schema

import "slices"

// Finds says whether one of the indexes finds the rows that have a value in each of the
// columns, in whatever order, where beside them the columns of beside have one, too: it
// begins with all of columns, or is unique and has no other column. same compares names.
func Finds(indexes []Index, columns, beside []string, same func(a, b string) bool) bool {
	return slices.ContainsFunc(indexes, func(index Index) bool {
		if index.Partial {
			return false
		}
		among := func(list []string, column string) bool {
			return slices.ContainsFunc(list, func(c string) bool { return same(c, column) })
		}
		var begins []string
		for _, c := range index.Columns {
			if c == "" || !among(columns, c) && !among(beside, c) {
				break
			}
			begins = append(begins, c)
		}
		if index.Unique && len(begins) == len(index.Columns) {
			return true
		}
		return !slices.ContainsFunc(columns, func(c string) bool { return !among(begins, c) })
	})
}

// Unique says whether one of the indexes, of all rows, is unique over these columns, in
// whatever order, and no others. See Keys for those that are Deferrable.
func Unique(indexes []Index, columns []string, same func(a, b string) bool) bool {
	return slices.ContainsFunc(indexes, func(index Index) bool { return index.isOf(columns, same) })
}

// Keys says whether one of the indexes is Unique and can be the key of an upsert; if none
// is, deferrable is the name of one that only may be looked at too late for that.
func Keys(indexes []Index, columns []string, same func(a, b string) bool) (ok bool, deferrable string) {
	for _, index := range indexes {
		if !index.isOf(columns, same) {
			continue
		}
		if !index.Deferrable {
			return true, ""
		}
		deferrable = index.Name
	}
	return false, deferrable
}

func (index *Index) isOf(columns []string, same func(a, b string) bool) bool {
	return index.Unique && !index.Partial && len(index.Columns) == len(columns) && !slices.ContainsFunc(columns, func(c string) bool {
		return !slices.ContainsFunc(index.Columns, func(has string) bool { return same(has, c) })
	})
}
