package writes

import (
	"context"
	"errors"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

func (s *sequence) create(ctx context.Context) (want, err error) {
	e := s.fresh()
	was := e
	want = s.w.create(e.fact())
	if err = s.m.Create(ctx, &e); err != nil {
		s.kept(was, &e)
		return want, err
	}
	if want == nil {
		s.made(ctx, &e)
		s.hold(e, true)
	}
	return want, err
}

func (s *sequence) createMany(ctx context.Context) (want, err error) {
	list := make([]entry, 1+s.random.IntN(4))
	codes := map[string]bool{}
	for i := range list {
		list[i] = s.fresh()
		if codes[list[i].Code] || s.w.create(list[i].fact()) != nil {
			want = dbfleet.ErrUnique
		}
		codes[list[i].Code] = true
	}
	was := slices.Clone(list)
	err = s.m.CreateMany(ctx, list)
	for i := range list {
		switch {
		case err != nil:
			s.kept(was[i], &list[i])
		case want == nil:
			s.made(ctx, &list[i])
			s.hold(list[i], true)
		}
	}
	return want, err
}

func (s *sequence) createIgnore(ctx context.Context) (want, err error) {
	e := s.fresh()
	was := e
	created, err := dbfleet.CreateIgnore(ctx, s.m, &e)
	if err != nil {
		return nil, err
	}
	require.Equal(s, s.w.create(was.fact()) == nil, created, s.where)
	if !created {
		s.kept(was, &e)
		return nil, nil
	}
	s.made(ctx, &e)
	s.hold(e, true)
	return nil, nil
}

func (s *sequence) firstOrCreate(ctx context.Context) (want, err error) {
	e := s.fresh()
	was := e
	row, there := s.w.byCode(e.Code)
	if there && row.deleted {
		want = dbfleet.ErrUnique
	}
	created, err := s.m.FirstOrCreate(ctx, &e, "code")
	switch {
	case err != nil:
		s.kept(was, &e)
	case want == nil && there:
		require.False(s, created)
		require.Equal(s, row, e.fact(), s.where)
		s.same(ctx, &e)
		s.hold(e, true)
	case want == nil:
		require.True(s, created)
		s.made(ctx, &e)
		s.hold(e, true)
	}
	return want, err
}

func (s *sequence) updateOrCreate(ctx context.Context) (want, err error) {
	e := s.fresh()
	was := e
	row, there := s.w.byCode(e.Code)
	if there && row.deleted {
		want = dbfleet.ErrUnique
	}
	created, err := s.m.UpdateOrCreate(ctx, &e, "code")
	switch {
	case err != nil:
		s.kept(was, &e)
	case want == nil && there:
		require.False(s, created)
		row.n, row.note = was.N, noteOf(was.Note)
		s.w.put(s.w.raised(row))
		s.same(ctx, &e)
		s.hold(e, true)
	case want == nil:
		require.True(s, created)
		s.made(ctx, &e)
		s.hold(e, true)
	}
	return want, err
}

func (s *sequence) find(ctx context.Context) (want, err error) {
	ids := s.w.ids()
	if len(ids) == 0 {
		return nil, nil
	}
	id := ids[s.random.IntN(len(ids))]
	if s.w.rows[id].deleted {
		want = dbfleet.ErrNotFound
	}
	e, err := s.m.Find(ctx, id)
	if err == nil {
		require.Equal(s, s.w.rows[id], e.fact(), s.where)
		s.hold(e, true)
	}
	return want, err
}

func (s *sequence) refresh(ctx context.Context) (want, err error) {
	r := s.one(true)
	if r == nil {
		return nil, nil
	}
	was := *r
	row, there := s.w.rows[r.ID]
	if !there || row.deleted {
		want = dbfleet.ErrNotFound
	}
	if err = s.m.Refresh(ctx, r); err != nil {
		s.kept(was, r)
		return want, err
	}
	require.Equal(s, row, r.fact(), s.where)
	s.same(ctx, r)
	s.knows(r, true)
	return want, nil
}

// write is a write of one record that is held, with what the reference makes of it.
func (s *sequence) write(ctx context.Context, change bool, expect func(f fact) error, does func(r *entry) error) (want, err error) {
	s.Helper()
	r := s.one(change)
	if r == nil {
		return nil, nil
	}
	was := *r
	want = expect(r.fact())
	if err = does(r); err != nil {
		s.kept(was, r)
		return want, err
	}
	if row, there := s.w.rows[r.ID]; want == nil && there {
		require.Equal(s, row.version, r.Version, "%s: the record's version", s.where)
		if !change {
			require.Equal(s, row.deleted, r.DeletedAt != nil, "%s: the record's mark", s.where)
		}
	}
	return want, nil
}

func (s *sequence) save(ctx context.Context) (want, err error) {
	return s.write(ctx, true, func(f fact) error { return s.w.save(f, "code", "n", "note") }, func(r *entry) error {
		err := s.m.Save(ctx, r)
		if err == nil {
			s.same(ctx, r)
			s.knows(r, true)
		}
		return err
	})
}

func (s *sequence) saveColumns(ctx context.Context) (want, err error) {
	return s.write(ctx, true, func(f fact) error { return s.w.save(f, "n") }, func(r *entry) error {
		err := s.m.SaveColumns(ctx, r, "n")
		if err == nil && s.known[r] != nil {
			f := *s.known[r]
			f.n, s.known[r] = r.N, &f
		}
		return err
	})
}

func (s *sequence) touch(ctx context.Context) (want, err error) {
	return s.write(ctx, true, func(f fact) error { return s.w.save(f) }, func(r *entry) error { return dbfleet.Touch(ctx, s.m, r) })
}

func (s *sequence) saveChanges(ctx context.Context) (want, err error) {
	r := s.one(true)
	if r == nil || s.known[r] == nil {
		return nil, nil
	}
	was, known := *r, s.known[r]
	var columns []string
	if r.Code != known.code {
		columns = append(columns, "code")
	}
	if r.N != known.n {
		columns = append(columns, "n")
	}
	if noteOf(r.Note) != known.note {
		columns = append(columns, "note")
	}
	changed, err := dbfleet.Changed(s.m, r)
	require.NoError(s, err, s.where)
	require.ElementsMatch(s, columns, changed, s.where)
	if len(columns) > 0 {
		want = s.w.save(r.fact(), columns...)
	}
	if err = dbfleet.SaveChanges(ctx, s.m, r); err != nil {
		s.kept(was, r)
		return want, err
	}
	if want == nil {
		s.knows(r, true)
	}
	return want, nil
}

func (s *sequence) saveMany(ctx context.Context) (want, err error) {
	var list []entry
	after := s.w.clone()
	var wants errAny
	for _, r := range s.held {
		if slices.ContainsFunc(list, func(e entry) bool { return e.ID == r.ID }) || s.random.IntN(2) == 0 {
			continue
		}
		e := *r
		e.N, e.Note = s.random.Int64N(6), nil
		list = append(list, e)
		if err := after.save(e.fact(), "code", "n", "note"); err != nil {
			wants = append(wants, err)
		}
	}
	was := slices.Clone(list)
	if len(wants) > 0 {
		want = errAny{dbfleet.ErrNotFound, dbfleet.ErrStaleRecord, dbfleet.ErrUnique}
	}
	if err = s.m.SaveMany(ctx, list); err != nil {
		for i := range list {
			s.kept(was[i], &list[i])
		}
		if want == nil && errors.Is(err, dbfleet.ErrUnique) {
			want = err // two records swap what is unique, in one statement or in several
		}
		return want, err
	}
	if want == nil {
		s.w = after
		for i := range list {
			s.same(ctx, &list[i])
		}
	}
	return want, nil
}
