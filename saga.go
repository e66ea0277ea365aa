package dbfleet

import (
	"cmp"
	"context"
	"encoding/json"
	"time"
)

// SagaConfig says what a saga is called and where its runs are kept.
type SagaConfig struct {
	// Name is the saga's own, of at most 255 characters. Runs that were begun are
	// finished by a saga of the same name and the same steps.
	Name string
	// Connection has the table of runs.
	//
	// Defaults to the registry's default.
	Connection string
	// Table is the name of the table of runs. The database of each step has one more,
	// which adds "_steps" to it.
	//
	// Defaults to "dbfleet_sagas".
	Table string
}

// SagaStep is one step of a saga, in one database.
type SagaStep[D any] struct {
	// Name is the step's own among the steps of its saga.
	Name string
	// Connection is where Do and Undo have their transactions.
	//
	// Defaults to the registry's default.
	Connection string
	// Do does the step. It runs in a transaction on Connection, which ctx carries; what
	// it changes in data is kept with that, for the steps behind it. An error or a panic
	// undoes the saga; a database that cannot be reached before Do is called does not.
	Do func(ctx context.Context, data *D) error
	// Undo takes back what Do did, in a transaction of its own, from the data that Do has
	// left. It is called only if Do was committed, and must succeed in the end: Resume
	// tries it again. So it must not need what others may have taken or changed meanwhile:
	// it deletes by a condition, which may find nothing, and takes a mark off a row that Do
	// has left in its place, rather than inserting the row again. A run whose Undo is
	// refused stays in Unfinished. nil is a step that needs no taking back.
	Undo func(ctx context.Context, data *D) error
	// Retries is TxOptions.Retries of both transactions.
	Retries int
}

// Saga is work in several databases, in steps with compensations, where an atomic commit
// is not to be had: a crash or a failure in the middle leaves either all steps done or
// all undone, in the end. Until then others see the steps that are done: a saga is not
// isolated.
//
// The state of each run is kept in a table, so that Resume finishes what a crash left.
// Each step has a row that is written in its own transaction: it says whether the step
// was done, so that neither Do nor Undo has its effect twice, and Do has none after its
// Undo. What Do does elsewhere than on its connection is not covered, nor is a database
// that loses what it has acknowledged.
//
// A Saga is safe for concurrent use, also by several processes.
type Saga[D any] struct{ s *saga }

// saga is what all sagas are, whatever their data.
type saga struct {
	config SagaConfig
	home   *DB
	steps  []sagaStep
}

// sagaStep is a step on data in JSON.
type sagaStep struct {
	name    string
	db      *DB
	retries int
	do      func(ctx context.Context, data []byte) ([]byte, error)
	undo    func(ctx context.Context, data []byte) ([]byte, error) // nil for none
}

// NewSaga makes a saga of steps, which are done in their order and undone in the
// reverse. Its tables must be there, see CreateTables. The data of a run is kept as
// JSON.
func NewSaga[D any](registry *Registry, config SagaConfig, steps ...SagaStep[D]) (*Saga[D], error) {
	home, err := keptIn(registry, config.Connection)
	if err != nil {
		return nil, errorf("NewSaga: %w", err)
	}
	if err := keptName("the saga's Name", config.Name); err != nil {
		return nil, errorf("NewSaga: %w", err)
	}
	if len(steps) == 0 {
		return nil, errorf("NewSaga: saga %q has no steps", config.Name)
	}
	config.Table = cmp.Or(config.Table, "dbfleet_sagas")
	s := &saga{config: config, home: home}
	names := map[string]bool{}
	for i, step := range steps {
		where := errorf("NewSaga: saga %q, step %d (%q)", config.Name, i+1, step.Name)
		if err := keptName("its Name", step.Name); err != nil {
			return nil, errorf("%w: %w", where, err)
		}
		switch {
		case names[step.Name]:
			return nil, errorf("%w: its Name is taken", where)
		case step.Do == nil:
			return nil, errorf("%w: Do is nil", where)
		case step.Retries < 0 || step.Retries > maxRetries:
			return nil, errorf("%w: Retries is %d, not 0 to %d", where, step.Retries, maxRetries)
		}
		names[step.Name] = true
		db, err := keptIn(registry, step.Connection)
		if err != nil {
			return nil, errorf("%w: %w", where, err)
		}
		s.steps = append(s.steps, sagaStep{step.Name, db, step.Retries, onJSON(step.Do), onJSON(step.Undo)})
	}
	return &Saga[D]{s}, nil
}

// onJSON is a function of a step on data in JSON.
func onJSON[D any](f func(context.Context, *D) error) func(context.Context, []byte) ([]byte, error) {
	if f == nil {
		return nil
	}
	return func(ctx context.Context, text []byte) ([]byte, error) {
		var data D
		if err := json.Unmarshal(text, &data); err != nil {
			return nil, err
		}
		if err := called(f, ctx, &data); err != nil {
			return nil, err
		}
		return json.Marshal(data)
	}
}

