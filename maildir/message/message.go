// Package message reads one mail message where it is stored: an io.ReaderAt becomes a tree of parts with their octet offsets, the values of
// ENVELOPE, BODYSTRUCTURE and BODY ready to send, and decoded text to search in. It knows no mailboxes and no sessions.
//
// Terms. A part is a node of the MIME tree: a header with its empty line, and a body. The root is the message itself; multipart parts have
// children, message/rfc822 and message/global parts hold another message. A field is a header line with its continuations; raw means as
// stored. Wire sizes count what a client gets: every LF without CR before it is sent as CRLF.
//
// Invariants.
//   - No message is an error. What cannot be parsed is text of the part it stands in; only a failing read is returned.
//   - Offsets and sizes are of the file as stored; nothing is ever re-encoded. Children lie in their parent's body, in order.
//   - All input is hostile: a message is read once, forward, through a window of constant size; work grows linearly with what is read; what is
//     kept is bounded by Limits; cache bytes are believed only after a check.
//   - Where the RFCs leave a choice for broken mail Dovecot 2.3's is taken, so that a client need not notice a change of server.
//     TestBesideDovecot holds the exceptions with their reasons.
//
// Nothing here is shared between calls: results are values of the caller, and everything may be called concurrently on different ones, or to
// read the same.
//
// Files: message.go the types; scan.go the window with its counts; parse.go the part tree and Find; header.go fields and unfolding;
// content.go the Content-* fields; lex.go tokens of structured fields; param.go MIME parameters; address.go address lists; date.go the Date
// field; envelope.go and structure.go the IMAP values; meta.go the cached facts, binary.go their bytes; decode.go and charset*.go transfer
// encodings and charsets; word.go encoded words; text.go the text to search in.
package message

// Part is a node of the MIME tree: offsets into the file as stored. Sizes named Wire count every bare LF as CRLF.
type Part struct {
	HeaderOff, BodyOff, End int64 // header incl. its empty line is [HeaderOff,BodyOff), body is [BodyOff,End)
	WireHeader, WireBody    int64 // octets as sent to a client
	Lines                   int64 // lines of the body as BODYSTRUCTURE counts them
	HasNUL                  bool  // body holds NUL octets

	Type, Subtype     string // as the header spells them; defaults applied (text/plain, message/rfc822 in digests)
	Params            []Param
	ID, Description   string // raw header bytes, unfolded; empty when absent
	Encoding          string // lower case; "7bit" when absent, empty when what is there cannot be one
	MD5               string
	Disposition       string
	DispositionParams []Param
	Language          []string
	Location          string

	Children []*Part // multipart/*
	Message  *Part   // message/rfc822, message/global: the part tree of the embedded message
	// Envelope data of a message header (the root and every embedded message) is parsed from the header bytes on demand.
}

// Param is one parameter in header order; RFC 2231 pieces joined, value bytes kept otherwise.
type Param struct{ Name, Value string }

// Message is a parsed message. It does not hold the file.
type Message struct {
	Root *Part
	Size int64 // octets as stored (S=)
	Wire int64 // octets as sent (W=, RFC822.SIZE)
}

// Limits bound the work spent on one message; what lies beyond is treated as part of the enclosing part's body.
type Limits struct {
	Depth, Parts, HeaderBytes, Params, Addresses int
}

// DefaultLimits suit any real mail.
var DefaultLimits = Limits{Depth: 100, Parts: 10000, HeaderBytes: 1 << 20, Params: 1000, Addresses: 10000}

// Meta is what is known of a message without opening it: the cache stores its Marshal form.
type Meta struct {
	Size, Wire    int64
	Envelope      []byte // the ENVELOPE value, RFC 9051 §7.5.2, ready to send
	BodyStructure []byte // the BODYSTRUCTURE value, ready to send
	Body          []byte // the BODY value (no extension data), ready to send
	SentDay       int64  // day of the Date header's own date (its zone disregarded), days since 1970-01-01; MinInt64 when unparsable
	SentTime      int64  // Date header as seconds since the epoch UTC; MinInt64 when unparsable
	Header        []byte // raw lines (as stored) of the fields in CachedFields, in message order
	HasAllHeader  bool   // Header holds every field of the message
	OnlyHeader    bool   // the file ends in the header, without the empty line
	EmailID       ObjectID
	ThreadID      ObjectID
	HasEmailID    bool   // EmailID is known; Identify makes it so
	HasThreadID   bool   // likewise, from the start for nearly all messages
	tree          []byte // Part tree, see appendTree
	dropped       uint64 // bit i: CachedFields[i] is in the message but not (all) in Header
}
