package message

import "io"

// Part is a node of the MIME tree: offsets into the file as stored. Sizes named Wire count every bare LF as CRLF.
type Part struct {
	HeaderOff, BodyOff, End int64 // header incl. its empty line is [HeaderOff,BodyOff), body is [BodyOff,End)
	WireHeader, WireBody    int64 // octets as sent to a client
	Lines                   int64 // lines of the body as BODYSTRUCTURE counts them
	HasNUL                  bool  // body holds NUL octets

	Type, Subtype     string // as the header spells them; defaults applied (text/plain, message/rfc822 in digests)
	Params            []Param
	ID, Description   string // raw header bytes, unfolded; empty when absent
	Encoding          string // lower case; "7bit" when absent
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

// Parse reads the whole message once. It never fails on broken mail, only on read errors.
func Parse(r io.ReaderAt, size int64, lim Limits) (*Message, error) { panic("message: being written") }

// Find returns the part that an IMAP part number names (RFC 9051 §6.4.5: numbers descend through multiparts and
// embedded messages; part 1 of a non-multipart is its body), or nil.
func (m *Message) Find(path []uint32) *Part { panic("message: being written") }

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
	tree          []byte
}

// NewMeta collects the cached facts from a parsed message; r is needed for header bytes.
func NewMeta(m *Message, r io.ReaderAt) (*Meta, error) { panic("message: being written") }

// AppendBinary appends the cache form. UnmarshalMeta is its inverse and rejects anything torn or from another version.
func (m *Meta) AppendBinary(dst []byte) []byte { panic("message: being written") }

// UnmarshalMeta reads the cache form; the slices of the result alias b.
func UnmarshalMeta(b []byte) (*Meta, error) { panic("message: being written") }

// Message rebuilds the part tree (offsets, types, encodings) from the cached facts, without the file.
func (m *Meta) Message() *Message { panic("message: being written") }

// Cached tells whether Header answers questions about this field (any case): it is one of CachedFields, or HasAllHeader.
func (m *Meta) Cached(field string) bool { panic("message: being written") }

// CachedFields lists the header fields kept in Meta.Header, lower case, sorted: those of ENVELOPE plus
// References, List-Id, Content-Type, … that clients fetch for their message lists.
var CachedFields []string

// Fields iterates over the header lines in raw header bytes: name and the whole raw field including its line end(s).
func Fields(header []byte, fn func(name, raw []byte) bool) { panic("message: being written") }

// FieldValue decodes a raw field: what is behind the colon, unfolded, encoded words (RFC 2047) decoded, raw 8-bit taken as
// UTF-8 when valid, else as Windows-1252.
func FieldValue(raw []byte) string { panic("message: being written") }

// Decoded returns the body of a part with its transfer encoding removed (RFC 3516 BINARY). ErrUnknownEncoding when it cannot.
func Decoded(r io.ReaderAt, p *Part) (io.Reader, error) { panic("message: being written") }

// Text walks everything that SEARCH BODY looks at: the decoded UTF-8 text of every text/* part in order, also inside embedded
// messages (whose headers count as text of the body). Unknown charsets and broken encodings yield what can be had.
// fn may return io.EOF to stop early without error.
func Text(r io.ReaderAt, m *Message, fn func(p *Part, text io.Reader) error) error {
	panic("message: being written")
}