// called calls a function of a step. Its panic is an error, so that a run which makes
// one is undone, and does not end each process that resumes it.
func called[D any](f func(context.Context, *D) error, ctx context.Context, data *D) (err error) { //nolint:revive // the function comes first
	defer func() {
		if v := recover(); v != nil {
			err = errorf("the function %w: %v", errCallPanicked, v)
		}
	}()
	return f(ctx, data)
}

func (s *Saga[D]) usable() error {
	if s == nil || s.s == nil {
		return errorf("the Saga is nil or the zero value; NewSaga makes one")
	}
	return nil
}

// CreateTables creates the saga's tables, those of its steps included, unless they are
// there.
func (s *Saga[D]) CreateTables(ctx context.Context) error {
	if err := s.usable(); err != nil {
		return err
	}
	return s.s.createTables(ctx)
}

// SQL returns the statements of CreateTables by the connection that each is for.
func (s *Saga[D]) SQL() (map[string][]string, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	return s.s.texts()
}

// Run begins a run with an id of the caller's, at most 255 characters, and does all
// steps. It returns the data as the last step has left it, and nil once every step is
// done; a *SagaError says what a failure has come to. If a run with that id is there
// already, it is finished with the data that it has, and its outcome is returned.
//
// Inside a transaction on one of its connections Run is refused: its steps have their
// own. A step whose database cannot be reached is tried again for a second or two. Then
// the run is unfinished, as it is when ctx ends.
func (s *Saga[D]) Run(ctx context.Context, id string, data D) (D, error) {
	if err := s.usable(); err != nil {
		return data, err
	}
	text, err := json.Marshal(data)
	if err != nil {
		return data, errorf("saga %q: the data has no JSON: %w", s.s.config.Name, err)
	}
	text, err = s.s.run(ctx, id, text)
	if text == nil {
		return data, err
	}
	var last D
	if jsonErr := json.Unmarshal(text, &last); jsonErr != nil {
		return data, errorf("saga %q, run %q: the data cannot be read: %w", s.s.config.Name, id, jsonErr)
	}
	return last, err
}

// Resume finishes runs that nobody has moved for at least idle: it does what is left of
// their steps, or undoes them. It returns how many it has finished, and the errors of
// those that it could not. A process calls it at its start and now and then; that others
// do so too, or that a run is alive after all, does no harm. To see that nobody moves a
// run, Resume waits for idle. A run moves when it begins, fails and ends.
func (s *Saga[D]) Resume(ctx context.Context, idle time.Duration) (finished int, err error) {
	if err := s.usable(); err != nil {
		return 0, err
	}
	return s.s.resume(ctx, idle)
}

// Forget deletes the memory of runs that have ended longer ago than age, by this
// process's clock, and returns how many those were. Run with the id of one begins anew:
// age must be longer than a caller may come back with an id, and than a process may
// hang. Runs that are not finished stay.
func (s *Saga[D]) Forget(ctx context.Context, age time.Duration) (int64, error) {
	if err := s.usable(); err != nil {
		return 0, err
	}
	return s.s.forget(ctx, age)
}

// Unfinished returns the runs of the saga that are neither done nor undone, the oldest
// first, at most limit of them.
func (s *Saga[D]) Unfinished(ctx context.Context, limit int) ([]SagaRun, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	return s.s.unfinished(ctx, limit)
}

// SagaRun is one run of a saga, as its table has it.
type SagaRun struct {
	ID string
	// Undoing says that a step has failed, and that the run is being undone.
	Undoing bool
	// Failure is the text of the error of the step that failed; "" for none.
	Failure string
	// BegunAt is when Run was called, and MovedAt when its state last changed, each by the
	// clock of the process.
	BegunAt, MovedAt time.Time
}

// SagaError says that a saga was not done.
type SagaError struct {
	Saga, ID string
	// Step failed: its Do or, if Undone is false, perhaps an Undo. "" is not known: the
	// run's own row could not be written, or the run had ended before.
	Step string
	// Undone says that nothing of the run is left. Otherwise it may be unfinished, and
	// Resume or another Run with its id goes on; or it is not begun, as where the saga's
	// table is missing, which only Run does.
	Undone bool
	// Err is the cause; of a run that had ended before, only its text.
	Err error

	unbegun bool // the run's row was not written
}

func (e *SagaError) Error() string {
	what := "not finished; Resume goes on"
	switch {
	case e.Undone:
		what = "undone"
	case e.unbegun:
		what = "not begun"
	}
	where := ""
	if e.Step != "" {
		where = ", step " + quoted(e.Step)
	}
	if e.Err == nil {
		return errorf("saga %q, run %q%s: %s", e.Saga, e.ID, where, what).Error()
	}
	return errorf("saga %q, run %q%s: %s: %w", e.Saga, e.ID, where, what, e.Err).Error()
}

// Unwrap returns the cause.
func (e *SagaError) Unwrap() error { return e.Err }
