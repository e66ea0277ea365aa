package driver_test

import (
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver"
	"github.com/dbfleet/dbfleet/internal/driver/drivertest"
)

// exec runs a statement without rows on a connection of its own. had is false when
// none was had.
func exec(ctx context.Context, p *driver.Pool, wait time.Duration, text string, args []any) (res driver.Result, had bool, err error) {
	c, err := p.Acquire(ctx, wait)
	if err != nil {
		return driver.Result{}, false, err
	}
	defer c.Release()
	res, err = c.Exec(ctx, text, args)
	return res, true, err
}

// query runs a statement with rows on a connection of its own, and read on them.
func query(ctx context.Context, p *driver.Pool, wait time.Duration, text string, args []any, read func(driver.Rows) (int64, error)) (n int64, err error) {
	c, err := p.Acquire(ctx, wait)
	if err != nil {
		return 0, err
	}
	defer c.Release()
	rows, err := c.Query(ctx, text, args)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }() // also when read panics
	n, err = read(rows)
	if closeErr := rows.Close(); err == nil {
		err = closeErr
	}
	return n, err
}

// readAll counts the rows.
func readAll(rows driver.Rows) (n int64, err error) {
	dest := make([]sqldriver.Value, len(rows.Columns()))
	for {
		if err := rows.Next(dest); err != nil {
			if err == io.EOF {
				err = nil
			}
			return n, err
		}
		n++
	}
}

// onceStory is story without a transaction, each statement on a connection
// of its own.
func onceStory(ctx context.Context, p *driver.Pool) error {
	if _, err := query(ctx, p, time.Second, "SELECT", nil, readAll); err != nil {
		return err
	}
	_, _, err := exec(ctx, p, time.Second, "INSERT", []any{int64(1)})
	return err
}

func TestOnce_TellsWhatCameOfIt(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	refused := errors.New("refused")
	d.On("INSERT", drivertest.Answer{RowsAffected: 3, LastInsertID: 8})
	d.On("refused", drivertest.Answer{Err: refused})
	d.On("torn", drivertest.Answer{Columns: []string{"a"}, Rows: [][]sqldriver.Value{{int64(1)}}, Err: refused, RowsErr: true})
	for range 3 {
		res, had, err := exec(t.Context(), p, 0, "INSERT", []any{"a", nil})
		require.NoError(t, err)
		require.True(t, had)
		require.Equal(t, driver.Result{RowsAffected: 3, LastInsertID: 8, IDStep: 1}, res)
		_, had, err = exec(t.Context(), p, 0, "refused", nil)
		require.Equal(t, refused, err)
		require.True(t, had)

		n, err := query(t.Context(), p, 0, "SELECT", []any{int64(1)}, readAll)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		_, err = query(t.Context(), p, 0, "refused", nil, readAll)
		require.Equal(t, refused, err)
		n, err = query(t.Context(), p, 0, "torn", nil, readAll)
		require.Equal(t, refused, err)
		require.EqualValues(t, 1, n)
		mine := errors.New("of read")
		_, err = query(t.Context(), p, 0, "SELECT", nil, func(driver.Rows) (int64, error) { return 0, mine })
		require.Equal(t, mine, err)
	}
	require.Equal(t, 1, d.OpenConns(), "no failure cost the connection")
	require.Zero(t, p.DB().Stats().InUse)
}

// Value methods are the program's own: one that ends its goroutine must not
// take the connection with it.
func TestOnce_OutlivesAValueThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	p := driver.OpenConnector(driver.Options{MaxOpen: 1, MaxIdle: 1}, instant{})
	defer p.Close()
	var wg sync.WaitGroup
	wg.Go(func() { _, _, _ = exec(t.Context(), p, 0, "INSERT", []any{"a", ending{}}) })
	wg.Go(func() { _, _ = query(t.Context(), p, 0, "SELECT", []any{ending{}}, readAll) })
	wg.Wait()
	require.Zero(t, p.DB().Stats().InUse)
	_, _, err := exec(t.Context(), p, time.Second, "INSERT", []any{"a"})
	require.NoError(t, err)
}

type ending struct{}

func (ending) Value() (sqldriver.Value, error) {
	runtime.Goexit()
	return nil, nil
}

func TestOnce_WaitsForItsTurnAndNoLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
		c, err := p.Acquire(t.Context(), time.Second)
		require.NoError(t, err)
		d.Record()
		start := time.Now()
		_, had, err := exec(t.Context(), p, time.Second, "INSERT", nil)
		var timeout *driver.AcquireTimeoutError
		require.ErrorAs(t, err, &timeout)
		require.Equal(t, "script", timeout.Node)
		require.NoError(t, timeout.Err)
		require.False(t, had)
		require.Equal(t, time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err = query(ctx, p, time.Second, "SELECT", nil, readAll)
		require.ErrorAs(t, err, &timeout)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Empty(t, d.Log(), "nothing was sent")

		time.AfterFunc(300*time.Millisecond, c.Release)
		n, err := query(t.Context(), p, time.Second, "SELECT", nil, readAll)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		time.Sleep(2 * time.Second) // the wait is over: its bound ends nothing any more
		require.NoError(t, onceStory(t.Context(), p))
	})
}

