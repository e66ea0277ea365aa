package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSetText_ReadsEveryKind(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		key, text string
		want      Settings
		err       error
	}{
		{key: "host", text: "h", want: Settings{"host": "h"}},
		{key: "driver", text: "MariaDB", want: Settings{"driver": "mysql"}},
		{key: "driver", text: "oracle", err: UnknownDriver("oracle")},
		{key: "tls.mode", text: "Verify-CA", want: Settings{"tls.mode": "verify-ca"}},
		{key: "tls.mode", text: "on", err: CheckTLSMode("on")},
		{key: "port", text: "65535", want: Settings{"port": 65535}},
		{key: "port", text: "65536", err: errPort},
		{key: "port", text: "0", err: errPort},
		{key: "port", text: "x", err: errNumber},
		{key: "pool.max_open", text: "-1", want: Settings{"pool.max_open": Unbounded}},
		{key: "pool.max_open", text: "0", err: errZero},
		{key: "pool.max_open", text: "1.5", err: errNumber},
		{key: "pooler", text: "ON", want: Settings{"pooler": true}},
		{key: "pooler", text: "no", want: Settings{}},
		{key: "pooler", text: "maybe", err: errBool},
		{key: "ssl", text: "yes", want: Settings{"ssl": true}},
		{key: "ssl", text: "0", want: Settings{"tls.mode": TLSDisable}},
		{key: "ssl", text: "maybe", err: errBool},
		{key: "connect_timeout", text: "1h30m", want: Settings{"connect_timeout": 90 * time.Minute}},
		{key: "connect_timeout", text: "-1", want: Settings{"connect_timeout": time.Duration(Unbounded)}},
		{key: "connect_timeout", text: "0s", err: errZero},
		{key: "connect_timeout", text: "30", err: errDuration},
		{key: "read_hosts", text: "a, b:1,", want: Settings{"read_hosts": []string{"a", "b:1", ""}}},
	} {
		key, ok := testKeys.find(tc.key)
		require.True(t, ok, tc.key)
		s := make(Settings)
		err := s.setText(key, tc.text)
		require.Equal(t, tc.err, err, "%s=%s", tc.key, tc.text)
		if err == nil {
			require.Equal(t, tc.want, s, "%s=%s", tc.key, tc.text)
		}
	}
}

func TestSetText_FalseOfSSLContradictsAModeThatEncrypts(t *testing.T) {
	t.Parallel()
	ssl, _ := testKeys.find("ssl")
	require.Equal(t, errSSL, Settings{"tls.mode": TLSRequire}.setText(ssl, "false"))
	require.NoError(t, Settings{"tls.mode": TLSDisable}.setText(ssl, "false"))
}
