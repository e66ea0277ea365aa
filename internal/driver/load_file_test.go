//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// askingServer stands between a program and a real server, keeps what the
// program sends, and may put a request for one of the program's files in the
// place of what the server says.
type askingServer struct {
	mu   sync.Mutex // protects following fields
	ask  string     // the file that the next answer asks for
	only bool       // instead of another request for a file only
	sent bytes.Buffer
}

func (s *askingServer) next(file string, only bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ask, s.only = file, only
}

func (s *askingServer) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent.String()
}

func (s *askingServer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent.Write(b)
}

func startAskingServer(t *testing.T, db dbtest.Database) (*askingServer, dbtest.Database) {
	t.Helper()
	s := &askingServer{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	real := net.JoinHostPort(db.Host, fmt.Sprint(db.Port))
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", real)
			if err != nil {
				_ = client.Close()
				continue
			}
			running.Go(func() {
				_, _ = io.Copy(io.MultiWriter(server, s), client)
				_ = server.Close()
			})
			running.Go(func() {
				s.answer(client, server)
				_ = client.Close()
			})
		}
	})
	db.Host, db.Port = "127.0.0.1", listener.Addr().(*net.TCPAddr).Port
	return s, db
}

// answer passes packets on: three bytes of length, a number, the content.
func (s *askingServer) answer(client, server net.Conn) {
	head := make([]byte, 4)
	for {
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}
		body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
		if _, err := io.ReadFull(server, body); err != nil {
			return
		}
		s.mu.Lock()
		if s.ask != "" && head[3] == 1 && (!s.only || len(body) > 0 && body[0] == 0xfb) {
			body = append([]byte{0xfb}, s.ask...)
			head[0], head[1], head[2] = byte(len(body)), byte(len(body)>>8), 0
			s.ask = ""
		}
		s.mu.Unlock()
		if _, err := client.Write(append(head[:4:4], body...)); err != nil {
			return
		}
	}
}

// No file of the program can be had by a server: not by asking during a load,
// not by asking in the answer to anything else, and not by the name of an
// earlier load.
func TestLoad_GivesNoFileToAServerThatAsks(t *testing.T) {
	t.Parallel()
	const secret = "the content of a file that no server may have"
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))

	db := dbtest.New(t, "mysql")
	server, through := startAskingServer(t, db)
	p := open(t, optionsFor(through))
	ctx := t.Context()
	load := func() (int64, error) {
		c, err := p.Acquire(ctx, 0)
		require.NoError(t, err)
		defer c.Release()
		require.NoError(t, c.Begin(ctx, TxOptions{}))
		n, err := loadAll(ctx, c, loadTarget(db, "items", "b"), 2, func(int) []any { return []any{"a row"} })
		if err != nil {
			return n, err
		}
		return n, c.Commit(ctx)
	}
	func() {
		c, err := p.Acquire(ctx, 0)
		require.NoError(t, err)
		defer c.Release()
		mustExec(t, c, "CREATE TABLE items (b LONGTEXT)")
	}()
	n, err := load()
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	name := regexp.MustCompile(`Reader::dbfleet-\w{26}`).FindString(server.heard())
	require.NotEmpty(t, name, "the load went another way")
	require.Equal(t, 2, strings.Count(server.heard(), "a row\n"))

	for _, ask := range []string{file, "file://" + file, "Reader::" + file, name, "/tmp/" + name} {
		server.next(ask, true)
		_, err := load()
		require.Error(t, err, ask)
		require.Equal(t, 2, strings.Count(server.heard(), "a row\n"), "not even the rows, as %s", ask)

		server.next(ask, false)
		err = func() error {
			c, err := p.Acquire(ctx, 0) // a new connection, which the server asks too
			if err != nil {
				return err
			}
			defer c.Release()
			_, err = c.Exec(ctx, "SET @a = 1", nil)
			return err
		}()
		require.Error(t, err, ask)
	}
	require.NotContains(t, server.heard(), secret)
	require.Equal(t, "[[2]]", fmt.Sprint(rowsOf(t, acquire(t, open(t, optionsFor(db))), "SELECT COUNT(*) FROM items")))
}
