// Package schema says what ent generates its code from. To generate it anew, in
// a copy of this module (the generator's own dependencies are not wanted here):
//
//	go run -mod=mod entgo.io/ent/cmd/ent generate ./internal/ent/schema
package schema

import (
	"entgo.io/ent"
	"entgo.io/ent/dialect/entsql"
	"entgo.io/ent/schema"
	"entgo.io/ent/schema/edge"
	"entgo.io/ent/schema/field"
)

// Person is a row of the table people.
type Person struct{ ent.Schema }

// Annotations of a person.
func (Person) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "people"}}
}

// Fields of a person.
func (Person) Fields() []ent.Field {
	return []ent.Field{
		field.Int64("id"),
		field.String("name"),
		field.String("email").Optional().Nillable(),
		field.Int64("age").Optional().Nillable(),
		field.Float("balance"),
		field.Bool("active"),
		field.Time("created_at"),
		field.Time("seen_at").Optional().Nillable(),
	}
}

// Parent is a row of the table parents.
type Parent struct{ ent.Schema }

// Annotations of a parent.
func (Parent) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "parents"}}
}

// Fields of a parent.
func (Parent) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.String("name")}
}

// Edges of a parent.
func (Parent) Edges() []ent.Edge {
	return []ent.Edge{edge.To("children", Child.Type)}
}

// Child is a row of the table children.
type Child struct{ ent.Schema }

// Annotations of a child.
func (Child) Annotations() []schema.Annotation {
	return []schema.Annotation{entsql.Annotation{Table: "children"}}
}

// Fields of a child.
func (Child) Fields() []ent.Field {
	return []ent.Field{field.Int64("id"), field.Int64("parent_id"), field.String("name")}
}

// Edges of a child.
func (Child) Edges() []ent.Edge {
	return []ent.Edge{edge.From("parent", Parent.Type).Ref("children").Field("parent_id").Unique().Required()}
}
