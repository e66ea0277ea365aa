package main

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
)

// Hand-written database/sql, as a careful user writes it.

const (
	selectPerson = `SELECT id, name, email, age, balance, active, created_at, seen_at FROM people`
	insertPerson = `INSERT INTO people (name, email, age, balance, active, created_at, seen_at) VALUES `
	updatePerson = `UPDATE people SET name = ?, email = ?, age = ?, balance = ?, active = ?, created_at = ?, seen_at = ? WHERE id = ?`
)

type rawSession struct {
	db                   *sql.DB
	replicas             []*sql.DB
	turn                 atomic.Uint64
	numbered             bool // $1 instead of ?, and keys by RETURNING
	firstID              bool // LastInsertId of many rows is the first one's
	read, update, insert string
}

func openRaw(ctx context.Context, t *Target) (*Session, error) {
	pools, err := t.OpenSeveral(3)
	if err != nil {
		return nil, err
	}
	s := &rawSession{
		db: pools[0], replicas: pools[1:], numbered: t.Dialect == "postgres", firstID: t.Dialect == "mysql",
		read:   t.bind(selectPerson + ` WHERE id = ?`),
		update: t.bind(updatePerson),
		insert: t.bind(insertPerson + `(?, ?, ?, ?, ?, ?, ?)`),
	}
	if s.numbered {
		s.insert += ` RETURNING id`
	}
	closing := func() error { return closeAll(pools) }
	var both Func
	if t.Beside != nil {
		a, err := openAtomicByHand(ctx, t)
		if err != nil {
			return nil, errors.Join(err, closing())
		}
		both = repeat(a.run)
		closing = func() error { return errors.Join(a.close(), closeAll(pools)) }
	}
	return &Session{
		Close: closing,
		Funcs: map[Operation]Func{
			Tx4:        repeat(s.txByHand),
			Atomic:     both,
			Insert:     repeat(s.insertOne),
			InsertMany: repeat(s.insertMany),
			Update:     repeat(s.updateOne),
			Read:       repeat(s.readOne),
			ReadRouted: repeat(s.readRouted),
			ReadMany:   repeat(s.readMany),
			Scan:       repeat(s.scan),
			Load: repeat(func(ctx context.Context, _ int) (int, error) {
				return people, t.loadByHand(ctx, s.db, newcomers, false)
			}),
			Eager:     repeat(s.eager),
			EagerTags: repeat(s.tagsByHand),
			EagerTop:  repeat(s.topByHand),
			Build:     repeat(func(context.Context, int) (Statement, error) { return buildByHand(s.numbered), nil }),
		},
	}, nil
}

func (s *rawSession) insertOne(ctx context.Context, i int) (Person, error) {
	p := newcomer(i)
	if s.numbered {
		err := s.db.QueryRowContext(ctx, s.insert, p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt).Scan(&p.ID)
		return p, err
	}
	res, err := s.db.ExecContext(ctx, s.insert, p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt)
	if err != nil {
		return p, err
	}
	p.ID, err = res.LastInsertId()
	return p, err
}

