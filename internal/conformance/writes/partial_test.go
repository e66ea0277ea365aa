package writes

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// card has texts that a narrowed select list may leave out.
type card struct {
	ID     int64
	Name   string
	Phone  string
	Visits int64
}

const cardsTable = `CREATE TABLE cards (id {id}, name {text} NOT NULL, phone {text} NOT NULL, visits {bigint} NOT NULL)`

// truth 703
func TestSave_OfARecordReadInPartErasesNothing(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, cardsTable)
		ctx := t.Context()
		cards := conformance.Model[card](t, fl.Registry, dbfleet.ModelConfig{Table: "cards"})
		whole := card{Name: "ann", Phone: "123", Visits: 7}
		require.NoError(t, cards.Create(ctx, &whole))
		unchanged := func() {
			t.Helper()
			now, err := cards.Find(ctx, whole.ID)
			require.NoError(t, err)
			require.Equal(t, whole, now)
		}
		refused := func(err error) {
			t.Helper()
			require.ErrorIs(t, err, dbfleet.ErrUnread)
			require.ErrorContains(t, err, "phone")
			require.ErrorContains(t, err, "SaveColumns")
			unchanged()
		}

		part, err := cards.Select("id", "name").First(ctx)
		require.NoError(t, err)
		require.Equal(t, card{ID: whole.ID, Name: "ann"}, part, "an unread text is the empty text")
		part.Name = "bob"
		copied := part
		refused(cards.Save(ctx, &copied))
		require.Equal(t, part, copied)

		list, err := cards.Select("id", "name").Get(ctx)
		require.NoError(t, err)
		refused(cards.Save(ctx, &list[0]))
		for c, err := range cards.Select("id", "name").Iter(ctx) {
			require.NoError(t, err)
			c.Name = "iter"
			list = append(list, c)
		}
		refused(cards.Save(ctx, &list[1]))
		refused(cards.Upsert(ctx, &list[1], dbfleet.Conflict{}))
		refused(cards.UpsertMany(ctx, list[1:], dbfleet.Conflict{}))
		again := card{Name: "new", Phone: list[0].Phone}
		refused(cards.Create(ctx, &again))
		refused(cards.CreateMany(ctx, []card{{Name: "new"}, again}))
		keyless, err := cards.Select("name").First(ctx)
		require.NoError(t, err)
		refused(cards.Save(ctx, &keyless))

		// What was read, or set, can be written.
		require.NoError(t, cards.SaveColumns(ctx, &part, "name"))
		whole.Name = "bob"
		unchanged()
		part.Phone, part.Visits = "", 7
		require.NoError(t, cards.Save(ctx, &part), "a text that was set to the empty one")
		whole.Phone = ""
		unchanged()
	})
}

// tidyCard changes another column than the one that is saved.
type tidyCard struct {
	ID     int64
	Name   string
	Phone  string
	Visits int64
}

func (c *tidyCard) BeforeUpdate(context.Context) error {
	c.Visits++
	return nil
}

// truth 704
func TestSaveColumns_WritesWhatTheCallbackChanged(t *testing.T) {
	t.Parallel()
	conformance.OnEach(t, func(t *testing.T, fl conformance.Fleet) {
		fl.Create(t, cardsTable)
		ctx := t.Context()
		cards := conformance.Model[tidyCard](t, fl.Registry, dbfleet.ModelConfig{Table: "cards"})
		c := tidyCard{Name: "ann", Phone: "123", Visits: 7}
		require.NoError(t, cards.Create(ctx, &c))
		other := c
		other.Phone = "stays in the record"
		other.Name = "bob"
		require.NoError(t, cards.SaveColumns(ctx, &other, "name"))
		now, err := cards.Find(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, tidyCard{ID: c.ID, Name: "bob", Phone: "123", Visits: 8}, now)

		part, err := cards.Select("id", "visits").First(ctx)
		require.NoError(t, err)
		require.NoError(t, cards.SaveColumns(ctx, &part, "visits"), "what was not read is not written")
		now, err = cards.Find(ctx, c.ID)
		require.NoError(t, err)
		require.Equal(t, tidyCard{ID: c.ID, Name: "bob", Phone: "123", Visits: 9}, now)
	})
}
