// Package events tests Outbox and Inbox on every database.
package events
