package dbfleet

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Field is the column that a field of the model's struct holds, so that neither its
// name nor its type is written a second time:
//
//	var name = dbfleet.Field(users, func(u *User) *string { return &u.Name })
//	users.Filter(name.StartsWith("J")).OrderWith(name.Asc())
//
// selector is called once, by Field, with a record of zero values, and returns the
// address of one field of it: also of one of an embedded struct, whose embedded pointers
// are set. The column is called with the model's table before it, "users.name": it means
// the same in joins and subqueries. Of calls it by an alias.
//
// What is no column, nil, or not a field of the record that selector was given, is told
// by the query that uses it, as are a nil model and a selector that panics. A field that
// can be NULL gives a Col of its own type, of which Eq(nil) is IS NULL; FieldPointer and
// FieldNull give one of the type inside.
func Field[T, V any](model *Model[T], selector func(*T) *V) Col[V] {
	if selector == nil {
		return Col[V](noField(model.base(), "the selector is nil"))
	}
	return Col[V](selected(model.base(), func(record any) any { return selector(record.(*T)) }))
}

// FieldPointer is Field for a field that is a pointer, as a column of the type that it
// points to: func(u *User) **string gives a Col[string].
func FieldPointer[T, V any](model *Model[T], selector func(*T) **V) Col[V] {
	return Col[V](Field(model, selector))
}

// FieldNull is Field for a field that is a sql.Null, as a column of the type inside:
// func(u *User) *sql.Null[string] gives a Col[string].
func FieldNull[T, V any](model *Model[T], selector func(*T) *sql.Null[V]) Col[V] {
	return Col[V](Field(model, selector))
}

// Of is the column of the table that the query calls by this alias, by As or in a join:
//
//	boss := name.Of("boss")
//	users.Query().LeftJoin("users AS boss", "boss.id", "=", "users.boss_id").Filter(boss.Eq("Ada"))
//
// An empty alias is told by the query that uses the column.
func (c Col[V]) Of(alias string) Col[V] {
	switch {
	case sqlgen.Fault(string(c)) != "":
		return c
	case alias == "":
		return Col[V](sqlgen.Faulty("the alias of column " + quoted(string(c)) + " is empty"))
	}
	return Col[V](alias + "." + c.Name())
}

// Name is the column's name without its table, as the maps of Update and CreateFrom
// and ModelConfig have it.
func (c Col[V]) Name() string {
	if sqlgen.Fault(string(c)) != "" {
		return string(c)
	}
	return string(c[strings.LastIndexByte(string(c), '.')+1:])
}

// String is the column as Select, GroupBy, OrderBy and the joins take it: behind its
// table, if it is known by one.
func (c Col[V]) String() string { return string(c) }

// selected is the name of the column whose field at gives the address of.
//
//go:noinline
func selected(q *query, at func(record any) any) (name string) {
	if q == nil {
		return noField(q, "the model is nil")
	}
	if err := q.src.err; err != nil {
		return noField(q, strings.TrimPrefix(err.Error(), prefix))
	}
	plan := q.src.table.Plan
	if plan == nil {
		return noField(q, "its rows have no struct")
	}
	defer func() {
		if r := recover(); r != nil {
			name = noField(q, fmt.Sprintf("the selector panicked: %v", r))
		}
	}()
	record := plan.Whole()
	i, err := plan.Pointed(record, at(record))
	if err != nil {
		return noField(q, strings.TrimPrefix(err.Error(), rowmap.ErrColumn.Error()+": "))
	}
	column := plan.Columns()[i]
	if strings.Contains(column, ".") {
		return column // which no table can stand before
	}
	return q.src.table.Name + "." + column
}

// noField is the name of a column that Field could not find.
func noField(q *query, why string) string {
	of := ""
	if q != nil && q.src != nil && q.src.table != nil {
		of = " of the model " + quoted(q.src.table.Model) + " of table " + quoted(q.src.table.Name)
	}
	return sqlgen.Faulty("Field" + of + ": " + why)
}
