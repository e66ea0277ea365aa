package cell

import (
	"database/sql/driver"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCell_GivesBackWhatItWasSetTo(t *testing.T) {
	t.Parallel()
	var c Cell // one for all: what is left of the last value must not show
	for _, v := range []driver.Value{
		int64(-5), true, "text", nil, 2.5, []byte("bytes"), false, []byte{}, []byte(nil), uint64(1 << 63), float32(3.5),
		time.Date(2024, 2, 29, 1, 2, 3, 4, time.FixedZone("", 3600)), "", [16]byte{1}, int64(0), 0.0,
	} {
		c.Set(v)
		require.Equal(t, v, c.Value())
	}
}

func TestCell_TextIsAStringOfItsOwn(t *testing.T) {
	t.Parallel()
	var c Cell
	buffer := []byte("text")
	c.SetText(buffer)
	v := c.Value()
	copy(buffer, "!!!!")
	require.Equal(t, driver.Value("text"), v)
}
