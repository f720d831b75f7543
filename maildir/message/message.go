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

// Find returns the part that an IMAP part number names (RFC 9051 §6.4.5: numbers descend through multiparts and
// embedded messages; part 1 of a non-multipart is its body), or nil.
func (m *Message) Find(path []uint32) *Part {
	var p *Part
	for i, n := range path {
		in := m.Root // what the number counts in
		if i > 0 {
			in = p
			if p.Message != nil {
				in = p.Message
			}
		}
		switch {
		case isMultipart(in):
			if n < 1 || uint64(n) > uint64(len(in.Children)) {
				return nil
			}
			p = in.Children[n-1]
		case n != 1 || in == p: // a leaf has no parts
			return nil
		default:
			p = in
		}
	}
	return p
}

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
	tree          []byte // Part tree, see appendTree
	dropped       uint64 // bit i: CachedFields[i] is in the message but not (all) in Header
}
