package rowmap

import "unsafe"

// The growth of the blocks in which rows are collected: from firstBlock rows,
// doubling, to blocks of about blockBytes.
const (
	firstBlock = 16
	blockBytes = 1 << 18
)

// blockSize is how many rows the next block has. next is what is known of it, 0 is
// nothing.
func blockSize(next int, row uintptr) int {
	if next <= 0 {
		next = firstBlock
	}
	return min(next, max(blockBytes/max(int(row), 1), firstBlock))
}

// collector grows in blocks: rows are written once and copied once, where
// append would copy them at each growth.
type collector[T any] struct {
	full  [][]T
	block []T
	next  int // the size of the next block; 0 if the number of rows is unknown
	count int
}

// add returns the address of a new zero T.
func (c *collector[T]) add() *T {
	if len(c.block) == cap(c.block) {
		c.grow()
	}
	c.block = c.block[:len(c.block)+1]
	c.count++
	return &c.block[len(c.block)-1]
}

func (c *collector[T]) grow() {
	if c.block != nil {
		c.full = append(c.full, c.block)
	}
	size := blockSize(c.next, unsafe.Sizeof(*new(T)))
	c.block = make([]T, 0, size)
	c.next = max(2*size, firstBlock)
}

// all returns the rows in order.
func (c *collector[T]) all() []T {
	if len(c.full) == 0 && c.count > 0 && c.count*4 >= cap(c.block) {
		return c.block[:c.count:c.count]
	}
	rows := make([]T, 0, c.count)
	for _, block := range c.full {
		rows = append(rows, block...)
	}
	return append(rows, c.block...)
}
