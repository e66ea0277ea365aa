package tenants

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

const (
	loadBudget  = 6
	loadWorkers = 16
	loadSoon    = time.Minute // until when what happens soon has happened on a busy machine
)

// torture has the load last for twenty times as long.
var torture = os.Getenv("DBFLEET_TORTURE") != ""

// crowd are tenants with a database each, of whom some have none that answers, and some
// leave while they are used.
type crowd struct {
	reg   *dbfleet.Registry
	notes *dbfleet.Model[note]
	names []string
	open  lines // connections to servers
	gone  sync.Map
	wrote []atomic.Int64 // rows by tenant
	hot   []time.Duration
	mu    sync.Mutex // protects following field
	cold  []time.Duration
}

// crowdOn makes the databases of tenants: files, schemas of PostgreSQL, databases of MariaDB.
func crowdOn(t *testing.T, db dbtest.Database, n int) (s *crowd, connect func(string) dbfleet.ConnectionConfig) {
	t.Helper()
	s = &crowd{wrote: make([]atomic.Int64, n)}
	for i := range n {
		s.names = append(s.names, fmt.Sprint("t", i))
	}
	table := conformance.DDL(db.Dialect, "CREATE TABLE notes (id {id}, text {text} NOT NULL)")
	if db.Dialect == "sqlite" {
		db.Exec(t, "PRAGMA journal_mode = WAL", table)
		empty, err := os.ReadFile(db.Name)
		require.NoError(t, err)
		folder := t.TempDir()
		for _, name := range s.names {
			require.NoError(t, os.WriteFile(filepath.Join(folder, name+".db"), empty, 0o600))
		}
		return s, func(tenant string) dbfleet.ConnectionConfig {
			if strings.HasPrefix(tenant, "down") {
				return dbfleet.ConnectionConfig{Database: filepath.Join(folder, "nowhere", tenant+".db")}
			}
			return dbfleet.ConnectionConfig{Database: filepath.Join(folder, tenant+".db"), SQLite: dbfleet.SQLiteConfig{Synchronous: "OFF"}}
		}
	}
	prefix := strings.ToLower(db.Name) + "_"
	for _, name := range s.names {
		makeSchema(t, db, prefix+name)
		if db.Dialect == "postgres" {
			db.Exec(t, "SET search_path TO "+prefix+name+"; "+table)
		} else {
			db.Server.Exec(t, strings.Replace(table, "notes", "`"+prefix+name+"`.notes", 1))
		}
	}
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := refusing.Addr().(*net.TCPAddr).Port
	require.NoError(t, refusing.Close())
	return s, func(tenant string) dbfleet.ConnectionConfig {
		c := conformance.ConnectionTo(db)
		c.Dial = s.open.dial
		switch {
		case strings.HasPrefix(tenant, "down"):
			c.Host, c.Port = "127.0.0.1", nobody
		case db.Dialect == "postgres":
			c.Params = map[string]string{"search_path": prefix + tenant}
		default:
			c.Database = prefix + tenant
		}
		return c
	}
}

// begin opens a registry whose tenants they are.
func (s *crowd) begin(t *testing.T, driver string, connect func(string) dbfleet.ConnectionConfig) {
	t.Helper()
	var err error
	s.reg, err = dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"shops": {
		Driver: dbfleet.Driver(driver),
		Tenants: &dbfleet.TenantsConfig{
			MaxOpen: loadBudget, MaxTenants: 20, IdleClose: 30 * time.Millisecond,
			Connect: func(_ context.Context, tenant string) (dbfleet.ConnectionConfig, error) {
				if _, gone := s.gone.Load(tenant); gone || strings.HasPrefix(tenant, "nobody") {
					return dbfleet.ConnectionConfig{}, dbfleet.ErrUnknownTenant
				}
				c := connect(tenant)
				c.Pool = dbfleet.PoolConfig{MaxOpen: 4, AcquireTimeout: loadSoon}
				return c, nil
			},
		},
	}}})
	require.NoError(t, err)
	s.notes = conformance.Model[note](t, s.reg, dbfleet.ModelConfig{Table: "notes", Connection: "shops"})
}

var errUndo = errors.New("undo")

// use does something with a tenant's database, and says what was not right.
func (s *crowd) use(parent context.Context, i, kind int) error {
	tenant := s.names[i]
	ctx, cancel := context.WithTimeout(dbfleet.WithTenant(parent, tenant), loadSoon)
	defer cancel()
	create := func(ctx context.Context) error { return s.notes.Create(ctx, &note{Text: tenant}) }
	switch kind {
	case 0:
		if err := create(ctx); err != nil {
			return err
		}
		s.wrote[i].Add(1)
	case 1:
		err := s.reg.Transaction(ctx, "shops", func(ctx context.Context, _ *dbfleet.Tx) error {
			return errors.Join(create(ctx), create(ctx))
		})
		if err != nil {
			return err
		}
		s.wrote[i].Add(2)
	case 2:
		err := s.reg.Transaction(ctx, "shops", func(ctx context.Context, _ *dbfleet.Tx) error {
			return errors.Join(create(ctx), errUndo)
		})
		if !errors.Is(err, errUndo) {
			return fmt.Errorf("a transaction that was undone: %w", err)
		}
	default:
		for n, err := range s.notes.Query().Iter(ctx) {
			if err != nil {
				return err
			}
			if n.Text != tenant {
				return fmt.Errorf("tenant %q has read %q, a row of another's", tenant, n.Text)
			}
		}
	}
	return nil
}

