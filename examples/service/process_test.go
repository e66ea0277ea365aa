package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// logs is what a service writes; safe for concurrent use.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var listening = regexp.MustCompile(`url=(http://127\.0\.0\.1:\d+)`)

// startProcess runs the service as a program of its own.
func startProcess(t *testing.T, variables []string, args ...string) (s *service, end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	cmd.Env = append([]string{"RUN_AS_SERVICE=1", "TMPDIR=" + t.TempDir()}, variables...)
	out := &logs{}
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	s = &service{t: t, logs: out}
	require.Eventually(t, func() bool {
		m := listening.FindStringSubmatch(out.String())
		if m != nil {
			s.url = m[1]
		}
		return m != nil
	}, 20*time.Second, 5*time.Millisecond, "%s", out)
	return s, func() {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait(), "it ends well: %s", out)
	}
}

// environment describes a fleet as DB_USERS_DB_HOST and so on.
func environment(t *testing.T, dialect string) []string {
	list := []string{"DB_CONNECTION=" + usersDB}
	for _, name := range connectionNames {
		db := dbtest.New(t, dialect)
		set := func(key, value string) {
			list = append(list, fmt.Sprintf("DB_%s_%s=%s", strings.ToUpper(name), key, value))
		}
		set("DRIVER", dialect)
		set("DATABASE", db.Name)
		if dialect != "sqlite" {
			set("HOST", db.Host)
			set("PORT", fmt.Sprint(db.Port))
			set("USERNAME", db.Username)
			set("PASSWORD", db.Password)
		}
	}
	return list
}

func TestService_IsConfiguredByTheEnvironmentAndEndsGracefully(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, dialect string) {
		variables := environment(t, dialect)
		s, end := startProcess(t, variables)
		s.want(http.StatusCreated, "POST", "/users", `{"name":"Ada","email":"ada@example.com"}`)
		s.want(http.StatusCreated, "POST", "/orders", `{"user_id":1,"total_amount":12.5}`)
		require.Equal(t, "healthy", s.want(http.StatusOK, "GET", "/health", "")["status"])
		end()

		s, end = startProcess(t, variables)
		require.Equal(t, "Ada", at(s.want(http.StatusOK, "GET", "/users/1", ""), "data", "name"), "it is still there")
		end()
	})
}

func TestService_NeedsNothingWithoutAnEnvironment(t *testing.T) {
	t.Parallel()
	s, end := startProcess(t, nil)
	s.want(http.StatusCreated, "POST", "/users", `{"name":"Ada","email":"ada@example.com"}`)
	end()

	dir := t.TempDir()
	s, end = startProcess(t, nil, "-dir", dir)
	s.want(http.StatusCreated, "POST", "/users", `{"name":"Ada","email":"ada@example.com"}`)
	end()
	require.FileExists(t, dir+"/users.db")
}

func TestService_NamesWhatIsWrongInTheEnvironment(t *testing.T) {
	t.Parallel()
	refused := func(variables ...string) string {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(variables, "RUN_AS_SERVICE=1")
		text, err := cmd.CombinedOutput()
		require.Error(t, err)
		return string(text)
	}
	text := refused("DB_CONNECTION=users_db", "DB_USERS_DB_HOST=localhost", "DB_USERS_DB_PORT=secret")
	require.Contains(t, text, "DB_USERS_DB_PORT")
	require.NotContains(t, text, "secret")
	text = refused("DB_CONNECTION=users_db", "DB_USERS_DB_URL=sqlite::memory:", "DB_ANALYTICS_URL=sqlite::memory:")
	require.Contains(t, text, `unknown connection "orders_shard_`)
}