// A driver may keep a context as long as its statement runs, and longer.
func TestOnce_HasTheCallersOwnContext(t *testing.T) {
	t.Parallel()
	c := &contexts{}
	p := driver.OpenConnector(driver.Options{MaxOpen: 1, MaxIdle: 1}, c)
	defer p.Close()
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "mine"))
	defer cancel()
	_, _, err := exec(ctx, p, time.Second, "INSERT", nil)
	require.NoError(t, err)
	require.Len(t, c.seen, 2)
	require.Equal(t, "mine", c.seen[0].Value(key{})) // one made of it, which ends with the dial
	require.ErrorIs(t, c.seen[0].Err(), context.Canceled)
	require.Equal(t, ctx, c.seen[1])
}

// contexts is an instant that notes the contexts of its calls.
type contexts struct {
	instant
	seen []context.Context
}

func (c *contexts) Connect(ctx context.Context) (sqldriver.Conn, error) {
	c.seen = append(c.seen, ctx)
	return c, nil
}

func (c *contexts) Prepare(string) (sqldriver.Stmt, error) { return c, nil }

func (c *contexts) ExecContext(ctx context.Context, _ []sqldriver.NamedValue) (sqldriver.Result, error) {
	c.seen = append(c.seen, ctx)
	return instant{}, nil
}

// The bound of the wait is not one of the statement.
func TestOnce_TakesItsTimeOnceItHasAConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
		d.On("slow", drivertest.Answer{Latency: time.Minute})
		c, err := p.Acquire(t.Context(), 0)
		require.NoError(t, err)
		time.AfterFunc(time.Second/2, c.Release)
		_, _, err = exec(t.Context(), p, time.Second, "slow", nil)
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, had, err := exec(ctx, p, 0, "slow", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, had)
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestOnce_InsideOfAnotherWaitsNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
		_, err := query(t.Context(), p, time.Second, "SELECT", nil, func(rows driver.Rows) (int64, error) {
			_, _, err := exec(t.Context(), p, time.Second, "INSERT", nil)
			var timeout *driver.AcquireTimeoutError
			require.ErrorAs(t, err, &timeout)
			return readAll(rows)
		})
		require.NoError(t, err)
	})
}

func TestOnce_OfAnEndedContextSendsNothing(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	d.Record()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, had, err := exec(ctx, p, time.Second, "INSERT", nil)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, had)
	require.True(t, driver.Classify(err).NotSent)
	_, err = query(ctx, p, time.Second, "SELECT", nil, readAll)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, d.Log())
}

func TestOnce_OnAClosedPool(t *testing.T) {
	t.Parallel()
	_, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	require.NoError(t, p.Close())
	_, had, err := exec(t.Context(), p, time.Second, "INSERT", nil)
	require.ErrorIs(t, err, driver.ErrPoolClosed)
	require.False(t, had)
	_, err = query(t.Context(), p, time.Second, "SELECT", nil, readAll)
	require.ErrorIs(t, err, driver.ErrPoolClosed)
}

func TestOnce_WithoutAConnectionToHave(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	d.FailAt(1, io.ErrUnexpectedEOF)
	_, had, err := exec(t.Context(), p, time.Second, "INSERT", nil)
	var connect *driver.ConnectError
	require.ErrorAs(t, err, &connect)
	require.Equal(t, "script", connect.Node)
	require.False(t, had)
	require.NoError(t, onceStory(t.Context(), p))
}

// A connection that is found useless when it is taken is replaced before
// anything of the statement is sent, which runs once.
func TestOnce_ReplacesAConnectionOfNoUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1, MaxLifetime: time.Minute})
		d.Record()
		for range 3 {
			_, _, err := exec(t.Context(), p, time.Second, "INSERT", nil)
			require.NoError(t, err)
			time.Sleep(70 * time.Second)
		}
		require.Equal(t, []string{"CONNECT", "INSERT", "CONNECT", "INSERT", "CONNECT", "INSERT"}, d.Log())
		require.NoError(t, p.Close())
	})
}

// Statements that leave something behind in the session end the connection.
func TestOnce_LeavesNothingToTheNext(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	for _, query := range []string{"SET x = 1", "BEGIN"} {
		_, _, err := exec(t.Context(), p, 0, query, nil)
		require.NoError(t, err)
		require.Zero(t, d.OpenConns(), query)
	}
}

func TestOnce_OfManyGoroutines(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 2, MaxIdle: 2, StatementCache: 4})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				require.NoError(t, onceStory(t.Context(), p))
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, d.OpenConns(), 2)
	require.Zero(t, p.DB().Stats().InUse)
}
