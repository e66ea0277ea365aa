package dbfleet

import (
	"errors"

	"github.com/dbfleet/dbfleet/internal/group"
	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// OnType begins a link of records that refer to the rows of several tables: a column says
// to which of them, and others, which And names, to which row:
//
//	ofPost := dbfleet.OnType("subject_type", "post").And("subject_id")
//	commentsOf := dbfleet.HasMany(posts, comments, ofPost, func(p *Post) *[]Comment { return &p.Comments })
//	postOf := dbfleet.BelongsTo(comments, posts, ofPost, func(c *Comment) **Post { return &c.Post })
//	videoOf := dbfleet.BelongsTo(comments, videos, dbfleet.OnType("subject_type", "video").And("subject_id"),
//		func(c *Comment) **Video { return &c.Video })
//
// The column is one of the side that refers, as On's is, and only records that have the
// value there are related. Any column and value will do, not only the name of a type.
//
// With HasMany and HasOne, and between the models of ManyToMany, the database compares the
// column with the value. With BelongsTo the record at hand is looked at: one that has
// another value, or NULL, has no owner by this relation. A text that the database
// may hold for the same although it is written in another way, "Post" for "post", and
// one beyond ASCII, is an error and not a guess.
//
// The value must fit the column, and nil fits none; what is wrong is told when the relation
// is used.
func OnType(column string, value any) Link { return Link{}.AndType(column, value) }

// AndType returns the link of those records alone that have a value in a column of the
// side that refers; see OnType.
func (l Link) AndType(column string, value any) Link {
	l.is = append(l.is[:len(l.is):len(l.is)], constant{column: column, value: value})
	return l
}

// constant is a column that has one value in all records of a relation.
type constant struct {
	column string
	field  int
	value  any // as the column has it
	key    any // what is the same for the same value
}

// fixed are the constants of a link whose columns are those of q.
func (q *query) fixed(link Link) ([]constant, error) {
	t := q.src.table
	if t.Plan == nil {
		return nil, t.Fail("a link with a value needs a model of the records that have it")
	}
	list := make([]constant, len(link.is))
	var errs error
	for n, c := range link.is {
		var err error
		if c.field, err = t.Index(c.column); err == nil {
			c, err = c.fit(q)
		}
		for _, before := range list[:n] {
			if before.column == c.column {
				err = errors.Join(err, t.Fail("the link names its column %q twice", c.column))
			}
		}
		for _, column := range link.foreign {
			if column == c.column {
				err = errors.Join(err, t.Fail("the link names its column %q twice", c.column))
			}
		}
		list[n], errs = c, errors.Join(errs, err)
	}
	return list, errs
}

// fit is the constant as its column has it.
func (c constant) fit(q *query) (constant, error) {
	switch c.value.(type) {
	case Queryable, Cond:
		return c, q.src.table.Fail("the link's value of column %q is a %T, not one value", c.column, c.value)
	}
	if isNil(c.value) {
		return c, q.src.table.Fail("the link's value of column %q is nil, which no record has", c.column)
	}
	var err error
	if c.value, err = q.src.table.Fit(c.field, c.value); err != nil {
		return c, err
	}
	var ok bool
	if c.key, ok = rowmap.Key(c.value); !ok {
		return c, q.src.table.Fail("the link's value of column %q is a %T, which is no value of a key", c.column, c.value)
	}
	return c, nil
}

// only is the tie of those parents alone that have the link's constants.
func (t tie) only(parents *query, link Link) tie {
	if t.err == nil && len(link.is) > 0 {
		t.whose, t.err = parents.fixed(link)
	}
	return t
}

// onlyRelated is the tie to those records alone that have the link's constants.
func (t tie) onlyRelated(related *query, link Link) tie {
	if t.err != nil || len(link.is) == 0 {
		return t
	}
	list, err := related.fixed(link)
	if t.err = err; err == nil {
		t.related = t.related.whose(list)
	}
	return t
}

// whose is the query for the rows that have constants.
func (q *query) whose(list []constant) *query {
	for _, c := range list {
		q = q.compare(false, c.column, sqlgen.Eq, c.value)
	}
	return q
}

// concerns says whether a parent is one of those that may have related records.
func (t *tie) concerns(parent any) (bool, error) {
	for _, c := range t.whose {
		plan := t.parents.table.Plan
		key, ok := plan.FieldKey(c.field, parent)
		switch {
		case !ok:
			return false, nil
		case key == c.key:
			continue
		case !group.Differ(plan.Field(c.field).Kind, key, c.key):
			return false, &ColumnError{Model: t.parents.table.Model, Column: c.column, Err: errorf("it holds a text of which only the database knows whether it is that of the relation's link")}
		}
		return false, nil
	}
	return true, nil
}

// concerned is the condition c, which holds for parents of the tie's constants, for all
// rows of a statement; others have no related records. It is never NULL.
func (h *having) concerned(at *sqlgen.At, c sqlgen.Cond) (sqlgen.Cond, error) {
	if len(h.tie.whose) == 0 {
		return c, nil
	}
	none := h.op.Holds(0, h.n)
	all := make([]sqlgen.Cond, 0, 2*len(h.tie.whose)+1)
	for _, is := range h.tie.whose {
		column, err := at.Column(h.tie.parents.table.Name, is.column)
		if err != nil {
			return c, h.fault(err)
		}
		if none {
			all = append(all, sqlgen.Compare(column, sqlgen.Is, nil).Or(), sqlgen.Compare(column, sqlgen.NotEq, is.value).Or())
		} else {
			all = append(all, sqlgen.Compare(column, sqlgen.IsNot, nil), sqlgen.Compare(column, sqlgen.Eq, is.value))
		}
	}
	if none {
		c = c.Or()
	}
	return sqlgen.Group(append(all, c)...), nil
}
