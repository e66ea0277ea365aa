package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// check lets a peer do an operation and says what is wrong with the work: the
// rows that it returns, and those that are in the database afterwards, must be
// those of the hand-written code. db is a pool of database/sql to look with.
func (t *Target) check(ctx context.Context, db *sql.DB, op Operation, f Func) error {
	if op.place() == inserts {
		if err := t.empty(ctx, db); err != nil {
			return err
		}
	}
	times := 3
	if op.heavy() {
		times = 1
	}
	before := changes.Load()
	t.expect(op)
	if err := f.Run(ctx, times); err != nil {
		return err
	}
	if newcomers[0].ID != 0 || newcomers[people-1].ID != 0 {
		return errors.New("wrote into the records that all peers share")
	}
	got := f.Last()
	switch op {
	case Insert, InsertMany, Load:
		return t.checkInserted(ctx, db, op, times, got)
	case Update:
		return t.checkUpdated(ctx, db, before, times, got)
	case Read, ReadParallel, ReadRouted, ReadSpread:
		want := stored[key(times-1)-1]
		if t.null != nil {
			want = stored[0]
		}
		return same(got, want)
	case ReadMany:
		return samePeople(got, stored[:batch])
	case Scan:
		return samePeople(got, stored)
	case Eager:
		return sameFamilies(got)
	case EagerTags, EagerTop:
		return checkRelations(op, got)
	case Build:
		return t.checkBuilt(ctx, db, got)
	case Tx4, Atomic:
		return t.checkTransaction(ctx, db, got)
	}
	return errors.New("no check")
}

// expect tells the in-memory driver how many rows come next.
func (t *Target) expect(op Operation) {
	if t.null == nil {
		return
	}
	n := map[Operation]int64{InsertMany: batch, ReadMany: batch, Scan: people, Load: chunk}[op]
	t.null.rows.Store(max(n, 1))
}

func (t *Target) checkInserted(ctx context.Context, db *sql.DB, op Operation, times int, got any) error {
	var want []Person
	switch op {
	case Insert:
		want = newcomers[:times]
	case InsertMany:
		for range times {
			want = append(want, newcomers[:batch]...)
		}
	case Load:
		want = newcomers
	}
	rows := want
	if t.null == nil {
		var err error
		if rows, err = t.insertedRows(ctx, db, want); err != nil {
			return err
		}
	}
	switch got := got.(type) {
	case Person:
		return t.sameKeyed([]Person{got}, rows[len(rows)-1:])
	case []Person:
		if len(got) != batch {
			return fmt.Errorf("%d records are returned, not %d", len(got), batch)
		}
		return t.sameKeyed(got, rows[len(rows)-batch:])
	case int, int64:
		if fmt.Sprint(got) != fmt.Sprint(people) {
			return fmt.Errorf("%v rows are reported", got)
		}
		return nil
	}
	return fmt.Errorf("the result is a %T", got)
}

// insertedRows are all rows, which must be those records with some keys.
func (t *Target) insertedRows(ctx context.Context, db *sql.DB, want []Person) ([]Person, error) {
	rows, err := collectByHand(ctx, db, nil, selectPerson+` ORDER BY id`)
	if err != nil {
		return nil, err
	}
	if len(rows) != len(want) {
		return nil, fmt.Errorf("%d rows were inserted, not %d", len(rows), len(want))
	}
	for i := range rows {
		w := want[i]
		w.ID = rows[i].ID
		if err := same(rows[i], w); err != nil {
			return nil, fmt.Errorf("row %d in the database: %w", i, err)
		}
	}
	return rows, nil
}

// sameKeyed compares what an insert returned with the rows in the database. Not
// every peer reads the keys of many records back; the in-memory driver returns
// what it has, not what it was given.
func (t *Target) sameKeyed(got, rows []Person) error {
	if t.null != nil {
		if got[0].Name != rows[0].Name {
			return fmt.Errorf("returned %s", got[0])
		}
		return nil
	}
	keys := len(got) == 1 || got[0].ID != 0
	for i := range got {
		w := rows[i]
		if !keys {
			w.ID = 0
		}
		if err := same(got[i], w); err != nil {
			return fmt.Errorf("returned record %d: %w", i, err)
		}
	}
	return nil
}

