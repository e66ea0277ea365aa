package dbfleet

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/config"
)

// everySetting has another value under each key.
func everySetting(t *testing.T) config.Settings {
	t.Helper()
	s := everyKey(t, configKeys)
	s[config.ReadPool], s[config.Tenants] = true, true
	s.SetParam("role", "r")
	require.Len(t, s, len(configKeys)+3)
	return s
}

func everyKey(t *testing.T, keys config.Keys) config.Settings {
	t.Helper()
	s := config.Settings{}
	for i, key := range keys {
		switch key.Kind {
		case config.Text:
			s.Set(key.Name, key.Name)
		case config.Driver:
			s.Set(key.Name, "mysql")
		case config.TLSMode:
			s.Set(key.Name, "verify-full")
		case config.Number, config.Port:
			s.Set(key.Name, i+1)
		case config.Bool, config.SSL:
			s.Set(key.Name, true)
		case config.Duration:
			s.Set(key.Name, time.Duration(i+1)*time.Second)
		case config.List:
			s.Set(key.Name, []string{key.Name})
		case config.Objects:
			one := everyKey(t, key.Of)
			one.SetParam("role", "r")
			s.Set(key.Name, []config.Settings{one, {key.Of[0].Name: "other"}})
		case config.Section:
			s[key.Name] = true
		default:
			t.Fatalf("%s is of an unknown kind", key.Name)
		}
	}
	return s
}

func TestConfigFields_EachKeyHasAFieldOfItsOwn(t *testing.T) {
	t.Parallel()
	want := everySetting(t)
	var c ConnectionConfig
	c.set(want)
	require.Equal(t, want, c.settings())

	data, err := want.EncodeJSON("")
	require.NoError(t, err)
	var again ConnectionConfig
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, c, again)
	require.Empty(t, ConnectionConfig{}.settings())
}

// A port has bounds of its own, and only the false of "ssl" turns TLS off.
func TestConfigFields_KindsThatLookAlikeAreNotMixedUp(t *testing.T) {
	t.Parallel()
	var c ConnectionConfig
	require.ErrorContains(t, json.Unmarshal([]byte(`{"port": 0}`), &c), "must be between 1 and 65535")
	require.NoError(t, json.Unmarshal([]byte(`{"ssl": false}`), &c))
	require.Equal(t, ConnectionConfig{TLS: TLSConfig{Mode: TLSDisable}}, c)
	for _, key := range configKeys {
		if key.Name != "ssl" && (key.Kind == config.Bool || key.Kind == config.SSL) {
			c, faults := configKeys.Decode(nested(key.Name, "false"), "")
			require.Empty(t, faults)
			require.Empty(t, c, key.Name)
		}
	}
}

// nested returns a JSON object with a value under key.
func nested(key, value string) []byte {
	if outer, name, ok := strings.Cut(key, "."); ok {
		return []byte(`{"` + outer + `": {"` + name + `": ` + value + `}}`)
	}
	return []byte(`{"` + key + `": ` + value + `}`)
}

// leaves returns the paths of all exported fields that are not structs, but for
// those that no text can hold.
func leaves(t reflect.Type, path string) []string {
	switch {
	case t.Kind() == reflect.Pointer:
		return leaves(t.Elem(), path)
	case t.Kind() != reflect.Struct:
		return []string{path}
	}
	var paths []string
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
			paths = append(paths, leaves(f.Type, path+"."+f.Name)...)
		}
	}
	return paths
}

// setLeaves returns those of leaves that are not zero in v.
func setLeaves(v reflect.Value, path string) []string {
	switch {
	case v.Kind() == reflect.Pointer:
		return setLeaves(v.Elem(), path)
	case v.Kind() != reflect.Struct && v.IsZero():
		return nil
	case v.Kind() != reflect.Struct:
		return []string{path}
	}
	var paths []string
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() {
			paths = append(paths, setLeaves(v.Field(i), path+"."+f.Name)...)
		}
	}
	return paths
}

func TestConfigFields_EachFieldHasAKeyAndIsPrinted(t *testing.T) {
	t.Parallel()
	var c ConnectionConfig
	c.set(everySetting(t))
	fields := leaves(reflect.TypeFor[ConnectionConfig](), "")
	require.Equal(t, fields, setLeaves(reflect.ValueOf(c), ""), "a field without a key")
	require.Equal(t, fields, leaves(reflect.TypeFor[printedConnection](), ""), "a field that is not printed")
	require.Equal(t, fields, setLeaves(reflect.ValueOf(c.printed()), ""), "a field that is printed as zero")

	fields = leaves(reflect.TypeFor[ReplicaConfig](), "")
	require.Equal(t, fields, setLeaves(reflect.ValueOf(c.Replicas[0]), ""), "a field without a key")
	require.Equal(t, fields, leaves(reflect.TypeFor[printedReplica](), ""), "a field that is not printed")
	require.Equal(t, fields, setLeaves(reflect.ValueOf(c.Replicas[0].printed()), ""), "a field that is printed as zero")
}

// The constants of the root are the words that internal/config knows.
func TestConfigFields_ConstantsAreTheWordsThatAreRead(t *testing.T) {
	t.Parallel()
	for mode, word := range map[TLSMode]string{
		TLSDisable: config.TLSDisable, TLSRequire: config.TLSRequire, TLSVerifyCA: config.TLSVerifyCA, TLSVerifyFull: config.TLSVerifyFull,
	} {
		require.Equal(t, word, string(mode))
	}
	for _, d := range []Driver{Postgres, MySQL, SQLite} {
		require.Equal(t, d, d.canonical())
		_, known := config.Dialect(string(d))
		require.True(t, known, d)
	}
}

// The tags say for other decoders what configFields says for this package's own.
func TestConfigFields_EachHasItsKeyAsTagOfEveryDecoder(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"default": true, "connections": true, "session_keys": true, "params": true}
	for _, key := range append(slices.Clone(configKeys), replicaKeys...) {
		for part := range strings.SplitSeq(key.Name, ".") {
			known[part] = true
		}
	}
	for _, structure := range []reflect.Type{
		reflect.TypeFor[Config](), reflect.TypeFor[ConnectionConfig](), reflect.TypeFor[PoolConfig](), reflect.TypeFor[TLSConfig](), reflect.TypeFor[SQLiteConfig](),
		reflect.TypeFor[ReplicaConfig](), reflect.TypeFor[ReadsConfig](), reflect.TypeFor[TenantsConfig](),
	} {
		for field := range structure.Fields() {
			if !field.IsExported() {
				continue
			}
			where := structure.Name() + "." + field.Name
			want := field.Tag.Get("json")
			if kind := field.Type.Kind(); kind == reflect.Func || kind == reflect.Interface || where == "TenantsConfig.Driver" { // that is the connection's
				require.Equal(t, "-", want, where)
			} else {
				require.True(t, known[want], "%s has the tag %q", where, want)
				require.Equal(t, strings.ToLower(field.Name), strings.ReplaceAll(want, "_", ""), where)
			}
			require.Equal(t, want, field.Tag.Get("yaml"), where)
			require.Equal(t, want, field.Tag.Get("mapstructure"), where)
			name, option, _ := strings.Cut(field.Tag.Get("toml"), ",")
			require.Equal(t, want, name, where)
			switch kind := field.Type.Kind(); { // what is not set is not written, as by the other encoders
			case want == "-":
			case kind == reflect.Int || kind == reflect.Int64:
				require.Equal(t, "omitzero", option, where)
			default:
				require.Equal(t, "omitempty", option, where)
			}
		}
	}
}
