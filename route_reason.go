package dbfleet

import "sync/atomic"

// toldRoute is the route of the place as others see it. Most routes are never looked at, so
// their reason is put together here.
func (p *place) toldRoute() Route {
	out := p.route
	out.Reason, out.more = p.e.reasons.join(out.Reason, out.more), ""
	if p.e.of != nil {
		out.group = p.e.of.name
	}
	return out
}

// reasons are those that routes of a connection have told, so that a hook which is called
// for each read does not have the same text made again and again.
type reasons struct {
	known atomic.Pointer[[]reason]
}

// reason is a text and the two parts that it was made of.
type reason struct{ first, more, text string }

// maxReasons bounds how many are kept: almost all routes of a connection have one of a few.
const maxReasons = 16

// join puts the two parts of a reason together. It is safe for concurrent use.
func (r *reasons) join(first, more string) string {
	if more == "" {
		return first
	}
	known := r.known.Load()
	if known != nil {
		for i := range *known {
			if k := &(*known)[i]; k.first == first && k.more == more {
				return k.text
			}
		}
	}
	text := first + more
	if known == nil {
		r.known.CompareAndSwap(nil, &[]reason{{first, more, text}})
	} else if len(*known) < maxReasons {
		next := append((*known)[:len(*known):len(*known)], reason{first, more, text})
		r.known.CompareAndSwap(known, &next) // where another was faster, the next one is kept
	}
	return text
}
