package replicas

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dbfleet/dbfleet"
	"github.com/dbfleet/dbfleet/internal/conformance"
)

// A standby in the primary's place tells whose data the connection has, while there is no
// primary.
func TestForeign_StandbyServesNothingBesideOneInThePlaceOfThePrimary(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	f.config.Host, f.config.Port = f.own.Replicas[0].Host, f.own.Replicas[0].Port
	f.config.ReadHosts = []string{f.standby}
	f.config.Reads.MaxWait = soon
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": f.config})
	for range 10 {
		got, err := ownersOf(t.Context(), r.DB("main"))
		require.NoError(t, err)
		require.Equal(t, "seed", got)
	}
}

// Nothing is waited for where no replica is left.
func TestSetReplicas_ToNoneIsSoonOver(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": f.config})
	for range 20 {
		require.NoError(t, r.DB("main").Ping(t.Context()))
		late := lateness(t)
		begun := time.Now()
		require.NoError(t, r.SetReplicas(t.Context(), "main", nil))
		took := time.Since(begun)
		require.Less(t, took, 1500*time.Millisecond+2*late()) // a lookup that nobody takes waits two seconds
		require.NoError(t, r.SetReplicas(t.Context(), "main", []dbfleet.ReplicaConfig{{Host: f.own.Replicas[0].Addr()}}))
	}
}

// What asks for it by its name waits until it was compared, also the first read of a program.
func TestForeign_StandbyThatIsAskedForFirstServesNothing(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	f.config.Replicas, f.config.ReadHosts = []dbfleet.ReplicaConfig{{Host: f.standby, Name: "wrong"}}, nil
	f.config.Reads.MaxWait = soon
	for _, read := range []func(r *dbfleet.Registry) error{
		func(r *dbfleet.Registry) error {
			_, err := r.DB("main").Table("accounts").OnReplica("wrong").Get(t.Context())
			return err
		},
		func(r *dbfleet.Registry) error {
			return r.DB("main").OnReplica("wrong").ReplicaPool().PingContext(t.Context())
		},
	} {
		r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": f.config})
		require.ErrorContains(t, read(r), "another database cluster")
	}
}

// One of which nothing is known, since the primary is late, is not the freshest.
func TestForeign_StandbyIsNotTheFreshestWhileThePrimaryIsLate(t *testing.T) {
	t.Parallel()
	f := startForeign(t)
	f.config.ReadHosts = []string{f.standby}
	f.config.Reads.MaxLag, f.config.Reads.WhenStale = time.Minute, dbfleet.FallbackStale
	f.config.ConnectTimeout, f.config.Reads.MaxWait = patient, soon
	f.own.Primary.Pause(t)
	defer f.own.Primary.Resume(t)
	r := conformance.Open(t, map[string]dbfleet.ConnectionConfig{"main": f.config})
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		got, err := ownersOf(ctx, r.DB("main"))
		cancel()
		require.Error(t, err, got)
	}
}
