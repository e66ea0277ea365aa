package dbfleet

import (
	"context"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// What is asked before an upsert whose outcomes are told.

// replaces says that the outcomes of rows that are updated are asked for.
func (u *upserts) replaces() bool { return u.outcomes != nil && !u.conflict.DoNothing }

// looks says that the rows are looked for before they are upserted: SQLite has no words
// for what an upsert did. A transaction, of which there is one at a time, holds them.
func (u *upserts) looks() bool { return u.replaces() && u.d == dialect.SQLite }

// look finds which rows are there.
func (u *upserts) look(ctx context.Context, b *batch) error {
	t := u.q.src.table
	if t.KeyIsMade(b.plan, u.key) {
		return nil
	}
	b.there = map[any]bool{}
	for _, q := range t.FindThere(b.plan, b.records, u.key) {
		v := &lookForRows{recording: recording{writing: writing{trip{q: u.q}}, home: u.home}, looked: q, key: t.RowKey, there: b.there}
		v.place.landing = u.landing
		if _, err := v.run(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// lookForRows is the verb that reads the keys of rows, before they are upserted or when
// they are saved.
type lookForRows struct {
	recording
	looked sqlgen.Query
	key    func(record any) (key any, ok bool)
	there  map[any]bool
}

func (v *lookForRows) render(p *place, s *statement) (err error) {
	all := v.q.src.table.Rows(v.looked)
	s.op, s.write = "select", true
	env := v.q.env(p)
	env.ByDigits = true
	s.text, s.args, err = sqlgen.Select(&all, env)
	return err
}

func (v *lookForRows) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *lookForRows) read(rows driver.Rows) (int64, error) {
	t := v.q.src.table
	list := t.Plan.NewList()
	n, err := t.Plan.ReadAll(rows, list, 0)
	if err != nil {
		return int64(n), err
	}
	records := t.Plan.Records(list)
	for i := range records.N {
		if k, ok := v.key(records.At(i)); ok {
			v.there[k] = true
		}
	}
	return int64(n), nil
}

// asksWhetherTold asks PostgreSQL whether the rows of the table tell what an upsert did,
// once for a table of a connection.
func (u *upserts) asksWhetherTold(ctx context.Context) error {
	if !u.replaces() || !u.d.Numbered {
		return nil
	}
	t := u.q.src.table
	if told, known := t.TellsOutcome.Of(u.where(ctx)); known {
		u.told = told
		return nil
	}
	v := &outcomeQuestion{recording: recording{writing: writing{trip{q: u.q}}, home: u.home}}
	if _, err := v.run(ctx, v); err != nil {
		return err
	}
	t.TellsOutcome.Learn(u.where(ctx), v.tells)
	u.told = v.tells
	return nil
}

// where is the name of the database, which each tenant may have one of.
func (u *upserts) where(ctx context.Context) string {
	name, err := u.q.src.reg.connectionFor(txsOf(ctx).wants(), u.home.connection)
	if err != nil {
		return u.home.connection
	}
	return name
}

// outcomeQuestion is the verb of asksWhetherTold.
type outcomeQuestion struct {
	recording
	tells bool
}

func (v *outcomeQuestion) render(p *place, s *statement) error {
	name, err := v.q.src.table.QuotedName(p.e.dialect)
	s.op, s.write, s.text, s.args = "select", true, sqlgen.TellsOutcome, []any{name}
	return err
}

func (v *outcomeQuestion) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *outcomeQuestion) read(rows driver.Rows) (int64, error) {
	n, err := oneNumber(rows)
	v.tells = n == 1
	return 1, err
}
