package wire

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxURL is the length of the longest URL that ParseURL takes, in octets; nobody makes longer ones.
const MaxURL = 8 << 10

// URL is an IMAP URL (RFC 5092) of a message or of part of one. What is not there is zero.
type URL struct {
	Absolute bool   // it has a scheme, as one with URLAUTH must
	Network  bool   // it names a server; else it is relative to the one that it was sent to
	User     string // user name, decoded
	Host     string // with the port, as sent

	Relative    bool   // to the selected mailbox, not to the server
	Mailbox     string // UTF-8
	UIDValidity uint32
	UID         uint32
	Section     *FetchSection // Part, Spec and Fields
	Partial     *Partial      // Count is WholePartial when only an offset was given

	Expire    time.Time // RFC 4467; zero: never
	Access    string    // kind of access identifier in lower case: "submit+", "user+", "authuser", "anonymous"; empty: no URLAUTH
	AccessFor string    // the user name of the first two
	Mechanism string    // in upper case; empty: not authorized yet
	Token     string    // as sent
	Rump      string    // what the token vouches for: all before ":mechanism:token", as sent
}

// WholePartial is Partial.Count of a URL's partial range that has no end.
const WholePartial = maxPartial

// ErrURL tells that something is not the URL of a message.
var ErrURL = errors.New("not an IMAP URL of a message")

// ParseURL parses a URL of a message. Mailbox and user names are UTF-8 with octets percent-encoded (§8).
//
//	imapurl        = "imap://" [iuserinfo "@"] host [":" port] "/" imessagepart [iurlauth]
//	imapurl-rel    = "//" iserver "/" imessagepart / "/" imessagepart [iurlauth] / [imailbox-ref "/"] parts
//	imessagepart   = imailbox-ref "/;UID=" nz-number ["/;SECTION=" enc-section] ["/;PARTIAL=" number ["." nz-number]]
//	imailbox-ref   = enc-mailbox [";UIDVALIDITY=" nz-number]
//	iuserinfo      = enc-user [";AUTH=" ("*" / enc-auth-type)]
//	iurlauth       = [";EXPIRE=" date-time] ";URLAUTH=" access [":" uauth-mechanism ":" enc-urlauth]
//	access         = "submit+" enc-user / "user+" enc-user / "authuser" / "anonymous"
//	enc-urlauth    = 32*HEXDIG
func ParseURL(text string) (*URL, error) {
	p := urlParser{rest: text}
	if len(text) > MaxURL {
		return nil, ErrURL
	}
	for i := range len(text) {
		if !isURLChar(text[i]) {
			return nil, ErrURL
		}
	}
	u := &URL{}
	switch {
	case p.word("imap://"):
		u.Absolute, u.Network = true, true
		p.server(u)
	case p.word("//"):
		u.Network = true
		p.server(u)
	case !p.word("/"):
		u.Relative = true
	}
	p.path(u)
	if p.word(";EXPIRE=") {
		u.Expire = p.date()
	}
	if p.word(";URLAUTH=") {
		p.access(u)
		u.Rump = text[:len(text)-len(p.rest)]
		if p.word(":") {
			u.Mechanism, _, _ = cutURL(&p.rest, ":")
			u.Mechanism, u.Token = strings.ToUpper(u.Mechanism), p.rest
			p.rest = ""
			p.check(isURLWord(u.Mechanism) && len(u.Token) >= 32 && isHex(u.Token))
		}
	} else {
		p.check(u.Expire.IsZero()) // only for URLAUTH
	}
	if p.bad || p.rest != "" {
		return nil, ErrURL
	}
	return u, nil
}

// urlParser takes a URL apart from its beginning. Once bad it stays so.
type urlParser struct {
	rest string
	bad  bool
}

func (p *urlParser) check(ok bool) { p.bad = p.bad || !ok }

// word takes a word, in any case.
func (p *urlParser) word(w string) bool {
	if len(p.rest) < len(w) || !strings.EqualFold(p.rest[:len(w)], w) {
		return false
	}
	p.rest = p.rest[len(w):]
	return true
}

// cutURL takes what stands before the first of some octets, which stays; ok: there is one.
func cutURL(rest *string, stops string) (before string, stop byte, ok bool) {
	i := strings.IndexAny(*rest, stops)
	if i < 0 {
		before, *rest = *rest, ""
		return before, 0, false
	}
	before, stop = (*rest)[:i], (*rest)[i]
	*rest = (*rest)[i+1:]
	return before, stop, true
}