func (t *Target) checkUpdated(ctx context.Context, db *sql.DB, before int64, times int, got any) error {
	p, ok := got.(Person)
	if !ok {
		return fmt.Errorf("the result is a %T", got)
	}
	if t.null != nil {
		return nil
	}
	rows, err := collectByHand(ctx, db, nil, selectPerson+` ORDER BY id`)
	if err != nil {
		return err
	}
	if len(rows) != people {
		return fmt.Errorf("there are %d rows", len(rows))
	}
	for i := range times {
		if balance := rows[key(i)-1].Balance; balance != float64(before+int64(i)+1)+0.5 {
			return fmt.Errorf("update %d: the balance is %v", i, balance)
		}
	}
	for i := range rows {
		w := stored[i]
		w.Balance = rows[i].Balance
		if err := same(rows[i], w); err != nil {
			return fmt.Errorf("row %d in the database: %w", i, err)
		}
	}
	return same(p, rows[p.ID-1])
}

func (t *Target) checkBuilt(ctx context.Context, db *sql.DB, got any) error {
	st, ok := got.(Statement)
	if !ok || len(st.SQL) < 100 {
		return fmt.Errorf("the result is %v", got)
	}
	if t.null != nil {
		return nil
	}
	rows, err := collectByHand(ctx, db, nil, st.SQL, st.Args...)
	if err != nil {
		return fmt.Errorf("%s: %w", st.SQL, err)
	}
	var want []Person
	for i := range stored {
		p := &stored[i]
		if p.Active == buildActive && p.Age != nil && *p.Age > buildAge && p.Balance < buildBalance && slices.Contains(buildList, p.ID) {
			want = append(want, *p)
		}
	}
	return samePeople(rows, want)
}

func samePeople(got any, want []Person) error {
	list, ok := got.([]Person)
	if !ok {
		return fmt.Errorf("the result is a %T", got)
	}
	if len(list) != len(want) {
		return fmt.Errorf("%d rows, not %d", len(list), len(want))
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b Person) int { return cmp.Compare(a.ID, b.ID) })
	for i := range list {
		if err := same(list[i], want[i]); err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
	return nil
}

func sameFamilies(got any) error {
	list, ok := got.([]Parent)
	want := newFamilies()
	if !ok || len(list) != len(want) {
		return fmt.Errorf("the result is a %T of %d", got, len(list))
	}
	for i := range list {
		if list[i].ID != want[i].ID || list[i].Name != want[i].Name {
			return fmt.Errorf("parent %d is %d %s", i, list[i].ID, list[i].Name)
		}
		children := slices.Clone(list[i].Children)
		slices.SortFunc(children, func(a, b Child) int { return cmp.Compare(a.ID, b.ID) })
		if !slices.Equal(children, want[i].Children) {
			return fmt.Errorf("the children of parent %d are %v", i, children)
		}
	}
	return nil
}

// same compares two people, times as moments.
func same(got any, want Person) error {
	p, ok := got.(Person)
	if !ok {
		return fmt.Errorf("the result is a %T", got)
	}
	equal := p.ID == want.ID && p.Name == want.Name && p.Balance == want.Balance && p.Active == want.Active &&
		p.CreatedAt.Equal(want.CreatedAt) && sameValue(p.Email, want.Email) && sameValue(p.Age, want.Age) &&
		(p.SeenAt == nil) == (want.SeenAt == nil) && (p.SeenAt == nil || p.SeenAt.Equal(*want.SeenAt))
	if !equal {
		return fmt.Errorf("got %s, want %s", p, want)
	}
	return nil
}

func sameValue[V comparable](a, b *V) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// String shows what the pointers point to.
func (p Person) String() string {
	return fmt.Sprintf("{%d %q %s %s %v %v %s %s}", p.ID, p.Name, shown(p.Email), shown(p.Age), p.Balance, p.Active,
		p.CreatedAt.Format(time.RFC3339Nano), shown(p.SeenAt))
}

func shown[V any](v *V) string {
	if v == nil {
		return "NULL"
	}
	return fmt.Sprint(*v)
}