func (s *rawSession) insertMany(ctx context.Context, _ int) ([]Person, error) {
	list := newBatch()
	query, args := valuesByHand(list, s.numbered, false)
	if !s.numbered {
		res, err := s.db.ExecContext(ctx, query, args...)
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
	rows, err := s.db.QueryContext(ctx, query+` RETURNING id`, args...)
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

func (s *rawSession) updateOne(ctx context.Context, i int) (Person, error) {
	p := changed(i)
	res, err := s.db.ExecContext(ctx, s.update, p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt, p.ID)
	if err != nil {
		return p, err
	}
	if n, err := res.RowsAffected(); err != nil {
		return p, err
	} else if n != 1 {
		return p, sql.ErrNoRows
	}
	return p, nil
}

func (s *rawSession) readOne(ctx context.Context, i int) (Person, error) {
	return readByHand(ctx, s.db, s.read, key(i))
}

func (s *rawSession) readRouted(ctx context.Context, i int) (Person, error) {
	db := s.replicas[s.turn.Add(1)%uint64(len(s.replicas))]
	return readByHand(ctx, db, s.read, key(i))
}

func readByHand(ctx context.Context, db *sql.DB, query string, id int64) (Person, error) {
	var p Person
	err := db.QueryRowContext(ctx, query, id).Scan(&p.ID, &p.Name, &p.Email, &p.Age, &p.Balance, &p.Active, &p.CreatedAt, &p.SeenAt)
	return p, err
}

func (s *rawSession) readMany(ctx context.Context, _ int) ([]Person, error) {
	return collectByHand(ctx, s.db, make([]Person, 0, batch), selectPerson+` ORDER BY id LIMIT 100`)
}

func (s *rawSession) scan(ctx context.Context, _ int) ([]Person, error) {
	return collectByHand(ctx, s.db, nil, selectPerson)
}

// collectByHand appends the rows of a query to list.
func collectByHand(ctx context.Context, db *sql.DB, list []Person, query string, args ...any) ([]Person, error) {
	rows, err := db.QueryContext(ctx, query, args...)
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

// eager reads the parents, then the children of all of them.
func (s *rawSession) eager(ctx context.Context, _ int) ([]Parent, error) {
	list, at, err := parentsByHand(ctx, s.db)
	if err != nil {
		return nil, err
	}
	query, args := s.ofParents(list, `SELECT id, parent_id, name FROM children WHERE parent_id IN (`, `)`)
	return list, childrenByHand(ctx, s.db, list, at, query, args)
}

// parentsByHand reads the parents, and where in the list each is.
func parentsByHand(ctx context.Context, db *sql.DB) (list []Parent, at map[int64]int, err error) {
	rows, err := db.QueryContext(ctx, `SELECT id, name FROM parents ORDER BY id`)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	at = make(map[int64]int)
	for rows.Next() {
		var p Parent
		if err := rows.Scan(&p.ID, &p.Name); err != nil {
			return nil, nil, err
		}
		at[p.ID] = len(list)
		list = append(list, p)
	}
	return list, at, rows.Err()
}

func childrenByHand(ctx context.Context, db *sql.DB, list []Parent, at map[int64]int, query string, args []any) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c Child
		if err := rows.Scan(&c.ID, &c.ParentID, &c.Name); err != nil {
			return err
		}
		p := &list[at[c.ParentID]]
		p.Children = append(p.Children, c)
	}
	return rows.Err()
}

// writePlaceholders writes n of them, counted on from after.
func writePlaceholders(b *strings.Builder, after, n int, numbered bool) {
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		if numbered {
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(after + i + 1))
		} else {
			b.WriteByte('?')
		}
	}
}

// valuesByHand is the insert of a list in one statement.
func valuesByHand(list []Person, numbered, withID bool) (query string, args []any) {
	columns := len(writeColumns)
	var b strings.Builder
	b.Grow(128 + len(list)*columns*5)
	if withID {
		b.WriteString(strings.Replace(insertPerson, "(", "(id, ", 1))
		columns++
	} else {
		b.WriteString(insertPerson)
	}
	args = make([]any, 0, len(list)*columns)
	for i := range list {
		p := &list[i]
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		writePlaceholders(&b, len(args), columns, numbered)
		b.WriteByte(')')
		if withID {
			args = append(args, p.ID)
		}
		args = append(args, p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt)
	}
	return b.String(), args
}

// loadByHand inserts a list in chunks, all or nothing.
func (t *Target) loadByHand(ctx context.Context, db *sql.DB, list []Person, withID bool) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := 0; i < len(list); i += chunk {
		query, args := valuesByHand(list[i:min(i+chunk, len(list))], t.Dialect == "postgres", withID)
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func buildByHand(numbered bool) Statement {
	args := make([]any, 0, 4+len(buildList))
	args = append(args, buildActive, buildAge, buildBalance)
	var b strings.Builder
	b.Grow(256)
	if numbered {
		b.WriteString(selectPerson + ` WHERE active = $1 AND age > $2 AND balance < $3 AND id IN (`)
	} else {
		b.WriteString(selectPerson + ` WHERE active = ? AND age > ? AND balance < ? AND id IN (`)
	}
	writePlaceholders(&b, len(args), len(buildList), numbered)
	for _, id := range buildList {
		args = append(args, id)
	}
	if numbered {
		b.WriteString(`) ORDER BY id LIMIT $14`)
	} else {
		b.WriteString(`) ORDER BY id LIMIT ?`)
	}
	return Statement{b.String(), append(args, buildLimit)}
}
