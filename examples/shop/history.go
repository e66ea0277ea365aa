package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/dbfleet/dbfleet"
)

// deliver brings the events that wait to history, and returns how many those were.
func (s *Shop) deliver(ctx context.Context) (int, error) {
	return s.outbox.Deliver(ctx, s.inbox.Handler(s.remember))
}

// deliverUntil does so until ctx ends. Any number of processes may: each event is
// delivered by one of them.
func (s *Shop) deliverUntil(ctx context.Context) error {
	err := s.outbox.Run(ctx, s.inbox.Handler(s.remember))
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// remember writes what an event tells. An event may come again if a process dies between
// the two databases; the inbox, in the transaction of this write, lets the second one
// pass.
func (s *Shop) remember(ctx context.Context, e dbfleet.Event) error {
	var order Order
	if err := json.Unmarshal(e.Payload, &order); err != nil {
		return err
	}
	return s.purchases.Create(ctx, &Purchase{OrderID: order.ID, UserID: order.UserID, Total: order.Total, At: order.PlacedAt})
}
