package writes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

func (s *sequence) update(ctx context.Context) (want, err error) {
	low, note := s.random.Int64N(7), fmt.Sprint("set ", s.random.IntN(3))
	wanted := s.w.where(low, func(f fact) (fact, bool) { f.note = note; return f, true })
	n, err := s.m.Where("n", ">=", low).Update(ctx, dbfleet.Row{"note": note})
	if err == nil {
		require.Equal(s, wanted, n, s.where)
	}
	return nil, err
}

func (s *sequence) increment(ctx context.Context) (want, err error) {
	low, by := s.random.Int64N(7), s.random.Int64N(3)
	wanted := s.w.where(low, func(f fact) (fact, bool) { f.n += by; return f, true })
	n, err := s.m.Where("n", ">=", low).Increment(ctx, "n", by)
	if err == nil {
		require.Equal(s, wanted, n, s.where)
	}
	return nil, err
}

func (s *sequence) removeRows(ctx context.Context) (want, err error) {
	low := 4 + s.random.Int64N(4)
	wanted := s.w.where(low, func(f fact) (fact, bool) { f.deleted = true; return f, s.w.soft })
	n, err := s.m.Where("n", ">=", low).Delete(ctx)
	if err == nil {
		require.Equal(s, wanted, n, s.where)
	}
	return nil, err
}

func (s *sequence) conflict() dbfleet.Conflict {
	c := dbfleet.Conflict{Key: byCode}
	switch s.random.IntN(5) {
	case 0:
		c.DoNothing = true
	case 1:
		c.KeepEqual = true
	case 2:
		c.Update = []string{"n"}
	case 3:
		c.Update, c.KeepEqual = []string{"note"}, true
	}
	return c
}

func (s *sequence) upsert(ctx context.Context) (want, err error) {
	e, conflict := s.fresh(), s.conflict()
	if s.w.soft && s.random.IntN(4) == 0 {
		at := time.Now().UTC().Truncate(time.Second)
		e.DeletedAt = &at
	}
	id, out := s.w.upsert(e.fact(), conflict)
	if err = s.m.Upsert(ctx, &e, conflict); err != nil {
		return nil, err
	}
	s.upserted(&e, id, out)
	if e.DeletedAt == nil && out == dbfleet.Inserted {
		s.hold(e, false)
	}
	return nil, nil
}

// upserted tells the reference of a row that an upsert has created.
func (s *sequence) upserted(e *entry, id int64, out dbfleet.Outcome) {
	s.Helper()
	if out != dbfleet.Inserted {
		require.Equal(s, id, e.ID, s.where)
		return
	}
	_, there := s.w.rows[e.ID]
	require.False(s, there || e.ID == 0, s.where)
	f := e.fact()
	if s.w.rev {
		f.version = 1
	}
	s.w.put(f)
}

func (s *sequence) upsertOutcomes(ctx context.Context) (want, err error) {
	list, conflict := make([]entry, 1+s.random.IntN(4)), s.conflict()
	codes := map[string]bool{}
	var twice *dbfleet.SameRowError
	same := false
	for i := range list {
		list[i] = s.fresh()
		same = same || codes[list[i].Code]
		codes[list[i].Code] = true
	}
	was := slices.Clone(list)
	told := s.random.IntN(2) == 0
	var outcomes []dbfleet.Outcome
	if told {
		outcomes, err = dbfleet.UpsertOutcomes(ctx, s.m, list, conflict)
	} else {
		err = s.m.UpsertMany(ctx, list, conflict)
	}
	require.Equal(s, same, errors.As(err, &twice), "%s: %v", s.where, err)
	if err != nil {
		for i := range list {
			s.kept(was[i], &list[i])
		}
		return err, err
	}
	for i := range list {
		id, out := s.w.upsert(was[i].fact(), conflict)
		if told {
			require.Equal(s, out, outcomes[i], "%s of %d", s.where, i)
		}
		s.upserted(&list[i], id, out)
	}
	return nil, nil
}

func (s *sequence) remove(ctx context.Context) (want, err error) {
	return s.write(ctx, false, func(f fact) error { return s.w.remove(f, false) }, func(r *entry) error { return s.m.Delete(ctx, r) })
}

func (s *sequence) forceDelete(ctx context.Context) (want, err error) {
	return s.write(ctx, false, func(f fact) error { return s.w.remove(f, true) }, func(r *entry) error { return s.m.ForceDelete(ctx, r) })
}

func (s *sequence) restore(ctx context.Context) (want, err error) {
	if !s.w.soft {
		return nil, nil
	}
	return s.write(ctx, false, s.w.restore, func(r *entry) error { return s.m.Restore(ctx, r) })
}
