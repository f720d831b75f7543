package message

import (
	"bytes"
	"io"
)

// HTML as text. What a reader of a page sees is searched and shown in previews, so that Hel<b>lo</b> is hello, and "div" is not in every mail.
//
// The text of one page is lines, separated by CRLF where an element begins or ends a line. Within a line white space of any length, no-break spaces
// too, is one space; soft hyphens and zero width spaces, which nobody sees, are not there. What is in script, style, template and comments is dropped.
// alt and title attributes are lines of their own, behind the line that they belong to.
//
// The tokenizer of golang.org/x/net/html collects a token in memory and gives up at one that is too long, and it looks at every octet several
// times. This one holds on to nothing: a data URL of 100 MB passes through 4 KiB. It follows the states of the HTML standard (§13.2.5), fewer of
// them, and builds no tree, so nesting costs nothing. What begins like a tag or comment and has no end is given as it stands, as far as heldTag goes.

const (
	htmlPiece = 4 << 10  // what is read at once
	heldTag   = 32 << 10 // octets of an unfinished tag that are remembered, in case it is none
	maxAside  = 8 << 10  // octets of alt and title that wait for the end of the line
)

// htmlReader gives the text of the UTF-8 HTML in r.
type htmlReader struct {
	r    io.Reader
	all  bool // with title, alt and what has no end: for search; else for those who want to read a few words
	err  error
	in   [htmlPiece]byte
	left int    // octets at the start of in that were not enough to decide on
	out  []byte // text not yet read

	text  flow // what is seen, in order
	aside flow // values of alt and title

	state   htmlState
	closing bool       // the tag is an end tag
	tag     [12]byte   // its name, lower case; longer ones are none we know
	tagLen  int        // may be more than is in tag
	attr    [6]byte    // the attribute's name, in the same way
	attrLen int        //
	quote   byte       // around the attribute's value, 0 if none
	dashes  int        // at the end of a comment so far, at most 2
	raw     htmlAction // the element whose content is no HTML
	rawName string
	hidden  int    // template elements open
	start   int    // of the tag, in the current piece
	held    []byte // of the tag, from earlier pieces
}

func newHTMLReader(r io.Reader, all bool) *htmlReader { return &htmlReader{r: r, all: all} }

func (x *htmlReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(x.out) == 0 {
		if x.err != nil {
			return 0, x.err
		}
		n, err := x.r.Read(x.in[x.left:])
		n, x.err = n+x.left, err
		x.text.out = x.text.out[:0]
		used := x.scan(x.in[:n], err != nil)
		x.left = copy(x.in[:], x.in[used:n])
		if err != nil {
			x.finish()
		}
		x.out = x.text.out
	}
	n := copy(p, x.out)
	x.out = x.out[n:]
	return n, nil
}

// htmlState is where in the markup the next octet is.
type htmlState uint8

const (
	inText      htmlState = iota
	inRaw                 // script, style, title, textarea
	inComment             // <!-- … -->
	inBogus               // <! … >, <? … >
	inTagName             // <name
	beforeAttr            // <name …
	inAttrName            // <name attr
	afterAttr             // <name attr …
	beforeValue           // <name attr=
	inValue               // <name attr=value
)

// scan takes b in and returns how much of it; all of it if it is the last. What is left is shorter than an entity or the end of a raw text.
func (x *htmlReader) scan(b []byte, last bool) int {
	i := 0
	for i < len(b) {
		n := 0
		switch x.state {
		case inText:
			n = x.scanText(b[i:], i, last)
		case inRaw:
			n = x.scanRaw(b[i:], i, last)
		case inComment:
			n = x.scanComment(b[i:])
		case inBogus:
			n = bytes.IndexByte(b[i:], '>') + 1
			if n == 0 {
				n = len(b) - i
			} else {
				x.state = inText
			}
		default:
			n = x.scanTag(b[i:], last)
		}
		if n < 0 {
			break
		}
		i += n
	}
	if x.state > inRaw {
		if piece := b[x.start:i]; len(x.held) < heldTag {
			x.held = append(x.held, piece[:min(len(piece), heldTag-len(x.held))]...)
		}
		x.start = 0
	}
	return i
}

