package config

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDecodeConfig_ReadsSettingsByKey(t *testing.T) {
	t.Parallel()
	c, faults := testKeys.DecodeConfig([]byte(`{"default": "a", "connections": {
		"a": {"driver": "PG", "host": "h", "port": 1, "tls": {"mode": "Require"}, "pooler": false, "read_hosts": ["r1"], "ssl": true,
			"read_pool": {}, "pool": {"max_open": -1, "max_lifetime": "-1"}, "connect_timeout": "1m", "params": {"x.y": "1", "z": ""}, "url": null},
		"b": {"ssl": false, "read_pool": {"max_open": 2}}
	}}`))
	require.Empty(t, faults)
	require.Equal(t, Config{Default: "a", Connections: map[string]Settings{
		"a": {
			"driver": "postgres", "host": "h", "port": 1, "tls.mode": TLSRequire, "read_hosts": []string{"r1"}, "ssl": true, ReadPool: true,
			"pool.max_open": Unbounded, "pool.max_lifetime": time.Duration(Unbounded), "connect_timeout": time.Minute, "params.x.y": "1", "params.z": "",
		},
		"b": {"tls.mode": TLSDisable, ReadPool: true, "read_pool.max_open": 2},
	}}, c)

	c, faults = testKeys.DecodeConfig([]byte(`{}`))
	require.Empty(t, faults)
	require.Nil(t, c.Connections)
}

func TestDecode_FaultsNameTheirKeys(t *testing.T) {
	t.Parallel()
	_, faults := testKeys.Decode([]byte(`{
		"hsot": "h", "port": "54x2", "password": 123456, "connect_timeout": 30, "statement_timeout": "30", "ssl": "x",
		"read_hosts": 5, "pool": {"max_open": 1.5, "max_opne": 1}, "tls": [], "params": {"x": 1}, "driver": "oracle",
		"host": "h", "host": "h", "pooler": 1
	}`), "")
	found := map[string]string{}
	for _, fault := range faults {
		found[fault.Key] = fault.Reason
	}
	require.Equal(t, map[string]string{
		"hsot":              "is not a key of a connection: did you mean host?",
		"port":              errNumber.Error(),
		"password":          errNotString.Error(),
		"connect_timeout":   errNotDuration.Error(),
		"statement_timeout": errDuration.Error(),
		"ssl":               errBool.Error(),
		"read_hosts":        errNotList.Error(),
		"pool.max_open":     errNumber.Error(),
		"pool.max_opne":     "is not a key of a connection: did you mean pool.max_open?",
		"tls":               errNotObject.Error(),
		"params.x":          errNotString.Error(),
		"driver":            UnknownDriver("oracle").Error(),
		"host":              "is given twice",
		"pooler":            errBool.Error(),
	}, found)

	_, faults = testKeys.Decode([]byte(`{"max_open": 0}`), "pool")
	require.Equal(t, []string{"pool.max_open"}, keysOf(faults))
}

func TestEncodeJSON_IsReadBack(t *testing.T) {
	t.Parallel()
	s := Settings{
		"driver": "mysql", "host": "h", "port": 1, "tls.mode": TLSVerifyCA, "pooler": true, "read_hosts": []string{"r1", "r2"}, ReadPool: true,
		"pool.max_open": 3, "pool.max_lifetime": time.Duration(Unbounded), "connect_timeout": time.Minute, "params.x.y": "1", "params.": "", "ssl": true,
	}
	data, err := s.EncodeJSON("")
	require.NoError(t, err)
	again, faults := testKeys.Decode(data, "")
	require.Empty(t, faults)
	require.Equal(t, s, again)

	data, err = s.EncodeJSON("pool")
	require.NoError(t, err)
	require.JSONEq(t, `{"max_open": 3, "max_lifetime": "-1"}`, string(data))
	data, err = s.EncodeJSON("read_pool")
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(data))
}

