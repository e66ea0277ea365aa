package dbfleet

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/dbfleet/dbfleet/internal/rowmap"
)

// ShardRule says which connection holds a record. It is sealed: ShardBy makes one.
type ShardRule interface {
	fault() string
	column() string
	connection(key any) (string, error)
}

// ShardBy places each record of a model on the connection that route names for
// the value of column. route must be a pure function: the same key always
// gives the same connection.
//
//	Shard: dbfleet.ShardBy("user_id", func(id int64) string {
//		return fmt.Sprintf("orders_shard_%d", id%4+1)
//	})
//
// The key is the one given to Shard, or the one found in the conditions
// (column = value, or an IN whose values all live on one shard; the column alone,
// or behind the query's table or its alias) or in the record; the column of
// another table, one beside an OR, in a negation or in raw SQL is not taken for
// it. If both are there they must name the same shard. A missing, NULL or
// zero-valued key is ErrMissingShardKey: nothing is guessed. That holds for the zero value
// of K (0, "", false, a UUID of zeros) wherever it stands, also in Shard(0) and in a
// condition that says "user_id" = 0: in a record it is a field that nobody has set, and what
// could be read by such a key could not be written. Keys begin with 1. Values of other
// types are converted to K where nothing is lost, so 7, int64(7) and "7" find
// the same shard. A key is the value in Go, a text as it is written: where the column's
// collation holds "ann" and "Ann" for equal, route must give both the same connection.
func ShardBy[K comparable](column string, route func(key K) string) ShardRule {
	return &shardRule[K]{col: column, route: route}
}

type shardRule[K comparable] struct {
	col   string
	route func(K) string
}

func (r *shardRule[K]) column() string { return r.col }

// fault says what is wrong with the rule, "" for nothing.
func (r *shardRule[K]) fault() string {
	switch {
	case r.col == "":
		return "ShardBy names no column"
	case r.route == nil:
		return "the function given to ShardBy is nil"
	}
	return ""
}

func (r *shardRule[K]) connection(key any) (string, error) {
	var zero K
	k, ok := key.(K)
	if !ok {
		if v, err := rowmap.Arg(key, nil); err == nil && v == nil {
			return "", errorf("shard key %q: the key is NULL: %w", r.col, ErrMissingShardKey)
		}
		if err := rowmap.Convert(&k, key); err != nil {
			return "", errorf("shard key %q: %w", r.col, err)
		}
	}
	if k == zero {
		return "", errorf("shard key %q: the key is zero: %w", r.col, ErrMissingShardKey)
	}
	name := r.route(k)
	if name == "" {
		return "", errorf("shard key %q: the shard function names no connection: %w", r.col, ErrMissingShardKey)
	}
	return name, nil
}

// shardFor decides the connection of a sharded source. keys is what conditions
// or a record say of the key, nil for nothing; list says that it is a list.
func (s *source) shardFor(w *wish, keys any, list bool) (destination, error) {
	if w.hasShard {
		if w.shard == nil {
			return destination{}, s.missingKey("the key given to Shard is nil")
		}
		name, err := s.shard.connection(w.shard)
		if err == nil && keys != nil {
			err = s.sameShard(name, keys, list)
		}
		return destination{name, "the shard of the key given on the call"}, err
	}
	if keys == nil {
		return destination{}, s.missingKey("give it by Shard or by a condition " + strconv.Quote(s.shard.column()) + " = …")
	}
	if !list {
		name, err := s.shard.connection(keys)
		return destination{name, "the shard of the key found in the conditions"}, err
	}
	all, hasNull, err := rowmap.Elements(keys)
	if err != nil || hasNull || len(all) == 0 {
		return destination{}, errors.Join(s.missingKey("the list of keys is empty or holds nil"), err)
	}
	name := ""
	for i, k := range all {
		n, err := s.shard.connection(k)
		if err != nil {
			return destination{}, err
		}
		if i > 0 && n != name {
			return destination{}, s.missingKey(fmt.Sprintf("the keys live on several shards (%q and %q); ask each by itself", name, n))
		}
		name = n
	}
	return destination{name, "the shard of the keys found in the conditions"}, nil
}

// sameShard refuses keys beside one given to Shard that live elsewhere: what
// they ask for, or write, would be looked for in the wrong place.
func (s *source) sameShard(name string, keys any, list bool) error {
	all := []any{keys}
	if list {
		if !rowmap.IsList(keys) {
			return nil // a subquery; the shard is chosen
		}
		var err error
		if all, _, err = rowmap.Elements(keys); err != nil {
			return err
		}
	}
	for _, k := range all {
		n, err := s.shard.connection(k)
		if err != nil {
			return err
		}
		if n != name {
			return s.table.Fail("the key given to Shard lives on %q, another value of %q on %q", name, s.shard.column(), n)
		}
	}
	return nil
}

func (s *source) missingKey(why string) error {
	return errorf("table %q, shard key %q: %s: %w", s.table.Name, s.shard.column(), why, ErrMissingShardKey)
}
