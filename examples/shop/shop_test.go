package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/dbtest"
)

// The test program is also the example itself.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_SHOP") != "" {
		main()
		return
	}
	dbtest.Main(m)
}

const told = `Dan has no address: true
User 1 has bought for 395.00.
User 2 buys nothing: 1 of "Desk" are asked for, and 0 are left.
User 3 has bought for 50.00.
Chair: 49.00, 6 left, liked by 0, 4 sold
Lamp: 25.00, 3 left, liked by 1, 2 sold
Ada (ada@example.org) has bought 4 Chair and 1 Desk, and has 0 in the cart.
History has heard of 2 orders.
Ada has spent 395.00.
Cid has spent 50.00.
A day with 2 orders brought 445.00.
`

func TestShop_RunsAsAProgram(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = []string{"RUN_AS_SHOP=1", "TMPDIR=" + temp}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, told, string(out))
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left, "it removes its databases")
}

// mixes are the databases of accounts, store and history.
var mixes = [][3]string{{"postgres", "mysql", "sqlite"}, {"mysql", "sqlite", "postgres"}, {"sqlite", "postgres", "mysql"}}

func on(t *testing.T, mix [3]string) dbfleet.Config {
	config := dbfleet.Config{Default: store, Connections: map[string]dbfleet.ConnectionConfig{}}
	for i, name := range []string{accounts, store, history} {
		db := dbtest.New(t, mix[i])
		config.Connections[name] = dbfleet.ConnectionConfig{
			Driver: dbfleet.Driver(db.Dialect), Host: db.Host, Port: db.Port,
			Database: db.Name, Username: db.Username, Password: dbfleet.Secret(db.Password),
		}
	}
	return config
}

// onEach runs a test on each of the mixes, with a shop that is open.
func onEach(t *testing.T, f func(t *testing.T, s *Shop)) {
	t.Helper()
	for _, mix := range mixes {
		t.Run(strings.Join(mix[:], "-"), func(t *testing.T) {
			t.Parallel()
			config := on(t, mix)
			config.SessionKeys = []dbfleet.Secret{"a key of 32 characters and more..."}
			registry, err := dbfleet.Open(config)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, registry.Close()) })
			s, err := openShop(t.Context(), registry)
			require.NoError(t, err)
			f(t, s)
		})
	}
}

func TestShop_RunsOnAnyThreeDatabases(t *testing.T) {
	t.Parallel()
	for _, mix := range mixes {
		t.Run(strings.Join(mix[:], "-"), func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			require.NoError(t, run(t.Context(), on(t, mix), "", &out))
			require.Equal(t, told, out.String())
		})
	}
}

// However many buy at once: no piece is sold twice, none is lost, and each order is heard of once.
func TestOrder_SellsEachPieceOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *Shop) {
		ctx := t.Context()
		chair, desk := Product{Name: "Chair", Price: 100, Stock: 5}, Product{Name: "Desk", Price: 1000, Stock: 100}
		require.NoError(t, s.products.Create(ctx, &chair))
		require.NoError(t, s.products.Create(ctx, &desk))
		const buyers = 8
		users := make([]User, buyers)
		for i := range users {
			users[i] = User{Name: fmt.Sprint("user ", i), Email: fmt.Sprintf("u%d@example.org", i)}
		}
		require.NoError(t, s.users.CreateMany(ctx, users))
		var wg sync.WaitGroup
		errs := make([]error, buyers)
		for i, u := range users {
			require.NoError(t, s.Put(ctx, u.ID, chair.ID, 1))
			require.NoError(t, s.Put(ctx, u.ID, desk.ID, 2))
			wg.Go(func() { _, errs[i] = s.Order(ctx, u.ID) })
		}
		wg.Wait()
		sold := 0
		for _, err := range errs {
			var soldOut *SoldOutError
			if err == nil {
				sold++
			} else if !errors.Is(err, dbfleet.ErrStaleRecord) { // 20 times somebody was faster
				require.ErrorAs(t, err, &soldOut)
			}
		}
		require.NoError(t, s.products.Refresh(ctx, &chair))
		require.NoError(t, s.products.Refresh(ctx, &desk))
		require.Equal(t, 5-int64(sold), chair.Stock)
		require.Equal(t, 100-2*int64(sold), desk.Stock)
		require.Positive(t, sold)
		n, err := s.orders.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, sold, n)
		n, err = s.cartLines.Count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2*(buyers-sold), n, "who bought nothing keeps the cart")

		heard, err := s.deliver(ctx)
		require.NoError(t, err)
		require.Equal(t, sold, heard)
		sum, err := dbfleet.Sum[int64](ctx, s.purchases.Query(), "total")
		require.NoError(t, err)
		require.EqualValues(t, 2100*sold, sum)
	})
}

