package dbfleet

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// listeners are the functions of one kind of hook that is only told. Its zero value has
// none. It is safe for concurrent use.
type listeners[T any] struct {
	mu   sync.Mutex // serialises changes
	list atomic.Pointer[[]*listener[T]]
}

type listener[T any] struct {
	call func(context.Context, T)
}

// add panics if call is nil, naming the method.
func (l *listeners[T]) add(method string, call func(context.Context, T)) (remove func()) {
	mustHave(method, "hook", call != nil)
	h := &listener[T]{call}
	l.change(func(list []*listener[T]) []*listener[T] { return append(list, h) })
	return func() {
		l.change(func(list []*listener[T]) []*listener[T] {
			return slices.DeleteFunc(list, func(x *listener[T]) bool { return x == h })
		})
	}
}

func (l *listeners[T]) change(f func(list []*listener[T]) []*listener[T]) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := f(slices.Clone(l.all()))
	l.list.Store(&list)
}

func (l *listeners[T]) all() []*listener[T] {
	if p := l.list.Load(); p != nil {
		return *p
	}
	return nil
}

func (l *listeners[T]) empty() bool { return len(l.all()) == 0 }

// call calls those that there are now, in the order in which they were added.
func (l *listeners[T]) call(ctx context.Context, told T) {
	for _, h := range l.all() {
		h.call(ctx, told)
	}
}
