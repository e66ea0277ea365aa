package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// day is a day in the shop.
func (s *Shop) day(ctx context.Context, out io.Writer) error {
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	users := []User{{Name: "Ada", Email: " Ada@Example.org"}, {Name: "Bob", Email: "bob@example.org"}, {Name: "Cid", Email: "cid@example.org"}}
	products := []Product{
		{Name: "Chair", Price: 4900, Stock: 10}, {Name: "Desk", Price: 19900, Stock: 1},
		{Name: "Lamp", Price: 2500, Stock: 5}, {Name: "Rug", Price: 7900, Stock: 2},
	}
	if err := errors.Join(s.users.CreateMany(ctx, users), s.products.CreateMany(ctx, products)); err != nil {
		return err
	}
	ada, bob, cid := users[0].ID, users[1].ID, users[2].ID
	chair, desk, lamp, rug := products[0].ID, products[1].ID, products[2].ID, products[3].ID
	err := s.users.Create(ctx, &User{Name: "Dan"})
	say("Dan has no address: %v", errors.Is(err, ErrInvalid))

	for _, like := range [][2]int64{{ada, lamp}, {bob, lamp}, {cid, lamp}, {cid, rug}, {bob, lamp}} { // Bob takes it back
		if _, err := s.Like(ctx, like[0], like[1]); err != nil {
			return err
		}
	}
	for _, line := range [][3]int64{{ada, chair, 1}, {ada, chair, 4}, {ada, desk, 1}, {bob, desk, 1}, {cid, lamp, 2}} {
		if err := s.Put(ctx, line[0], line[1], line[2]); err != nil {
			return err
		}
	}
	for _, id := range []int64{ada, bob, cid} {
		order, err := s.Order(ctx, id)
		var soldOut *SoldOutError
		switch {
		case errors.As(err, &soldOut):
			say("User %d buys nothing: %v.", id, err)
		case err != nil:
			return err
		default:
			say("User %d has bought for %s.", id, money(order.Total))
		}
	}
	if err := s.users.Delete(ctx, &users[2]); err != nil { // Cid leaves, and likes nothing any more
		return err
	}
	if err := s.Retire(ctx, &products[3]); err != nil {
		return err
	}

	page, err := s.Products(ctx, "", "", 1)
	for err == nil {
		for _, p := range page.Items {
			say("%s: %s, %d left, liked by %d, %d sold", p.Name, money(p.Price), p.Stock, p.Liked, p.Sold)
		}
		if !page.HasNext {
			break
		}
		page, err = s.Products(ctx, "", page.Next, 1)
	}
	if err != nil {
		return err
	}

	user, err := s.User(ctx, ada)
	if err != nil {
		return err
	}
	var bought []string
	for _, l := range user.Orders[0].Lines {
		bought = append(bought, fmt.Sprintf("%d %s", l.Quantity, l.Product.Name))
	}
	say("%s (%s) has bought %s, and has %d in the cart.", user.Name, user.Email, strings.Join(bought, " and "), len(user.Cart))

	told, err := s.deliver(ctx)
	if err != nil {
		return err
	}
	say("History has heard of %d orders.", told)
	top, err := s.TopCustomers(ctx, 3)
	if err != nil {
		return err
	}
	for _, c := range top {
		say("%s has spent %s.", c.Name, money(c.Spent))
	}
	days, err := s.Revenue(ctx, time.Now().AddDate(0, 0, -7))
	for _, d := range days {
		say("A day with %d orders brought %s.", d.Orders, money(d.Revenue))
	}
	return err
}

// money is an amount in cents as people write it.
func money(cents int64) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }
