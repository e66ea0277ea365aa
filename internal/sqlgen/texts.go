package sqlgen

import (
	"sync"
	"sync/atomic"
)

// textCache keeps the texts of recent statements, so that a statement whose
// shape is known costs no new string. It is read without a lock.
type textCache struct {
	now atomic.Pointer[map[string]string] // never changed once stored

	mu    sync.Mutex // protects following fields
	fresh []string   // not yet in now
}

// The cache holds at most maxTexts texts of at most maxText bytes; a full one
// starts anew.
const (
	maxTexts = 2048
	maxText  = 8 << 10
)

var texts textCache

// intern returns buf as a string, the same one for the same content while the
// cache holds it.
func (c *textCache) intern(buf []byte) string {
	if len(buf) > maxText {
		return string(buf)
	}
	if m := c.now.Load(); m != nil {
		if s, ok := (*m)[string(buf)]; ok {
			return s
		}
	}
	s := string(buf)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fresh = append(c.fresh, s)
	old := c.now.Load()
	// The map is copied when enough is new, so that a stream of texts that
	// never come back costs little.
	if old != nil && len(c.fresh) < 1+len(*old)/16 {
		return s
	}
	next := make(map[string]string, len(c.fresh))
	if old != nil && len(*old)+len(c.fresh) <= maxTexts {
		for k := range *old {
			next[k] = k
		}
	}
	for _, k := range c.fresh {
		next[k] = k
	}
	c.fresh = c.fresh[:0]
	c.now.Store(&next)
	return s
}
