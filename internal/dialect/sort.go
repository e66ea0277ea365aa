package dialect

// MySQL and MariaDB sort by the first max_sort_length bytes of what a value weighs, and
// compare whole values: where texts agree in those bytes, the order of a statement is not
// that of its conditions, and a page by the keys of a row leaves rows out, or gives some
// twice. The variable's usual value is 1,024.

const (
	// SortedWhole stands before a SELECT that sorts by 65,536 bytes: MariaDB executes the
	// comment.
	SortedWhole = "/*M! SET STATEMENT max_sort_length=65536, sort_buffer_size=16777216 FOR */ "
	// SortedWholeHint stands behind its word SELECT: MySQL takes the hint, from 8.0 on.
	SortedWholeHint = "/*+ SET_VAR(max_sort_length=65536) SET_VAR(sort_buffer_size=16777216) */ "

	sortedUsually, sortedAtMost = 1024, 65536
)

// SortedBy says by how much of a value, as a driver gives it, the database sorts where
// nobody asks for more: by the whole of it, or by the whole only where SortedWhole is
// asked for, or never by the whole.
func (d *Dialect) SortedBy(value any) (usually, ever bool) {
	if d != MySQL {
		return true, true
	}
	n := 0
	switch v := value.(type) {
	case []byte:
		n = len(v)
	case string:
		n = weight(v)
	}
	return n < sortedUsually, n < sortedAtMost
}

// weight is the most that a text may weigh. The collations with the most have four levels
// (utf8mb4_ja_0900_as_cs_ks), of two bytes for each element. A character of ASCII has one
// element, others have four at most, as WEIGHT_STRING tells of the three levels of
// utf8mb4_uca1400_as_cs, but for those that stand for whole words, with 18 at most.
func weight(text string) (n int) {
	for _, r := range text {
		switch {
		case r < 0x80:
			n += 8
		case r >= 0x3200 && r < 0x3400, r >= 0xFB50 && r < 0xFE00, r >= 0x1F100 && r < 0x1F200:
			n += 144
		default:
			n += 32
		}
	}
	return n
}
