package dbfleet

import "sync"

// argList is a list for the arguments of one statement, which is free again
// when the statement has ended: the driver copies it, and hooks are given copies.
// The arguments themselves may be kept.
type argList struct{ list []any }

var argLists = sync.Pool{New: func() any { return &argList{list: make([]any, 0, 16)} }}

func takeArgs() *argList { return argLists.Get().(*argList) }

// maxArgList is the longest list that is kept.
const maxArgList = 4096

func (a *argList) give() {
	if cap(a.list) > maxArgList {
		return
	}
	clear(a.list)
	a.list = a.list[:0]
	argLists.Put(a)
}
