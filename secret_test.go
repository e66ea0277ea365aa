package dbfleet

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// promise: secrets appear nowhere
func TestSecret_IsRedactedHoweverItIsPrinted(t *testing.T) {
	t.Parallel()
	secret := Secret(canary)
	type holder struct {
		S    Secret `xml:"s,attr"`
		P    *Secret
		L    []Secret
		Name string
	}
	h := holder{S: secret, P: &secret, L: []Secret{secret}, Name: "visible"}
	for _, v := range []any{secret, &secret, h, &h, []Secret{secret}, map[string]Secret{"k": secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%#q", "%x", "%X", "% x", "%#x", "%d", "%t", "%c", "%U", "%e", "%20v", "%.2s", "%z"} {
			requireNoCanary(t, fmt.Sprintf(verb, v))
		}
		requireNoCanary(t, fmt.Sprint(v)+fmt.Sprintln(v))
		data, err := json.Marshal(v)
		require.NoError(t, err)
		requireNoCanary(t, string(data))
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		requireNoCanary(t, out.String())
		out.Reset()
		require.NoError(t, gob.NewEncoder(&out).Encode(v))
		requireNoCanary(t, out.String())
	}
	data, err := xml.Marshal(h)
	require.NoError(t, err)
	requireNoCanary(t, string(data))
	require.Contains(t, string(data), `s="[redacted]"`)
	require.Equal(t, "{[redacted] ", fmt.Sprintf("%v", h)[:len("{[redacted] ")])
	require.Equal(t, `"[redacted]" "" [redacted]`, fmt.Sprintf("%#v %q %x", secret, Secret(""), secret))
	require.Equal(t, canary, string(secret), "the program itself reads it")
}

func TestSecret_IsReadPlainAndNeverFromItsRedaction(t *testing.T) {
	t.Parallel()
	type holder struct{ S Secret }
	var h holder
	require.NoError(t, json.Unmarshal([]byte(`{"S": "p\"@ss"}`), &h))
	require.Equal(t, Secret(`p"@ss`), h.S)
	require.NoError(t, xml.Unmarshal([]byte(`<holder><S>p&lt;</S></holder>`), &h))
	require.Equal(t, Secret("p<"), h.S)
	require.NoError(t, h.S.UnmarshalBinary([]byte("\xffb")))
	require.Equal(t, Secret("\xffb"), h.S)

	data, err := json.Marshal(h)
	require.NoError(t, err)
	require.ErrorContains(t, json.Unmarshal(data, &h), "dbfleet: the text that stands for a secret")
	data, err = xml.Marshal(h)
	require.NoError(t, err)
	require.ErrorIs(t, xml.Unmarshal(data, &h), errRedacted)
	var out bytes.Buffer
	require.NoError(t, gob.NewEncoder(&out).Encode(h))
	require.ErrorIs(t, gob.NewDecoder(&out).Decode(&h), errRedacted)
	require.ErrorIs(t, h.S.UnmarshalText([]byte("postgres://[redacted]@h/d")), errRedacted)
	require.Equal(t, Secret("\xffb"), h.S, "as it was")
}

// What an encoder that goes by the fields makes of a configuration.
func TestSecret_ConfigurationsAreRedactedByGobToo(t *testing.T) {
	t.Parallel()
	c := Config{Connections: map[string]ConnectionConfig{"a": {URL: "mysql://u:" + canary + "@h/d", Password: canary, TLS: TLSConfig{Key: canary}}}}
	var out bytes.Buffer
	require.NoError(t, gob.NewEncoder(&out).Encode(c))
	require.Equal(t, 3, strings.Count(out.String(), "[redacted]"))
	requireNoCanary(t, out.String())
	var again Config
	require.ErrorIs(t, gob.NewDecoder(&out).Decode(&again), errRedacted)
}

// The doc comment names what asks no method of a string: this, and nothing else.
func TestSecret_IsShownOnlyWhereGoAsksNoMethod(t *testing.T) {
	t.Parallel()
	connection := ConnectionConfig{Driver: Postgres, Host: "h", Password: canary, TLS: TLSConfig{Key: canary}}
	for _, v := range []any{Secret(canary), connection, connection.TLS, Config{Connections: map[string]ConnectionConfig{"a": connection}}, map[Secret]int{canary: 1}} {
		for verb := 'A'; verb <= 'z'; verb++ {
			format := "%" + string(verb)
			require.Equal(t, verb == 'p' && !isMap(v) || verb == 'w', strings.Contains(fmt.Sprintf(format, v), canary), "%T by %s", v, format)
		}
		requireNoCanary(t, fmt.Sprintf(strings.Clone("more values than verbs"), v))
	}
	data, err := json.Marshal(map[Secret]int{canary: 1})
	require.NoError(t, err)
	require.Contains(t, string(data), canary)
	var out bytes.Buffer
	require.NoError(t, gob.NewEncoder(&out).Encode(map[Secret]int{canary: 1}))
	requireNoCanary(t, out.String())
}

func isMap(v any) bool { _, ok := v.(map[Secret]int); return ok }
