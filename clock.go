package dbfleet

import (
	"context"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/sqlgen"
)

// The clock of a database, by ModelConfig.DatabaseClock.

// clockQuestion is the verb that asks a database for the time.
type clockQuestion struct {
	recording
	micros int64 // since 1970
}

// clock is the time for the timestamps of a write: that of the database where it goes, or
// zero for the program's own.
func (q *query) clock(ctx context.Context, home destination) (time.Time, error) {
	if q.usable() != nil || !q.src.table.DatabaseClock() {
		return time.Time{}, nil //nolint:nilerr // what is wrong with the query is told where it runs
	}
	v := &clockQuestion{recording: recording{writing: writing{trip{q: q}}, home: home}}
	if _, err := v.run(ctx, v); err != nil {
		return time.Time{}, err
	}
	return time.UnixMicro(v.micros).UTC(), nil
}

// clockOfRows is clock for the rows that a query finds.
func (q *query) clockOfRows(ctx context.Context) (time.Time, error) {
	if q.usable() != nil || !q.src.table.DatabaseClock() {
		return time.Time{}, nil //nolint:nilerr // what is wrong with the query is told where it runs
	}
	home, err := q.destination()
	if err != nil {
		return time.Time{}, err
	}
	return q.clock(ctx, home)
}

func (v *clockQuestion) render(p *place, s *statement) error {
	s.op, s.write, s.text = "select", true, sqlgen.Clock(p.e.dialect)
	return nil
}

func (v *clockQuestion) exchange(ctx context.Context, p *place, s *statement) (driver.Result, error) {
	return p.rows(ctx, nil, s, v)
}

func (v *clockQuestion) read(rows driver.Rows) (n int64, err error) {
	v.micros, err = oneNumber(rows)
	return 1, err
}
