package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testKeys are keys of every kind, named as the root names its own.
var testKeys = Keys{
	{"driver", Driver}, {"url", Text}, {"host", Text}, {"port", Port}, {"socket", Text},
	{"database", Text}, {"username", Text}, {"password", Text},
	{"tls.mode", TLSMode}, {"tls.ca_file", Text}, {"tls.cert_file", Text}, {"tls.key_file", Text}, {"tls.key", Text},
	{"read_hosts", List}, {"connect_timeout", Duration}, {"statement_timeout", Duration}, {"pooler", Bool},
	{"sqlite.journal_mode", Text}, {"sqlite.synchronous", Text}, {"sqlite.busy_timeout", Duration},
	{"pool.max_open", Number}, {"pool.max_lifetime", Duration}, {"read_pool.max_open", Number}, {"ssl", SSL},
}

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

// keysOf returns the keys of the faults, in their order.
func keysOf(faults []*Fault) []string {
	keys := []string{}
	for _, fault := range faults {
		keys = append(keys, fault.Key)
	}
	return keys
}

func TestFaults_NameTheVariableThatGaveTheSetting(t *testing.T) {
	t.Parallel()
	f := NewFaults("users", "DB_USERS_")
	s := Settings{"host": "h"}
	s.Merge(testKeys, Settings{"host": "h", "pool.max_open": 3}, f)
	f.Add("pool.max_open", "is bad")
	f.Add("host", "is bad")
	f.Add("params.role", "is bad")
	variables := []string{}
	for _, fault := range f.List() {
		variables = append(variables, fault.Variable)
		require.Equal(t, "users", fault.Connection)
	}
	require.Equal(t, []string{"DB_USERS_URL", "DB_USERS_HOST", "DB_USERS_URL"}, variables)
	require.True(t, f.Has("host"))
	require.False(t, f.Has("port"))
}

func TestMerge_RefusesAnotherValueForTheSameKey(t *testing.T) {
	t.Parallel()
	s := Settings{"host": "h", "port": 1, "read_hosts": []string{"a"}, "pooler": true, "params.role": "r", "params.x": ""}
	f := NewFaults("", "")
	s.Merge(testKeys, Settings{
		"host": "h", "port": 2, "read_hosts": []string{"a"}, "pooler": true, "database": "d", "params.role": "s", "params.x": "y", "params.z": "",
	}, f)
	require.Equal(t, []string{"port", "params.role", "params.x"}, keysOf(f.List()))
	require.Equal(t, Settings{
		"host": "h", "port": 1, "read_hosts": []string{"a"}, "pooler": true, "database": "d", "params.role": "r", "params.x": "", "params.z": "",
	}, s)
	require.Equal(t, map[string]string{"role": "r", "x": "", "z": ""}, s.Params())

	f = NewFaults("", "")
	s.Merge(testKeys, Settings{"read_hosts": []string{"b"}}, f)
	require.Equal(t, []string{"read_hosts"}, keysOf(f.List()))
}

func TestSettings_LeaveZeroValuesOut(t *testing.T) {
	t.Parallel()
	s := make(Settings)
	for i, zero := range []any{"", 0, false, time.Duration(0), []string(nil), []string{}, nil} {
		s.Set(fmt.Sprint(i), zero)
	}
	require.Empty(t, s)
	s.Set("port", 1)
	require.Equal(t, Settings{"port": 1}, s)
	require.Nil(t, s.Params())
}
