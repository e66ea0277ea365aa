package twophase

import (
	"context"
	"errors"
)

// forget deletes what is older than the retention: first the markers, and the record
// once none is left. A record with a branch at a database that is not one of ours stays.
func (r *recoverer) forget(ctx context.Context) {
	for _, m := range r.members {
		if ctx.Err() != nil {
			return
		}
		r.step(OpForget, 0, 0, false)
		old, err := m.Ledger.Old(ctx, r.o.Retention)
		if err == nil {
			err = r.forgetAll(ctx, m, old)
		}
		r.step(OpForget, 0, 0, true)
		r.fail(m.Name, OpForget, err)
	}
}

func (r *recoverer) forgetAll(ctx context.Context, home Member, old []Record) error {
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
		if err := r.members[m].Resource.Unmark(ctx, ids); err != nil {
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
		if err := home.Ledger.Forget(ctx, gone); err != nil {
			return errors.Join(append(errs, err)...)
		}
		r.report.Forgotten += len(gone)
	}
	return errors.Join(errs...)
}
