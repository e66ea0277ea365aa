// Package atomic tests commits over several databases.
package atomic