// finish ends the text.
func (x *htmlReader) finish() {
	if x.all && x.state > inRaw && x.hidden == 0 {
		x.text.verbatim(x.held)
	}
	x.line()
}

// line ends a line of the text.
func (x *htmlReader) line() {
	x.text.line()
	if len(x.aside.out) > 0 {
		x.text.begin()
		x.text.out = append(x.text.out, x.aside.out...)
		x.text.line()
		x.aside = flow{out: x.aside.out[:0]}
	}
}

// open is called at a "<" that begins a tag, comment or the like, which is at i in the piece.
func (x *htmlReader) open(state htmlState, i int) {
	x.state, x.start, x.held = state, i, x.held[:0]
	x.tagLen, x.dashes, x.closing = 0, 0, false
}

// The functions below take the beginning of b, which is what is left of the piece, and return how much; -1 asks for more than the piece has.

func (x *htmlReader) scanText(b []byte, at int, last bool) int {
	n := 0
	if x.hidden > 0 {
		if n = bytes.IndexByte(b, '<'); n < 0 {
			return len(b)
		}
	} else if n = x.text.feed(b, last); n == len(b) {
		return n
	}
	if b[n] != '<' {
		return orMore(n)
	}
	markup := b[n:]
	if len(markup) < len("<!--") && !last {
		return orMore(n)
	}
	at += n
	switch c := after(markup, 1); {
	case isLetter(c):
		x.open(inTagName, at)
		return n + 1
	case c == '/' && isLetter(after(markup, 2)):
		x.open(inTagName, at)
		x.closing = true
		return n + 2
	case bytes.HasPrefix(markup, []byte("<!--")):
		x.open(inComment, at)
		x.dashes = 2 // <!--> is a whole comment
		return n + 4
	case c == '!', c == '?', c == '/' && len(markup) > 2:
		x.open(inBogus, at)
		return n + 2
	}
	if x.hidden == 0 {
		x.text.verbatim(markup[:1])
	}
	return n + 1
}

// orMore is n, or -1 if that is nothing.
func orMore(n int) int {
	if n == 0 {
		return -1
	}
	return n
}

