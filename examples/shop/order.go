package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/dbfleet/dbfleet"
)

// ErrEmptyCart tells of an order of nothing.
var ErrEmptyCart = errors.New("the cart is empty")

// SoldOutError tells that there are not as many pieces as a cart has.
type SoldOutError struct {
	Product     string
	Left, Asked int64
}

func (e *SoldOutError) Error() string {
	return fmt.Sprintf("%d of %q are asked for, and %d are left", e.Asked, e.Product, e.Left)
}

// Order buys what is in the user's cart. Somebody else may have bought of the same
// products since they were read: the stock is then another one, and is read again.
func (s *Shop) Order(ctx context.Context, userID int64) (order Order, err error) {
	user, err := s.users.Find(ctx, userID) // in accounts: who has left buys nothing
	if err != nil {
		return Order{}, err
	}
	for range 20 {
		if order, err = s.orderOnce(ctx, user); !errors.Is(err, dbfleet.ErrStaleRecord) {
			break
		}
	}
	return order, err
}

// orderOnce is one transaction on store: the context that its function is given carries it,
// and whatever is done with that takes part. It runs again if the database has chosen it
// as the victim of a deadlock.
//
// History is another database, where it is told of the order later: the event is written by the
// same transaction, so that it is there if and only if the order is. Where two databases
// must change at once, and not one after the other, registry.Atomic is a transaction over
// both.
func (s *Shop) orderOnce(ctx context.Context, user User) (order Order, err error) {
	err = s.registry.Transaction(ctx, store, func(ctx context.Context, _ *dbfleet.Tx) error {
		if err := s.cartOf.LoadOne(ctx, &user); err != nil {
			return err
		}
		order = Order{UserID: user.ID, PlacedAt: time.Now().UTC()}
		if order.Lines, err = take(user.Cart); err != nil {
			return err
		}
		for _, l := range order.Lines {
			order.Total += l.Quantity * l.Price
		}
		if err := s.products.SaveMany(ctx, user.Cart); err != nil { // ErrStaleRecord of the first that was not as read
			return err
		}
		if err := s.orders.Create(ctx, &order); err != nil {
			return err
		}
		for i := range order.Lines {
			order.Lines[i].OrderID = order.ID // which the database has made
		}
		if err := s.lines.CreateMany(ctx, order.Lines); err != nil {
			return err
		}
		if _, err := s.cartOf.DetachAll(ctx, &user); err != nil {
			return err
		}
		return s.announce(ctx, order)
	}, dbfleet.TxOptions{Retries: 5})
	return order, err
}

// take takes what a cart has out of the stock of its products.
func take(cart []Product) ([]OrderLine, error) {
	if len(cart) == 0 {
		return nil, ErrEmptyCart
	}
	lines := make([]OrderLine, len(cart))
	for i := range cart {
		p := &cart[i]
		n := p.InCart.Quantity
		if p.Stock < n {
			return nil, &SoldOutError{Product: p.Name, Left: p.Stock, Asked: n}
		}
		p.Stock -= n
		lines[i] = OrderLine{ProductID: p.ID, Quantity: n, Price: p.Price}
	}
	return lines, nil
}

// announce adds the event to the outbox, in the transaction of ctx. The key keeps those
// of one user in order.
func (s *Shop) announce(ctx context.Context, order Order) error {
	payload, err := json.Marshal(order)
	if err != nil {
		return err
	}
	_, err = s.outbox.Add(ctx, dbfleet.Event{Topic: "order placed", Key: fmt.Sprint(order.UserID), Payload: payload})
	return err
}
