package sqlgen

import (
	"math"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// Frame is the part of a window that a function looks at from each row: From and To are
// counted from the row, math.MinInt and math.MaxInt are the window's ends.
type Frame struct {
	Unit     FrameUnit
	From, To int
}

// FrameUnit is what a frame counts.
type FrameUnit uint8

// The units; NoFrame is the database's own frame.
const (
	NoFrame FrameUnit = iota
	FrameRows
	FrameRange
	FrameGroups
)

func (r *renderer) frame(f Frame) {
	if f.Unit == FrameGroups && r.d == dialect.MySQL {
		r.fail(r.fault("frame", "MySQL and MariaDB have no groups of rows that are equal", nil))
		return
	}
	r.str([4]string{"", "ROWS BETWEEN ", "RANGE BETWEEN ", "GROUPS BETWEEN "}[f.Unit])
	r.frameEnd(f.From)
	r.str(" AND ")
	r.frameEnd(f.To)
}

func (r *renderer) frameEnd(n int) {
	switch {
	case n == math.MinInt:
		r.str("UNBOUNDED PRECEDING")
	case n == math.MaxInt:
		r.str("UNBOUNDED FOLLOWING")
	case n < 0:
		r.whole(-n)
		r.str(" PRECEDING")
	case n > 0:
		r.whole(n)
		r.str(" FOLLOWING")
	default:
		r.str("CURRENT ROW")
	}
}
