package transactions

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet"
)

// A ware is a record whose callbacks and values can fail.
type ware struct {
	ID                   int64
	Name                 string
	Stock                int64
	Note                 wareNote
	CreatedAt, UpdatedAt time.Time

	At func(callback string) error `db:"-"`
}

const waresTable = `CREATE TABLE wares (id {id}, name {text} NOT NULL UNIQUE, stock {bigint} NOT NULL CHECK (stock <> 666),
	note {text} NOT NULL, created_at {time} NOT NULL, updated_at {time} NOT NULL)`

func (w *ware) called(callback string) error {
	if w.At == nil {
		return nil
	}
	return w.At(callback)
}

func (w *ware) BeforeCreate(context.Context) error { return w.called("BeforeCreate") }
func (w *ware) AfterCreate(context.Context) error  { return w.called("AfterCreate") }
func (w *ware) BeforeUpdate(context.Context) error { return w.called("BeforeUpdate") }
func (w *ware) AfterUpdate(context.Context) error  { return w.called("AfterUpdate") }

// A wareNote is a text that fails when it is read or written, as it says.
type wareNote string

// asking is what notes of the database do when they are read.
var asking sync.Map // by note, a func() error

func (n wareNote) does(when string) error {
	switch string(n) {
	case when + " panic":
		panic(errFault)
	case when + " goexit":
		runtime.Goexit()
	case when + " error":
		return errFault
	}
	if f, ok := asking.Load(string(n)); ok && when == "scan" {
		return f.(func() error)()
	}
	return nil
}

func (n *wareNote) Scan(src any) error {
	switch s := src.(type) {
	case string:
		*n = wareNote(s)
	case []byte:
		*n = wareNote(s)
	default:
		return fmt.Errorf("a note is no %T", src)
	}
	return n.does("scan")
}

func (n wareNote) Value() (sqldriver.Value, error) { return string(n), n.does("value") }

// errFault is the fault that a point injects, where it is an error or a panic.
var errFault = errors.New("the fault")

// wareSeed is what is there before.
var wareSeed = map[string]int64{"saved": 1, "raw": 2, "kept": 3, "rival": 4}

// poison is what the table refuses as a stock.
const poison = 666

// A faultStep is one step of the transaction. What it does in the database is all or
// nothing.
type faultStep struct {
	name   string
	run    func(ctx context.Context, tx *dbfleet.Tx, s *faultScript) error
	effect func(rows map[string]int64)
}

// A faultScript is one run of the scripted transaction.
type faultScript struct {
	r        *dbfleet.Registry
	wares    *dbfleet.Model[ware]
	dialect  string
	poisoned string // the step that the database refuses
	careless bool   // errors are dropped

	// at is called before the step k, and after the last one.
	at func(ctx context.Context, tx *dbfleet.Tx, k int) error

	saved, created, undone ware
	many, upserted         []ware
	before                 *faultScript // its records as they were

	steps    []faultStep
	attempts int
	done     []string // the steps that were told as done, of the last attempt
	told     []string // what AfterCommit and AfterRollback were told
	toldErr  error    // what AfterRollback was told last
	faults   []string // what a step has found wrong
}

// stock is n, or what the database refuses.
func (s *faultScript) stock(step string, n int64) int64 {
	if s.poisoned == step {
		return poison
	}
	return n
}

// column is one that is there, or not.
func (s *faultScript) column(step string) string {
	if s.poisoned == step {
		return "nowhere"
	}
	return "stock"
}