// The stock, the order, the cart and the event are one.
func TestOrder_LeavesNothingHalfDone(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *Shop) {
		ctx := t.Context()
		user, chair := User{Name: "Ada", Email: "ada@example.org"}, Product{Name: "Chair", Price: 100, Stock: 5}
		require.NoError(t, s.users.Create(ctx, &user))
		require.NoError(t, s.products.Create(ctx, &chair))
		require.NoError(t, s.Put(ctx, user.ID, chair.ID, 3))
		errLost := errors.New("the process is gone")
		err := s.registry.Transaction(ctx, store, func(ctx context.Context, _ *dbfleet.Tx) error {
			_, err := s.Order(ctx, user.ID) // a savepoint in here
			require.NoError(t, err)
			return errLost
		})
		require.ErrorIs(t, err, errLost)
		pending, err := s.outbox.Pending(ctx)
		require.NoError(t, err)
		require.Zero(t, pending)
		got, err := s.User(ctx, user.ID)
		require.NoError(t, err)
		require.Empty(t, got.Orders)
		require.Len(t, got.Cart, 1)
		require.EqualValues(t, 3, got.Cart[0].InCart.Quantity)
		require.EqualValues(t, 5, got.Cart[0].Stock)
		require.NoError(t, s.Remove(ctx, user.ID, got.Cart[0]))
		_, err = s.Order(ctx, user.ID)
		require.ErrorIs(t, err, ErrEmptyCart)
		unsold, err := s.Unsold(ctx)
		require.NoError(t, err)
		require.Len(t, unsold, 1)
	})
}

// A page of products is one statement for each of the tables that it tells of, however many
// products and pages there are, and each product comes once.
func TestProducts_PagesCostTheSame(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *Shop) {
		ctx := t.Context()
		users := []User{{Name: "Ada", Email: "ada@example.org"}, {Name: "Bob", Email: "bob@example.org"}}
		require.NoError(t, s.users.CreateMany(ctx, users))
		products := make([]Product, 25)
		for i := range products {
			products[i] = Product{Name: fmt.Sprintf("Part %02d", i), Price: 100, Stock: int64(i % 5)}
		}
		require.NoError(t, s.products.CreateMany(ctx, products))
		for _, u := range users {
			_, err := s.likesOf.Attach(ctx, &u, products[7], products[8])
			require.NoError(t, err)
		}
		_, err := s.Like(ctx, users[1].ID, products[8].ID)
		require.NoError(t, err)
		var mu sync.Mutex
		sent := map[string]int{}
		t.Cleanup(s.registry.OnAfterQuery(func(_ context.Context, e dbfleet.QueryEvent) {
			mu.Lock()
			defer mu.Unlock()
			sent[e.Table+" of "+e.Route.Connection]++
		}))
		var names []string
		liked := map[string]int64{}
		pages, after := 0, ""
		for {
			page, err := s.Products(ctx, "Part", after, 10)
			require.NoError(t, err)
			for _, p := range page.Items {
				names = append(names, p.Name)
				if p.Liked > 0 {
					liked[p.Name] = p.Liked
				}
			}
			if pages++; !page.HasNext {
				break
			}
			after = page.Next
		}
		require.Len(t, names, 20)
		require.IsIncreasing(t, names)
		require.Equal(t, map[string]int64{"Part 07": 2, "Part 08": 1}, liked)
		require.Equal(t, 2, pages)
		require.Equal(t, map[string]int{"products of store": 2, "order_lines of store": 2, "likes of store": 2, "users of accounts": 1}, sent,
			"of a page that nobody likes no user is asked")
	})
}

