package sessions

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
)

// serviceVariable tells a process that it is one of a service, and which databases it has.
const serviceVariable = "DBFLEET_TEST_SERVICE"

// service is what a process of a service must know.
type service struct {
	Connection dbfleet.ConnectionConfig
	Password   string // a Secret tells no one
}

// TestService is the whole of a process of a service: it says where it listens, and serves
// until its input ends.
func TestService(t *testing.T) {
	text := os.Getenv(serviceVariable)
	if text == "" {
		return
	}
	var told service
	require.NoError(t, json.Unmarshal([]byte(text), &told))
	told.Connection.Password = dbfleet.Secret(told.Password)
	c := (&stage{t: t}).open(told.Connection)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: c.SessionMiddleware(dbfleet.SessionHTTP{Insecure: true})(c.handler())}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Printf("listens %s\n", listener.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	require.NoError(t, err)
	require.NoError(t, server.Shutdown(context.WithoutCancel(t.Context())))
	require.ErrorIs(t, <-served, http.ErrServerClosed)
}

// another starts another process of the service, and gives where it answers. It ends with
// the test, and has to end well.
func (s *stage) another() (url string) {
	s.t.Helper()
	connection := s.whole()
	text, err := json.Marshal(service{connection, s.db.Password})
	require.NoError(s.t, err)
	child := exec.Command(os.Args[0], "-test.run=^TestService$", "-test.count=1", "-test.timeout="+s.left().String())
	child.Env = append(os.Environ(), serviceVariable+"="+string(text), "DBFLEET_TEST_REQUIRE=")
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	require.NoError(s.t, err)
	out, err := child.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, child.Start())
	lines := bufio.NewReader(out)
	s.t.Cleanup(func() {
		require.NoError(s.t, in.Close())
		rest, readErr := io.ReadAll(lines)
		require.NoError(s.t, errors.Join(readErr, child.Wait()), "%s", rest)
	})
	line, err := lines.ReadString('\n')
	require.NoError(s.t, err)
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listens ")
	require.True(s.t, ok, line)
	return "http://" + addr
}

// left is how long the tests may still take, 0 for no bound: another process ends with its
// test, however long that takes.
func (s *stage) left() time.Duration {
	if until, ok := s.t.Deadline(); ok {
		return max(time.Until(until), 1)
	}
	return 0
}

// browser is what one user has: the cookies of the service.
type browser struct {
	http.Client
	name string // of the user's counter
}

// open is a user's browser that has no cookies yet. through has the connections of all.
func open(through *http.Transport, name string) *browser {
	jar, _ := cookiejar.New(nil) // which never fails
	return &browser{http.Client{Jar: jar, Transport: through}, name}
}

// ask sends a request of the user to one of the processes.
func (b *browser) ask(ctx context.Context, method, url string) (body, from string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return "", "", err
	}
	res, err := b.Do(req)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.New(res.Status)
	}
	return string(text), res.Header.Get("Read-From"), err
}

func (b *browser) read(ctx context.Context, process string) (value, from string, err error) {
	return b.ask(ctx, http.MethodGet, process+"/"+b.name)
}

func (b *browser) write(ctx context.Context, process, value string) error {
	_, _, err := b.ask(ctx, http.MethodPost, process+"/"+b.name+"/"+value)
	return err
}

// promise: never stale within a session, also from one process to the next. With replay
// paused on all replicas many writes are each followed by a read in the other process,
// which knows of the write by the cookie alone.
func TestSession_GoesOnInAnotherProcessByItsCookie(t *testing.T) {
	t.Parallel()
	onClusters(t, func(t *testing.T, s *stage) {
		for i := range users {
			s.create(fmt.Sprint(i))
		}
		s.cluster.WaitCaughtUp(t)
		processes := []string{s.another(), s.another()}
		through := &http.Transport{MaxIdleConnsPerHost: users}
		t.Cleanup(through.CloseIdleConnections)
		browsers := make([]*browser, users)
		for i := range browsers {
			browsers[i] = open(through, fmt.Sprint(i))
			value, from, err := browsers[i].read(t.Context(), processes[i%2])
			require.NoError(t, err)
			require.Equal(t, "0 at replica", value+" at "+from, "before the first write")
		}
		s.hold()
		var stale atomic.Int64
		atOnce(t, func(i int) error {
			user, ctx := browsers[i], t.Context()
			for n := range writes {
				value := strconv.Itoa(n + 1)
				if err := user.write(ctx, processes[n%2], value); err != nil {
					return err
				}
				is, from, err := user.read(ctx, processes[(n+1)%2])
				switch {
				case err != nil:
					return err
				case is != value:
					stale.Add(1)
				case from != "primary":
					return fmt.Errorf("read %s at %s", is, from)
				}
				if n%50 != 0 {
					continue
				}
				stranger := open(through, user.name)
				if is, from, err := stranger.read(ctx, processes[n%2]); err != nil || is != "0" || from != "replica" {
					return fmt.Errorf("who has written nothing has read %s at %s: %w", is, from, err)
				}
			}
			return nil
		})
		require.Zero(t, stale.Load())
		s.release()
		for i, user := range browsers {
			require.Eventually(t, func() bool {
				is, from, err := user.read(t.Context(), processes[i%2])
				require.NoError(t, err)
				require.Equal(t, strconv.Itoa(writes), is)
				return from == "replica"
			}, soon, often, "once a replica has it")
		}
	})
}
