// Package config is the configuration file: its keys, their defaults, how it is read and what can be wrong with it.
//
// The file is TOML. It is read strictly: an unknown key, a wrong type, a key set twice are mistakes, and all mistakes are reported together,
// each with file, line, key, what is wrong and how to mend it. The struct below is the list of keys; example.conf in the project's
// root explains each and a test holds both together.
//
// Files: config.go keys and defaults; load.go reading; value.go sizes, durations, lists; check.go what a type cannot say; template.go paths
// with {user} in them.
package config

import "time"

// Config is a configuration. The zero value is not usable; begin with Default.
type Config struct {
	Hostname string  `toml:"hostname"` // what the server calls itself; "": the machine's name
	Admin    string  `toml:"admin"`    // URI of whom users may ask; "": nobody
	Listen   Listen  `toml:"listen"`
	TLS      TLS     `toml:"tls"`
	Mail     Mail    `toml:"mail"`
	Auth     Auth    `toml:"auth"`
	Limits   Limits  `toml:"limits"`
	Search   Search  `toml:"search"`
	Quota    Quota   `toml:"quota"`
	Sandbox  Sandbox `toml:"sandbox"`
	Log      Log     `toml:"log"`

	Capabilities Capabilities `toml:"capabilities"`

	file  string         // where it came from, for messages
	lines map[string]int // line of each key that was set

	unread Problems // keys of the file that are not taken over
}

// Listen are the addresses served, "host:port" with an empty host for all.
type Listen struct {
	IMAP  Strings `toml:"imap"`  // with STARTTLS
	IMAPS Strings `toml:"imaps"` // with TLS from the first octet
}

// TLS are the files of the certificate chain and its key, PEM. Both empty: a self-signed certificate.
type TLS struct {
	Cert string `toml:"cert"`
	Key  string `toml:"key"`
}

// Mail says where mail is.
type Mail struct {
	Home      string   `toml:"home"`      // template
	Maildir   string   `toml:"maildir"`   // template, relative to home
	Layout    string   `toml:"layout"`    // "maildir++" or "fs"
	Separator string   `toml:"separator"` // "." or "/"; "": that of the layout
	State     string   `toml:"state"`     // Roost's own files; a template if it has {user} in it
	Folders   []Folder `toml:"folder"`
}

// Folder is a mailbox with a purpose.
type Folder struct {
	Name       string `toml:"name"`
	SpecialUse string `toml:"special_use"` // RFC 6154 attribute, "\\Sent"; "": none
	Auto       string `toml:"auto"`        // "no", "create" or "subscribe" (created and subscribed)
}

// Auth says who may log in and how.
type Auth struct {
	PasswdFile    string   `toml:"passwd_file"`
	DefaultScheme string   `toml:"default_scheme"`
	Plaintext     string   `toml:"plaintext"` // "loopback", "never" or "always"
	Mechanisms    Strings  `toml:"mechanisms"`
	FailureDelay  Duration `toml:"failure_delay"`
	FailuresFree  int      `toml:"failures_free"` // with so many an address has to wait
	LongestWait   Duration `toml:"longest_wait"`  // of an address that keeps failing
}

// Limits bound what clients may ask for.
type Limits struct {
	Memory                Memory   `toml:"memory"`
	Line                  Size     `toml:"line"`
	Literal               Size     `toml:"literal"`
	Command               Size     `toml:"command"`
	Nesting               int      `toml:"nesting"`
	Append                Size     `toml:"append"`
	Keywords              int      `toml:"keywords"`
	Connections           int      `toml:"connections"`
	ConnectionsLogin      int      `toml:"connections_before_login"`
	ConnectionsPerUser    int      `toml:"connections_per_user"`
	ConnectionsPerAddress int      `toml:"connections_per_address"`
	NotifyMailboxes       int      `toml:"notify_mailboxes"` // of one client
	MetadataValue         Size     `toml:"metadata_value"`   // of one annotation
	MetadataEntries       int      `toml:"metadata_entries"` // of one mailbox
	MessageLimit          int      `toml:"message_limit"`    // messages of one command, 0: no limit
	SaveLimit             int      `toml:"save_limit"`       // messages that one command stores, 0: no limit
	LoginTime             Duration `toml:"login_time"`
	IdleTime              Duration `toml:"idle_time"`
	WriteTime             Duration `toml:"write_time"`
}

