package session

// A FarewellTeller is a session that can look whether the server has ended it already.
type FarewellTeller interface {
	// Farewell returns why the server has ended the session, or closed the connection,
	// as far as that has arrived and is not read yet; nil if nothing has. It does not
	// wait. What TLS has encrypted cannot be read; that the connection was closed is seen
	// behind it too.
	Farewell() error
}
