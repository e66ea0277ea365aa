// Package connections tests who is asked and what happens when nobody answers:
// registry, pools, routes, shards, replicas, hooks, errors, health. It has no code to
// import.
package connections
