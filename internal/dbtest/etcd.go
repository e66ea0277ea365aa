package dbtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// An etcd is where Patroni's nodes agree on their leader: one process, one member.
type etcd struct{ *Front }

func startEtcd(t testing.TB) *etcd {
	t.Helper()
	f, err := newFront("etcd")
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	w, err := openWorkspace()
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	peers, err := w.reservePort()
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	e := &etcd{f}
	f.args = func() []string {
		programs, _ := findPatroni()
		peer := "http://" + net.JoinHostPort(loopback, strconv.Itoa(peers))
		return []string{
			programs.etcd, "--name=dbtest", "--data-dir=" + f.path("data"),
			"--listen-client-urls=" + e.url(), "--advertise-client-urls=" + e.url(),
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=dbtest=" + peer,
			"--heartbeat-interval=50", "--election-timeout=500",
		}
	}
	f.answers = func() error { return e.put("dbtest", "") }
	f.own(t)
	return e
}

func (e *etcd) url() string { return "http://" + e.Addr() }

func (e *etcd) put(key, value string) error {
	encode := base64.StdEncoding.EncodeToString
	body, err := json.Marshal(map[string]string{"key": encode([]byte(key)), "value": encode([]byte(value))})
	if err != nil {
		return err
	}
	return request(http.MethodPost, e.url()+"/v3/kv/put", body)
}

// request asks a server of this package over HTTP; an answer that is no success is
// an error.
func request(method, url string, body []byte) error {
	ctx, cancel := contextWithin(statementTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		var text bytes.Buffer
		_, _ = text.ReadFrom(answer.Body)
		return fmt.Errorf("%s %s: %s: %.500s", method, url, answer.Status, text.String())
	}
	return nil
}
