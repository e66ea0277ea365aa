package main

import (
	"context"
	"database/sql"

	"github.com/Masterminds/squirrel"
)

// squirrel builds the statements; running and scanning is by hand. It documents
// no way to load related rows.

type squirrelSession struct {
	db                *sql.DB
	build             squirrel.StatementBuilderType
	numbered, firstID bool
}

func openSquirrel(_ context.Context, t *Target) (*Session, error) {
	db, err := t.Open()
	if err != nil {
		return nil, err
	}
	s := &squirrelSession{db: db, build: squirrel.StatementBuilder.RunWith(db), numbered: t.Dialect == "postgres", firstID: t.Dialect == "mysql"}
	if s.numbered {
		s.build = s.build.PlaceholderFormat(squirrel.Dollar)
	}
	return &Session{
		Close: db.Close,
		Funcs: map[Operation]Func{
			Insert:     repeat(s.insertOne),
			InsertMany: repeat(s.insertMany),
			Update:     repeat(s.updateOne),
			Read:       repeat(s.readOne),
			ReadMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				return s.collect(ctx, make([]Person, 0, batch), s.selected().OrderBy("id").Limit(batch))
			}),
			Scan: repeat(func(ctx context.Context, _ int) ([]Person, error) { return s.collect(ctx, nil, s.selected()) }),
			Load: repeat(s.load),
			Build: repeat(func(context.Context, int) (Statement, error) {
				query, args, err := s.selected().
					Where(squirrel.Eq{"active": buildActive}).Where(squirrel.Gt{"age": buildAge}).
					Where(squirrel.Lt{"balance": buildBalance}).Where(squirrel.Eq{"id": buildList}).
					OrderBy("id").Limit(uint64(buildLimit)).ToSql()
				return Statement{query, args}, err
			}),
		},
	}, nil
}

func (s *squirrelSession) selected() squirrel.SelectBuilder {
	return s.build.Select(personColumns...).From("people")
}

func (s *squirrelSession) values(list []Person) squirrel.InsertBuilder {
	b := s.build.Insert("people").Columns(writeColumns...)
	for i := range list {
		p := &list[i]
		b = b.Values(p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt)
	}
	return b
}

func (s *squirrelSession) insertOne(ctx context.Context, i int) (Person, error) {
	list := []Person{newcomer(i)}
	b := s.values(list)
	if s.numbered {
		err := b.Suffix("RETURNING id").QueryRowContext(ctx).Scan(&list[0].ID)
		return list[0], err
	}
	res, err := b.ExecContext(ctx)
	if err != nil {
		return list[0], err
	}
	list[0].ID, err = res.LastInsertId()
	return list[0], err
}

func (s *squirrelSession) insertMany(ctx context.Context, _ int) ([]Person, error) {
	list := newBatch()
	b := s.values(list)
	if s.numbered {
		rows, err := b.Suffix("RETURNING id").QueryContext(ctx)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		for i := 0; rows.Next() && i < len(list); i++ {
			if err := rows.Scan(&list[i].ID); err != nil {
				return nil, err
			}
		}
		return list, rows.Err()
	}
	res, err := b.ExecContext(ctx)
	if err != nil {
		return nil, err
	}
	id, err := res.LastInsertId()
	if !s.firstID {
		id -= int64(len(list)) - 1
	}
	for i := range list {
		list[i].ID = id + int64(i)
	}
	return list, err
}

func (s *squirrelSession) updateOne(ctx context.Context, i int) (Person, error) {
	p := changed(i)
	_, err := s.build.Update("people").
		Set("name", p.Name).Set("email", p.Email).Set("age", p.Age).Set("balance", p.Balance).
		Set("active", p.Active).Set("created_at", p.CreatedAt).Set("seen_at", p.SeenAt).
		Where(squirrel.Eq{"id": p.ID}).ExecContext(ctx)
	return p, err
}

func (s *squirrelSession) readOne(ctx context.Context, i int) (Person, error) {
	var p Person
	err := s.selected().Where(squirrel.Eq{"id": key(i)}).QueryRowContext(ctx).
		Scan(&p.ID, &p.Name, &p.Email, &p.Age, &p.Balance, &p.Active, &p.CreatedAt, &p.SeenAt)
	return p, err
}

func (s *squirrelSession) collect(ctx context.Context, list []Person, b squirrel.SelectBuilder) ([]Person, error) {
	query, args, err := b.ToSql()
	if err != nil {
		return nil, err
	}
	return collectByHand(ctx, s.db, list, query, args...)
}

func (s *squirrelSession) load(ctx context.Context, _ int) (int, error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	for i := 0; i < len(newcomers); i += chunk {
		if _, err := s.values(newcomers[i : i+chunk]).RunWith(tx).ExecContext(ctx); err != nil {
			return 0, err
		}
	}
	return len(newcomers), tx.Commit()
}
