package main

import (
	"context"

	"github.com/dbfleet/dbfleet"
)

// Products is a page of products by name: those in stock whose name has the text. A page
// costs the same wherever it lies, and none comes twice because others buy or add some.
//
// Who likes each product, and how many pieces were sold, is asked for all of the page at
// once, and no user and no order is read for it. Likes are in store and users in
// accounts: those who have left do not count.
func (s *Shop) Products(ctx context.Context, text, after string, size int) (dbfleet.Page[Product], error) {
	q := s.products.With(
		dbfleet.CountRelated(s.likedBy, func(p *Product) *int64 { return &p.Liked }),
		dbfleet.SumRelated(s.soldOf, "quantity", func(p *Product) *int64 { return &p.Sold }),
	).Filter(s.stock.Gt(0))
	if text != "" {
		q = q.Filter(s.name.Contains(text))
	}
	return dbfleet.CursorPage(ctx, q.OrderBy("name", dbfleet.Asc), dbfleet.Cursor{Size: size, After: after})
}

// Unsold are products that nobody has bought.
func (s *Shop) Unsold(ctx context.Context) ([]Product, error) {
	return s.products.Filter(s.soldOf.HasNone()).OrderBy("name", dbfleet.Asc).Get(ctx)
}

// Retire takes a product out of the catalogue. Its row stays, for the orders that have it.
func (s *Shop) Retire(ctx context.Context, product *Product) error {
	return s.products.Delete(ctx, product)
}
