// Command roost is an IMAP server for Maildir.
package main

import (
	"os"

	"roost/internal/cli"
)

func main() { os.Exit(cli.Main()) }
