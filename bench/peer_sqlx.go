package main

import (
	"context"
	"strings"

	"github.com/jmoiron/sqlx"
)

// sqlx: Get and Select for reads, NamedExec for writes, In for lists.

type sqlxSession struct {
	db                              *sqlx.DB
	numbered, firstID               bool
	insert, insertID, update, selID string
}

func openSqlx(_ context.Context, t *Target) (*Session, error) {
	pool, err := t.Open()
	if err != nil {
		return nil, err
	}
	driverName := map[string]string{"sqlite": "sqlite3", "postgres": "pgx", "mysql": "mysql"}[t.Dialect]
	s := &sqlxSession{db: sqlx.NewDb(pool, driverName), numbered: t.Dialect == "postgres", firstID: t.Dialect == "mysql"}
	s.selID = s.db.Rebind(selectPerson + ` WHERE id = ?`)
	s.insert = insertPerson + `(:` + strings.Join(writeColumns, ", :") + `)`
	s.update = `UPDATE people SET ` + setClause() + ` WHERE id = :id`
	s.insertID = s.insert + ` RETURNING id`
	return &Session{
		Close: s.db.Close,
		Funcs: map[Operation]Func{
			Insert:     repeat(s.insertOne),
			InsertMany: repeat(s.insertMany),
			Update: repeat(func(ctx context.Context, i int) (Person, error) {
				p := changed(i)
				_, err := s.db.NamedExecContext(ctx, s.update, &p)
				return p, err
			}),
			Read: repeat(func(ctx context.Context, i int) (Person, error) {
				var p Person
				err := s.db.GetContext(ctx, &p, s.selID, key(i))
				return p, err
			}),
			ReadMany: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				list := make([]Person, 0, batch)
				err := s.db.SelectContext(ctx, &list, selectPerson+` ORDER BY id LIMIT 100`)
				return list, err
			}),
			Scan: repeat(func(ctx context.Context, _ int) ([]Person, error) {
				var list []Person
				err := s.db.SelectContext(ctx, &list, selectPerson)
				return list, err
			}),
			Load:  repeat(s.load),
			Eager: repeat(s.eager),
			Build: repeat(func(context.Context, int) (Statement, error) {
				query, args, err := sqlx.In(selectPerson+` WHERE active = ? AND age > ? AND balance < ? AND id IN (?) ORDER BY id LIMIT ?`,
					buildActive, buildAge, buildBalance, buildList, buildLimit)
				return Statement{s.db.Rebind(query), args}, err
			}),
		},
	}, nil
}

func (s *sqlxSession) insertOne(ctx context.Context, i int) (Person, error) {
	p := newcomer(i)
	if s.numbered {
		rows, err := s.db.NamedQueryContext(ctx, s.insertID, &p)
		if err != nil {
			return p, err
		}
		defer rows.Close()
		if rows.Next() {
			err = rows.Scan(&p.ID)
		}
		if err != nil {
			return p, err
		}
		return p, rows.Err()
	}
	res, err := s.db.NamedExecContext(ctx, s.insert, &p)
	if err != nil {
		return p, err
	}
	p.ID, err = res.LastInsertId()
	return p, err
}

func (s *sqlxSession) insertMany(ctx context.Context, _ int) ([]Person, error) {
	list := newBatch()
	if s.numbered {
		// A named query of many rows cannot end in RETURNING before it is bound.
		query, args, err := s.db.BindNamed(s.insertID, list)
		if err != nil {
			return nil, err
		}
		var ids []int64
		if err := s.db.SelectContext(ctx, &ids, query, args...); err != nil {
			return nil, err
		}
		for i := range ids {
			list[i].ID = ids[i]
		}
		return list, nil
	}
	res, err := s.db.NamedExecContext(ctx, s.insert, list)
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

func (s *sqlxSession) load(ctx context.Context, _ int) (int, error) {
	tx, err := s.db.BeginTxx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	for i := 0; i < len(newcomers); i += chunk {
		if _, err := tx.NamedExecContext(ctx, s.insert, newcomers[i:i+chunk]); err != nil {
			return 0, err
		}
	}
	return len(newcomers), tx.Commit()
}

func (s *sqlxSession) eager(ctx context.Context, _ int) ([]Parent, error) {
	var list []Parent
	if err := s.db.SelectContext(ctx, &list, `SELECT id, name FROM parents ORDER BY id`); err != nil {
		return nil, err
	}
	ids := make([]int64, len(list))
	at := make(map[int64]int, len(list))
	for i := range list {
		ids[i], at[list[i].ID] = list[i].ID, i
	}
	query, args, err := sqlx.In(`SELECT id, parent_id, name FROM children WHERE parent_id IN (?)`, ids)
	if err != nil {
		return nil, err
	}
	var all []Child
	if err := s.db.SelectContext(ctx, &all, s.db.Rebind(query), args...); err != nil {
		return nil, err
	}
	for _, c := range all {
		p := &list[at[c.ParentID]]
		p.Children = append(p.Children, c)
	}
	return list, nil
}

// setClause is "column = :column" for every column that a write sets.
func setClause() string {
	var sets []string
	for _, c := range writeColumns {
		sets = append(sets, c+" = :"+c)
	}
	return strings.Join(sets, ", ")
}
