package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// LoadInto loads the relation of records at hand, wherever they are from, and sets the
// field of each of the slice's elements, as With does for rows that a query reads. The
// relation's With and Scope hold. The related records are read where the relation's own
// routing says, by the transaction that ctx carries for that connection, and in its session;
// DB, Primary and Using of a query that once read the records do not hold any more: say so
// in Scope. A record's key is what its fields hold: of one without, nothing is found.
// No records, and nil, ask nothing.
//
//	list, err := users.Where("active", "=", true).Get(ctx)
//	err = postsOf.LoadInto(ctx, list)
//
// The records must not be used by others meanwhile. After an error some may have been set.
func (r ToMany[P, C]) LoadInto(ctx context.Context, records []P) error {
	return loadInto(ctx, r, recordsOf(records))
}

// LoadOne is LoadInto for one record.
func (r ToMany[P, C]) LoadOne(ctx context.Context, record *P) error {
	return loadOne(ctx, r, record, record == nil)
}

// LoadInto loads the relation of records at hand; see ToMany.LoadInto.
func (r ToOne[P, C]) LoadInto(ctx context.Context, records []P) error {
	return loadInto(ctx, r, recordsOf(records))
}

// LoadOne is LoadInto for one record.
func (r ToOne[P, C]) LoadOne(ctx context.Context, record *P) error {
	return loadOne(ctx, r, record, record == nil)
}

// LoadInto reads the value for each of the records at hand; see ToMany.LoadInto.
func (t Tally[P]) LoadInto(ctx context.Context, records []P) error {
	return loadInto(ctx, t, recordsOf(records))
}

// LoadOne is LoadInto for one record.
func (t Tally[P]) LoadOne(ctx context.Context, record *P) error {
	return loadOne(ctx, t, record, record == nil)
}

// Inverse says where a related record keeps its parent, which With and LoadInto then set
// too, without a statement:
//
//	postsOf = postsOf.Inverse(func(p *Post) **User { return &p.Author })
//
// What is set is a pointer to the parent itself, in the slice that Get returns or that
// LoadInto was given, and no copy: what is changed there is seen by its children, and a
// child keeps the whole slice alive. First and Find return a copy of the row that the
// children refer to. With of a relation of the children that sets the same field is
// replaced.
//
// The records are then a cycle: encoding/json fails for them, and a printer may not end.
// Give one of the two fields the tag json:"-".
func (r ToMany[P, C]) Inverse(field func(*C) **P) ToMany[P, C] {
	r.inverse, r.tie = field, r.tie.inverted(field == nil)
	return r
}

// Inverse says where the related record of a HasOne keeps its parent; see ToMany.Inverse.
func (r ToOne[P, C]) Inverse(field func(*C) **P) ToOne[P, C] {
	r.inverse, r.tie = field, r.tie.inverted(field == nil)
	return r
}

// inverted is the tie of a relation with an inverse.
func (t tie) inverted(isNil bool) tie {
	if isNil && t.err == nil {
		t.err = &StatementError{Part: "Inverse", Reason: "the function is nil"}
	}
	return t
}

// refer sets the inverse of a relation, if it has one, for a related record of a parent.
func refer[P, C any](inverse func(*C) **P, record *C, parent any) error {
	if inverse == nil || record == nil {
		return nil
	}
	at := inverse(record)
	if at == nil {
		return &StatementError{Part: "Inverse", Reason: "its function returned nil in place of a field of the related record"}
	}
	*at = parent.(*P)
	return nil
}

// homed is a relation that knows where its parents live.
type homed interface{ home() string }

// home is the connection of the parents' model.
func (t *tie) home() string { return t.parents.reg.nameOr(t.parents.connection) }

func (r ToMany[P, C]) home() string { return r.tie.home() }

func (r ToOne[P, C]) home() string { return r.tie.home() }

func (t Tally[P]) home() string {
	if r, ok := t.related.(homed); ok {
		return r.home()
	}
	return ""
}

func recordsOf[P any](list []P) rowmap.Records {
	return rowmap.Records{N: len(list), At: func(i int) any { return &list[i] }}
}

// loadInto loads a relation of records at hand.
//
//go:noinline
func loadInto(ctx context.Context, r relation, records rowmap.Records) error {
	if _, err := r.needs(); err != nil {
		return told(err)
	}
	if ctx == nil {
		return noContext("")
	}
	if records.N == 0 {
		return nil
	}
	from := origin{}
	if r, ok := r.(homed); ok {
		from.connection = r.home()
	}
	return told(r.load(ctx, from, records))
}

//go:noinline
func loadOne(ctx context.Context, r relation, record any, isNil bool) error {
	if isNil {
		return &StatementError{Part: "LoadOne", Reason: "the record is a nil pointer"}
	}
	if w, ok := r.(watchable); ok && ctx != nil {
		w.watch(ctx, record)
	}
	return loadInto(ctx, r, rowmap.One(record))
}
