package dbfleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/config"
)

// canary is a secret that must be seen nowhere.
const canary = "CANARY"

// requireNoCanary fails if text contains the secret, plain or in hexadecimal.
func requireNoCanary(t testing.TB, text string) {
	t.Helper()
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("% x", canary), fmt.Sprint([]byte(canary))} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			t.Fatalf("the secret is in %q", text)
		}
	}
}

// percentEncoded writes every byte of s as %XX.
func percentEncoded(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// promise: secrets appear nowhere; hazard 361
func TestConfig_ShowsNoSecretHoweverItIsPrinted(t *testing.T) {
	t.Parallel()
	secretive := ConnectionConfig{
		Driver: Postgres, Host: "visible.example.com", Database: "d", Username: "u", Password: canary,
		TLS:      TLSConfig{Cert: canary, Key: canary, CA: canary},
		Params:   map[string]string{"password": canary, "sslpassword": canary, "p%61ssword": canary, "api_token": canary, "role": "r"},
		Replicas: []ReplicaConfig{{Host: "visible.example.com", Params: map[string]string{"api_token": canary, "role": "r"}}},
	}
	configs := []ConnectionConfig{secretive}
	for _, text := range []string{
		"postgres://u:" + canary + "@visible.example.com/d",
		"postgres://" + canary + ":x@visible.example.com/d",
		"postgres://u:" + percentEncoded(canary) + "@visible.example.com/d",
		"postgres://visible.example.com/d?user=u&password=" + canary,
		"postgres://visible.example.com/d?user=u&p%61ssword=" + canary,
		"postgres://visible.example.com/d?sslpassword=" + percentEncoded(canary),
		"postgres://u:" + canary + "@h1:1,h2:2/d",
		"postgres://u:" + canary + " x@@@/",
		"user:" + canary + "@tcp(h)/d", "host=h password=" + canary, canary,
	} {
		configs = append(configs, ConnectionConfig{URL: Secret(text), ReadPool: &PoolConfig{}})
	}
	for _, c := range configs {
		config := Config{Connections: map[string]ConnectionConfig{"visible.example.com": c}}
		type holder struct {
			C  ConnectionConfig
			P  *ConnectionConfig
			T  TLSConfig
			In any
		}
		for _, v := range []any{
			c, &c, config, &config, c.TLS, &c.TLS, []ConnectionConfig{c}, []*ConnectionConfig{&c},
			c.Replicas, map[string]ConnectionConfig{"x": c}, map[string]any{"x": c}, holder{c, &c, c.TLS, config}, &holder{C: c, In: &c}, c.printed(),
		} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%10.200v", "%#q"} {
				text := fmt.Sprintf(verb, v)
				requireNoCanary(t, text)
				requireNoCanary(t, strings.ReplaceAll(text, percentEncoded(canary), canary))
			}
			requireNoCanary(t, fmt.Sprint(v)+fmt.Sprintln(v))
			requireNoCanary(t, fmt.Errorf("x: %w", fmt.Errorf("%v", v)).Error())

			data, err := json.Marshal(v)
			require.NoError(t, err)
			requireNoCanary(t, strings.ReplaceAll(string(data), percentEncoded(canary), canary))

			var out bytes.Buffer
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v, slog.Group("g", "v", v))
			requireNoCanary(t, strings.ReplaceAll(out.String(), percentEncoded(canary), canary))
		}
		if _, err := config.prepare(); err != nil {
			requireNoCanary(t, err.Error()+fmt.Sprintf("%+v %#v", err, err))
		}
	}
	for _, text := range []string{secretive.String(), secretive.GoString(), fmt.Sprintf("%q", secretive)} {
		require.Contains(t, text, "visible.example.com")
		require.Contains(t, text, config.Redacted)
	}
	require.Contains(t, secretive.GoString(), "dbfleet.ConnectionConfig{")
	require.Equal(t, canary, secretive.Params["password"], "printing changes nothing")
}

// A printed configuration cannot be taken for one with real secrets.
func TestConfig_RedactedJSONIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []ConnectionConfig{
		{Driver: MySQL, Host: "h", Database: "d", Username: "u", Password: "p"},
		{URL: Secret((&url.URL{Scheme: "mysql", User: url.UserPassword("u", "p"), Host: "h", Path: "/d"}).String())},
	} {
		data, err := json.Marshal(c)
		require.NoError(t, err)
		var again ConnectionConfig
		require.NoError(t, json.Unmarshal(data, &again))
		_, err = again.prepare("x")
		require.ErrorContains(t, err, "stands for a secret")
	}
}
