package twophase

import (
	"context"
	"errors"
)

// audit compares the markers in a database with the records. The markers of what is
// finished are deleted. A marker without a record, or with that of an abort that knows of
// no breach, was committed by someone else, or its decision was lost: it returns those.
func (r *recoverer) audit(ctx context.Context, m Member) (contrary []ID, err error) {
	var errs []error
	for after := ID(""); ; {
		ids, err := m.Resource.Marks(ctx, after)
		if err != nil || len(ids) == 0 {
			return contrary, errors.Join(append(errs, err)...)
		}
		after = ids[len(ids)-1]
		more, err := r.auditPortion(ctx, m, ids)
		contrary, errs = append(contrary, more...), append(errs, err)
	}
}

func (r *recoverer) auditPortion(ctx context.Context, m Member, marks []ID) (contrary []ID, err error) {
	byHome := make([][]ID, len(r.members))
	for _, id := range marks {
		if home := r.find(id.Ledger()); home >= 0 {
			byHome[home] = append(byHome[home], id)
		}
	}
	var errs []error
	for home, ids := range byHome {
		if len(ids) == 0 {
			continue
		}
		records, err := r.members[home].Ledger.Read(ctx, ids)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		known := map[ID]bool{}
		var finished []ID
		for _, record := range records {
			known[record.ID] = record.Decision == ToCommit || len(record.Incidents) > 0
			if record.Finished && known[record.ID] {
				finished = append(finished, record.ID)
			}
		}
		for _, id := range ids {
			if !known[id] {
				contrary = append(contrary, id)
			}
		}
		if len(finished) > 0 {
			errs = append(errs, m.Resource.Unmark(ctx, finished))
		}
	}
	return contrary, errors.Join(errs...)
}

// forget deletes what is older than the retention: first the markers, and the record
// once none is left. A record with a branch at a database that is not one of ours stays.
func (r *recoverer) forget(ctx context.Context) {
	for i, m := range r.members {
		if ctx.Err() != nil {
			return
		}
		if r.silent[i].Load() {
			continue
		}
		var old []Record
		r.step(OpForget, 0, 0, false)
		err := r.ask(ctx, i, func(ctx context.Context) (err error) {
			old, err = m.Ledger.Old(ctx, r.o.Retention)
			return err
		})
		if err == nil {
			err = r.forgetAll(ctx, i, old)
		}
		r.step(OpForget, 0, 0, true)
		r.fail(m.Name, OpForget, err)
	}
}

func (r *recoverer) forgetAll(ctx context.Context, home int, old []Record) error {
	marked := make([][]ID, len(r.members)) // by member
	stay := map[ID]bool{}
	for _, record := range old {
		for _, b := range record.Branches {
			if m := r.find(b.Ledger); m >= 0 {
				marked[m] = append(marked[m], record.ID)
			} else {
				stay[record.ID] = true
			}
		}
	}
	var errs []error
	for m, ids := range marked {
		if len(ids) == 0 {
			continue
		}
		var err error
		silent := r.silent[m].Load() // which is told already
		if !silent {
			err = r.ask(ctx, m, func(ctx context.Context) error { return r.members[m].Resource.Unmark(ctx, ids) })
		}
		if err != nil || silent {
			errs = append(errs, err)
			for _, id := range ids {
				stay[id] = true
			}
		}
	}
	var gone []ID
	for _, record := range old {
		if !stay[record.ID] {
			gone = append(gone, record.ID)
		}
	}
	if len(gone) > 0 {
		err := r.ask(ctx, home, func(ctx context.Context) error { return r.members[home].Ledger.Forget(ctx, gone) })
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		r.report.Forgotten += len(gone)
	}
	return errors.Join(errs...)
}
