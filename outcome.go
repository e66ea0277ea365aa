package dbfleet

import (
	"context"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// Outcome is what an upsert did with a record: Inserted, Updated, Unchanged or, which is the
// zero value, NotTold.
type Outcome uint8

// The outcomes.
const (
	// NotTold says that the database does not tell; UpsertOutcomes says where that is.
	NotTold Outcome = 0
	// Inserted is a row that was not there.
	Inserted Outcome = 1
	// Updated is a row that was there and took the record's values, those also that it had
	// already.
	Updated Outcome = 2
	// Unchanged is a row that was there and was left as it is, by Conflict.DoNothing or
	// Conflict.KeepEqual.
	Unchanged Outcome = 3
)

// String is the outcome as a word.
func (o Outcome) String() string {
	if int(o) < len(outcomeWords) {
		return outcomeWords[o]
	}
	return "Outcome(" + strconv.Itoa(int(o)) + ")"
}

var outcomeWords = [...]string{"not told", "inserted", "updated", "unchanged"}

// UpsertOutcomes is Model.UpsertMany that tells what became of each record, in their
// order. On an error there are none.
//
//	outcomes, err := dbfleet.UpsertOutcomes(ctx, users, list, dbfleet.Conflict{Key: []string{"email"}, KeepEqual: true})
//
// No race is lost: the statement that writes tells, or the row is locked before. It takes
// PostgreSQL and MariaDB the statements of UpsertMany, PostgreSQL one more with KeepEqual if
// rows were left as they are. SQLite looks for the rows first, in the same transaction, so
// that the upsert of one record is one as well. A server without RETURNING, which is
// Oracle's MySQL, takes one statement for each record, as UpsertMany does there, and mostly
// another that asks what it did.
//
// It is NotTold where rows are updated: on PostgreSQL in a table that is partitioned, a
// view, or another's (a foreign table); on SQLite by a key that the database makes (a
// generated column, a default).
//
// Of a table whose rows belong to tenants, a row of another tenant that has a record's key is
// ErrOtherTenant, as it is for UpsertMany: no outcome tells of it.
func UpsertOutcomes[T any](ctx context.Context, m *Model[T], records []T, conflict ...Conflict) ([]Outcome, error) {
	return (*query)(m).upsertOutcomes(ctx, &records, conflict)
}

// upsertTold is upsertAll that tells what became of each record; no outcomes are those of
// a table whose rows belong to tenants.
func (q *query) upsertTold(ctx context.Context, list any, conflict Conflict) ([]Outcome, error) {
	if q.src.tenant != nil && !q.src.tenant.schemas {
		return nil, q.upsertAll(ctx, list, []Conflict{conflict})
	}
	return q.upsertOutcomes(ctx, list, []Conflict{conflict})
}

//go:noinline
func (q *query) upsertOutcomes(ctx context.Context, list any, conflicts []Conflict) ([]Outcome, error) {
	conflict, err := q.conflict(conflicts)
	if err != nil {
		return nil, told(err)
	}
	var outcomes []Outcome
	err = q.restoring(list, func(records rowmap.Records, l *landing) error {
		outcomes = make([]Outcome, records.N)
		return q.upsertMany(ctx, records, conflict, outcomes, l)
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}
