package netconn

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// Addresses knows which addresses of a server's name were mute lately. The zero value is
// ready, and safe for concurrent use.
type Addresses struct {
	mu   sync.Mutex
	mute map[string]time.Time // of the addresses that the name had last
}

// muteFor is how long an address that was mute comes after the others.
const muteFor = 30 * time.Second

// Open opens something by try at one of the addresses of host, which is looked up at each
// call. They are tried one after the other, each within its share of the time that ctx
// leaves: what remains, divided by the addresses that remain. An error for which final is
// true is the server's word, and would be the same at the others. Otherwise the errors of
// all are joined.
func Open[T any](ctx context.Context, a *Addresses, host string, try func(ctx context.Context, address string) (T, error), final func(error) bool) (T, error) {
	var none T
	list, err := a.of(ctx, host)
	if err != nil {
		return none, err
	}
	var errs []error
	for i, address := range list {
		v, err := shared(ctx, len(list)-i, address, try)
		var silence *session.SilenceError
		if err == nil || errors.As(err, &silence) {
			a.was(address, err == nil)
		}
		if err == nil {
			return v, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil || final(err) {
			break
		}
	}
	if len(errs) == 1 {
		return none, errs[0]
	}
	return none, errors.Join(errs...)
}

// shared calls try within the first of so many shares of the time that ctx leaves. A
// share that is over while ctx is not is the server's silence.
func shared[T any](ctx context.Context, shares int, address string, try func(ctx context.Context, address string) (T, error)) (T, error) {
	deadline, bounded := patienceOf(ctx)
	if shares == 1 || !bounded {
		return try(ctx, address)
	}
	share := time.Until(deadline) / time.Duration(shares)
	within, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	v, err := try(within, address)
	if err != nil && ctx.Err() == nil && (within.Err() != nil || errors.Is(err, context.DeadlineExceeded)) {
		err = &net.OpError{Op: "dial", Net: "tcp", Addr: addr{"tcp", address}, Err: &session.SilenceError{After: share.Round(time.Millisecond)}}
	}
	return v, err
}

// of are the addresses of a host, those that were mute lately at the end. Of an address
// it is that itself.
func (a *Addresses) of(ctx context.Context, host string) ([]string, error) {
	if net.ParseIP(host) != nil {
		return []string{host}, nil
	}
	list, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for address, at := range a.mute {
		if !slices.Contains(list, address) || time.Since(at) > muteFor {
			delete(a.mute, address)
		}
	}
	slices.SortStableFunc(list, func(x, y string) int { return a.mute[x].Compare(a.mute[y]) })
	return list, nil
}

func (a *Addresses) was(address string, well bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case well:
		delete(a.mute, address)
	case a.mute == nil:
		a.mute = map[string]time.Time{address: time.Now()}
	default:
		a.mute[address] = time.Now()
	}
}
