// Package replicas tests reads on replicas: where they go, what becomes of them when a
// node does not serve, and what they may show.
package replicas
