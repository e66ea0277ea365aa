package writes

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dbfleet/dbfleet"
)

// entry is a record with everything that a model can keep of its rows.
type entry struct {
	dbfleet.Snapshot
	ID                   int64
	Code                 string
	N                    int64
	Note                 *string
	Version              int64
	CreatedAt, UpdatedAt time.Time
	DeletedAt            *time.Time
}

// entryRow is what the table has of an entry, read without the model.
type entryRow struct {
	ID                   int64
	Code                 string
	N                    int64
	Note                 *string
	Version              int64
	CreatedAt, UpdatedAt time.Time
	DeletedAt            *time.Time
}

// fact is what the reference knows of a row, or of a record: all but the times, of which
// it knows whether they have to move.
type fact struct {
	id      int64
	code    string
	n       int64
	note    string // "NULL" for none
	version int64
	deleted bool
}

func noteOf(p *string) string {
	if p == nil {
		return "NULL"
	}
	return *p
}

func (e *entry) fact() fact {
	return fact{e.ID, e.Code, e.N, noteOf(e.Note), e.Version, e.DeletedAt != nil}
}

func (r *entryRow) fact() fact {
	return fact{r.ID, r.Code, r.N, noteOf(r.Note), r.Version, r.DeletedAt != nil}
}

// world is the reference: the table as plain Go has it.
type world struct {
	rows    map[int64]fact
	written map[int64]bool // by the step at hand
	soft    bool           // rows are marked, not removed
	rev     bool           // rows have versions
}

func (w *world) clone() *world {
	c := *w
	c.rows, c.written = maps.Clone(w.rows), maps.Clone(w.written)
	return &c
}

func (w *world) put(f fact) {
	w.rows[f.id] = f
	w.written[f.id] = true
}

// raised is a fact whose row is written once more.
func (w *world) raised(f fact) fact {
	if w.rev {
		f.version++
	}
	return f
}

func (w *world) byCode(code string) (fact, bool) {
	for _, f := range w.rows {
		if f.code == code {
			return f, true
		}
	}
	return fact{}, false
}

func (w *world) ids() []int64 { return slices.Sorted(maps.Keys(w.rows)) }

// errAny is an expectation: one of several errors.
type errAny []error

func (e errAny) Error() string { return fmt.Sprint([]error(e)) }

// fits says whether err is what the reference expects.
func fits(want, err error) bool {
	var several errAny
	if errors.As(want, &several) {
		return slices.ContainsFunc(several, func(w error) bool { return errors.Is(err, w) })
	}
	if want == nil {
		return err == nil
	}
	return errors.Is(err, want)
}

// found is what a write of one record needs: its row, alive, with its version.
func (w *world) found(r fact) (fact, error) {
	row, ok := w.rows[r.id]
	switch {
	case !ok:
		return row, dbfleet.ErrNotFound
	case w.soft && row.deleted && w.rev && row.version != r.version:
		return row, errAny{dbfleet.ErrNotFound, dbfleet.ErrStaleRecord}
	case w.soft && row.deleted:
		return row, dbfleet.ErrNotFound
	case w.rev && row.version != r.version:
		return row, dbfleet.ErrStaleRecord
	}
	return row, nil
}

// taken says that another row has the code.
func (w *world) taken(code string, but int64) bool {
	f, ok := w.byCode(code)
	return ok && f.id != but
}

// create is Create; the id is the database's choice.
func (w *world) create(r fact) error {
	if w.taken(r.code, 0) {
		return dbfleet.ErrUnique
	}
	return nil
}

// save is Save of columns; with none, Touch.
func (w *world) save(r fact, columns ...string) error {
	row, err := w.found(r)
	if err != nil {
		return err
	}
	for _, c := range columns {
		switch c {
		case "code":
			if w.taken(r.code, r.id) {
				return dbfleet.ErrUnique
			}
			row.code = r.code
		case "n":
			row.n = r.n
		case "note":
			row.note = r.note
		}
	}
	w.put(w.raised(row))
	return nil
}

// remove is Delete and ForceDelete.
func (w *world) remove(r fact, force bool) error {
	row, err := w.found(r)
	if force && w.rows[r.id].deleted {
		row, err = w.rows[r.id], nil
		if w.rev && row.version != r.version {
			err = dbfleet.ErrStaleRecord
		}
	}
	if err != nil {
		return err
	}
	if force || !w.soft {
		delete(w.rows, r.id)
		return nil
	}
	row.deleted = true
	w.put(w.raised(row))
	return nil
}

func (w *world) restore(r fact) error {
	row, ok := w.rows[r.id]
	switch {
	case !ok, !row.deleted:
		return errAny{dbfleet.ErrNotFound, dbfleet.ErrStaleRecord}
	case w.rev && row.version != r.version:
		return dbfleet.ErrStaleRecord
	}
	row.deleted = false
	w.put(w.raised(row))
	return nil
}

// where changes the living rows whose n is at least low.
func (w *world) where(low int64, change func(f fact) (fact, bool)) (n int64) {
	for _, id := range w.ids() {
		f := w.rows[id]
		if f.deleted || f.n < low {
			continue
		}
		n++
		if f, keep := change(f); keep {
			w.put(w.raised(f))
		} else {
			delete(w.rows, id)
		}
	}
	return n
}

// upsert is Upsert of a record by its code; id is that of the row that was there.
func (w *world) upsert(r fact, conflict dbfleet.Conflict) (id int64, out dbfleet.Outcome) {
	row, there := w.byCode(r.code)
	if !there {
		return 0, dbfleet.Inserted
	}
	if conflict.DoNothing {
		return row.id, dbfleet.Unchanged
	}
	changed := row
	if len(conflict.Update) == 0 || slices.Contains(conflict.Update, "n") {
		changed.n = r.n
	}
	if len(conflict.Update) == 0 || slices.Contains(conflict.Update, "note") {
		changed.note = r.note
	}
	changed.deleted = w.soft && r.deleted
	if conflict.KeepEqual && changed == row {
		return row.id, dbfleet.Unchanged
	}
	w.put(w.raised(changed))
	return row.id, dbfleet.Updated
}