func TestAPI_TellsWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *Shop) {
		server := httptest.NewServer(s.api())
		t.Cleanup(server.Close)
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client := &http.Client{Jar: jar}
		call := func(method, path, body string) (int, map[string]any) {
			r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
			require.NoError(t, err)
			resp, err := client.Do(r)
			require.NoError(t, err)
			defer resp.Body.Close()
			var found any
			require.NoError(t, json.NewDecoder(resp.Body).Decode(&found))
			m, _ := found.(map[string]any)
			return resp.StatusCode, m
		}
		chair := Product{Name: "Chair", Price: 4900, Stock: 3}
		require.NoError(t, s.products.Create(t.Context(), &chair))
		ada := "/users/1"
		status := func(want int, method, path, body string) map[string]any {
			t.Helper()
			got, found := call(method, path, body)
			require.Equal(t, want, got, "%s %s: %v", method, path, found)
			return found
		}
		user := status(200, "POST", "/users", `{"name": "Ada", "email": "Ada@example.org"}`)
		require.Equal(t, "ada@example.org", user["Email"])
		status(409, "POST", "/users", `{"name": "Eve", "email": "ada@example.org"}`)
		status(400, "POST", "/users", `{"name": "Eve", "email": "nowhere"}`)
		status(400, "POST", "/users", `{"name": "Eve", "email": "eve@example.org", "id": 7}`)
		status(400, "POST", "/users", `{`)
		status(404, "GET", "/users/7", "")
		status(404, "GET", "/users/ada", "")
		status(400, "GET", "/products?after=nonsense", "")
		status(409, "POST", ada+"/orders", "")
		status(404, "PUT", ada+"/cart/77", `{"quantity": 1}`)
		status(400, "PUT", ada+"/cart/1", `{"quantity": 0}`)
		status(200, "PUT", ada+"/cart/1", `{"quantity": 4}`)
		require.Contains(t, status(409, "POST", ada+"/orders", "")["Error"], `"Chair"`)
		status(200, "PUT", ada+"/cart/1", `{"quantity": 2}`)
		status(200, "POST", ada+"/likes/1", "")
		require.EqualValues(t, 9800, status(200, "POST", ada+"/orders", "")["Total"])
		item := status(200, "GET", "/products", "")["Items"].([]any)[0].(map[string]any)
		require.EqualValues(t, 1, item["Stock"])
		require.EqualValues(t, 1, item["Liked"])
		require.Len(t, status(200, "GET", "/report", "")["Customers"], 1)
		status(200, "GET", "/health", "")
	})
}

// What runs at the end is finished, and what waits for history is heard of.
func TestServe_EndsInOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *Shop) {
		ctx, stop := context.WithCancel(t.Context())
		user, chair := User{Name: "Ada", Email: "ada@example.org"}, Product{Name: "Chair", Price: 100, Stock: 5}
		require.NoError(t, s.users.Create(ctx, &user))
		require.NoError(t, s.products.Create(ctx, &chair))
		require.NoError(t, s.Put(ctx, user.ID, chair.ID, 3))
		var out strings.Builder
		served := make(chan error, 1)
		go func() { served <- s.serve(ctx, "127.0.0.1:0", &out) }()
		_, err := s.Order(ctx, user.ID)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			n, err := s.purchases.Count(t.Context())
			return err == nil && n == 1
		}, time.Minute, 10*time.Millisecond)
		stop()
		require.NoError(t, <-served)
		require.True(t, strings.HasPrefix(out.String(), "http://127.0.0.1:"))
		require.ErrorContains(t, s.serve(t.Context(), "127.0.0.1:none", &out), "none")
	})
}
