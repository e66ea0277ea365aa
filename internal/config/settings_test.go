package config

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMerge_RefusesAnotherValueForTheSameKey(t *testing.T) {
	t.Parallel()
	s := Settings{"host": "h", "port": 1, "read_hosts": []string{"a"}, "pooler": true, "params.role": "r", "params.x": ""}
	f := NewFaults("", "")
	s.Merge(testKeys, Settings{
		"host": "h", "port": 2, "read_hosts": []string{"a"}, "pooler": true, "database": "d", "params.role": "s", "params.x": "y", "params.z": "",
	}, f)
	require.Equal(t, []string{"port", "params.role", "params.x"}, keysOf(f.List()))
	require.Equal(t, Settings{
		"host": "h", "port": 1, "read_hosts": []string{"a"}, "pooler": true, "database": "d", "params.role": "r", "params.x": "", "params.z": "",
	}, s)
	require.Equal(t, map[string]string{"role": "r", "x": "", "z": ""}, s.Params())

	f = NewFaults("", "")
	s.Merge(testKeys, Settings{"read_hosts": []string{"b"}}, f)
	require.Equal(t, []string{"read_hosts"}, keysOf(f.List()))
}

func TestSettings_LeaveZeroValuesOut(t *testing.T) {
	t.Parallel()
	s := make(Settings)
	for i, zero := range []any{"", 0, false, time.Duration(0), []string(nil), []string{}, nil} {
		s.Set(fmt.Sprint(i), zero)
	}
	require.Empty(t, s)
	s.Set("port", 1)
	require.Equal(t, Settings{"port": 1}, s)
	require.Nil(t, s.Params())
}