// Search says how searches are made fast.
type Search struct {
	Enabled   bool    `toml:"enabled"`   // there is a full-text index
	Memory    Size    `toml:"memory"`    // that filling it may take
	Languages Strings `toml:"languages"` // that mail is written in, for SEARCH=FUZZY; ISO 639-1
	// Attachments: what their text counts for: "none", "fuzzy" (SEARCH=FUZZY), "text" (TEXT and BODY too)
	Attachments string `toml:"attachments"`
}

// Quota bounds what a user's mail may take; 0 is no bound.
type Quota struct {
	Storage   Size    `toml:"storage"` // octets as stored
	Messages  int     `toml:"messages"`
	Mailboxes int     `toml:"mailboxes"`
	Set       Strings `toml:"set"` // users who may set limits of their own
}

// Sandbox says what the process keeps of the file system when it serves.
type Sandbox struct {
	Landlock bool    `toml:"landlock"`
	Paths    Strings `toml:"paths"` // directories that may be read and written beside those the other keys name
}

// Capabilities says what of the server clients are to see.
type Capabilities struct {
	Disable Strings `toml:"disable"`
	UIDOnly bool    `toml:"uidonly"` // offer UIDONLY
}

// Log says what is written on standard error.
type Log struct {
	Level  string `toml:"level"`  // "debug", "info", "warn" or "error"
	Format string `toml:"format"` // "text" or "json"
}

// Default is the configuration of an empty file.
func Default() *Config {
	return &Config{
		Listen: Listen{IMAP: Strings{":143"}, IMAPS: Strings{":993"}},
		Mail: Mail{
			Home: "/var/vmail/{user}", Maildir: "Maildir", Layout: "maildir++", State: "/var/lib/roost",
			Folders: SpecialFolders("no"),
		},
		Auth: Auth{
			PasswdFile: "/etc/roost/users", DefaultScheme: "CRYPT", Plaintext: "loopback",
			Mechanisms:   Strings{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"},
			FailureDelay: Duration(2 * time.Second), FailuresFree: 4, LongestWait: Duration(15 * time.Second),
		},
		Limits: Limits{
			Memory: Memory{Percent: 50},
			Line:   128 << 10, Literal: 1 << 20, Command: 4 << 20, Nesting: 1000, Append: 100 << 20, Keywords: 1000,
			Connections: 5000, ConnectionsLogin: 1000, ConnectionsPerUser: 100, ConnectionsPerAddress: 200, NotifyMailboxes: 1000,
			MetadataValue: 64 << 10, MetadataEntries: 100,
			LoginTime: Duration(time.Minute), IdleTime: Duration(30 * time.Minute), WriteTime: Duration(2 * time.Minute),
		},
		Search:  Search{Enabled: true, Memory: 48 << 20, Languages: Strings{"en", "de", "fr", "es", "it", "nl", "pt"}, Attachments: "fuzzy"},
		Quota:   Quota{Set: Strings{}},
		Sandbox: Sandbox{Landlock: true, Paths: Strings{}},
		Log:     Log{Level: "info", Format: "text"},

		Capabilities: Capabilities{Disable: Strings{}},
	}
}

// SpecialFolders are the names most mail programs use, all with the same auto.
func SpecialFolders(auto string) []Folder {
	return []Folder{
		{"Drafts", `\Drafts`, auto}, {"Sent", `\Sent`, auto}, {"Trash", `\Trash`, auto}, {"Junk", `\Junk`, auto}, {"Archive", `\Archive`, auto},
	}
}

// SeparatorByte is the hierarchy separator clients see: as configured, or that of the layout as Dovecot has it.
func (m *Mail) SeparatorByte() byte {
	switch {
	case len(m.Separator) == 1:
		return m.Separator[0]
	case m.Layout == "fs":
		return '/'
	}
	return '.'
}
