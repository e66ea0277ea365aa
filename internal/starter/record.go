package starter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/schema"
)

// describe makes the fields of a record and what its model is told.
func (f *file) describe(r *record) {
	r.key = f.keyOf(r)
	f.stamp(r)
	for i := range r.table.Columns {
		f.column(r, &r.table.Columns[i])
	}
	f.precise(r)
	if r.key == nil && !r.table.Viewed {
		r.notes = append(r.notes, "The table has no key that tells rows apart, so there is no model: rows are read, and inserted, by queries.")
		f.warn(r, "", "has no primary key and no unique one without NULL: it gets no model")
	}
}

// keyOf is the primary key of a record, or a unique one that serves as such.
func (f *file) keyOf(r *record) []string {
	key := schema.Key(r.table.Columns)
	if key == nil {
		for _, index := range r.table.Indexes {
			if index.Unique && !index.Partial && r.tells(index.Columns) {
				key = index.Columns
				r.notes = append(r.notes, fmt.Sprintf("The table has no primary key; the unique index %q stands for it.", index.Name))
				break
			}
		}
	}
	for _, name := range key {
		if !nameable(name) {
			f.warn(r, name, "is part of the key and cannot be a field: it gets no model")
			return nil
		}
	}
	if len(key) == 1 {
		c := r.column(key[0])
		r.single = integer(fitOf(r.on.Dialect, c).typ)
		refers := slices.ContainsFunc(r.table.ForeignKeys, func(k schema.ForeignKey) bool { return slices.Contains(k.Columns, c.Name) })
		if r.single && !c.Filled && !refers {
			r.notes = append(r.notes, "The database makes no key: one that is zero cannot be created.")
			f.warn(r, key[0], "is a key of one integer that the database does not make: a record whose key is zero cannot be created")
		}
	}
	return key
}

// tells says whether columns are all there and never NULL.
func (r *record) tells(columns []string) bool {
	return !slices.ContainsFunc(columns, func(name string) bool {
		c := r.column(name)
		return c == nil || c.Nullable
	})
}

// column is the column of that name, nil without one. SQLite and MySQL take names in any
// case.
func (r *record) column(name string) *schema.Column {
	for i := range r.table.Columns {
		if c := &r.table.Columns[i]; c.Name == name || r.on.Dialect.FoldsColumns && strings.EqualFold(c.Name, name) {
			return c
		}
	}
	return nil
}

func integer(typ string) bool {
	return strings.HasPrefix(typ, "int") || strings.HasPrefix(typ, "uint")
}

// nameable says whether a column's name can stand in a tag.
func nameable(column string) bool {
	return column != "" && column != "-" && rowmap.CheckTag(column) == nil
}

// stamp finds the timestamps, the mark and the version.
func (f *file) stamp(r *record) {
	if r.key == nil {
		return
	}
	is := func(name string, fits func(c *schema.Column, typ string) bool) bool {
		c := r.column(name)
		return c != nil && c.Name == name && !c.Generated && fits(c, fitOf(r.on.Dialect, c).typ)
	}
	time := func(_ *schema.Column, typ string) bool { return typ == "time.Time" }
	r.timed = !f.options.Untimed && (is("created_at", time) || is("updated_at", time)) &&
		(r.column("created_at") == nil || is("created_at", time)) && (r.column("updated_at") == nil || is("updated_at", time))
	if m := f.options.SoftDelete; m != "" && r.column(m) != nil {
		if is(m, func(c *schema.Column, typ string) bool { return c.Nullable && typ == "time.Time" }) {
			r.mark = m
		} else {
			f.warn(r, m, "cannot mark deleted rows: it is no time that may be NULL")
		}
	}
	if v := f.options.Version; v != "" && r.column(v) != nil {
		if is(v, func(c *schema.Column, typ string) bool { return !c.Nullable && (typ == "int64" || typ == "int32") }) {
			r.version = v
		} else {
			f.warn(r, v, "cannot count versions: it is no whole number of 32 or 64 bits, with a sign, that is NOT NULL")
		}
	}
}

// column adds the field of a column.
func (f *file) column(r *record, c *schema.Column) {
	if !nameable(c.Name) {
		f.warn(r, c.Name, "has a name that no tag can hold; it is left out")
		r.notes = append(r.notes, fmt.Sprintf("Column %q is left out: no tag can hold its name.", c.Name))
		return
	}
	t := fitOf(r.on.Dialect, c)
	if t.warns {
		f.warn(r, c.Name, t.note)
	}
	out := field{name: r.used.take(GoName(c.Name)), column: c.Name, comment: c.Comment, note: t.note}
	auto := r.single && slices.Contains(r.key, c.Name)
	timed := r.timed && (c.Name == "created_at" || c.Name == "updated_at")
	pointer := c.Nullable && !t.null
	switch {
	case c.Generated && !auto && !slices.Contains(r.key, c.Name):
		r.generated = append(r.generated, c.Name)
		out.note = also(out.note, "made by the database")
	case c.Filled && !auto && !timed && c.Name != r.version && r.key != nil:
		r.defaults = append(r.defaults, c.Name)
		says := "the database's own value"
		if c.Default != "" {
			says = strings.Join(strings.Fields(c.Default), " ")
		}
		if t.zeroed && !c.Nullable && !zeroDefault(c.Default) && !slices.Contains(r.key, c.Name) {
			pointer = true // so that false and 0 can be written, beside the default
			out.note = also(out.note, "nil takes the default: "+says)
		} else if !t.zeroed || !zeroDefault(c.Default) {
			out.note = also(out.note, "the zero value takes the default: "+says)
		}
	}
	switch {
	case pointer && f.options.SQLNull:
		out.typ = "sql.Null[" + t.typ + "]"
	case pointer:
		out.typ = "*" + t.typ
	default:
		out.typ = t.typ
	}
	r.fields = append(r.fields, out)
}

func also(note, more string) string {
	if note == "" {
		return more
	}
	return note + "; " + more
}

// precise finds the coarsest fraction of a second that the columns of times keep, to
// which all times of the model are cut.
func (f *file) precise(r *record) {
	if r.key == nil || r.on.Dialect == dialect.SQLite {
		return
	}
	coarsest, finest := int64(6), int64(0)
	for i := range r.table.Columns {
		if c := &r.table.Columns[i]; nameable(c.Name) && !c.Generated && fitOf(r.on.Dialect, c).typ == "time.Time" {
			coarsest, finest = min(coarsest, c.Digits), max(finest, c.Digits)
		}
	}
	if coarsest == 6 || coarsest < 0 {
		return
	}
	r.precision = 1
	for range 9 - coarsest {
		r.precision *= 10
	}
	if finest > coarsest {
		text := "its times are cut to " + strconv.FormatInt(coarsest, 10) + " digits of a second, which one of its columns keeps; others keep " + strconv.FormatInt(finest, 10)
		f.warn(r, "", text)
		r.notes = append(r.notes, "As TimePrecision is that of the model, "+text+".")
	}
}