// work is what one goroutine does.
func (s *crowd) work(ctx context.Context, seed uint64, steps int) error {
	random := rand.New(rand.NewPCG(seed, 1))
	for range steps {
		switch random.IntN(12) {
		case 0:
			if err := s.reg.DB("shops").Ping(dbfleet.WithTenant(ctx, fmt.Sprint("down", random.IntN(5)))); err == nil {
				return errors.New("a database that is not there has answered")
			}
			continue
		case 1:
			if err := s.reg.DB("shops").Ping(dbfleet.WithTenant(ctx, fmt.Sprint("nobody", random.IntN(1000)))); !errors.Is(err, dbfleet.ErrUnknownTenant) {
				return fmt.Errorf("of a tenant that there is not: %w", err)
			}
			continue
		}
		i := 1 + random.IntN(len(s.names)-1)
		begun := time.Now()
		err := s.use(ctx, i, random.IntN(5))
		took := time.Since(begun)
		if _, gone := s.gone.Load(s.names[i]); gone && errors.Is(err, dbfleet.ErrUnknownTenant) {
			continue
		}
		if err != nil {
			return fmt.Errorf("tenant %q after %v: %w", s.names[i], took, err)
		}
		s.mu.Lock()
		s.cold = append(s.cold, took)
		s.mu.Unlock()
	}
	return nil
}

// workHot uses the first tenant's database, as nobody else does, until done.
func (s *crowd) workHot(ctx context.Context, done <-chan struct{}) error {
	for kind := 0; ; kind = 4 {
		begun := time.Now()
		if err := s.use(ctx, 0, kind); err != nil {
			return fmt.Errorf("the hot tenant after %v: %w", time.Since(begun), err)
		}
		s.hot = append(s.hot, time.Since(begun))
		select {
		case <-done:
			return nil
		default:
		}
	}
}

// watch counts connections until done: the most that the registry tells, and of those that
// the server has the ones that were still open afterwards, so at the same time.
func (s *crowd) watch(t *testing.T, db dbtest.Database, done <-chan struct{}) (told, onServer int) {
	t.Helper()
	tick := time.NewTicker(conformance.WaitingTick)
	defer tick.Stop()
	for {
		stats, err := s.reg.TenantsStats("shops")
		require.NoError(t, err)
		told = max(told, stats.Open)
		if db.Server != nil {
			onServer = max(onServer, s.open.still(clientPorts(t, db)))
		}
		select {
		case <-done:
			return told, onServer
		case <-tick.C:
		}
	}
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// promise: many tenants share a few connections; nobody sees another's row, the bound
// holds, and nothing is left.
func TestLoad_ManyTenantsShareAFewConnections(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		db, tenants, steps := fl.Database, 60, 60
		if db.Dialect == "sqlite" {
			tenants = 300
		}
		if torture {
			steps *= 20
		}
		s, connect := crowdOn(t, db, tenants)
		pprof.Do(context.Background(), pprof.Labels("test", t.Name()), func(ctx context.Context) { // and all goroutines below
			s.begin(t, db.Dialect, connect)
			errs := make(chan error, loadWorkers+1)
			var all sync.WaitGroup
			for g := range loadWorkers {
				all.Go(func() { errs <- s.work(ctx, uint64(g), steps) })
			}
			all.Go(func() { // half of the tenants leave one by one, but for the hot one
				for i := tenants - 1; i > tenants/2; i-- {
					s.gone.Store(s.names[i], true)
					_ = s.use(ctx, i, 4)
				}
			})
			done := make(chan struct{})
			var told, onServer int
			var watching sync.WaitGroup
			watching.Go(func() { told, onServer = s.watch(t, db, done) })
			watching.Go(func() { errs <- s.workHot(ctx, done) })
			all.Wait()
			close(done)
			watching.Wait()
			close(errs)
			for err := range errs {
				require.NoError(t, err)
			}
			require.LessOrEqual(t, told, loadBudget)
			require.LessOrEqual(t, onServer, loadBudget)
			require.LessOrEqual(t, s.open.most, loadBudget, "connections that were dialled, and not closed")
			if db.Server != nil {
				require.Positive(t, onServer)
			}
			hot, cold := median(s.hot), median(s.cold)
			t.Logf("%d tenants, %d connections: the hot tenant takes %v, at most %v; others %v, at most %v", tenants, max(told, onServer), hot, s.hot[len(s.hot)-1], cold, s.cold[len(s.cold)-1])
			require.LessOrEqual(t, hot, 3*cold, "who is used all the time does not wait for longer than others")

			s.requireRows(t)
			require.NoError(t, s.reg.Close())
			require.Zero(t, s.open.still(clientPortsOr(t, db)))
		})
		require.Eventually(t, func() bool { return !runsLabelled(t.Name()) }, loadSoon, 10*time.Millisecond, "a goroutine is left")
		if db.Server == nil {
			folder := filepath.Dir(connect("t0").Database)
			require.Empty(t, openBelow(t, folder), "files are left open")
		}
	})
}

// requireRows asks each tenant for its rows: all that were written, and no others. Those
// who have left are not there any more as soon as nobody uses them.
func (s *crowd) requireRows(t *testing.T) {
	t.Helper()
	for i, tenant := range s.names {
		ctx := dbfleet.WithTenant(t.Context(), tenant)
		if _, gone := s.gone.Load(tenant); gone {
			require.Eventually(t, func() bool { return errors.Is(s.reg.DB("shops").Ping(ctx), dbfleet.ErrUnknownTenant) }, loadSoon, 100*time.Millisecond)
			continue
		}
		list, err := s.notes.Query().Get(ctx)
		require.NoError(t, err)
		require.EqualValues(t, s.wrote[i].Load(), len(list), tenant)
		for _, n := range list {
			require.Equal(t, tenant, n.Text)
		}
	}
}
