//go:build !dbfleet_no_postgres && !dbfleet_no_mysql && !dbfleet_no_sqlite

package driver

import (
	"context"
	sqldriver "database/sql/driver"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/dbtest"
	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// What a session is not asked to convert is what it would have left alone.
func TestAsIs_IsWhatConvertLeavesAlone(t *testing.T) {
	t.Parallel()
	pools := map[string]*Pool{"plain": OpenConnector(Options{}, dead{})}
	t.Cleanup(func() { require.NoError(t, pools["plain"].Close()) })
	for _, name := range []string{"postgres", "mysql", "sqlite"} {
		pools[name] = open(t, optionsFor(dbtest.New(t, name)))
	}
	at := time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.FixedZone("x", 3600))
	values := []any{
		nil, int64(-1), int64(math.MinInt64), true, "", "text", []byte(nil), []byte{}, []byte("raw"),
		1.5, math.NaN(), math.Inf(1), at, time.Time{}, at.AddDate(20_000, 0, 0), uint64(1), uint64(math.MaxUint64),
		[]int64{1}, []string{"a"}, []float64{1}, []bool{true}, json.RawMessage("{}"), json.RawMessage(nil),
	}
	for name, p := range pools {
		c := acquire(t, p).inner
		left := 0
		for _, v := range values {
			nv := sqldriver.NamedValue{Ordinal: 1, Value: v}
			err := c.s.Convert(&nv)
			if session.KindOf(v)&c.asIs != 0 {
				left++
				require.NoError(t, err, "%s: %T", name, v)
				if f, ok := v.(float64); ok && math.IsNaN(f) {
					continue // equal to nothing
				}
				require.Equal(t, sqldriver.NamedValue{Ordinal: 1, Value: v}, nv, "%s: %T", name, v)
				continue
			}
			buf, bindErr := c.bind([]any{v, v})
			if err != nil {
				require.Error(t, bindErr, "%s: %T %v", name, v, v)
				require.Equal(t, (&NotSentError{Err: err}).Error(), bindErr.Error())
				continue
			}
			require.NoError(t, bindErr)
			require.Equal(t, nv, (*buf)[0])
			require.Equal(t, sqldriver.NamedValue{Ordinal: 2, Value: nv.Value}, (*buf)[1])
			give(buf)
		}
		require.GreaterOrEqual(t, left, 9, name)
	}
}

// dead is a driver whose connections are never used.
type dead struct{ sqldriver.Conn }

func (d dead) Connect(context.Context) (sqldriver.Conn, error) { return d, nil }
func (dead) Driver() sqldriver.Driver                          { return nil }
func (dead) Close() error                                      { return nil }
