package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// The operations that make bench-transactions measures.
const (
	Tx4    Operation = "tx_4"   // a transaction of four statements: a person read, updated, read and updated again; with a query hook
	Atomic Operation = "atomic" // an update on each of two databases, all or none
)

// Transactions are all of them.
var Transactions = []Operation{Tx4, Atomic}

// TransactionDatabases are those on which they are measured. Atomic has the last one for itself.
var TransactionDatabases = []string{"sqlite", "sqlite_memory", "postgres", "mariadb", "postgres_mariadb"}

// txByHand is Tx4 on database/sql.
func (s *rawSession) txByHand(ctx context.Context, i int) (p Person, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return p, err
	}
	defer tx.Rollback()
	for range 2 {
		err := tx.QueryRowContext(ctx, s.read, key(i)).Scan(&p.ID, &p.Name, &p.Email, &p.Age, &p.Balance, &p.Active, &p.CreatedAt, &p.SeenAt)
		if err != nil {
			return p, err
		}
		p.Balance = float64(changes.Add(1)) + 0.5
		if err := updateByHand(ctx, tx, s.update, &p); err != nil {
			return p, err
		}
	}
	return p, tx.Commit()
}

// execer is a *sql.Tx or a *sql.Conn.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func updateByHand(ctx context.Context, on execer, query string, p *Person) error {
	res, err := on.ExecContext(ctx, query, p.Name, p.Email, p.Age, p.Balance, p.Active, p.CreatedAt, p.SeenAt, p.ID)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, fmt.Errorf("%d rows were updated", n))
	}
	return nil
}

// checkTransaction looks for what was returned in the database, and in the one beside it.
func (t *Target) checkTransaction(ctx context.Context, db *sql.DB, got any) error {
	p, ok := got.(Person)
	if !ok || p.Balance != float64(changes.Load())+0.5 {
		return fmt.Errorf("the result is %v", got)
	}
	if t.private || t.null != nil {
		return nil
	}
	for t := t; t != nil; t = t.Beside {
		if t.Database == "mariadb" {
			beside, err := t.Open()
			if err != nil {
				return err
			}
			defer beside.Close()
			db = beside
		}
		row, err := readByHand(ctx, db, t.bind(selectPerson+` WHERE id = ?`), p.ID)
		if err != nil {
			return err
		}
		if err := same(p, row); err != nil {
			return fmt.Errorf("in %s: %w", t.Database, err)
		}
	}
	return nil
}

// transactionCost is the section about transactions, from the file of their own
// measurement. It is empty when there is none.
func transactionCost(file string) (string, error) {
	r, err := readReport(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return r.transactions(), nil
}

func (r *Report) transactions() string {
	var b strings.Builder
	b.WriteString(`## Transactions

tx_4 is a transaction of four statements: a record is read, saved, read and saved again; dbfleet has a query hook that counts rows. atomic saves a record in
PostgreSQL and one in MariaDB by ` + "`Registry.Atomic`" + `. By hand that is the same protocol on ` + "`database/sql`" + `: the decision's row beside the
branch's mark, ` + "`XA PREPARE`, `COMMIT`, `XA COMMIT`" + `, and the decision closed; without the question whether a participant wrote, and without
anything that would find what a crash leaves; MariaDB gets its arguments in the text there, a trip a statement. Ratios as above, then allocations, then round trips to the servers, which a proxy counted in runs of their own.
dbfleet keeps statements prepared, which saves it trips on MariaDB in tx_4, sends BEGIN together with a first read on PostgreSQL, and closes decisions a few at a time, after their callers have gone on. SQLite's file is in memory where the system has such a folder.

`)
	fmt.Fprintf(&b, "Measured %s with %s on %s (%s, GOMAXPROCS %d), up to %d rounds. To do it again:\n\n    make bench-transactions\n\n",
		r.When.Format("2006-01-02"), r.Go, r.System, r.CPU, r.GOMAXPROCS, r.Rounds)
	b.WriteString("| operation | by hand: time | allocations | trips | noise | dbfleet: ratio | half of the rounds | allocations | trips |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, database := range r.databases() {
		for _, op := range Transactions {
			hand, us := r.find(database, op, raw), r.find(database, op, ours)
			if hand == nil || us == nil {
				continue
			}
			fmt.Fprintf(&b, "| %s, %s | %s | %.0f | %s | %.2f | **%.2f** | %.2f–%.2f | %.0f | %s |\n", op, titles[database], shortTime(hand.Ns), hand.Allocs, hand.trips(),
				r.noise(database, op), us.Ratio, us.Low, us.High, us.Allocs, us.trips())
		}
	}
	return b.String()
}

func (x *Result) trips() string {
	if x.Trips == 0 {
		return "–"
	}
	return strconv.FormatFloat(x.Trips, 'g', 3, 64)
}
