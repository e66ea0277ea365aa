package main

import (
	"context"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"

	"github.com/dbfleet/dbfleet/bench/internal/ent"
	"github.com/dbfleet/dbfleet/bench/internal/ent/parent"
	"github.com/dbfleet/dbfleet/bench/internal/ent/person"
)

// ent: the code that it generates. What it prints of a statement without running
// it is its SQL builder's.

type entSession struct {
	db      *ent.Client
	dialect string
}

func openEnt(_ context.Context, t *Target) (*Session, error) {
	pool, err := t.Open()
	if err != nil {
		return nil, err
	}
	s := &entSession{dialect: map[string]string{"sqlite": dialect.SQLite, "postgres": dialect.Postgres, "mysql": dialect.MySQL}[t.Dialect]}
	s.db = ent.NewClient(ent.Driver(entsql.OpenDB(s.dialect, pool)))
	return &Session{
		Close: s.db.Close,
		Funcs: map[Operation]Func{
			Insert: entResult(func(ctx context.Context, i int) (*ent.Person, error) {
				p := newcomer(i)
				return s.create(s.db, &p).Save(ctx)
			}, entPerson),
			InsertMany: entResult(func(ctx context.Context, _ int) ([]*ent.Person, error) {
				list := newBatch()
				return s.bulk(s.db, list).Save(ctx)
			}, entPeople),
			Update: repeat(s.update),
			Read: entResult(func(ctx context.Context, i int) (*ent.Person, error) {
				return s.db.Person.Get(ctx, key(i))
			}, entPerson),
			ReadMany: entResult(func(ctx context.Context, _ int) ([]*ent.Person, error) {
				return s.db.Person.Query().Order(person.ByID()).Limit(batch).All(ctx)
			}, entPeople),
			Scan: entResult(func(ctx context.Context, _ int) ([]*ent.Person, error) {
				return s.db.Person.Query().All(ctx)
			}, entPeople),
			Load: repeat(s.load),
			Eager: entResult(func(ctx context.Context, _ int) ([]*ent.Parent, error) {
				return s.db.Parent.Query().WithChildren().Order(parent.ByID()).All(ctx)
			}, entParents),
			Build: repeat(s.build),
		},
	}, nil
}

// entResult is repeat with a result that is ent's own type.
func entResult[T any](f func(ctx context.Context, i int) (T, error), convert func(T) any) Func {
	fn := repeat(f)
	last := fn.Last
	fn.Last = func() any { return convert(last().(T)) }
	return fn
}

func (s *entSession) create(db *ent.Client, p *Person) *ent.PersonCreate {
	return db.Person.Create().SetName(p.Name).SetNillableEmail(p.Email).SetNillableAge(p.Age).SetBalance(p.Balance).
		SetActive(p.Active).SetCreatedAt(p.CreatedAt).SetNillableSeenAt(p.SeenAt)
}

func (s *entSession) bulk(db *ent.Client, list []Person) *ent.PersonCreateBulk {
	creates := make([]*ent.PersonCreate, len(list))
	for i := range list {
		creates[i] = s.create(db, &list[i])
	}
	return db.Person.CreateBulk(creates...)
}

func (s *entSession) update(ctx context.Context, i int) (Person, error) {
	p := changed(i)
	// UpdateOneID would read the row back in a transaction.
	u := s.db.Person.Update().Where(person.ID(p.ID)).SetName(p.Name).SetBalance(p.Balance).SetActive(p.Active).SetCreatedAt(p.CreatedAt)
	if p.Email != nil {
		u.SetEmail(*p.Email)
	} else {
		u.ClearEmail()
	}
	if p.Age != nil {
		u.SetAge(*p.Age)
	} else {
		u.ClearAge()
	}
	if p.SeenAt != nil {
		u.SetSeenAt(*p.SeenAt)
	} else {
		u.ClearSeenAt()
	}
	return p, u.Exec(ctx)
}

func (s *entSession) load(ctx context.Context, _ int) (int, error) {
	tx, err := s.db.Tx(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // ErrTxDone after Commit
	for i := 0; i < len(newcomers); i += chunk {
		if err := s.bulk(tx.Client(), newcomers[i:i+chunk]).Exec(ctx); err != nil {
			return 0, err
		}
	}
	return len(newcomers), tx.Commit()
}

func (s *entSession) build(context.Context, int) (Statement, error) {
	ids := make([]any, len(buildList))
	for i, id := range buildList {
		ids[i] = id
	}
	query, args := entsql.Dialect(s.dialect).Select(personColumns...).From(entsql.Table("people")).
		Where(entsql.And(entsql.EQ("active", buildActive), entsql.GT("age", buildAge), entsql.LT("balance", buildBalance), entsql.In("id", ids...))).
		OrderBy("id").Limit(buildLimit).Query()
	return Statement{query, args}, nil
}

func entPerson(p *ent.Person) any {
	return Person{
		ID: p.ID, Name: p.Name, Email: p.Email, Age: p.Age, Balance: p.Balance,
		Active: p.Active, CreatedAt: p.CreatedAt, SeenAt: p.SeenAt,
	}
}

func entPeople(list []*ent.Person) any {
	out := make([]Person, len(list))
	for i, p := range list {
		out[i] = entPerson(p).(Person)
	}
	return out
}

func entParents(list []*ent.Parent) any {
	out := make([]Parent, len(list))
	for i, p := range list {
		out[i] = Parent{ID: p.ID, Name: p.Name}
		for _, c := range p.Edges.Children {
			out[i].Children = append(out[i].Children, Child{ID: c.ID, ParentID: c.ParentID, Name: c.Name})
		}
	}
	return out
}
