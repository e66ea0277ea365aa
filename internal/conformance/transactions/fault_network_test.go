package transactions

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// networkFaults are what happens to a message. Where nothing is heard any more, the
// caller gives up.
var networkFaults = map[string]dbtest.Fault{
	"cut before it, FIN":           {Action: dbtest.CutRequest},
	"cut before it, RST":           {Action: dbtest.CutRequest, Reset: true},
	"cut after it, FIN":            {Action: dbtest.CutReply},
	"cut after it, RST":            {Action: dbtest.CutReply, Reset: true},
	"cut in the answer":            {Action: dbtest.CutReply, Packets: 1},
	"cut after most of the answer": {Action: dbtest.CutReply, Packets: 3},
	"silence before it":            {Action: dbtest.HoldRequest},
	"silence after it":             {Action: dbtest.HoldReply},
}

// silent says that a fault ends with the caller's patience.
func silent(f dbtest.Fault) bool {
	return f.Action == dbtest.HoldReply || f.Action == dbtest.HoldRequest
}

// messages counts those of a transaction from its BEGIN on, and of the statements before
// it that a registry sends which was just opened.
func (b *faultBench) messages(options dbfleet.TxOptions) (n int) {
	b.t.Helper()
	for range 2 {
		var seen *dbtest.Trigger
		b.run(faultPoint{name: "no fault", options: options, arm: func(*faultScript, *faultRun) {
			seen = b.proxy.On(dbtest.Fault{})
		}, back: func() { n = seen.Seen() }})
	}
	return n
}

func TestFaults_AtEachMessageOfATransaction(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		b := newFaultBench(t, db, true)
		want := 0
		for name, options := range faultOptions {
			n := b.messages(options)
			want += 2
			require.Greater(t, n, 25)
			for fault, f := range networkFaults {
				f.Dialect, f.Times = "", 1
				if f.Packets > 0 {
					f.Dialect = db.Dialect
				}
				for i := range n {
					if !chosen(options, fault, i, n) || silent(f) && !faultTorture && (!patient(options) || i%8 != 1 && i < n-2) {
						continue // silence takes time
					}
					f.Skip = i
					b.run(faultPoint{
						name: fmt.Sprintf("%s: %s at message %d", name, fault, i), options: options,
						arm: func(_ *faultScript, run *faultRun) {
							tr := b.proxy.On(f)
							if silent(f) {
								go func() {
									select {
									case <-tr.Fired():
										run.cancel()
									case <-run.ctx.Done():
									}
								}()
							}
						},
					})
					want++
				}
			}
		}
		b.counted(want, 180)
	})
}

// kill has the server end all other connections to the database.
func (b *faultBench) kill(ctx context.Context) error {
	c, err := b.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if b.db.Dialect == "postgres" {
		_, err := c.ExecContext(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		return err
	}
	rows, err := c.QueryContext(ctx, "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
	if err != nil {
		return err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range ids {
		_, _ = c.ExecContext(ctx, fmt.Sprintf("KILL %d", id)) // it may have gone
	}
	return nil
}

func TestFaults_ConnectionKilledAtEachStatement(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		b := newFaultBench(t, db, false)
		b.pool.SetMaxIdleConns(1)
		want := 0
		for name, options := range faultOptions {
			n := b.statements(options)
			want += 2
			for i := int64(1); i <= n; i++ {
				if !chosen(options, "kill", int(i-1), int(n)) {
					continue
				}
				for _, after := range []bool{false, true} {
					arm, _ := atStatement(i, after, func(run *faultRun) { _ = run.kill(context.WithoutCancel(run.ctx)) })
					b.run(faultPoint{name: fmt.Sprintf("%s: killed at statement %d, after it %v", name, i, after), options: options, arm: arm})
					want++
				}
			}
		}
		b.counted(want, 50)
	})
}

var ownFaultServers = map[string]func(testing.TB, ...string) *dbtest.Server{"postgres": dbtest.StartPostgres, "mysql": dbtest.StartMariaDB}

// The whole server ends, and comes back once the transaction is told.
func TestFaults_ServerKilled(t *testing.T) {
	t.Parallel()
	for dialect, start := range ownFaultServers {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			dbtest.New(t, dialect) // or there is none
			server := start(t)
			b := newFaultBench(t, server.Database(t), false)
			b.pool.SetMaxIdleConns(0)
			options := dbfleet.TxOptions{Resolvable: true}
			n := b.statements(options)
			want := 2
			for _, i := range []int64{n / 2, n - 1, n} {
				arm, _ := atStatement(i, i == n-1, func(*faultRun) { server.Kill(t) })
				b.run(faultPoint{name: fmt.Sprintf("the server is killed at statement %d of %d", i, n), options: options, arm: arm, disarm: func(*faultRun) { server.Start(t) }})
				want++
			}
			b.counted(want, 5)
		})
	}
}
