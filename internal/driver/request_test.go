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

// readAll is a read of Pool.Query: it counts the rows.
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

// requestStory is story without a transaction, each statement on a connection
// of its own.
func requestStory(ctx context.Context, p *driver.Pool) error {
	if _, _, err := p.Query(ctx, time.Second, "SELECT", nil, "", driver.ReaderFunc(readAll)); err != nil {
		return err
	}
	_, _, err := p.Exec(ctx, time.Second, "INSERT", []any{int64(1)})
	return err
}

func TestRequest_TellsWhatCameOfIt(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	refused := errors.New("refused")
	d.On("INSERT", drivertest.Answer{RowsAffected: 3, LastInsertID: 8})
	d.On("refused", drivertest.Answer{Err: refused})
	d.On("torn", drivertest.Answer{Columns: []string{"a"}, Rows: [][]sqldriver.Value{{int64(1)}}, Err: refused, RowsErr: true})
	for range 3 {
		res, had, err := p.Exec(t.Context(), 0, "INSERT", []any{"a", nil})
		require.NoError(t, err)
		require.True(t, had)
		require.Equal(t, driver.Result{RowsAffected: 3, LastInsertID: 8, IDStep: 1}, res)
		_, had, err = p.Exec(t.Context(), 0, "refused", nil)
		require.Equal(t, refused, err)
		require.True(t, had)

		n, stage, err := p.Query(t.Context(), 0, "SELECT", []any{int64(1)}, "", driver.ReaderFunc(readAll))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.Equal(t, driver.StageRead, stage)
		_, stage, err = p.Query(t.Context(), 0, "refused", nil, "", driver.ReaderFunc(readAll))
		require.Equal(t, refused, err)
		require.Equal(t, driver.StageSend, stage)
		n, stage, err = p.Query(t.Context(), 0, "torn", nil, "", driver.ReaderFunc(readAll))
		require.Equal(t, refused, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, driver.StageRead, stage)
		mine := errors.New("of read")
		_, stage, err = p.Query(t.Context(), 0, "SELECT", nil, "", driver.ReaderFunc(func(driver.Rows) (int64, error) { return 0, mine }))
		require.Equal(t, mine, err)
		require.Equal(t, driver.StageRead, stage)
	}
	require.Equal(t, 1, d.OpenConns(), "no failure cost the connection")
	require.Zero(t, p.DB().Stats().InUse)
}

func TestRequest_GivesTheConnectionBackOnAPanic(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	boom := errors.New("boom")
	for _, read := range []func(driver.Rows) (int64, error){
		func(driver.Rows) (int64, error) { panic(boom) },
		func(rows driver.Rows) (int64, error) {
			_, _ = readAll(rows)
			panic(boom)
		},
	} {
		require.PanicsWithValue(t, boom, func() { _, _, _ = p.Query(t.Context(), time.Second, "SELECT", nil, "", driver.ReaderFunc(read)) })
		require.Zero(t, p.DB().Stats().InUse)
		require.Zero(t, d.OpenConns(), "what it was in the middle of nobody knows")
		require.NoError(t, requestStory(t.Context(), p))
	}
}

// Value methods are the program's own: one that ends its goroutine must not
// take the connection with it.
func TestRequest_OutlivesAValueThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	p := driver.OpenConnector(driver.Options{MaxOpen: 1, MaxIdle: 1}, instant{})
	defer p.Close()
	var wg sync.WaitGroup
	wg.Go(func() { _, _, _ = p.Exec(t.Context(), 0, "INSERT", []any{"a", ending{}}) })
	wg.Go(func() { _, _, _ = p.Query(t.Context(), 0, "SELECT", []any{ending{}}, "", driver.ReaderFunc(readAll)) })
	wg.Wait()
	require.Zero(t, p.DB().Stats().InUse)
	_, _, err := p.Exec(t.Context(), time.Second, "INSERT", []any{"a"})
	require.NoError(t, err)
}

type ending struct{}

func (ending) Value() (sqldriver.Value, error) {
	runtime.Goexit()
	return nil, nil
}

func TestRequest_WaitsForItsTurnAndNoLonger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
		c, err := p.Acquire(t.Context(), time.Second)
		require.NoError(t, err)
		d.Record()
		start := time.Now()
		_, had, err := p.Exec(t.Context(), time.Second, "INSERT", nil)
		var timeout *driver.AcquireTimeoutError
		require.ErrorAs(t, err, &timeout)
		require.Equal(t, "script", timeout.Node)
		require.NoError(t, timeout.Err)
		require.False(t, had)
		require.Equal(t, time.Second, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, stage, err := p.Query(ctx, time.Second, "SELECT", nil, "", driver.ReaderFunc(readAll))
		require.ErrorAs(t, err, &timeout)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, driver.StageAcquire, stage)
		require.Empty(t, d.Log(), "nothing was sent")

		time.AfterFunc(300*time.Millisecond, c.Release)
		n, _, err := p.Query(t.Context(), time.Second, "SELECT", nil, "", driver.ReaderFunc(readAll))
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		time.Sleep(2 * time.Second) // the wait is over: its bound ends nothing any more
		require.NoError(t, requestStory(t.Context(), p))
	})
}

