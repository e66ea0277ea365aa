package config

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedactURL_KeepsWhereTheDatabaseIs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "",
		"postgres://u:p@h:1/d?application_name=x": "postgres://[redacted]@h:1/d",
		"mysql://u:p@[::1]/d":                     "mysql://[redacted]@[::1]/d",
		"mysql://u:p@[::1]:3/d":                   "mysql://[redacted]@[::1]:3/d",
		"sqlite:a.db":                             "sqlite:a.db",
		"nonsense":                                "[redacted]",
		"mysql://[redacted]@h/d":                  "[redacted]",
	} {
		require.Equal(t, want, testKeys.RedactURL(text))
	}
}

func TestRedactParams_HidesWhatMayBeSecret(t *testing.T) {
	t.Parallel()
	params := map[string]string{"password": "p", "sslpassword": "", "p%61ssword": "p", "API_TOKEN": "p", "role": "r"}
	require.Equal(t, map[string]string{
		"password": Redacted, "sslpassword": "", "p%61ssword": Redacted, "API_TOKEN": Redacted, "role": "r",
	}, RedactParams(params))
	require.Equal(t, "p", params["password"], "a copy")
	require.Nil(t, RedactParams(nil))
}

// shown is printed under the name "config.known".
type shown struct{ Host string }

// printing prints a shown by Format.
type printing struct{}

func (printing) Format(s fmt.State, verb rune) {
	Format(s, verb, shown{"h"}, map[string]string{"config.shown": "config.known"})
}

func TestFormat_PrintsTheSameWhateverTheVerb(t *testing.T) {
	t.Parallel()
	for verb, want := range map[string]string{
		"%v": "{h}", "%+v": "{Host:h}", "%#v": `config.known{Host:"h"}`, "%q": `"{Host:h}"`, "%#q": `"{Host:h}"`,
		"%s": "{Host:h}", "%x": "{Host:h}", "%#x": "{Host:h}", "%d": "{Host:h}", "%+d": "{Host:h}",
	} {
		require.Equal(t, want, fmt.Sprintf(verb, printing{}), verb)
	}
}
