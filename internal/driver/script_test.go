package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/driver/drivertest"
)

func scripted(t testing.TB, o driver.Options) (*drivertest.DB, *driver.Pool) {
	d := drivertest.New()
	d.On("SELECT", drivertest.Answer{Columns: []string{"a"}, Rows: [][]sqldriver.Value{{int64(1)}, {int64(2)}}})
	o.Name = "script"
	p := d.Pool(o)
	t.Cleanup(func() {
		require.NoError(t, p.Close())
		require.Zero(t, d.OpenConns(), "connections are left")
	})
	return d, p
}

// story is a typical use. It returns the first error.
func story(ctx context.Context, p *driver.Pool) (err error) {
	c, err := p.Acquire(ctx, time.Second)
	if err != nil {
		return err
	}
	defer c.Release()
	if err := c.Begin(ctx, driver.TxOptions{}); err != nil {
		return err
	}
	rows, err := c.Query(ctx, "SELECT", nil)
	if err != nil {
		return err
	}
	dest := make([]sqldriver.Value, 1)
	for {
		if err = rows.Next(dest); err != nil {
			break
		}
	}
	if err != io.EOF {
		return err
	}
	if _, err = c.Exec(ctx, "INSERT", []any{int64(1)}); err != nil {
		return err
	}
	return c.Commit(ctx)
}

func sqlStory(ctx context.Context, p *driver.Pool) error {
	tx, err := p.DB().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	rows, err := tx.QueryContext(ctx, "SELECT")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, "INSERT", 1); err != nil {
		return err
	}
	return tx.Commit()
}

// Whichever call fails, and however: the error comes out, it is never
// driver.ErrBadConn, nothing is executed twice, and the pool goes on working.
func TestFailure_AtEveryCall(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{
		sqldriver.ErrBadConn, io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: syscall.ECONNRESET}, errors.New("of the server"),
	} {
		for name, run := range map[string]func(context.Context, *driver.Pool) error{"direct": story, "sql": sqlStory, "once": onceStory} {
			for k := 1; ; k++ {
				d, p := scripted(t, driver.Options{MaxOpen: 2, MaxIdle: 2, StatementCache: 4})
				d.Record().FailAt(k, failure)
				err := run(t.Context(), p)
				log := d.Log()
				if len(log) < k {
					require.NoError(t, err)
					break
				}
				require.Error(t, err, "%s: call %d of %v, %v", name, k, log, failure)
				require.False(t, errors.Is(err, sqldriver.ErrBadConn), "%s: call %d of %v: %v", name, k, log, err)
				inserts := 0
				for _, call := range log {
					if call == "INSERT" {
						inserts++
					}
				}
				require.LessOrEqual(t, inserts, 1)
				if log[k-1] == "COMMIT" && failure.Error() != "of the server" {
					require.ErrorIs(t, err, driver.ErrCommitUnknown)
				}
				d.Reset()
				require.NoError(t, run(t.Context(), p), "%s: after call %d of %v", name, k, log)
			}
		}
	}
}

func TestConn_StatementsOfTwoGoroutinesTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
		d.On("slow", drivertest.Answer{Latency: time.Second})
		c, err := p.Acquire(t.Context(), 0)
		require.NoError(t, err)
		defer c.Release()
		start := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, err := c.Exec(t.Context(), "slow", nil)
				require.NoError(t, err)
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = c.Exec(ctx, "slow", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, driver.Classify(err).NotSent)
		wg.Wait()
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestAcquire_WaitsForItsTurnAndNoLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
		c, err := p.Acquire(t.Context(), time.Second)
		require.NoError(t, err)
		start := time.Now()
		_, err = p.Acquire(t.Context(), time.Second)
		var timeout *driver.AcquireTimeoutError
		require.ErrorAs(t, err, &timeout)
		require.Equal(t, time.Second, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = p.Acquire(ctx, time.Second)
		require.ErrorAs(t, err, &timeout)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, driver.Timeout, driver.Classify(err).Class)
		time.AfterFunc(300*time.Millisecond, c.Release)
		c, err = p.Acquire(t.Context(), time.Second)
		require.NoError(t, err)
		c.Release()
		c.Release()
	})
}

func TestLifetime_EndsConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1, MaxLifetime: time.Minute})
		d.Record()
		for range 5 {
			require.NoError(t, story(t.Context(), p))
			time.Sleep(70 * time.Second)
		}
		connects := 0
		for _, call := range d.Log() {
			if call == "CONNECT" {
				connects++
			}
		}
		require.Equal(t, 5, connects)
		require.NoError(t, p.Close())
	})
}

func TestRelease_RollsBackAndForgets(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	d.Record()
	c, err := p.Acquire(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, c.Begin(t.Context(), driver.TxOptions{}))
	_, err = c.SQL().ExecContext(t.Context(), "INSERT")
	require.NoError(t, err)
	c.Release()
	require.Equal(t, []string{"CONNECT", "BEGIN", "INSERT", "ROLLBACK"}, d.Log())
	_, err = c.Exec(t.Context(), "x", nil)
	require.ErrorIs(t, err, sql.ErrConnDone)
	require.ErrorIs(t, c.Commit(t.Context()), sql.ErrTxDone)
	require.Equal(t, driver.Closed, driver.Classify(err).Class)
}

func BenchmarkReadOne(b *testing.B) {
	d := drivertest.New()
	row := []sqldriver.Value{int64(1), "name", "email", true, 1.5, time.Now(), time.Now(), nil}
	d.On("SELECT", drivertest.Answer{Columns: []string{"a", "b", "c", "d", "e", "f", "g", "h"}, Rows: [][]sqldriver.Value{row}})
	p := d.Pool(driver.Options{MaxOpen: 2, MaxIdle: 2, StatementCache: 10})
	defer p.Close()
	ctx := context.Background()
	b.Run("direct", func(b *testing.B) {
		b.ReportAllocs()
		dest := make([]sqldriver.Value, 8)
		args := []any{int64(1)}
		for b.Loop() {
			c, err := p.Acquire(ctx, time.Second)
			if err != nil {
				b.Fatal(err)
			}
			rows, err := c.Query(ctx, "SELECT", args)
			if err != nil {
				b.Fatal(err)
			}
			for rows.Next(dest) == nil {
			}
			rows.Close()
			c.Release()
		}
	})
	b.Run("database_sql", func(b *testing.B) {
		b.ReportAllocs()
		var (
			id         int64
			name, mail string
			ok         bool
			f          float64
			t1, t2     time.Time
			x          *string
		)
		plain := sql.OpenDB(d)
		defer plain.Close()
		for b.Loop() {
			if err := plain.QueryRowContext(ctx, "SELECT", 1).Scan(&id, &name, &mail, &ok, &f, &t1, &t2, &x); err != nil {
				b.Fatal(err)
			}
		}
	})
}
