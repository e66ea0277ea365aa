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
	MovedAt time.Time
}

func (s *saga) tables() []keptTable {
	return []keptTable{{s.config.Table, "saga {name} NOT NULL, id {name} NOT NULL, state {name} NOT NULL, version {number} NOT NULL, data {text} NOT NULL, failure {text} NOT NULL, begun_at {time} NOT NULL, moved_at {time} NOT NULL, PRIMARY KEY (saga, id)"}}
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
	row, err := Into[sagaRow](s.runs().Where("id", "=", id)).First(ctx)
	return row, s.lacks(s.home, s.tables(), err)
}

// lacks is an error of one of the saga's own tables, which says so if it is missing.
func (s *saga) lacks(db *DB, table []keptTable, err error) error {
	var q *QueryError
	// SQLite has one code for whatever is wrong with a statement, and these are right.
	generic := db.Driver() == SQLite && errors.As(err, &q) && q.Code == "1"
	if !generic && !errors.Is(err, ErrUndefined) {
		return err
	}
	return errorf("connection %q has no table %q for the saga, or one with other columns; Saga.CreateTables makes it, with what Saga.SQL returns: %w", db.name, table[0].name, err)
}

func (s *saga) run(ctx context.Context, id string, data []byte) ([]byte, error) {
	if err := checkContext(ctx, s.home.name); err != nil {
		return nil, err
	}
	if err := keptName("the run's id", id); err != nil {
		return nil, errorf("saga %q: %w", s.config.Name, err)
	}
	if err := s.outside(ctx); err != nil {
		return nil, err
	}
	now := time.Now()
	err := s.home.Table(s.config.Table).Upsert(ctx, Row{
		"saga": s.config.Name, "id": id, "state": sagaRunning, "version": 1, "data": string(data), "failure": "", "begun_at": now, "moved_at": now,
	}, Conflict{Key: []string{"saga", "id"}, DoNothing: true})
	if err != nil {
		unbegun := !errors.Is(err, ErrOutcomeUnknown)
		return nil, &SagaError{Saga: s.config.Name, ID: id, Err: s.lacks(s.home, s.tables(), err), unbegun: unbegun}
	}
	return s.finish(ctx, id)
}

// outside returns an error inside of a transaction on a connection of the saga.
func (s *saga) outside(ctx context.Context) error {
	list := []*DB{s.home}
	for _, step := range s.steps {
		list = append(list, step.db)
	}
	for _, db := range list {
		if txOf(ctx, db.reg, db.name) != nil {
			return errorf("saga %q: the context carries a transaction on connection %q; a saga has its own", s.config.Name, db.name)
		}
	}
	return nil
}

func (s *saga) fails(id, step string, undone bool, err error) error {
	return &SagaError{Saga: s.config.Name, ID: id, Step: step, Undone: undone, Err: err}
}

// finish does or undoes what is left of a run.
func (s *saga) finish(ctx context.Context, id string) ([]byte, error) {
	for attempt := 0; ; attempt++ {
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
		switch {
		case err != nil && err != errMoved: // itself: a step's error may be that of another saga
			return nil, err
		case attempt >= maxRetries:
			return nil, s.fails(id, "", false, errMoved)
		}
	}
}

// errMoved says that another has changed the run meanwhile, or that it may be changed:
// its row tells.
var errMoved = errors.New("dbfleet: the run was moved by another")

// move changes a run, unless another has changed it since row was read.
func (s *saga) move(ctx context.Context, row sagaRow, state, data, failure string) error {
	n, err := s.runs().Where("id", "=", row.ID).Where("version", "=", row.Version).
		Update(ctx, Row{"state": state, "version": row.Version + 1, "data": data, "failure": failure, "moved_at": time.Now()})
	if err == nil && n == 0 || errors.Is(err, ErrOutcomeUnknown) && ctx.Err() == nil {
		return errMoved
	}
	return s.lacks(s.home, s.tables(), err)
}

