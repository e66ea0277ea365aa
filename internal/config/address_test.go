package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSplitAddress_TakesAHostWithOrWithoutAPort(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]struct {
		host string
		port int
		err  error
	}{
		"db":               {"db", 7, nil},
		"db.example.com:1": {"db.example.com", 1, nil},
		"[::1]":            {"::1", 7, nil},
		"[2001:db8::1]:9":  {"2001:db8::1", 9, nil},
		"10.0.0.1:65535":   {"10.0.0.1", 65535, nil},
		"":                 {"", 7, errBadHost},
		"[db]":             {"", 0, errBadHost},
		"a b":              {"a b", 7, errBadHost},
		"-x":               {"-x", 7, errBadHost},
		"u@db":             {"u@db", 7, errBadHost},
		"::1":              {"", 0, errBadAddress},
		"a:1:2":            {"", 0, errBadAddress},
		"db:x":             {"", 0, errBadPort},
		"postgres://db":    {"", 0, errURL},
		"mysql://u:p@[::1": {"", 0, errURL},
		"db:0":             {"", 0, errBadPort},
		"db:65536":         {"", 0, errBadPort},
	} {
		host, port, err := SplitAddress(address, 7)
		require.Equal(t, want.err, err, address)
		require.Equal(t, want.host, host, address)
		require.Equal(t, want.port, port, address)
	}
	require.NoError(t, CheckHost(strings.Repeat("a", 253)))
	require.Error(t, CheckHost(strings.Repeat("a", 254)))
	require.Error(t, CheckHost("fe80::1%a\nb"))
}