// after is b[i], or 0 when b is shorter.
func after(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// scanRaw passes the content of an element in which only its own end tag is markup.
func (x *htmlReader) scanRaw(b []byte, at int, last bool) int {
	n := bytes.IndexByte(b, '<')
	shown := x.raw == actText && x.hidden == 0
	if n != 0 {
		if n < 0 {
			n = len(b)
		}
		if shown {
			return orMore(x.text.feed(b[:n], last || n < len(b)))
		}
		return n
	}
	end := len("</") + len(x.rawName)
	if len(b) <= end && !last {
		return -1
	}
	if len(b) > end && b[1] == '/' && equalFold(string(b[2:end]), x.rawName) && (isHTMLSpace(b[end]) || b[end] == '/' || b[end] == '>') {
		x.open(inTagName, at)
		x.closing = true
		return 2
	}
	if shown {
		x.text.verbatim(b[:1])
	}
	return 1
}

func (x *htmlReader) scanComment(b []byte) int {
	if x.dashes == 0 {
		n := bytes.IndexByte(b, '-')
		if n < 0 {
			return len(b)
		}
		x.dashes = 1
		return n + 1
	}
	switch {
	case b[0] == '-':
		x.dashes = 2
	case b[0] == '>' && x.dashes == 2:
		x.state = inText
	case b[0] == '!' && x.dashes == 2: // --!> ends it too
	default:
		x.dashes = 0
	}
	return 1
}

func (x *htmlReader) scanTag(b []byte, last bool) int {
	c := b[0]
	switch x.state {
	case inTagName:
		for i, c := range b {
			if isHTMLSpace(c) || c == '/' || c == '>' {
				x.state = beforeAttr
				return i
			}
			x.tagLen = appendName(x.tag[:], x.tagLen, c)
		}
		return len(b)
	case beforeAttr, afterAttr:
		switch {
		case c == '>':
			x.state = inText
			x.element()
		case isHTMLSpace(c), c == '/':
		case c == '=' && x.state == afterAttr:
			x.state = beforeValue
		default:
			x.state = inAttrName
			x.attrLen = appendName(x.attr[:], 0, c)
		}
		return 1
	case inAttrName:
		for i, c := range b {
			if isHTMLSpace(c) || c == '/' || c == '>' || c == '=' {
				x.state = afterAttr
				return i
			}
			x.attrLen = appendName(x.attr[:], x.attrLen, c)
		}
		return len(b)
	case beforeValue:
		switch {
		case isHTMLSpace(c):
			return 1
		case c == '>':
			x.state = beforeAttr
			return 0
		case c == '"', c == '\'':
			x.quote = c
			x.state = inValue
			return 1
		}
		x.quote = 0
		x.state = inValue
		return 0
	default: // inValue
		return x.scanValue(b, last)
	}
}

func (x *htmlReader) scanValue(b []byte, last bool) int {
	end := -1
	if x.quote != 0 {
		end = bytes.IndexByte(b, x.quote)
	} else {
		end = bytes.IndexFunc(b, func(c rune) bool { return c == '>' || c < 0x80 && isHTMLSpace(byte(c)) })
	}
	value := b
	if end >= 0 {
		value = b[:end]
	}
	n := len(value)
	if name := known(x.attr[:], x.attrLen); x.all && !x.closing && x.hidden == 0 && (name == "alt" || name == "title") {
		if n = x.aside.feed(value, last || end >= 0); n < len(value) {
			if value[n] != '<' {
				return orMore(n)
			}
			x.aside.verbatim(value[n : n+1])
			n++
		}
		if len(x.aside.out) > maxAside { // lines may have no end
			x.line()
		}
		if n < len(value) {
			return n
		}
		if end >= 0 {
			x.aside.line()
		}
	}
	if end < 0 {
		return n
	}
	x.state = beforeAttr
	if x.quote != 0 {
		n++
	}
	return n
}

// appendName puts the n-th octet of a name into its place, if there is one.
func appendName(name []byte, n int, c byte) int {
	if n < len(name) {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		name[n] = c
		return n + 1
	}
	return len(name) + 1
}

// known is the name that appendName gathered; empty if it is longer than any that matters.
func known(name []byte, n int) string {
	if n > len(name) {
		return ""
	}
	return string(name[:n])
}

// htmlAction is what a tag does to the text.
type htmlAction uint8

const (
	actNone   htmlAction = iota // as if it were not there
	actSpace                    // separates words
	actLine                     // separates lines
	actPre                      // its content has lines of its own
	actText                     // its content is text without markup
	actDrop                     // its content is neither text nor markup
	actHidden                   // its content is not shown
)

// htmlActions are those of the elements that have one. What else the standard calls phrasing content does not end a word.
var htmlActions = func() map[string]htmlAction {
	m := map[string]htmlAction{
		"pre": actPre, "title": actText, "textarea": actText, "script": actDrop, "style": actDrop, "template": actHidden,
		"td": actSpace, "th": actSpace, "img": actSpace, "input": actSpace, "button": actSpace, "iframe": actSpace, "object": actSpace,
	}
	for _, name := range []string{
		"address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details", "dialog", "dir", "div", "dl", "dt",
		"fieldset", "figcaption", "figure", "footer", "form", "frame", "frameset", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header",
		"hgroup", "hr", "html", "legend", "li", "listing", "main", "menu", "nav", "noframes", "ol", "optgroup", "option", "p", "plaintext",
		"search", "section", "select", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul", "xmp",
	} {
		m[name] = actLine
	}
	return m
}()

// element does what the tag just read asks for.
func (x *htmlReader) element() {
	if x.tagLen > len(x.tag) {
		return
	}
	name := x.tag[:x.tagLen]
	action := htmlActions[string(name)]
	step := 1
	if x.closing {
		step = -1
	}
	switch action {
	case actHidden:
		x.hidden = max(0, x.hidden+step)
	case actPre:
		x.text.pre = max(0, x.text.pre+step)
	case actText, actDrop:
		if !x.closing {
			x.state, x.raw, x.rawName = inRaw, action, string(name)
			if x.rawName == "title" && !x.all {
				x.raw = actDrop
			}
		}
	}
	switch action {
	case actSpace:
		x.text.space()
	case actNone, actDrop:
	default:
		x.line()
	}
}