// server takes what stands before the path, and the slash.
func (p *urlParser) server(u *URL) {
	server, _, ok := cutURL(&p.rest, "/")
	p.check(ok)
	if i := strings.LastIndexByte(server, '@'); i >= 0 {
		user := server[:i]
		server = server[i+1:]
		if j := strings.IndexByte(user, ';'); j >= 0 {
			p.check(len(user) > j+len(";AUTH=") && strings.EqualFold(user[j:j+len(";AUTH=")], ";AUTH="))
			user = user[:j]
		}
		u.User = p.decode(user)
	}
	u.Host = server
	p.check(server != "" && !strings.ContainsAny(server, ";%&=@/"))
}

// path takes mailbox, message and part.
func (p *urlParser) path(u *URL) {
	if !strings.HasPrefix(p.rest, ";") {
		i := strings.IndexByte(p.rest, ';')
		if i < 0 {
			p.bad = true
			return
		}
		name := p.rest[:i]
		p.rest = p.rest[i:]
		if p.word(";UIDVALIDITY=") {
			u.UIDValidity = p.number()
			p.check(p.word("/"))
		} else {
			p.check(strings.HasSuffix(name, "/"))
			name = strings.TrimSuffix(name, "/")
		}
		first, _, _ := strings.Cut(name, "/")
		p.check(!u.Relative || !strings.Contains(first, ":")) // of another scheme
		u.Mailbox = p.decode(name)
		p.check(u.Mailbox != "")
	} else {
		p.check(u.Relative)
	}
	p.check(p.word(";UID="))
	u.UID = p.number()
	if p.word("/;SECTION=") {
		u.Section = p.section()
	}
	if p.word("/;PARTIAL=") {
		d := NewDecoder([]byte(p.rest), 0)
		offset, ok := d.digits(maxPartial)
		u.Partial = &Partial{Offset: int64(offset), Count: WholePartial}
		p.check(ok)
		if d.Special('.') {
			count, ok := d.digits(maxPartial - 1)
			u.Partial.Count = int64(count)
			p.check(ok && count > 0)
		}
		p.rest = p.rest[d.pos:]
	}
}

// number takes an nz-number.
func (p *urlParser) number() (n uint32) {
	d := NewDecoder([]byte(p.rest), 0)
	p.check(d.ExpectNzNumber(&n))
	p.rest = p.rest[d.pos:]
	return n
}

// section takes what stands behind ";SECTION=", which is a section of FETCH.
func (p *urlParser) section() *FetchSection {
	end := strings.IndexByte(p.rest, ';')
	if i := strings.Index(p.rest, "/;"); i >= 0 && i < end {
		end = i
	}
	if end < 0 {
		end = len(p.rest)
	}
	text := p.decode(p.rest[:end])
	p.rest = p.rest[end:]
	d := NewDecoder([]byte("["+text+"]"), 1)
	s := &FetchSection{}
	p.check(text != "" && section(d, s) && d.ExpectEnd())
	return s
}

// date takes a date-time of RFC 3339.
func (p *urlParser) date() time.Time {
	end := strings.IndexByte(p.rest, ';')
	if end < 0 {
		p.bad = true
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, strings.ToUpper(p.rest[:end]))
	p.check(err == nil && !t.IsZero())
	p.rest = p.rest[end:]
	return t
}

// access takes an access identifier.
func (p *urlParser) access(u *URL) {
	for _, kind := range []string{"submit+", "user+", "authuser", "anonymous"} {
		if !p.word(kind) {
			continue
		}
		u.Access = kind
		end := strings.IndexByte(p.rest, ':')
		if end < 0 {
			end = len(p.rest)
		}
		named := strings.HasSuffix(kind, "+")
		p.check(named == (end > 0))
		u.AccessFor = p.decode(p.rest[:end])
		p.rest = p.rest[end:]
		return
	}
	p.bad = true
}

// decode undoes percent-encoding; the outcome must be UTF-8 without NUL.
func (p *urlParser) decode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) || !isHex(s[i+1:i+3]) {
				p.bad = true
				return ""
			}
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			p.check(c != 0)
		} else if c == ';' || c == '?' {
			p.bad = true
		}
		b.WriteByte(c)
	}
	p.check(utf8.ValidString(b.String()))
	return b.String()
}

// isURLChar tells whether an octet may be in an IMAP URL. Mail programs are not asked to percent-encode what needs no encoding to be told apart.
func isURLChar(c byte) bool { return c > ' ' && c < 0x7f && strings.IndexByte(`"\<>^`+"`{|}", c) < 0 }

func isURLWord(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '.' {
			return false
		}
	}
	return s != ""
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return false
		}
	}
	return true
}

func unhex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
