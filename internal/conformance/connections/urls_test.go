package connections

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// One text that is enough for the driver is enough here: what go-sql-driver/mysql,
// libpq and SQLite's drivers take connects, too.
func TestURL_OtherLibrariesTextsConnect(t *testing.T) {
	t.Parallel()
	conformance.OnServers(t, func(t *testing.T, db dbtest.Database) {
		userinfo := url.UserPassword(db.Username, db.Password).String()
		texts := map[string][]string{
			"mysql": {
				fmt.Sprintf("%s:%s@tcp(%s:%d)/%s?parseTime=true&loc=UTC&charset=utf8mb4&tls=false", db.Username, db.Password, db.Host, db.Port, db.Name),
				fmt.Sprintf("%s:%s@tcp(%s:%d)/%s?tls=skip-verify&sql_mode=%%27TRADITIONAL%%27", db.Username, db.Password, db.Host, db.Port, db.Name),
				fmt.Sprintf("mysql://%s@%s:%d/%s?ssl-mode=REQUIRED", userinfo, db.Host, db.Port, db.Name),
			},
			"postgres": {
				fmt.Sprintf("host=%s port=%d user=%s password='%s' dbname=%s sslmode=disable TimeZone=UTC", db.Host, db.Port, db.Username, db.Password, db.Name),
				fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=disable&", userinfo, db.Host, db.Port, db.Name),
				fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=require&channel_binding=require", userinfo, db.Host, db.Port, db.Name),
				fmt.Sprintf("postgres://%s@%s:%d/%s?sslmode=require&options=-c%%20search_path%%3Dpublic", userinfo, db.Host, db.Port, db.Name),
			},
		}
		for i, text := range texts[db.Dialect] {
			r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": {URL: dbfleet.Secret(text)}})
			_, err := r.Connect(t.Context(), "main")
			require.NoError(t, err, i)
		}
	})
	path := filepath.Join(t.TempDir(), "a b.db")
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
		"file":   {URL: dbfleet.Secret("file:" + url.PathEscape(path) + "?mode=rwc&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_txlock=immediate")},
		"memory": {URL: "file::memory:?cache=shared"},
	})
	for _, name := range r.Names() {
		_, err := r.Connect(t.Context(), name)
		require.NoError(t, err, name)
	}
	require.FileExists(t, path)
}

// Who sits in between, with a certificate of his own, is told the password by a
// connection that believes any certificate, if he asks for it; not by one that is bound
// to its channel.
func TestURL_ChannelBindingTellsNoStrangerThePassword(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t, "postgres")
	direct := conformance.ConnectionTo(db)
	direct.TLS.Mode = dbfleet.TLSRequire
	address, told := listenAsStranger(t)
	stranger := direct
	stranger.Host, stranger.Port = "127.0.0.1", address.Port
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{
		"direct": direct, "direct, bound": bound(direct), "stranger": stranger, "stranger, bound": bound(stranger),
	})
	for _, name := range []string{"direct", "direct, bound"} {
		_, err := r.Connect(t.Context(), name)
		require.NoError(t, err, name)
	}
	_, err := r.Connect(t.Context(), "stranger")
	require.Error(t, err)
	require.Contains(t, <-told, db.Password)
	_, err = r.Connect(t.Context(), "stranger, bound")
	require.ErrorContains(t, err, "channel binding")
	require.Empty(t, <-told)

	plain := bound(direct)
	plain.TLS.Mode = dbfleet.TLSDisable
	_, err = dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{"plain": plain}})
	require.ErrorContains(t, err, "tls.mode is disable (or ssl is false), but other TLS settings are given")
	_, err = dbfleet.Open(dbfleet.Config{Connections: map[string]dbfleet.ConnectionConfig{
		"m": {URL: "mysql://u@h/d", TLS: dbfleet.TLSConfig{ChannelBinding: true}},
	}})
	require.ErrorContains(t, err, "tls.channel_binding is set, but the driver is mysql")
}

func bound(c dbfleet.ConnectionConfig) dbfleet.ConnectionConfig {
	c.TLS.ChannelBinding = true
	return c
}

// listenAsStranger takes TLS connections of PostgreSQL's protocol with a certificate
// that nobody signed, and asks each for its password. What it is answered, "" for
// nothing, comes from told.
func listenAsStranger(t *testing.T) (address *net.TCPAddr, told <-chan string) {
	t.Helper()
	https := httptest.NewTLSServer(nil)
	certificates := https.TLS.Certificates
	https.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	answers := make(chan string, 2)
	ask := func(client net.Conn) (answer string) {
		defer client.Close()
		length := make([]byte, 4)
		body := func(from io.Reader) []byte {
			if _, err := io.ReadFull(from, length); err != nil {
				return nil
			}
			text := make([]byte, binary.BigEndian.Uint32(length)-4)
			_, _ = io.ReadFull(from, text)
			return text
		}
		body(client) // the request for TLS
		_, _ = client.Write([]byte("S"))
		inner := tls.Server(client, &tls.Config{Certificates: certificates})
		body(inner) // the name of the user and so on
		_, _ = inner.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, 3})
		if _, err := io.ReadFull(inner, length[:1]); err != nil || length[0] != 'p' {
			return ""
		}
		return string(body(inner))
	}
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			answers <- ask(client)
		}
	})
	return listener.Addr().(*net.TCPAddr), answers
}
