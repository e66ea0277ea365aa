package main

import (
	"context"
	"errors"
	"strings"
	"time"
)

// A record is a struct. Its columns are its fields in snake case; slices and pointers of
// structs are for relations, and a field with the tag db:"-" is no column.

// User lives in accounts. Who has left keeps a row, with the time in DeletedAt.
type User struct {
	ID                   int64
	Name, Email          string
	CreatedAt, UpdatedAt time.Time
	DeletedAt            *time.Time `json:"-"`

	Cart   []Product `json:",omitempty"`
	Likes  []Product `json:",omitempty"`
	Orders []Order   `json:",omitempty"`
}

// BeforeSave is called before a user is inserted or updated.
func (u *User) BeforeSave(context.Context) error {
	u.Email = strings.ToLower(strings.TrimSpace(u.Email))
	return nil
}

// Validate is called behind it. Nothing is sent if it fails.
func (u *User) Validate(context.Context) error {
	if u.Name == "" || !strings.Contains(u.Email, "@") {
		return errInvalid("a user has a name and an email address")
	}
	return nil
}

// Product lives in store. A write asks for the version that was read, so that nobody
// sells what somebody else has sold meanwhile.
type Product struct {
	ID           int64
	Name         string
	Price, Stock int64 // in cents, and pieces
	Version      int64 `json:"-"`
	DeletedAt    *time.Time

	InCart *CartLine `json:",omitempty"` // the row that ties it to the cart that it was read for
	Liked  int64     `db:"-"`            // by so many users
	Sold   int64     `db:"-"`            // so many pieces
}

func (p *Product) Validate(context.Context) error {
	if p.Name == "" || p.Price <= 0 || p.Stock < 0 {
		return errInvalid("a product has a name, a price, and a stock that is not negative")
	}
	return nil
}

// CartLine ties a product to a user's cart.
type CartLine struct {
	ID                          int64
	UserID, ProductID, Quantity int64
}

func (l *CartLine) Validate(context.Context) error {
	if l.Quantity < 1 {
		return errInvalid("a cart has one piece of a product, or more")
	}
	return nil
}

// Like ties a product to a user who likes it.
type Like struct {
	UserID, ProductID int64
}

// Order is what a user has bought. It lives in store, its user in accounts.
type Order struct {
	ID, UserID, Total int64
	PlacedAt          time.Time

	Lines []OrderLine `json:",omitempty"`
	User  *User       `json:",omitempty"`
}

// OrderLine keeps the price of that day.
type OrderLine struct {
	ID, OrderID, ProductID int64
	Quantity, Price        int64

	Product *Product `json:",omitempty"`
}

// Purchase is what history knows of an order.
type Purchase struct {
	OrderID, UserID, Total int64
	At                     time.Time
}

// errInvalid are faults of what a client has sent.
func errInvalid(reason string) error { return errors.Join(ErrInvalid, errors.New(reason)) }

// ErrInvalid tells that what was to be stored is not valid.
var ErrInvalid = errors.New("invalid")
