package dbfleet

import (
	"context"
	"errors"
	"slices"

	"github.com/dbfleet/dbfleet/internal/rowmap"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// Records that are created unless they are there.

// FirstOrCreate finds the row whose columns of these names are equal to the record's, and
// reads it into the record; if there is none, it creates the record. Without names they
// are those of the primary key. created tells which it was.
//
//	u := User{Email: "ann@example.org", Name: "Ann"}
//	created, err := users.FirstOrCreate(ctx, &u, "email")
//
// The columns should be those of a unique constraint: then two calls at the same time
// create one row, and both have it. The one that comes late gets ErrUnique from the
// database and reads the row of the other; in a transaction of PostgreSQL, which an error
// ends, the insert stands in a savepoint. It is looked for by what the Before methods have made
// of the columns. ErrUnique that comes back is the violation of another constraint, or one
// by a row that ModelConfig.SoftDelete has marked or, on a sharded model, by one of another
// shard key: the row that is found has the record's. Without a constraint two may be created,
// and of several rows that of the smallest primary key is found. A column that is NULL in the
// record equals nothing and is refused. It reads at the primary. A row that exists costs one
// statement, a new one two. On an error the record is as it was before.
func (m *Model[T]) FirstOrCreate(ctx context.Context, record *T, columns ...string) (created bool, err error) {
	err = writeRecord(ctx, m, record, recordWrite{do: firstOrCreate, columns: columns, created: &created})
	return created, err
}

// UpdateOrCreate finds the row as FirstOrCreate does and saves the record to it, or else
// creates the record. The record then has the key of the row, its created_at and its
// version. A row that others change or delete meanwhile is looked for again. Upsert does the
// same in one statement, and does not call the callbacks of an update; UpsertOutcomes tells
// what it did.
//
//	created, err := users.UpdateOrCreate(ctx, &User{Email: "ann@example.org", Name: "Ann"}, "email")
func (m *Model[T]) UpdateOrCreate(ctx context.Context, record *T, columns ...string) (created bool, err error) {
	err = writeRecord(ctx, m, record, recordWrite{do: updateOrCreate, columns: columns, created: &created})
	return created, err
}

// CreateIgnore creates a record, or leaves it and the database as they were if a unique
// constraint of the table has its values already; created tells which it was. Every
// other error is one. In a transaction of PostgreSQL it takes a savepoint. Upsert with
// Conflict.DoNothing also tells the key of the row that is there. Where rows belong to
// tenants (TenantByColumn) and a constraint does not have the tenant among its columns, the
// row that is there may be another tenant's, of which the database tells no more than that;
// Upsert with Conflict.DoNothing is ErrOtherTenant then.
//
//	created, err := dbfleet.CreateIgnore(ctx, follows, &Follow{UserID: 1, FollowedID: 2})
func CreateIgnore[T any](ctx context.Context, m *Model[T], record *T) (created bool, err error) {
	err = writeRecord(ctx, m, record, recordWrite{do: createIgnore, created: &created})
	return created, err
}

// sameAs is the query for the row whose columns, and shard key, are equal to the record's, as
// its times are stored.
func (q *query) sameAs(record any, columns []string) (made sqlgen.Query, err error) {
	t := q.src.table
	fields := t.Key()
	if len(columns) > 0 {
		fields = make([]int, len(columns))
	}
	for i, column := range columns {
		if fields[i], err = t.Index(column); err == nil {
			err = t.CheckFound(column)
		}
		if err != nil {
			return made, err
		}
	}
	if len(columns) == 0 {
		if err := t.CheckKey(record); err != nil {
			return made, err
		}
	}
	for _, f := range fields {
		if rowmap.IsNull(t.Plan.Value(f, record)) || t.Encrypted(t.Column(f)) && t.Plan.IsZero(f, record) {
			return made, t.Fail("the column %q of the record is NULL, which is equal to no row's", t.Column(f))
		}
	}
	if q.src.shard != nil {
		if f, err := t.Index(q.src.shard.column()); err == nil && !slices.Contains(fields, f) {
			fields = append(slices.Clip(fields), f)
		}
	}
	t.Cut(record)
	made = t.ByFields(record, fields)
	for _, name := range t.KeyNames() {
		made.AddOrder(sqlgen.Order{Column: name})
	}
	return made, nil
}

// createOr creates a record, or leaves it as it was if its row is there, which is told
// by the error. made is then for the row that has what the Before methods made of the
// columns, nil for who does not look for it.
func (q *query) createOr(ctx context.Context, record any, w recordWrite, made *sqlgen.Query) (exists, err error) {
	home, err := q.homeOf(record)
	if err != nil {
		return nil, err
	}
	e, err := q.entryAt(ctx, home.connection)
	if err != nil {
		return nil, err
	}
	old := q.src.table.Plan.SnapshotOne(record)
	inTx := q.wish().tx != nil || txOf(ctx, q.src.reg, home.connection) != nil
	err = q.atomic(ctx, home.connection, inTx && e.dialect.Numbered, func(ctx context.Context) error {
		return q.create(ctx, record, w.landing)
	})
	if errors.Is(err, ErrUnique) {
		if made != nil {
			if inserted, err := q.sameAs(record, w.columns); err == nil { // else none is equal to it
				*made = inserted
			}
		}
		old.Restore()
		return err, nil
	}
	return nil, err
}

func createIgnore(ctx context.Context, q *query, record any, w recordWrite) error {
	exists, err := q.createOr(ctx, record, w, nil)
	*w.created = err == nil && exists == nil
	return err
}

func firstOrCreate(ctx context.Context, q *query, record any, w recordWrite) error {
	made, err := q.sameAs(record, w.columns)
	if err != nil {
		return err
	}
	found, err := q.lookUp(ctx, record, made, q.src.table.Fields(), sqlgen.NoLock, w.landing)
	switch {
	case err != nil:
		return err
	case found:
		return q.foundOf(ctx, rowmap.One(record))
	}
	for refused := 1; ; refused++ {
		exists, err := q.createOr(ctx, record, w, &made)
		if err != nil || exists == nil {
			*w.created = err == nil
			return err
		}
		found, err = q.lookUp(ctx, record, made, q.src.table.Fields(), sqlgen.ForShare, w.landing)
		switch {
		case err != nil:
			return err
		case found:
			return q.foundOf(ctx, rowmap.One(record))
		case refused == maxRefused:
			return exists
		}
	}
}

// maxRefused is how often ErrUnique is told by a table without the row that is looked for,
// until the row of another constraint is taken to be in the way, and not one that others
// have deleted meanwhile.
const maxRefused = 2

// maxSearches is how often UpdateOrCreate looks for a row that others change or delete.
const maxSearches = 10

func updateOrCreate(ctx context.Context, q *query, record any, w recordWrite) error {
	made, err := q.sameAs(record, w.columns)
	if err != nil {
		return err
	}
	home, err := q.homeOf(record)
	if err != nil {
		return err
	}
	var found bool
	var exists error
	refused := 0
	for search := range maxSearches {
		// Who was overtaken once holds the row between the two statements, or many at once
		// would overtake each other for as long as they are many.
		err = q.atomic(ctx, home.connection, search > 0, func(ctx context.Context) error {
			found, err = q.saveFound(ctx, record, made, w.landing)
			return err
		})
		switch {
		case errors.Is(err, ErrNotFound), errors.Is(err, ErrStaleRecord):
			continue
		case err != nil || found:
			return err
		case refused == maxRefused:
			return exists
		}
		if exists, err = q.createOr(ctx, record, w, &made); err != nil || exists == nil {
			*w.created = err == nil
			return err
		}
		refused++
	}
	return err
}

// saveFound saves a record to the row that made finds, if there is one.
func (q *query) saveFound(ctx context.Context, record any, made sqlgen.Query, l *landing) (found bool, err error) {
	t := q.src.table
	if found, err = q.lookUp(ctx, record, made, t.Kept(), sqlgen.ForUpdate, l); err != nil || !found {
		return found, err
	}
	t.Plan.Forget(record) // what it holds is the program's
	return found, q.save(ctx, record, nil, l)
}
