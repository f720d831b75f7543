package wire

// ParseNone parses the arguments of a command that has none: CAPABILITY, NOOP, LOGOUT, CHECK, ….
func ParseNone(d *Decoder) error { panic("wire: being written") }

// ParseLogin parses LOGIN.
func ParseLogin(d *Decoder) (*Login, error) { panic("wire: being written") }

// ParseAuthenticate parses AUTHENTICATE.
func ParseAuthenticate(d *Decoder) (*Authenticate, error) { panic("wire: being written") }

// ParseEnable parses ENABLE.
func ParseEnable(d *Decoder) (*Enable, error) { panic("wire: being written") }

// ParseSelect parses SELECT and EXAMINE.
func ParseSelect(d *Decoder) (*Select, error) { panic("wire: being written") }

// ParseCreate parses CREATE.
func ParseCreate(d *Decoder) (*Create, error) { panic("wire: being written") }

// ParseMailbox parses DELETE, SUBSCRIBE, UNSUBSCRIBE.
func ParseMailbox(d *Decoder) (*Mailbox, error) { panic("wire: being written") }

// ParseRename parses RENAME.
func ParseRename(d *Decoder) (*Rename, error) { panic("wire: being written") }

// ParseList parses LIST.
func ParseList(d *Decoder) (*List, error) { panic("wire: being written") }

// ParseLsub parses LSUB: Reference and one pattern.
func ParseLsub(d *Decoder) (*List, error) { panic("wire: being written") }

// ParseStatus parses STATUS.
func ParseStatus(d *Decoder) (*Status, error) { panic("wire: being written") }

// ParseAppendMailbox parses the mailbox name of APPEND.
func ParseAppendMailbox(d *Decoder) (name string, err error) { panic("wire: being written") }

// ParseAppendMessage parses what precedes a message literal; io.EOF at the end of the command. See Reader.ReadContinuation.
func ParseAppendMessage(d *Decoder) (*AppendMessage, error) { panic("wire: being written") }

// ParseFetch parses FETCH and UID FETCH.
func ParseFetch(d *Decoder) (*Fetch, error) { panic("wire: being written") }

// ParseStore parses STORE and UID STORE.
func ParseStore(d *Decoder) (*Store, error) { panic("wire: being written") }

// ParseCopy parses COPY, MOVE and their UID forms.
func ParseCopy(d *Decoder) (*Copy, error) { panic("wire: being written") }

// ParseUIDSet parses UID EXPUNGE.
func ParseUIDSet(d *Decoder) (Set, error) { panic("wire: being written") }

// ParseID parses ID.
func ParseID(d *Decoder) (*ID, error) { panic("wire: being written") }

// ParseSearch parses SEARCH and UID SEARCH. The error is a *CharsetError for an unknown CHARSET.
func ParseSearch(d *Decoder) (*Search, error) { panic("wire: being written") }
