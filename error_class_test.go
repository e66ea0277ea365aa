package dbfleet

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/driver"
)

// Every class of the driver has one of its own, and the sentinels agree with it.
func TestErrorClass_CoversTheDrivers(t *testing.T) {
	t.Parallel()
	require.Len(t, classesOfDriver, int(driver.Closed)+1)
	seen := map[ErrorClass]bool{}
	for class, name := range classesOfDriver {
		require.NotEmpty(t, name, driver.Class(class).String())
		require.False(t, seen[name], name)
		seen[name] = true
	}
	for sentinel, class := range classes {
		err := &QueryError{class: class, Err: errors.New("x")}
		require.ErrorIs(t, err, sentinel)
		if class != driver.Canceled {
			require.Equal(t, classesOfDriver[class], ClassOf(err))
		}
	}
}
