package dbfleet

import "context"

// What this is. Find by a key of numbers and texts, on a model without conditions,
// takes the text that the same call made before. It knows no rule of rendering: the
// text is the one that the query itself was rendered to, and what is not as simple
// takes that way.
//
// What it gains. A record by its key takes 0.93 of the time on SQLite, and 0.75
// without a database:
//
//	make bench-quick    rows read of SQLite and of the driver in memory
//
// What it relies on. A column that equals a value that is not NULL has one text,
// whatever the value.
//
// Which test tells when that changes. TestFind_IsTheSameTheSecondTime.
//
// How to switch it off. Let finds return false.

// finding is the verb of Find on a plain model.
type finding struct {
	selection
	key []any
}

// finds says whether the key's condition is all that Find asks.
func (q *query) finds(key []any) bool {
	if q.usable() != nil || q.src.shard != nil || len(q.src.scopes) > 0 || q.isOwned() || len(q.relations) > 0 || !q.q.Bare() || !q.src.table.Keeps(len(key)) {
		return false
	}
	for _, v := range key {
		switch v.(type) {
		case int, int64, string:
		default:
			return false
		}
	}
	return true
}

func (v *finding) render(p *place, s *statement) error {
	t, d := v.q.src.table, p.e.dialect
	if text, args, ok := t.Finding(v.key, d); ok {
		s.op, s.text, s.args = "select", text, args
		return nil
	}
	q, err := v.q.keyed(v.key)
	if err != nil {
		return err
	}
	q.bound()
	v.q = q
	if err = v.selection.render(p, s); err == nil {
		t.KeepFinding(s.text, s.args, d)
	}
	return err
}

func (q *query) find(ctx context.Context, row any, key []any) error {
	if q.finds(key) {
		v := &finding{selection{trip: trip{q: q}, into: row, one: true, key: q.src.table.KeyNames()}, key}
		return v.runOne(ctx, v)
	}
	keyed, err := q.keyed(key)
	if err != nil {
		return told(err)
	}
	keyed.bound()
	v := &selection{trip: trip{q: keyed}, into: row, one: true, key: q.src.table.KeyNames()}
	return v.runOne(ctx, v)
}
