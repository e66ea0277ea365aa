// Package schema says what ent generates its code from. To generate it anew, in
// a copy of this module (the generator's own dependencies are not wanted here):
//
//	go run -mod=mod entgo.io/ent/cmd/ent generate --feature sql/upsert,sql/execquery ./tasks/withent/ent/schema
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

// User is a row of the table users.
type User struct{ ent.Schema }

// Fields of a user.
func (User) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.String("name"), field.String("email").Unique(), field.Int64("balance").Default(0)}
}

// Edges of a user.
func (User) Edges() []ent.Edge {
	return []ent.Edge{edge.To("orders", Order.Type)}
}

// Order is a row of the table orders.
type Order struct{ ent.Schema }

// Fields of an order.
func (Order) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.Int64("user_id"), field.Float("total")}
}

// Edges of an order.
func (Order) Edges() []ent.Edge {
	return []ent.Edge{edge.From("user", User.Type).Ref("orders").Field("user_id").Unique().Required()}
}

// Event is a row of the table events, in the other database.
type Event struct{ ent.Schema }

// Fields of an event.
func (Event) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.String("kind")}
}
