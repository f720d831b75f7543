// Command roost is an IMAP server for Maildir.
package main

func main() {}