// forward does the steps of a run. Those that are done are known by their rows.
func (s *saga) forward(ctx context.Context, row sagaRow) error {
	data := []byte(row.Data)
	for i := range s.steps {
		step := &s.steps[i]
		next, refused, err := s.do(ctx, step, row.ID, data)
		if err == nil {
			data = next
			continue
		}
		if !refused || ctx.Err() != nil { // the step may be done another time
			return s.fails(row.ID, step.name, false, err)
		}
		if moveErr := s.move(ctx, row, sagaUndoing, row.Data, failureText(err)); moveErr != nil {
			return s.movedOr(row.ID, step.name, moveErr, err)
		}
		row.State, row.Version, row.Failure = sagaUndoing, row.Version+1, failureText(err)
		if backErr := s.backward(ctx, row); backErr != nil {
			return backErr
		}
		return s.fails(row.ID, step.name, true, err)
	}
	return s.movedOr(row.ID, "", s.move(ctx, row, sagaDone, string(data), ""), nil)
}

// movedOr is the error of a move: errMoved as it is, another with what was to be told.
func (s *saga) movedOr(id, step string, moveErr, cause error) error {
	if moveErr == nil || moveErr == errMoved { // as move has it
		return moveErr
	}
	return s.fails(id, step, false, errors.Join(cause, moveErr))
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
	return s.movedOr(row.ID, "", s.move(ctx, row, sagaUndone, row.Data, row.Failure), nil)
}

func (s *saga) unfinished(ctx context.Context, limit int) ([]SagaRun, error) {
	if err := checkContext(ctx, s.home.name); err != nil {
		return nil, err
	}
	rows, err := Into[sagaRow](s.open().Limit(limit)).Get(ctx)
	if err != nil {
		return nil, s.lacks(s.home, s.tables(), err)
	}
	runs := make([]SagaRun, len(rows))
	for i, row := range rows {
		runs[i] = SagaRun{ID: row.ID, Undoing: row.State == sagaUndoing, Failure: row.Failure, BegunAt: row.BegunAt, MovedAt: row.MovedAt}
	}
	return runs, nil
}

// open are the runs that are neither done nor undone, the oldest first.
func (s *saga) open() *Query[Row] {
	return s.runs().WhereNotIn("state", []string{sagaDone, sagaUndone}).OrderBy("begun_at", Asc).OrderBy("id", Asc)
}

// movedRow is what resume compares.
type movedRow struct {
	ID      string `db:"id"`
	Version int64
}

func (s *saga) resume(ctx context.Context, idle time.Duration) (finished int, err error) {
	if err := checkContext(ctx, s.home.name); err != nil {
		return 0, err
	}
	if idle < 0 {
		return 0, errorf("saga %q: the time without a move is negative", s.config.Name)
	}
	if err := s.outside(ctx); err != nil {
		return 0, err
	}
	before, err := Into[movedRow](s.open().Select("id", "version")).Get(ctx)
	if err != nil || len(before) == 0 {
		return 0, s.lacks(s.home, s.tables(), err)
	}
	wait := time.NewTimer(idle)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for _, was := range before {
		if ctx.Err() != nil {
			return finished, errors.Join(err, ctx.Err())
		}
		now, readErr := s.read(ctx, was.ID)
		if readErr != nil || now.Version != was.Version {
			err = errors.Join(err, readErr)
			continue
		}
		_, runErr := s.finish(ctx, was.ID)
		var told *SagaError
		if runErr == nil || errors.As(runErr, &told) && told.Undone {
			finished++
			continue
		}
		err = errors.Join(err, runErr)
	}
	return finished, err
}

func (s *saga) forget(ctx context.Context, age time.Duration) (int64, error) {
	if err := checkContext(ctx, s.home.name); err != nil {
		return 0, err
	}
	if age <= 0 {
		return 0, errorf("saga %q: Forget: the age is not positive", s.config.Name)
	}
	var forgotten int64
	for {
		old, err := Into[movedRow](s.runs().WhereIn("state", []string{sagaDone, sagaUndone}).Where("moved_at", "<", time.Now().Add(-age)).
			Select("id", "version").OrderBy("moved_at", Asc).Limit(eventsAtOnce)).Get(ctx)
		if err != nil || len(old) == 0 {
			return forgotten, s.lacks(s.home, s.tables(), err)
		}
		ids := make([]string, len(old))
		for i, run := range old {
			ids[i] = run.ID
		}
		for i := range s.steps { // before the run, which leads here again after a failure
			if _, err := s.stepRows(&s.steps[i]).WhereIn("id", ids).Delete(ctx); err != nil {
				return forgotten, s.lacks(s.steps[i].db, s.stepTables(), err)
			}
		}
		n, err := s.runs().WhereIn("id", ids).Delete(ctx)
		forgotten += n
		if err != nil || n == 0 {
			return forgotten, err
		}
	}
}
