// Package rowmap maps database rows to Go values and back.
//
// A [Plan] is compiled once per struct type and tells which field holds which
// column. [ReadAll], [ReadOne] and [Each] fill structs from a [Source],
// [Plan.ReadInto] fills fields of structs that exist, [ReadColumn] and [ReadValue]
// fill plain values, [ReadRows] and [EachRow] fill maps. [ArgPlan], [Arg] and
// [List] go the other way: they turn Go values into the few types that the
// drivers take.
//
// The rule of the package is that a value keeps its meaning on PostgreSQL,
// MySQL and SQLite or the call fails: nothing is truncated, rounded away from
// an exact value, or replaced by a zero value. The failures are [ErrNull],
// [ErrRange], [ErrType] and [ErrColumn], mostly inside a [ColumnError] that names
// the column. No message of this package contains a value.
//
// Values are moved with package unsafe, at offsets that were checked against
// the field's type when the plan was compiled.
package rowmap
