package sqlgen

import (
	"database/sql/driver"
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/dialect"
	"github.com/dbfleet/dbfleet/internal/value"
)

// Number is a decimal number that databases compare and compute with as one, whatever
// stands around it. Where a plain value is taken it is its text.
type Number struct {
	Decimal value.Decimal
	Err     error // why it is none; told when it is used
}

// Value implements driver.Valuer.
func (n *Number) Value() (driver.Value, error) {
	if n.Err != nil {
		return nil, n.Err
	}
	return n.Decimal.String(), nil
}

// sqliteDigits is how many digits of a decimal a float of SQLite keeps.
const sqliteDigits = 15

var errDigits = fmt.Errorf("%w: more digits than its numbers have", value.ErrRange)

// number writes a placeholder with the type of exact numbers.
func (r *renderer) number(n *Number, part string) {
	d, err := n.Decimal, n.Err
	scale := 0
	switch {
	case err != nil:
	case r.d == dialect.MySQL:
		if !IsDecimal(d) {
			err = errDigits
		}
		scale, _ = commonScale([]any{d.String()})
	case r.d == dialect.SQLite && len(d.Digits) > sqliteDigits:
		if _, whole := strconv.ParseInt(d.String(), 10, 64); whole != nil {
			err = errDigits
		}
	}
	if err != nil {
		r.fail(r.fault(part, "a number for "+r.d.Name, err))
		return
	}
	r.decimal(d.String(), scale)
}

// compareNumber writes a comparison with a number.
func (r *renderer) compareNumber(c *Cond, n *Number) {
	if r.numberFails(c, n) {
		return
	}
	r.comparison(c)
	r.number(n, "column "+strconv.Quote(c.col))
}

// numberFails fails for an operator that no number can follow.
func (r *renderer) numberFails(c *Cond, n *Number) (failed bool) {
	switch c.op {
	case Lt, LtEq, Gt, GtEq:
		return false
	case Eq, NotEq:
		if r.d != dialect.SQLite {
			return false
		}
		if _, whole := strconv.ParseInt(n.Decimal.String(), 10, 64); c.kind == terms && n.Err == nil && whole == nil {
			return false
		}
		r.fail(r.fault(c.leftPart(), "SQLite compares numbers as floats are, which would find others too; give the text, or write SQL", nil))
	default:
		r.fail(r.fault(c.leftPart(), "a number cannot follow "+opName(c.op), nil))
	}
	return true
}

// leftPart is the part of a statement that the left side of a comparison is.
func (c *Cond) leftPart() string {
	if c.kind == terms {
		return "expression"
	}
	return "column " + strconv.Quote(c.col)
}
