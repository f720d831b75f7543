package wire

import "time"

// This file holds the values that command parsers return: one struct per command shape.
// They know nothing of sessions; mailbox names are UTF-8 (modified UTF-7 already decoded when the
// session has not enabled UTF-8), INBOX in any case is normalised to "INBOX".

// Range is an inclusive range of sequence numbers or UIDs. Star stands for "*", the highest number in use.
// First may be greater than Last on the wire; parsers keep the order as sent ("*:5" is First=Star, Last=5).
type Range struct{ First, Last uint32 }

// Star is "*" in a Range. Zero is not a legal number there, so nothing is lost.
const Star uint32 = 0

// Set is a sequence-set: ranges, or "$", the saved search result (RFC 5182), never both.
type Set struct {
	Ranges []Range
	Saved  bool
}

// Login is LOGIN user password.
type Login struct{ User, Password string }

// Authenticate is AUTHENTICATE mechanism [initial-response]. Initial is nil without initial response and
// empty for "=". It is still base64-decoded bytes; a base64 error is a parse error.
type Authenticate struct {
	Mechanism string // upper case
	Initial   []byte
}

// Enable is ENABLE cap...; upper case.
type Enable struct{ Caps []string }

// Mailbox is the argument of commands that take one mailbox name: DELETE, SUBSCRIBE, UNSUBSCRIBE.
type Mailbox struct{ Name string }

// Select is SELECT or EXAMINE with optional parameters (RFC 4466).
type Select struct {
	Name      string
	Condstore bool
	QResync   *QResync
}

// QResync is the QRESYNC parameter of SELECT (RFC 7162 §3.2.5): what a client that comes back knows. No set has "*" in it.
type QResync struct {
	UIDValidity         uint32
	ModSeq              uint64
	Known               []Range // UIDs; nil: all
	MatchSeqs, MatchUID []Range // pairs of sequence numbers and UIDs that belonged together; nil when absent
}

// Create is CREATE name [(USE (\Sent ...))] (RFC 6154).
type Create struct {
	Name       string
	SpecialUse []string // as sent, e.g. `\Sent`
	// TrailingSep tells that the name ended in a hierarchy separator; Name has it stripped by the session, not here.
}

// Rename is RENAME from to.
type Rename struct{ From, To string }

// List is LIST, basic or extended (RFC 5258, RFC 9051 §6.3.9).
type List struct {
	Reference string
	Patterns  []string
	Extended  bool // any extended syntax was used: selection options, several patterns, or RETURN

	// Selection options.
	SelSubscribed, SelRemote, SelRecursiveMatch, SelSpecialUse bool
	// Return options.
	RetSubscribed, RetChildren, RetSpecialUse bool
	RetStatus                                 []StatusItem // nil when absent
	RetMetadata                               []string     // names of annotations, nil when absent (RFC 9590)
}

// StatusItem is a STATUS data item in upper case: MESSAGES, UIDNEXT, UIDVALIDITY, UNSEEN, DELETED, SIZE,
// RECENT, APPENDLIMIT, HIGHESTMODSEQ, MAILBOXID, DELETED-STORAGE.
type StatusItem string

// Status is STATUS mailbox (items).
type Status struct {
	Name  string
	Items []StatusItem
}

// AppendMessage is what precedes the literal of one message of (MULTI)APPEND: flags, internal date, and whether the
// message is announced as UTF8 (~{n}) (RFC 6855). With Catenate its parts follow instead of a literal.
type AppendMessage struct {
	Flags   []string
	Date    time.Time // zero when absent
	HasDate bool
	UTF8    bool
	Literal Literal

	Catenate bool
}

// CatPart is a part of a message that is catenated (RFC 4469): octets, or the URL of octets. Literal is nil for a URL that is not a literal.
type CatPart struct {
	IsURL   bool
	UTF8    bool
	URL     string
	Literal *Literal
}

// Literal is an announced literal that has not been read yet.
type Literal struct {
	Size    int64
	NonSync bool // {n+}
	Binary  bool // ~{n}: literal8
}

// Fetch is FETCH or UID FETCH.
type Fetch struct {
	Set          Set
	Items        []FetchItem // macros expanded
	ChangedSince *uint64     // RFC 7162
	Vanished     bool
	Partial      *PageRange // RFC 9394: of the messages in Set
}

// FetchItem is one of FetchAtt, FetchSection.
type FetchItem interface{ fetchItem() }

// FetchAtt is an item without arguments, upper case: UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY
// BODYSTRUCTURE SAVEDATE MODSEQ EMAILID THREADID.
type FetchAtt string

// Specifier is the section-text of a section.
type Specifier uint8

// Section specifiers.
const (
	SpecAll             Specifier = iota // BODY[] or BODY[1.2]
	SpecHeader                           // HEADER
	SpecHeaderFields                     // HEADER.FIELDS (...)
	SpecHeaderFieldsNot                  // HEADER.FIELDS.NOT (...)
	SpecText                             // TEXT
	SpecMIME                             // MIME
)

// Partial is <offset.count>. Count is at least 1.
type Partial struct{ Offset, Count int64 }

// FetchSection is BODY[...], BODY.PEEK[...], BINARY[...], BINARY.PEEK[...], BINARY.SIZE[...] and the
// obsolete RFC822, RFC822.HEADER, RFC822.TEXT, RFC822.PEEK, RFC822.HEADER.PEEK, RFC822.TEXT.PEEK.
type FetchSection struct {
	Obsolete   string // response item name for RFC822*, else empty
	Peek       bool
	Binary     bool
	BinarySize bool
	Part       []uint32
	Spec       Specifier
	Fields     []string // as sent
	Partial    *Partial
}

func (FetchAtt) fetchItem()      {}
func (*FetchSection) fetchItem() {}

// StoreOp says how STORE combines flags.
type StoreOp uint8

// Store operations.
const (
	StoreReplace StoreOp = iota
	StoreAdd
	StoreRemove
)

// Store is STORE or UID STORE.
type Store struct {
	Set            Set
	Op             StoreOp
	Silent         bool
	Flags          []string // as sent
	UnchangedSince *uint64
}

// Copy is COPY, MOVE and their UID forms.
type Copy struct {
	Set  Set
	Name string
}

// ID is ID NIL or a parameter list; keys in lower case.
type ID struct{ Params map[string]string }

// GenURL is what GENURLAUTH (RFC 4467) has of one URL; Mechanism in upper case.
type GenURL struct{ URL, Mechanism string }

// FetchURL is what URLFETCH has of one URL: what of it is asked for (RFC 5524), or not Extended.
type FetchURL struct {
	URL                     string
	Extended                bool
	Structure, Binary, Body bool
}

// ResetKey is RESETKEY (RFC 4467), of all mailboxes if Name is empty; Mechanisms in upper case.
type ResetKey struct {
	Name       string
	Mechanisms []string
}

// UIDBatches is UIDBATCHES (RFC 10022). First is 0 when all batches are asked for, else at most Last.
type UIDBatches struct{ Size, First, Last uint32 }
