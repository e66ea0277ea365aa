package main

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Native pgx, by hand as its documentation shows: a pool, rows scanned into
// fields, CopyFrom for the bulk, and = ANY($1) for a list.

type pgxSession struct {
	pool *pgxpool.Pool
}

func openPgx(ctx context.Context, t *Target) (*Session, error) {
	config, err := pgxpool.ParseConfig(t.DSN)
	if err != nil {
		return nil, err
	}
	config.MaxConns = poolSize
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &pgxSession{pool}
	return &Session{
		Close: func() error { pool.Close(); return nil },
		Funcs: map[Operation]Func{
			Insert:     repeat(s.insertOne),
			InsertMany: repeat(s.insertMany),
			Update:     repeat(s.updateOne),
			Read:       repeat(s.readOne),
			ReadMany:   repeat(s.readMany),
			Scan:       repeat(s.scan),
			Load:       repeat(s.load),
			Eager:      repeat(s.eager),
		},
	}, nil
}

const (
	pgxInsert = insertPerson + `($1, $2, $3, $4, $5, $6, $7) RETURNING id`
	pgxUpdate = `UPDATE people SET name = $1, email = $2, age = $3, balance = $4, active = $5, created_at = $6, seen_at = $7 WHERE id = $8`
)

func (s *pgxSession) insertOne(ctx context.Context, i int) (Person, error) {
	p := newcomer(i)
	err := s.pool.QueryRow(ctx, pgxInsert, p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt).Scan(&p.ID)
	return p, err
}

func (s *pgxSession) insertMany(ctx context.Context, _ int) ([]Person, error) {
	list := newBatch()
	query, args := valuesByHand(list, true, false)
	rows, err := s.pool.Query(ctx, query+` RETURNING id`, args...)
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

func (s *pgxSession) updateOne(ctx context.Context, i int) (Person, error) {
	p := changed(i)
	tag, err := s.pool.Exec(ctx, pgxUpdate, p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt, p.ID)
	if err == nil && tag.RowsAffected() != 1 {
		err = pgx.ErrNoRows
	}
	return p, err
}

func (s *pgxSession) readOne(ctx context.Context, i int) (Person, error) {
	var p Person
	err := s.pool.QueryRow(ctx, selectPerson+` WHERE id = $1`, key(i)).
		Scan(&p.ID, &p.Name, &p.Email, &p.Age, &p.Balance, &p.Active, &p.CreatedAt, &p.SeenAt)
	return p, err
}

func (s *pgxSession) readMany(ctx context.Context, _ int) ([]Person, error) {
	return s.collect(ctx, make([]Person, 0, batch), selectPerson+` ORDER BY id LIMIT 100`)
}

func (s *pgxSession) scan(ctx context.Context, _ int) ([]Person, error) {
	return s.collect(ctx, nil, selectPerson)
}

func (s *pgxSession) collect(ctx context.Context, list []Person, query string) ([]Person, error) {
	rows, err := s.pool.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p Person
		if err := rows.Scan(&p.ID, &p.Name, &p.Email, &p.Age, &p.Balance, &p.Active, &p.CreatedAt, &p.SeenAt); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

func (s *pgxSession) load(ctx context.Context, _ int) (int64, error) {
	n, err := s.pool.CopyFrom(ctx, pgx.Identifier{"people"}, writeColumns, pgx.CopyFromSlice(len(newcomers), func(i int) ([]any, error) {
		p := &newcomers[i]
		return []any{p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt}, nil
	}))
	if err == nil && n != people {
		err = errors.New("pgx: copied another number of rows")
	}
	return n, err
}

func (s *pgxSession) eager(ctx context.Context, _ int) ([]Parent, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, name FROM parents ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []Parent
	at := make(map[int64]int)
	for rows.Next() {
		var p Parent
		if err := rows.Scan(&p.ID, &p.Name); err != nil {
			return nil, err
		}
		at[p.ID] = len(list)
		list = append(list, p)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	ids := make([]int64, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	rows, err = s.pool.Query(ctx, `SELECT id, parent_id, name FROM children WHERE parent_id = ANY($1)`, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c Child
		if err := rows.Scan(&c.ID, &c.ParentID, &c.Name); err != nil {
			return nil, err
		}
		p := &list[at[c.ParentID]]
		p.Children = append(p.Children, c)
	}
	return list, rows.Err()
}
