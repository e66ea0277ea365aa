package config

import (
	"fmt"
	"strings"
	"testing"
)

// testKeys are keys of every kind, named as the root names its own.
var testKeys = Keys{
	{Name: "driver", Kind: Driver}, {Name: "url", Kind: Text}, {Name: "host", Kind: Text}, {Name: "port", Kind: Port}, {Name: "socket", Kind: Text},
	{Name: "database", Kind: Text}, {Name: "username", Kind: Text}, {Name: "password", Kind: Text},
	{Name: "tls.mode", Kind: TLSMode}, {Name: "tls.ca_file", Kind: Text}, {Name: "tls.cert_file", Kind: Text}, {Name: "tls.key_file", Kind: Text}, {Name: "tls.key", Kind: Text},
	{Name: "read_hosts", Kind: List}, {Name: "connect_timeout", Kind: Duration}, {Name: "statement_timeout", Kind: Duration}, {Name: "pooler", Kind: Bool},
	{Name: "sqlite.journal_mode", Kind: Text}, {Name: "sqlite.synchronous", Kind: Text}, {Name: "sqlite.busy_timeout", Kind: Duration},
	{Name: "pool.max_open", Kind: Number}, {Name: "pool.max_lifetime", Kind: Duration}, {Name: "read_pool.max_open", Kind: Number}, {
		Name: "replicas", Kind: Objects,
		Of: Keys{{Name: "host", Kind: Text}, {Name: "weight", Kind: Number}, {Name: "pool", Kind: Section}, {Name: "pool.max_open", Kind: Number}},
	},
	{Name: "ssl", Kind: SSL},
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
