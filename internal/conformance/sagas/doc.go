// Package sagas tests Saga over mixes of databases.
package sagas
