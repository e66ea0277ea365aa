package config

import (
	"fmt"
	"strings"
	"testing"
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
