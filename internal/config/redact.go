package config

import (
	"fmt"
	"maps"
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Redacted stands for a secret wherever a configuration is printed. It is
// refused where a configuration is read.
const Redacted = "[redacted]"

// Redact returns what to print for a secret. An empty one stays empty.
func Redact(secret string) string {
	if secret == "" {
		return ""
	}
	return Redacted
}

// RedactParams returns a copy of session parameters without secrets.
func RedactParams(params map[string]string) map[string]string {
	params = maps.Clone(params)
	for name, value := range params {
		if looksSecret(name) {
			params[name] = Redact(value)
		}
	}
	return params
}

// looksSecret reports whether a parameter of that name may hold a secret. It
// errs on the side of hiding.
func looksSecret(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"pass", "pwd", "secret", "token", "key", "cred", "auth", "%"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// RedactURL keeps what says where the database is, and neither account nor
// parameters. A URL that cannot be understood is hidden whole.
func (k Keys) RedactURL(text string) string {
	if text == "" {
		return ""
	}
	s, err := k.ParseURL(text)
	switch {
	case err != nil:
		return Redacted
	case s["driver"] == dialect.SQLite.Name:
		return "sqlite:" + s.text("database")
	}
	host := s.text("host")
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port, ok := s["port"]; ok {
		host = fmt.Sprintf("%s:%d", host, port)
	}
	return s.text("driver") + "://" + Redacted + "@" + host + "/" + s.text("database")
}

// Format prints v, which has no secrets, as text: %v and its variants as fmt
// does, %q quoted, and every other verb as %+v. The names of the types under
// which v is printed are replaced by those that the reader knows.
func Format(s fmt.State, verb rune, v any, typeNames map[string]string) {
	switch {
	case verb == 'v' && s.Flag('#'):
		text := fmt.Sprintf("%#v", v)
		for printed, name := range typeNames {
			text = strings.ReplaceAll(text, printed+"{", name+"{")
		}
		fmt.Fprint(s, text)
	case verb == 'v' && !s.Flag('+'):
		fmt.Fprintf(s, "%v", v)
	case verb == 'q':
		fmt.Fprintf(s, "%q", fmt.Sprintf("%+v", v))
	default:
		fmt.Fprintf(s, "%+v", v)
	}
}
