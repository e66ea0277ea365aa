package rowmap

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// KeyOwner is embedded, so it must be exported.
type KeyOwner struct{ OwnerID int64 }

type keyOuter struct {
	*KeyOwner
	ID int64
}

// A key in an embedded pointer that is nil is NULL: it is no key 0, and looking
// for it changes nothing.
func TestKey_OfANilEmbeddedPointerIsNone(t *testing.T) {
	t.Parallel()
	p, err := Of[keyOuter]()
	require.NoError(t, err)
	i, ok := p.Column("owner_id")
	require.True(t, ok)
	rec := &keyOuter{}
	_, ok = p.IntKey(i, rec)
	require.False(t, ok)
	require.Nil(t, rec.KeyOwner)
	rec.KeyOwner = &KeyOwner{OwnerID: 7}
	n, ok := p.IntKey(i, rec)
	require.True(t, ok)
	require.EqualValues(t, 7, n)
}
