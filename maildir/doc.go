// Package maildir keeps mail in Maildir directories that other programs share.
package maildir
