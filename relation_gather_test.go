package dbfleet

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet/internal/group"
)

// truth 311
// What the database contradicts itself about, as a view with random() may make it,
// is not left out.
func TestRelation_ARecordThatFitsNoParentIsAnError(t *testing.T) {
	t.Parallel()
	type owned struct {
		ID  int64
		Ref string
	}
	r, err := Open(Config{Default: "main", Connections: map[string]ConnectionConfig{"main": {Driver: SQLite, Database: t.TempDir() + "/x.db"}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	model, err := NewModel[owned](r, ModelConfig{Table: "owned"})
	require.NoError(t, err)
	q := (*query)(model)
	keys := group.Of(2)
	keys.Add(0, "", "a", "a")
	keys.Add(1, "", "A", "A")
	g := &gathering{tie: &tie{related: q, relatedColumns: []int{1}}, query: q, keys: keys}
	part := keys.Parts()[0]
	for record, marks := range []int64{3, 1, 2} {
		require.NoError(t, g.byMarks(part, 0, 2, record, marks))
	}
	require.Equal(t, []group.Fit{part.At(0, 0), part.At(1, 0), part.At(0, 1), part.At(1, 2)}, g.fits)
	err = g.byMarks(part, 0, 2, 3, 0)
	require.ErrorContains(t, err, "fits no parent")
	require.ErrorContains(t, err, `"owned"`)
	require.ErrorContains(t, err, `"ref"`)
}
