package writes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// Sequences of writes of every kind, by records that others have made stale, in
// transactions that are undone and in those that are not, leave the table, the records and
// what is told of them as plain Go has it.
func TestWrites_InAnySequenceDoWhatGoDoes(t *testing.T) {
	t.Parallel()
	for _, kind := range []struct {
		name      string
		soft, rev bool
	}{{"plain", false, false}, {"versions", false, true}, {"marks", true, false}, {"marks and versions", true, true}} {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
				for seed := range uint64(5) {
					newSequence(t, fl, seed, kind.soft, kind.rev).run(60)
				}
			})
		})
	}
}

type sequence struct {
	*testing.T
	random *rand.Rand
	db     *dbfleet.DB
	m      *dbfleet.Model[entry]
	w      *world
	seen   map[int64]entryRow // by id, before the step
	held   []*entry
	known  map[*entry]*fact // what a held record was read or written as; nil is not known
	table  string
	where  string
}

func newSequence(t *testing.T, fl conformance.Fleet, seed uint64, soft, rev bool) *sequence {
	table := fmt.Sprint("entries", seed)
	fl.Create(t, `CREATE TABLE `+table+` (id {id}, code VARCHAR(20) NOT NULL, n {bigint} NOT NULL, note VARCHAR(20), version {bigint} NOT NULL,
		created_at {time} NOT NULL, updated_at {time} NOT NULL, deleted_at {time}, UNIQUE (code))`)
	config := dbfleet.ModelConfig{Table: table, Timestamps: true}
	if soft {
		config.SoftDelete = "deleted_at"
	}
	if rev {
		config.Version = "version"
	}
	return &sequence{
		T: t, table: table, random: rand.New(rand.NewPCG(seed, 7)), db: fl.DB("main"), m: conformance.Model[entry](t, fl.Registry, config),
		w: &world{rows: map[int64]fact{}, written: map[int64]bool{}, soft: soft, rev: rev}, seen: map[int64]entryRow{}, known: map[*entry]*fact{},
	}
}

func (s *sequence) run(steps int) {
	s.Helper()
	for i := range steps {
		clear(s.w.written)
		if s.random.IntN(4) > 0 {
			_ = s.step(s.Context(), fmt.Sprint(i))
		} else {
			s.transaction(fmt.Sprint(i))
		}
		s.look()
	}
}

var errUndone = errors.New("undone")

// transaction is several steps that are kept or undone together. A step that fails ends it.
func (s *sequence) transaction(at string) {
	before, records, known := s.w.clone(), map[*entry]entry{}, map[*entry]*fact{}
	for _, r := range s.held {
		records[r], known[r] = *r, s.known[r]
	}
	held, keep := slices.Clone(s.held), s.random.IntN(2) == 0
	err := s.db.Transaction(s.Context(), func(ctx context.Context, _ *dbfleet.Tx) error {
		for i := range 1 + s.random.IntN(4) {
			if err := s.step(ctx, fmt.Sprint(at, " in a transaction, ", i)); err != nil {
				return errUndone
			}
		}
		if !keep {
			return errUndone
		}
		return nil
	})
	if err == nil {
		return
	}
	require.ErrorIs(s, err, errUndone, s.where)
	s.w, s.held = before, held
	for r, was := range records {
		now, wanted := r.fact(), was.fact() // but for what this test has set itself
		now.code, now.n, now.note = wanted.code, wanted.n, wanted.note
		require.Equal(s, wanted, now, "after %s a record is not as it was before", s.where)
		require.True(s, was.UpdatedAt.Equal(r.UpdatedAt), "after %s", s.where)
		s.known[r] = known[r]
		if _, err := dbfleet.Changed(s.m, r); err != nil {
			s.known[r] = nil // what was written and undone is forgotten
		}
	}
}

// look compares the table with the reference.
func (s *sequence) look() {
	s.Helper()
	list, err := dbfleet.Select[entryRow](s.Context(), s.m, "SELECT id, code, n, note, version, created_at, updated_at, deleted_at FROM "+s.table)
	require.NoError(s, err)
	now := map[int64]entryRow{}
	for _, row := range list {
		now[row.ID] = row
		want, ok := s.w.rows[row.ID]
		require.True(s, ok, "after %s the table has %+v", s.where, row)
		require.Equal(s, want, row.fact(), "after %s", s.where)
		was, ok := s.seen[row.ID]
		if !ok {
			continue
		}
		require.True(s, was.CreatedAt.Equal(row.CreatedAt), "after %s", s.where)
		if s.w.written[row.ID] {
			require.False(s, row.UpdatedAt.Before(was.UpdatedAt), "after %s", s.where)
		} else {
			require.True(s, row.UpdatedAt.Equal(was.UpdatedAt), "after %s updated_at of %d has moved", s.where, row.ID)
		}
	}
	require.Len(s, now, len(s.w.rows), "after %s rows are missing", s.where)
	s.seen = now
}

