package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// otherWords are what people call keys in other libraries, as the end of a
// variable's name.
var otherWords = map[string]string{
	"USER": "USERNAME", "PASS": "PASSWORD", "PASSWD": "PASSWORD", "PWD": "PASSWORD",
	"NAME": "DATABASE", "DBNAME": "DATABASE", "SCHEMA": "DATABASE", "FILE": "DATABASE", "PATH": "DATABASE",
	"TYPE": "DRIVER", "ADAPTER": "DRIVER", "ENGINE": "DRIVER", "DIALECT": "DRIVER",
	"DSN": "URL", "URI": "URL", "HOSTNAME": "HOST", "SERVER": "HOST",
	"SSLMODE": "TLS_MODE", "SSL_MODE": "TLS_MODE", "TLS": "SSL", "SSL_CA": "TLS_CA_FILE", "SSL_CERT": "TLS_CERT_FILE", "SSL_KEY": "TLS_KEY_FILE",
	"READ_HOST": "READ_HOSTS", "REPLICA_HOSTS": "READ_HOSTS",
	"TIMEOUT": "STATEMENT_TIMEOUT", "POOL_SIZE": "POOL_MAX_OPEN", "MAX_CONNECTIONS": "POOL_MAX_OPEN", "POOL_MAX": "POOL_MAX_OPEN",
}

// didYouMean proposes the known word nearest to a misspelt one, or nothing.
func didYouMean(word string, known []string) string {
	best, distance := "", len(word)/3+1
	for _, candidate := range known {
		if d := editDistance(word, candidate); d < distance {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s?", best)
}

// didYouMeanVariable proposes the variable nearest to a misspelt one: the same
// connection with the key that its end resembles.
func (k Keys) didYouMeanVariable(variable, begin string) string {
	if upper := strings.ToUpper(variable); upper != variable {
		if len(k.splitVariable(upper, begin)) > 0 {
			return fmt.Sprintf(": did you mean %s?", upper)
		}
		variable = upper
	}
	rest := strings.TrimPrefix(variable, begin)
	if rest == "DEFAULT" || editDistance(rest, "CONNECTION") <= 2 {
		return fmt.Sprintf(": did you mean %sCONNECTION?", begin)
	}
	words := strings.FieldsFunc(rest, func(r rune) bool { return r == '_' })
	if len(words) > 32 {
		return ""
	}
	best, distance := "", 3
	for i := range words {
		prefix, end := begin+strings.Join(append(words[:i:i], ""), "_"), strings.Join(words[i:], "_")
		if key, ok := otherWords[end]; ok {
			return fmt.Sprintf(": did you mean %s%s?", prefix, key)
		}
		for _, key := range k {
			suffix := EnvSuffix(key.Name)
			if d := editDistance(end, suffix); d < distance && d < len(suffix)-1 {
				best, distance = prefix+suffix, d
			}
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s?", best)
}

// KnownNames lists the names of connections for an error.
func KnownNames[V any](connections map[string]V) string {
	if len(connections) == 0 {
		return "there are none"
	}
	names := slices.Sorted(maps.Keys(connections))
	for i, name := range names {
		names[i] = fmt.Sprintf("%q", name)
	}
	return "known: " + strings.Join(names, ", ")
}

// editDistance counts the bytes to insert, delete, replace or swap with their
// neighbour that turn a into b. Where the lengths are far apart, it returns only
// that some number is too large.
func editDistance(a, b string) int {
	if len(a)-len(b) > len(b) || len(b)-len(a) > len(a) {
		return max(len(a), len(b))
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
