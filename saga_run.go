package dbfleet

import (
	"context"
	"errors"
	"time"
)

// The states of a run and of a step's row.
const (
	sagaRunning = "running" // a run: its steps are being done
	sagaUndoing = "undoing" // a run: its steps are being undone
	sagaDone    = "done"    // a run or a step
	sagaUndone  = "undone"  // a run or a step; of a step that was never done, too
)

// sagaRow is a row of the table of runs.
type sagaRow struct {
	Saga    string
	ID      string `db:"id"`
	State   string
	Version int64 // grows with each change
	Data    string
	Failure string
	BegunAt time.Time
}

func (s *saga) tables() []keptTable {
	return []keptTable{{s.config.Table, "saga {name} NOT NULL, id {name} NOT NULL, state {name} NOT NULL, version {number} NOT NULL, data {text} NOT NULL, failure {text} NOT NULL, begun_at {time} NOT NULL, PRIMARY KEY (saga, id)"}}
}

func (s *saga) stepTables() []keptTable {
	return []keptTable{{s.config.Table + "_steps", "saga {name} NOT NULL, id {name} NOT NULL, step {name} NOT NULL, state {name} NOT NULL, data {text} NOT NULL, PRIMARY KEY (saga, id, step)"}}
}

func (s *saga) createTables(ctx context.Context) error {
	if err := s.home.createKept(ctx, s.tables()); err != nil {
		return err
	}
	for _, step := range s.steps {
		if err := step.db.createKept(ctx, s.stepTables()); err != nil {
			return err
		}
	}
	return nil
}

func (s *saga) texts() (map[string][]string, error) {
	texts := map[string][]string{}
	var err error
	for _, step := range s.steps {
		if texts[step.db.name], err = step.db.keptSQL(s.stepTables()); err != nil {
			return nil, err
		}
	}
	own, err := s.home.keptSQL(s.tables())
	texts[s.home.name] = append(own, texts[s.home.name]...)
	return texts, err
}

func (s *saga) runs() *Query[Row] {
	return s.home.Table(s.config.Table).Primary().Where("saga", "=", s.config.Name)
}

func (s *saga) read(ctx context.Context, id string) (sagaRow, error) {
	return Into[sagaRow](s.runs().Where("id", "=", id)).First(ctx)
}

func (s *saga) run(ctx context.Context, id string, data []byte) ([]byte, error) {
	if err := checkContext(ctx, s.home.name); err != nil {
		return nil, err
	}
	if id == "" || len([]rune(id)) > maxKeptName {
		return nil, errorf("saga %q: the run's id is empty or longer than %d characters", s.config.Name, maxKeptName)
	}
	for _, db := range s.databases() {
		if txOf(ctx, db.reg, db.name) != nil {
			return nil, errorf("saga %q: the context carries a transaction on connection %q; a saga has its own", s.config.Name, db.name)
		}
	}
	err := s.home.Table(s.config.Table).Upsert(ctx, Row{
		"saga": s.config.Name, "id": id, "state": sagaRunning, "version": 1, "data": string(data), "failure": "", "begun_at": time.Now(),
	}, Conflict{Key: []string{"saga", "id"}, DoNothing: true})
	if err != nil {
		return nil, s.fails(id, "", false, err)
	}
	return s.finish(ctx, id)
}

// databases are the connections of the saga.
func (s *saga) databases() []*DB {
	list := []*DB{s.home}
	for _, step := range s.steps {
		list = append(list, step.db)
	}
	return list
}

func (s *saga) fails(id, step string, undone bool, err error) error {
	return &SagaError{Saga: s.config.Name, ID: id, Step: step, Undone: undone, Err: err}
}

