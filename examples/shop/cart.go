package main

import (
	"context"

	"github.com/dbfleet/dbfleet"
)

// Put makes it so many pieces of a product in the user's cart, whether it was there or
// not: one statement, by the unique key of the two columns.
func (s *Shop) Put(ctx context.Context, userID, productID, quantity int64) error {
	if _, err := s.products.Find(ctx, productID); err != nil { // dbfleet.ErrNotFound, also of one that is retired
		return err
	}
	return s.cartLines.Upsert(ctx, &CartLine{UserID: userID, ProductID: productID, Quantity: quantity},
		dbfleet.Conflict{Key: []string{"user_id", "product_id"}, Update: []string{"quantity"}})
}

// Remove takes products out of the cart.
func (s *Shop) Remove(ctx context.Context, userID int64, products ...Product) error {
	_, err := s.cartOf.Detach(ctx, &User{ID: userID}, products...)
	return err
}

// Like tells that the user likes a product, or does not any more, and returns which.
func (s *Shop) Like(ctx context.Context, userID, productID int64) (likes bool, err error) {
	done, err := s.likesOf.Toggle(ctx, &User{ID: userID}, Product{ID: productID})
	return len(done.Attached) > 0, err
}

// User is a user with cart, likes and orders: one statement for each of the tables that
// they are in, on two databases at once.
func (s *Shop) User(ctx context.Context, id int64) (User, error) {
	return s.users.With(s.cartOf, s.likesOf, s.ordersOf.With(s.linesOf)).Find(ctx, id)
}