// A driver may keep a context as long as its statement runs, and longer.
func TestRequest_HasTheCallersOwnContext(t *testing.T) {
	t.Parallel()
	c := &contexts{}
	p := driver.OpenConnector(driver.Options{MaxOpen: 1, MaxIdle: 1}, c)
	defer p.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, _, err := p.Exec(ctx, time.Second, "INSERT", nil)
	require.NoError(t, err)
	require.Equal(t, []context.Context{ctx, ctx}, c.seen)
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
func TestRequest_TakesItsTimeOnceItHasAConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
		d.On("slow", drivertest.Answer{Latency: time.Minute})
		c, err := p.Acquire(t.Context(), 0)
		require.NoError(t, err)
		time.AfterFunc(time.Second/2, c.Release)
		_, _, err = p.Exec(t.Context(), time.Second, "slow", nil)
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, had, err := p.Exec(ctx, 0, "slow", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, had)
		require.Equal(t, time.Second, time.Since(start))
	})
}

func TestRequest_InsideOfAnotherWaitsNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
		_, _, err := p.Query(t.Context(), time.Second, "SELECT", nil, "", driver.ReaderFunc(func(rows driver.Rows) (int64, error) {
			_, _, err := p.Exec(t.Context(), time.Second, "INSERT", nil)
			var timeout *driver.AcquireTimeoutError
			require.ErrorAs(t, err, &timeout)
			return readAll(rows)
		}))
		require.NoError(t, err)
	})
}

func TestRequest_OfAnEndedContextSendsNothing(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	d.Record()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, had, err := p.Exec(ctx, time.Second, "INSERT", nil)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, had)
	require.True(t, driver.Classify(err).NotSent)
	_, stage, err := p.Query(ctx, time.Second, "SELECT", nil, "", driver.ReaderFunc(readAll))
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, driver.StageAcquire, stage)
	require.Empty(t, d.Log())
}

func TestRequest_OnAClosedPool(t *testing.T) {
	t.Parallel()
	_, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	require.NoError(t, p.Close())
	_, had, err := p.Exec(t.Context(), time.Second, "INSERT", nil)
	require.ErrorIs(t, err, driver.ErrPoolClosed)
	require.False(t, had)
	_, _, err = p.Query(t.Context(), time.Second, "SELECT", nil, "", driver.ReaderFunc(readAll))
	require.ErrorIs(t, err, driver.ErrPoolClosed)
}

func TestRequest_WithoutAConnectionToHave(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	d.FailAt(1, io.ErrUnexpectedEOF)
	_, had, err := p.Exec(t.Context(), time.Second, "INSERT", nil)
	var connect *driver.ConnectError
	require.ErrorAs(t, err, &connect)
	require.Equal(t, "script", connect.Node)
	require.False(t, had)
	require.NoError(t, requestStory(t.Context(), p))
}

// A connection that is found useless when it is taken is replaced before
// anything of the statement is sent, which runs once.
func TestRequest_ReplacesAConnectionOfNoUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1, MaxLifetime: time.Minute})
		d.Record()
		for range 3 {
			_, _, err := p.Exec(t.Context(), time.Second, "INSERT", nil)
			require.NoError(t, err)
			time.Sleep(70 * time.Second)
		}
		require.Equal(t, []string{"CONNECT", "INSERT", "CONNECT", "INSERT", "CONNECT", "INSERT"}, d.Log())
		require.NoError(t, p.Close())
	})
}

// Statements that leave something behind in the session end the connection.
func TestRequest_LeavesNothingToTheNext(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 1, MaxIdle: 1})
	for _, query := range []string{"SET x = 1", "BEGIN"} {
		_, _, err := p.Exec(t.Context(), 0, query, nil)
		require.NoError(t, err)
		require.Zero(t, d.OpenConns(), query)
	}
}

func TestRequest_OfManyGoroutines(t *testing.T) {
	t.Parallel()
	d, p := scripted(t, driver.Options{MaxOpen: 2, MaxIdle: 2, StatementCache: 4})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 200 {
				require.NoError(t, requestStory(t.Context(), p))
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, d.OpenConns(), 2)
	require.Zero(t, p.DB().Stats().InUse)
}