// finish does or undoes what is left of a run.
func (s *saga) finish(ctx context.Context, id string) ([]byte, error) {
	for {
		row, err := s.read(ctx, id)
		if err != nil {
			return nil, s.fails(id, "", false, err)
		}
		switch row.State {
		case sagaDone:
			return []byte(row.Data), nil
		case sagaUndone:
			return []byte(row.Data), s.fails(id, "", true, errors.New(row.Failure))
		case sagaRunning:
			err = s.forward(ctx, row)
		case sagaUndoing:
			err = s.backward(ctx, row)
		default:
			err = s.fails(id, "", false, errorf("its state %q is not known", row.State))
		}
		if err != nil && !errors.Is(err, errMoved) {
			return nil, err
		}
	}
}

// errMoved says that another has changed the run meanwhile.
var errMoved = errors.New("dbfleet: the run was moved by another")

// move changes a run, unless another has changed it since row was read.
func (s *saga) move(ctx context.Context, row sagaRow, state, data, failure string) error {
	n, err := s.runs().Where("id", "=", row.ID).Where("version", "=", row.Version).
		Update(ctx, Row{"state": state, "version": row.Version + 1, "data": data, "failure": failure})
	if err == nil && n == 0 {
		return errMoved
	}
	return err
}

// forward does the steps of a run. Those that are done are known by their rows.
func (s *saga) forward(ctx context.Context, row sagaRow) error {
	data := []byte(row.Data)
	for i := range s.steps {
		step := &s.steps[i]
		next, err := s.do(ctx, step, row.ID, data)
		if err == nil {
			data = next
			continue
		}
		if ctx.Err() != nil { // the end of the call is no failure of the step
			return s.fails(row.ID, step.name, false, err)
		}
		if moveErr := s.move(ctx, row, sagaUndoing, row.Data, err.Error()); moveErr != nil {
			if errors.Is(moveErr, errMoved) {
				return moveErr
			}
			return s.fails(row.ID, step.name, false, errors.Join(err, moveErr))
		}
		row.State, row.Version, row.Failure = sagaUndoing, row.Version+1, err.Error()
		if backErr := s.backward(ctx, row); backErr != nil {
			return backErr
		}
		return s.fails(row.ID, step.name, true, err)
	}
	if err := s.move(ctx, row, sagaDone, string(data), ""); err != nil && !errors.Is(err, errMoved) {
		return s.fails(row.ID, "", false, err)
	}
	return nil
}

// errFenced says that a step was undone before it was done: another undoes the run.
var errFenced = errors.New("dbfleet: the step was undone")

type stepRow struct{ State, Data string }

// claim writes the row of a step, and returns the one that is there if it is.
func (s *saga) claim(ctx context.Context, step *sagaStep, id, state string, data []byte) (there *stepRow, err error) {
	rows := step.db.Table(s.config.Table + "_steps")
	err = step.db.Transaction(ctx, func(ctx context.Context, _ *Tx) error {
		_, err := rows.Insert(ctx, Row{"saga": s.config.Name, "id": id, "step": step.name, "state": state, "data": string(data)})
		return err
	})
	if !errors.Is(err, ErrUnique) {
		return nil, err
	}
	q := rows.Primary().Where("saga", "=", s.config.Name).Where("id", "=", id).Where("step", "=", step.name)
	if step.db.Driver() != SQLite {
		q = q.ForUpdate() // sees what was committed since the transaction began
	}
	row, err := Into[stepRow](q).First(ctx)
	return &row, err
}

// mark changes the row of a step.
func (s *saga) mark(ctx context.Context, step *sagaStep, id, state string, data []byte) error {
	_, err := step.db.Table(s.config.Table+"_steps").Where("saga", "=", s.config.Name).Where("id", "=", id).Where("step", "=", step.name).
		Update(ctx, Row{"state": state, "data": string(data)})
	return err
}

