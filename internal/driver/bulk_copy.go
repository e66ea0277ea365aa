package driver

import (
	"context"
	"errors"
	"io"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// copying is a stream of rows on its way: the goroutine that adds rows encodes
// them into blocks, one of its own sends the blocks.
type copying struct {
	c      *conn
	copier session.Copier
	sent   int64
	block  []byte

	full chan []byte
	free chan []byte
	cut  chan struct{} // closed when the rest of the stream will not come
	over chan struct{} // closed when send has returned

	// The following belong to the sending goroutine until over is closed.
	rows int64
	err  error
}

const (
	// copyBlock is how many bytes are collected before they are handed over.
	copyBlock = 64 << 10
	// copyBlocks is one that is filled, one that waits and one that is sent.
	copyBlocks = 3
)

var (
	errCopyEnded = errors.New("the server has ended the load early")
)

// startCopy begins a stream. It returns nil without an error when the rows are
// to be inserted instead.
func (c *conn) startCopy(ctx context.Context, s session.CopySession, into LoadTarget, first []any) (*copying, error) {
	if err := c.enter(ctx, "COPY "+into.Table); err != nil {
		return nil, err
	}
	defer c.unlock()
	p := &copying{
		c: c, full: make(chan []byte, copyBlocks), free: make(chan []byte, copyBlocks),
		cut: make(chan struct{}), over: make(chan struct{}),
	}
	var err error
	if p.copier, err = s.CopyInto(ctx, &into, first); err != nil {
		return nil, c.failed(ctx, err)
	}
	if p.copier == nil {
		return nil, nil
	}
	for range copyBlocks - 1 {
		p.free <- make([]byte, 0, copyBlock+copyBlock/8)
	}
	p.block = p.copier.Head(make([]byte, 0, copyBlock+copyBlock/8))
	c.open.Add(1)
	asked := make(chan struct{})
	go p.send(ctx, asked)
	select {
	case <-asked:
		return p, nil
	case <-p.over:
	}
	select {
	case <-asked:
		return p, nil
	default:
	}
	// The server did not want the stream, and no row is lost yet.
	c.open.Add(-1)
	err = p.copier.After(ctx, -1, p.err)
	if err == nil {
		return nil, nil
	}
	if v := c.s.Verdict(err); v.Answered && !v.Broken && !v.TxLost && !v.TxDoubtful && c.s.TxStatus() != session.TxAborted {
		return nil, nil // if the cause is another one, INSERT tells it too
	}
	return nil, c.failed(ctx, err)
}

func (p *copying) send(ctx context.Context, asked chan struct{}) {
	defer close(p.over)
	once := false
	p.rows, p.err = p.copier.Send(ctx, &copyReader{p: p}, func() {
		if !once {
			once = true
			close(asked)
		}
	})
}

// add encodes a row. It returns errCopyEnded when nobody reads any more.
func (p *copying) add(row []any) error {
	before := len(p.block)
	block, err := p.copier.Row(p.block, row)
	if err != nil {
		p.block = block[:before]
		return err
	}
	p.block = block
	p.sent++
	if len(block) >= copyBlock {
		return p.hand()
	}
	return nil
}

// hand gives the block to the sender and takes an empty one.
func (p *copying) hand() error {
	select {
	case <-p.over:
		return errCopyEnded
	case p.full <- p.block:
		p.block = nil
	}
	select {
	case p.block = <-p.free:
	case <-p.over:
		return errCopyEnded
	}
	return nil
}

// finish sends the rest, waits for the server and says what came of it.
func (p *copying) finish(ctx context.Context, sent int64) (int64, error) {
	if p.block != nil {
		select {
		case p.full <- p.copier.Tail(p.block):
		case <-p.over:
		}
	}
	close(p.full)
	<-p.over
	return p.end(ctx, sent)
}

// abort cuts the stream off. What it has brought is for a rollback to remove.
func (p *copying) abort() {
	close(p.cut)
	<-p.over
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	_, _ = p.end(ctx, -1)
}

func (p *copying) end(ctx context.Context, sent int64) (int64, error) {
	c := p.c
	c.lockAnyway()
	defer c.unlock()
	c.open.Add(-1)
	err := p.copier.After(ctx, sent, p.err)
	if err == nil {
		return p.rows, c.succeeded("COPY")
	}
	row := int64(-1)
	if sent >= 0 {
		row = p.copier.RowOf(err)
	}
	err = c.failed(ctx, err)
	if row >= 0 {
		err = &RowError{Row: row, Err: err}
	}
	return 0, err
}

// copyReader is the stream for the driver that sends it.
type copyReader struct {
	p           *copying
	block, rest []byte
}

func (r *copyReader) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.block != nil {
			r.p.free <- r.block[:0]
			r.block = nil
		}
		select {
		case block, ok := <-r.p.full:
			if !ok {
				return 0, io.EOF
			}
			r.block, r.rest = block, block
		case <-r.p.cut:
			return 0, session.ErrCopyCut
		}
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