// What is read without a fault is written and read back as it was.
func FuzzDecode(f *testing.F) {
	f.Add(`{"host": "h", "pool": {"max_open": 3}, "params": {"a.b": ""}, "read_pool": {}}`)
	f.Add(`{"ssl": false, "tls": {"mode": "disable"}, "connect_timeout": "1h"}`)
	f.Add(`{"read_pool": {"max_open": 1}, "read_hosts": ["", "é"], "driver": "PG"}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, faults := testKeys.Decode([]byte(text), "")
		if len(faults) > 0 {
			return
		}
		data, err := s.EncodeJSON("")
		require.NoError(t, err)
		require.True(t, json.Valid(data))
		again, faults := testKeys.Decode(data, "")
		require.Empty(t, faults)
		require.Equal(t, s, again)
	})
}

// Decoders whose values may come from variables (viper) give texts.
func TestDecode_ReadsTextsAsTheEnvironmentDoes(t *testing.T) {
	t.Parallel()
	s, faults := testKeys.Decode([]byte(`{"port": "5433", "pooler": "yes", "ssl": "off", "read_hosts": "r1, r2:2",
		"pool": {"max_open": "7", "max_lifetime": -1}}`), "")
	require.Empty(t, faults)
	require.Equal(t, Settings{
		"port": 5433, "pooler": true, "tls.mode": TLSDisable, "read_hosts": []string{"r1", "r2:2"},
		"pool.max_open": 7, "pool.max_lifetime": time.Duration(Unbounded),
	}, s)
}

func TestTreeJSON_TakesWhatDecodersMake(t *testing.T) {
	t.Parallel()
	data, err := TreeJSON(map[any]any{
		"a": map[string]any{"list": []any{map[any]any{1: true}, 2.0}, "for": time.Minute, "ever": time.Duration(Unbounded)}, "none": nil,
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"a": {"list": [{"1": true}, 2], "for": "1m0s", "ever": "-1"}, "none": null}`, string(data))
	_, err = TreeJSON(map[string]any{"password": func() string { return canary }})
	require.ErrorContains(t, err, "dbfleet: the configuration has a value that is not a text")
}

func TestDecode_ReadsListsOfObjects(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Settings{
		`[{"host": "r1", "weight": 2, "pool": {}, "params": {"role": "r"}}, {"host": "r2", "pool": {"max_open": 3}}]`: {
			{"host": "r1", "weight": 2, "pool": true, "params.role": "r"}, {"host": "r2", "pool": true, "pool.max_open": 3},
		},
		`"r1, r2"`: {{"host": "r1"}, {"host": "r2"}},
		`[]`:       nil,
	} {
		s, faults := testKeys.Decode([]byte(`{"replicas": `+text+`}`), "")
		require.Empty(t, faults, text)
		if want == nil {
			require.Empty(t, s)
			continue
		}
		require.Equal(t, Settings{"replicas": want}, s, text)
		data, err := s.EncodeJSON("")
		require.NoError(t, err)
		again, faults := testKeys.Decode(data, "")
		require.Empty(t, faults, text)
		require.Equal(t, s, again)
	}
}

func TestDecode_FaultsOfAnObjectNameItsNumber(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`5`:                                      {"is not a list of objects"},
		`["r1"]`:                                 {"number 1: is not an object"},
		`[{"host": "a"}, {"wieght": 1}, null]`:   {"number 2: wieght is not a key of a connection: did you mean weight?", "number 3: is not an object"},
		`[{"weight": "x", "pool": "y"}]`:         {"number 1: weight is not a whole number", "number 1: pool is not an object"},
		`[{"pool": {"max_open": 0}, "host": 1}]`: {"number 1: pool.max_open " + errZero.Error(), "number 1: host " + errNotString.Error()},
	} {
		_, faults := testKeys.Decode([]byte(`{"replicas": `+text+`}`), "")
		var reasons []string
		for _, fault := range faults {
			require.Equal(t, "replicas", fault.Key)
			reasons = append(reasons, fault.Reason)
		}
		require.Equal(t, want, reasons, text)
	}
}