// do does a step unless it is done, and returns the data after it. A lost answer to its
// commit is settled by another try: the row says whether it was done.
func (s *saga) do(ctx context.Context, step *sagaStep, id string, data []byte) (after []byte, err error) {
	for attempt := 0; ; attempt++ {
		err = step.db.Transaction(ctx, func(ctx context.Context, _ *Tx) error {
			there, err := s.claim(ctx, step, id, sagaDone, data)
			switch {
			case err != nil:
				return err
			case there != nil && there.State == sagaDone:
				after = []byte(there.Data)
				return nil
			case there != nil:
				return errFenced
			}
			if after, err = step.do(ctx, data); err != nil {
				return err
			}
			return s.mark(ctx, step, id, sagaDone, after)
		}, TxOptions{Retries: step.retries})
		if !errors.Is(err, ErrCommitUnknown) || attempt >= maxRetries || !pause(ctx, attempt) {
			return after, err
		}
	}
}

// backward undoes all steps of a run, the last first. A step that was not done is marked,
// so that no other process does it any more.
func (s *saga) backward(ctx context.Context, row sagaRow) error {
	for i := len(s.steps) - 1; i >= 0; i-- {
		step := &s.steps[i]
		if err := s.undo(ctx, step, row.ID, []byte(row.Data)); err != nil {
			return s.fails(row.ID, step.name, false, errors.Join(errors.New(row.Failure), err))
		}
	}
	if err := s.move(ctx, row, sagaUndone, row.Data, row.Failure); err != nil && !errors.Is(err, errMoved) {
		return s.fails(row.ID, "", false, err)
	}
	return nil
}

// undo undoes a step if it was done.
func (s *saga) undo(ctx context.Context, step *sagaStep, id string, data []byte) (err error) {
	for attempt := 0; ; attempt++ {
		err = step.db.Transaction(ctx, func(ctx context.Context, _ *Tx) error {
			there, err := s.claim(ctx, step, id, sagaUndone, data)
			if err != nil || there == nil || there.State == sagaUndone {
				return err
			}
			after := []byte(there.Data)
			if step.undo != nil {
				if after, err = step.undo(ctx, after); err != nil {
					return err
				}
			}
			return s.mark(ctx, step, id, sagaUndone, after)
		}, TxOptions{Retries: step.retries})
		if !errors.Is(err, ErrCommitUnknown) || attempt >= maxRetries || !pause(ctx, attempt) {
			return err
		}
	}
}

func (s *saga) unfinished(ctx context.Context, limit int) ([]SagaRun, error) {
	rows, err := s.open(ctx, limit)
	if err != nil {
		return nil, err
	}
	runs := make([]SagaRun, len(rows))
	for i, row := range rows {
		runs[i] = SagaRun{ID: row.ID, Undoing: row.State == sagaUndoing, Failure: row.Failure, BegunAt: row.BegunAt}
	}
	return runs, nil
}

// open are the runs that are neither done nor undone.
func (s *saga) open(ctx context.Context, limit int) ([]sagaRow, error) {
	return Into[sagaRow](s.runs().WhereNotIn("state", []string{sagaDone, sagaUndone}).OrderBy("begun_at", Asc).OrderBy("id", Asc).Limit(limit)).Get(ctx)
}

// resumed is how many runs Resume looks at in one call.
const resumed = 1000

func (s *saga) resume(ctx context.Context, idle time.Duration) (finished int, err error) {
	if err := checkContext(ctx, s.home.name); err != nil {
		return 0, err
	}
	if idle < 0 {
		return 0, errorf("saga %q: the time without a move is negative", s.config.Name)
	}
	ctx = OutsideTx(ctx)
	before, err := s.open(ctx, resumed)
	if err != nil || len(before) == 0 {
		return 0, err
	}
	wait := time.NewTimer(idle)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for _, was := range before {
		now, readErr := s.read(ctx, was.ID)
		if readErr != nil || now.Version != was.Version {
			err = errors.Join(err, readErr)
			continue
		}
		_, runErr := s.finish(ctx, was.ID)
		var undone *SagaError
		if runErr == nil || errors.As(runErr, &undone) && undone.Undone {
			finished++
			continue
		}
		err = errors.Join(err, runErr)
	}
	return finished, err
}
