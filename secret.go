package dbfleet

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/dbfleet/dbfleet/internal/config"
)

// Secret is a text that is not shown: fmt, slog and encoders (JSON, YAML, TOML, XML,
// gob and whatever else asks a value for its text or its bytes) write "[redacted]"
// for it, and nothing for an empty one. Decoders read it as any text, but refuse
// "[redacted]", so that what was printed is not taken for the secret itself.
//
// A program reads it with string(secret). Go asks no method of a Secret, and shows
// it, in these cases:
//   - the verbs %p and %w of fmt, for it and for whatever holds it, a Config too.
//     They are for pointers and errors; go vet reports them;
//   - a Secret that is an unexported field of another struct, printed by fmt;
//   - a Secret that is the key of a map, encoded by encoding/json.
type Secret string

// errRedacted is what a decoder gets for a secret that was printed before.
var errRedacted = errors.New("dbfleet: the text that stands for a secret in a printed configuration is not the secret")

func (s Secret) redacted() string { return config.Redact(string(s)) }

// Format writes "[redacted]", whatever the verb. fmt does not call it for %p and %w.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb != 'v' && verb != 'q' {
		verb = 's'
	}
	fmt.Fprintf(f, fmt.FormatString(f, verb), s.redacted())
}

// String returns "[redacted]", or "" if s is empty.
func (s Secret) String() string { return s.redacted() }

// GoString returns String's text in quotes.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.redacted()) }

// LogValue makes slog print "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.redacted()) }

// MarshalText returns "[redacted]", or nothing if s is empty.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.redacted()), nil }

// UnmarshalText takes the text as the secret. "[redacted]" is an error.
func (s *Secret) UnmarshalText(text []byte) error {
	if strings.Contains(string(text), config.Redacted) {
		return errRedacted
	}
	*s = Secret(text)
	return nil
}

// MarshalBinary is MarshalText, for gob and its like.
func (s Secret) MarshalBinary() ([]byte, error) { return s.MarshalText() }

// UnmarshalBinary is UnmarshalText.
func (s *Secret) UnmarshalBinary(data []byte) error { return s.UnmarshalText(data) }
