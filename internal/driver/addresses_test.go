//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// resolving sets the resolver of the program until the test ends.
func resolving(t *testing.T) *fakeDNS {
	t.Helper()
	dns := &fakeDNS{}
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: dns.dial}
	t.Cleanup(func() { net.DefaultResolver = before })
	return dns
}

// Not parallel: it sets the resolver of the program.
func TestConnect_EachAddressOfANameHasItsShare(t *testing.T) {
	dns := resolving(t)
	for _, dialect := range []string{"postgres", "mysql"} {
		t.Run(dialect, func(t *testing.T) {
			db := dbtest.New(t, dialect)
			mute := listenMute(t, "127.0.0.2", db.Port)
			dns.answer("127.0.0.2", "127.0.0.1")
			o := optionsFor(db)
			o.Host, o.ConnectTimeout, o.MaxOpen, o.MaxIdle = "db.dbfleet.test", 6*time.Second, 20, 20
			p := open(t, o)
			asked := dns.asked.Load()
			for range 10 {
				acquire(t, p)
			}
			require.GreaterOrEqual(t, mute.Load(), int64(1), "it was tried")
			require.LessOrEqual(t, mute.Load(), int64(1), "and then came after the other")
			require.GreaterOrEqual(t, dns.asked.Load()-asked, int64(10), "a name is looked up at each dial")

			dns.answer("127.0.0.2") // it leads elsewhere now
			o.ConnectTimeout = 300 * time.Millisecond
			q := open(t, o)
			_, err := q.Acquire(t.Context(), 0)
			require.Equal(t, Connection, Classify(err).Class, "%v", err)
			var silence *SilenceError
			require.ErrorAs(t, err, &silence)

			dns.answer("127.0.0.2", "127.0.0.3")
			listenMute(t, "127.0.0.3", db.Port)
			_, err = q.Acquire(t.Context(), 0)
			require.Equal(t, Connection, Classify(err).Class, "%v", err)
			require.True(t, Classify(err).NotSent)
			require.ErrorAs(t, err, &silence)

			dns.answer("127.0.0.2", "127.0.0.1") // the server's word is the last one
			o.ConnectTimeout, o.Password = 6*time.Second, func() string { return "wrong" }
			_, err = open(t, o).Acquire(t.Context(), 0)
			require.Equal(t, Auth, Classify(err).Class, "%v", err)

			dns.answer()
			_, err = q.Acquire(t.Context(), 0)
			require.Equal(t, Connection, Classify(err).Class, "%v", err)
			require.True(t, Classify(err).NotSent)
		})
	}
}

// listenMute accepts connections and says nothing. It counts them.
func listenMute(t testing.TB, host string, port int) *atomic.Int64 {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	require.NoError(t, err)
	var accepted atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			wg.Go(func() {
				defer nc.Close()
				_, _ = io.Copy(io.Discard, nc)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return &accepted
}

// fakeDNS answers each question for IPv4 addresses in the same way.
type fakeDNS struct {
	asked atomic.Int64

	mu   sync.Mutex
	list []string
}

func (d *fakeDNS) answer(addresses ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = addresses
}

// dial is that of a net.Resolver, which speaks as over TCP with what is no packet
// connection.
func (d *fakeDNS) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		for {
			var size [2]byte
			if _, err := io.ReadFull(server, size[:]); err != nil {
				return
			}
			question := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(server, question); err != nil {
				return
			}
			answer := d.reply(question)
			if _, err := server.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
				return
			}
		}
	}()
	return client, nil
}

// reply answers a message with one question, by RFC 1035.
func (d *fakeDNS) reply(question []byte) []byte {
	end := 12
	for question[end] != 0 {
		end += 1 + int(question[end])
	}
	end += 5 // the root, type and class
	var list []string
	if kind := binary.BigEndian.Uint16(question[end-4:]); kind == 1 {
		d.asked.Add(1)
		d.mu.Lock()
		list = d.list
		d.mu.Unlock()
	}
	b := append([]byte{}, question[:2]...)
	b = append(b, 0x81, 0x80, 0, 1, 0, byte(len(list)), 0, 0, 0, 0)
	b = append(b, question[12:end]...)
	for _, address := range list {
		b = append(b, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		b = append(b, net.ParseIP(address).To4()...)
	}
	return b
}