var faultSteps = []faultStep{
	{"create", func(ctx context.Context, _ *dbfleet.Tx, s *faultScript) error {
		s.created.Stock = s.stock("create", 10)
		return s.wares.Create(ctx, &s.created)
	}, func(rows map[string]int64) { rows["created"] = 10 }},
	{"save", func(ctx context.Context, tx *dbfleet.Tx, s *faultScript) error {
		s.saved.Stock = s.stock("save", 11)
		return s.wares.Using(tx).Save(ctx, &s.saved)
	}, func(rows map[string]int64) { rows["saved"] = 11 }},
	{"exec", func(ctx context.Context, tx *dbfleet.Tx, s *faultScript) error {
		_, err := tx.ExecContext(ctx, fmt.Sprintf("UPDATE wares SET stock = stock * 0 + %d WHERE name = 'raw'", s.stock("exec", 102)))
		return err
	}, func(rows map[string]int64) { rows["raw"] = 102 }},
	{"lock", func(ctx context.Context, _ *dbfleet.Tx, s *faultScript) error {
		q := s.wares.Where("name", "IN", []string{"kept", "saved"})
		if s.poisoned == "lock" {
			q = q.WhereRaw("nowhere = 1")
		}
		if s.dialect != "sqlite" {
			q = q.ForUpdate()
		}
		list, err := q.Get(ctx)
		if err == nil && len(list) != 2 {
			s.faults = append(s.faults, fmt.Sprintf("%d rows were locked instead of 2, without an error", len(list)))
		}
		return err
	}, nil},
	{"savepoint", func(ctx context.Context, tx *dbfleet.Tx, s *faultScript) error {
		return tx.Transaction(ctx, func(ctx context.Context, _ *dbfleet.Tx) error {
			s.many[1].Stock = s.stock("savepoint", 2)
			return s.wares.CreateMany(ctx, s.many)
		})
	}, func(rows map[string]int64) { rows["one"], rows["two"], rows["three"] = 1, 2, 3 }},
	{"undone", func(ctx context.Context, _ *dbfleet.Tx, s *faultScript) error {
		was := s.undone
		err := s.r.Transaction(ctx, "main", func(ctx context.Context, _ *dbfleet.Tx) error {
			if err := s.wares.Create(ctx, &s.undone); err != nil {
				return err
			}
			return errUndo
		})
		if !errors.Is(err, errUndo) {
			return err
		}
		if !sameWare(was, s.undone) {
			s.faults = append(s.faults, fmt.Sprintf("the savepoint was undone, and its record is %+v", s.undone))
		}
		if err == errUndo { // anything around it says that the way back failed
			return nil
		}
		return err
	}, nil},
	{"upsert", func(ctx context.Context, _ *dbfleet.Tx, s *faultScript) error {
		s.upserted[1].Stock = s.stock("upsert", 5)
		return s.wares.UpsertMany(ctx, s.upserted, dbfleet.Conflict{Key: []string{"name"}})
	}, func(rows map[string]int64) { rows["kept"], rows["up"] = 33, 5 }},
	{"rows", func(ctx context.Context, tx *dbfleet.Tx, s *faultScript) error {
		rows, err := tx.QueryContext(ctx, "SELECT "+s.column("rows")+" FROM wares")
		if err != nil {
			return err
		}
		defer rows.Close()
		n := 0
		for rows.Next() {
			if err := rows.Scan(new(int64)); err != nil {
				return err
			}
			n++
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if want := len(s.rows()); n != want {
			s.faults = append(s.faults, fmt.Sprintf("%d rows were read instead of %d, without an error", n, want))
		}
		return rows.Close()
	}, nil},
	{"prepared", func(ctx context.Context, tx *dbfleet.Tx, s *faultScript) error {
		stmt, err := tx.PrepareContext(ctx, marks(s.dialect, "UPDATE wares SET "+s.column("prepared")+" = ? WHERE name = ?"))
		if err != nil {
			return err
		}
		defer stmt.Close()
		_, err = stmt.ExecContext(ctx, 103, "raw")
		return err
	}, func(rows map[string]int64) { rows["raw"] = 103 }},
}

// rows are those that the steps which were told as done make of the seed.
func (s *faultScript) rows() map[string]int64 {
	rows := map[string]int64{}
	for name, stock := range wareSeed {
		rows[name] = stock
	}
	for _, step := range s.steps {
		if step.effect != nil && slices.Contains(s.done, step.name) {
			step.effect(rows)
		}
	}
	return rows
}

// transaction is the function of the scripted transaction.
func (s *faultScript) transaction(ctx context.Context, tx *dbfleet.Tx) error {
	s.done = nil
	if left := s.changed(nil); len(left) > 0 {
		s.faults = append(s.faults, fmt.Sprintf("attempt %d begins with changed records: %v", s.attempts+1, left))
	}
	if err := tx.AfterCommit(func(context.Context) { s.told = append(s.told, "commit") }); err != nil {
		return err
	}
	if err := dbfleet.AfterRollback(ctx, func(_ context.Context, err error) {
		s.told, s.toldErr = append(s.told, "rollback"), err
	}); err != nil {
		return err // its context has ended, and so has it: nobody is told
	}
	s.attempts++
	for k, step := range s.steps {
		if s.at != nil {
			if err := s.at(ctx, tx, k); err != nil {
				return err
			}
		}
		err := step.run(ctx, tx, s)
		switch {
		case err == nil:
			s.done = append(s.done, step.name)
		case !s.careless:
			return err
		}
	}
	if s.at != nil {
		return s.at(ctx, tx, len(s.steps))
	}
	return nil
}

// sameWare says whether the columns of two records are alike.
func sameWare(a, b ware) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Note == b.Note && a.CreatedAt.Equal(b.CreatedAt) && a.UpdatedAt.Equal(b.UpdatedAt)
}

// records are those of each step.
func (s *faultScript) records() map[string][]ware {
	return map[string][]ware{
		"create": {s.created}, "save": {s.saved}, "undone": {s.undone}, "savepoint": s.many, "upsert": s.upserted,
	}
}

// remember keeps the records as they are now.
func (s *faultScript) remember() {
	was := *s
	was.many, was.upserted = slices.Clone(s.many), slices.Clone(s.upserted)
	s.before = &was
}

// changed are the steps, but for those in but, whose records are not as they were.
func (s *faultScript) changed(but []string) (steps []string) {
	before := s.before.records()
	for step, records := range s.records() {
		if !slices.Contains(but, step) && !slices.EqualFunc(records, before[step], sameWare) {
			steps = append(steps, fmt.Sprintf("%s: %+v, was %+v", step, records, before[step]))
		}
	}
	return steps
}
