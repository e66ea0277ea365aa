package main

import (
	"context"
	"time"

	"github.com/dbfleet/dbfleet"
)

// Customer is a line of a report: what a user has bought, and from another database
// who that is.
type Customer struct {
	UserID, Orders, Spent int64
	Name                  string `db:"-"`
}

// TopCustomers are the users who have spent most. The sums are store's; the names are
// accounts', asked for by one more statement.
func (s *Shop) TopCustomers(ctx context.Context, most int) ([]Customer, error) {
	list, err := dbfleet.Into[Customer](s.orders.Select(s.userID.Name()).
		SelectValue(dbfleet.CountRows(), "orders").
		SelectValue(dbfleet.SumOf(s.total), "spent").
		GroupBy(s.userID.Name()).
		OrderBy("spent", dbfleet.Desc).OrderBy(s.userID.Name(), dbfleet.Asc).
		Limit(most)).Get(ctx)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, c := range list {
		ids = append(ids, c.UserID)
	}
	users, err := s.users.WhereIn("id", ids).WithDeleted().Get(ctx) // who has left has bought, too
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, u := range users {
		names[u.ID] = u.Name
	}
	for i := range list {
		list[i].Name = names[list[i].UserID]
	}
	return list, nil
}

// Day is a line of a report.
type Day struct {
	Day             time.Time
	Orders, Revenue int64
}

// Revenue is what was sold on each day since then, in UTC.
func (s *Shop) Revenue(ctx context.Context, since time.Time) ([]Day, error) {
	return dbfleet.Into[Day](s.orders.Filter(s.placedAt.GtEq(since)).
		SelectValue(dbfleet.Truncate(s.placedAt, dbfleet.UnitDay), "day").
		SelectValue(dbfleet.CountRows(), "orders").
		SelectValue(dbfleet.SumOf(s.total), "revenue").
		GroupBy("day").OrderBy("day", dbfleet.Asc)).Get(ctx)
}
