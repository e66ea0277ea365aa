// Package tenants tests that the tenants of a service stay apart, whatever the code of one
// of them asks for.
package tenants
