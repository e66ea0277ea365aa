package misuse

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// outbox is one whose event "one" is set aside.
func (w *world) outbox() *dbfleet.Outbox {
	w.t.Helper()
	o, err := dbfleet.NewOutbox(w.reg, dbfleet.OutboxConfig{})
	require.NoError(w.t, err)
	require.NoError(w.t, o.CreateTables(w.ctx))
	_, err = w.reg.DB("main").Table("dbfleet_outbox").Insert(w.ctx, dbfleet.Row{
		"uid": "one", "topic": "x", "event_key": "", "created_at": "2024-01-02", "attempts": 1, "failed": 1, "failure": "",
	})
	require.NoError(w.t, err)
	return o
}

func (w *world) inbox() *dbfleet.Inbox {
	w.t.Helper()
	b, err := dbfleet.NewInbox(w.reg, dbfleet.InboxConfig{})
	require.NoError(w.t, err)
	require.NoError(w.t, b.CreateTables(w.ctx))
	return b
}

func (w *world) saga() *dbfleet.Saga[user] {
	w.t.Helper()
	s, err := dbfleet.NewSaga(w.reg, dbfleet.SagaConfig{Name: "saga"}, w.step())
	require.NoError(w.t, err)
	require.NoError(w.t, s.CreateTables(w.ctx))
	return s
}

func (w *world) step() dbfleet.SagaStep[user] {
	return dbfleet.SagaStep[user]{Name: "step", Do: func(context.Context, *user) error { return nil }}
}

// inTransaction is the context of a transaction that is open until the test's end.
func (w *world) inTransaction() context.Context {
	w.begun()
	return w.inTx
}