var steps = []struct {
	name string
	does func(s *sequence, ctx context.Context) (want, err error)
}{
	{"Create", (*sequence).create}, {"Create", (*sequence).create}, {"CreateMany", (*sequence).createMany}, {"CreateIgnore", (*sequence).createIgnore},
	{"FirstOrCreate", (*sequence).firstOrCreate}, {"UpdateOrCreate", (*sequence).updateOrCreate},
	{"Find", (*sequence).find}, {"Find", (*sequence).find}, {"Refresh", (*sequence).refresh},
	{"Save", (*sequence).save}, {"Save", (*sequence).save}, {"SaveColumns", (*sequence).saveColumns}, {"SaveChanges", (*sequence).saveChanges},
	{"SaveMany", (*sequence).saveMany}, {"Touch", (*sequence).touch}, {"Update", (*sequence).update}, {"Increment", (*sequence).increment},
	{"Upsert", (*sequence).upsert}, {"UpsertOutcomes", (*sequence).upsertOutcomes}, {"UpsertMany", (*sequence).upsertOutcomes},
	{"Delete", (*sequence).remove}, {"ForceDelete", (*sequence).forceDelete}, {"DeleteRows", (*sequence).removeRows}, {"Restore", (*sequence).restore},
}

// step does one write in the database and in the reference. Its error is that of both.
func (s *sequence) step(ctx context.Context, at string) error {
	s.Helper()
	op := steps[s.random.IntN(len(steps))]
	s.where = "step " + at + ", " + op.name
	want, err := op.does(s, ctx)
	require.True(s, fits(want, err), "%s: %v instead of %v", s.where, err, want)
	return err
}

func (s *sequence) fresh() entry {
	e := entry{Code: string(rune('a' + s.random.IntN(9))), N: s.random.Int64N(6)}
	if s.random.IntN(3) > 0 {
		e.Note = text(fmt.Sprint("note ", s.random.IntN(3)))
	}
	return e
}

// one is a record that is held, nil if there is none, changed at random.
func (s *sequence) one(change bool) *entry {
	if len(s.held) == 0 {
		return nil
	}
	r := s.held[s.random.IntN(len(s.held))]
	if change {
		f := s.fresh()
		if s.random.IntN(3) == 0 {
			r.Code = f.Code
		}
		if s.random.IntN(3) > 0 {
			r.N = f.N
		}
		if s.random.IntN(3) > 0 {
			r.Note = f.Note
		}
	}
	return r
}

func (s *sequence) hold(e entry, known bool) {
	if len(s.held) == 6 {
		s.held = slices.Delete(s.held, 0, 1)
	}
	r := &e
	s.held = append(s.held, r)
	s.knows(r, known)
}

func (s *sequence) knows(r *entry, known bool) {
	s.known[r] = nil
	if known {
		f := r.fact()
		s.known[r] = &f
	}
}

// kept requires that a failed call has left a record alone.
func (s *sequence) kept(was entry, r *entry) {
	s.Helper()
	require.Equal(s, was.fact(), r.fact(), "%s failed and changed the record", s.where)
	require.Equal(s, was.UpdatedAt, r.UpdatedAt, "%s failed and changed the record", s.where)
	require.Equal(s, was.CreatedAt, r.CreatedAt, "%s failed and changed the record", s.where)
}

// same requires that a record is what its row is.
func (s *sequence) same(ctx context.Context, r *entry) {
	s.Helper()
	rows, err := dbfleet.Select[entryRow](ctx, s.m, "SELECT id, code, n, note, version, created_at, updated_at, deleted_at FROM "+s.table+" WHERE id = "+fmt.Sprint(r.ID))
	require.NoError(s, err)
	require.Len(s, rows, 1, s.where)
	is := r.fact()
	is.deleted = rows[0].DeletedAt != nil // of which a record that others have restored does not hear
	require.Equal(s, rows[0].fact(), is, "%s: the record is not its row", s.where)
	require.True(s, rows[0].CreatedAt.Equal(r.CreatedAt) && rows[0].UpdatedAt.Equal(r.UpdatedAt), "%s: the record's times are not its row's", s.where)
}

// made tells the reference of a row that was created.
func (s *sequence) made(ctx context.Context, r *entry) {
	s.Helper()
	_, there := s.w.rows[r.ID]
	require.False(s, there || r.ID == 0, s.where)
	if s.w.rev {
		require.EqualValues(s, 1, r.Version, s.where)
	}
	s.w.put(r.fact())
	s.same(ctx, r)
}
