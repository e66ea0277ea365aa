// Package cell holds a value of a result as its driver found it, without the
// allocation that a driver.Value costs for nearly every one. It is what the
// direct readers of package driver write and package rowmap reads.
package cell

import (
	"database/sql/driver"
	"time"
)

// Kind says which field of a Cell holds its value.
type Kind uint8

// The kinds of cells.
const (
	Null  Kind = iota
	Bool       // Int is 0 or 1
	Int        // Int
	Float      // Float
	Text       // Bytes: text in the reader's buffer
	Bytes      // Bytes: binary data in the reader's buffer
	Time       // Time; Bytes is the text that it was read from, nil if it was none
	Other      // Other: every other driver.Value, strings among them
)

// Cell is one value of a row. Fields that its Kind does not name may hold
// anything. It is filled again for each row; Bytes are valid until then.
type Cell struct {
	Kind  Kind
	Int   int64
	Float float64
	Bytes []byte
	Time  time.Time
	Other driver.Value
}

// Value is the value as database/sql's drivers give it: Text is a string of its
// own, while Bytes stay in the reader's buffer.
func (c *Cell) Value() driver.Value {
	switch c.Kind {
	case Null:
		return nil
	case Bool:
		return c.Int != 0
	case Int:
		return c.Int
	case Float:
		return c.Float
	case Text:
		return string(c.Bytes)
	case Bytes:
		return c.Bytes
	case Time:
		return c.Time
	}
	return c.Other
}

// SetBool makes the cell a Bool.
func (c *Cell) SetBool(b bool) {
	c.Kind, c.Int = Bool, 0
	if b {
		c.Int = 1
	}
}

// SetInt makes the cell an Int.
func (c *Cell) SetInt(n int64) { c.Kind, c.Int = Int, n }

// SetFloat makes the cell a Float.
func (c *Cell) SetFloat(f float64) { c.Kind, c.Float = Float, f }

// SetText makes the cell a Text.
func (c *Cell) SetText(b []byte) { c.Kind, c.Bytes = Text, b }

// SetBytes makes the cell Bytes.
func (c *Cell) SetBytes(b []byte) { c.Kind, c.Bytes = Bytes, b }

// SetTime makes the cell a Time.
func (c *Cell) SetTime(t time.Time) { c.Kind, c.Time, c.Bytes = Time, t, nil }

// SetTimeText makes the cell a Time that stands as a text in the reader's buffer,
// for who wants what is stored.
func (c *Cell) SetTimeText(t time.Time, text []byte) { c.Kind, c.Time, c.Bytes = Time, t, text }

// Set makes the cell what v is.
func (c *Cell) Set(v driver.Value) {
	switch v := v.(type) {
	case nil:
		c.Kind = Null
	case bool:
		c.SetBool(v)
	case int64:
		c.SetInt(v)
	case float64:
		c.SetFloat(v)
	case []byte:
		c.SetBytes(v)
	case time.Time:
		c.SetTime(v)
	default:
		c.Kind, c.Other = Other, v
	}
}
