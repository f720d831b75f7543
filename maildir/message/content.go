package message

import (
	"bytes"
	"strings"
)

// The header fields that say what a part is.
const (
	contentType = iota
	contentEncoding
	contentID
	contentDescription
	contentMD5
	contentDisposition
	contentLanguage
	contentLocation
	contentCount
)

var contentNames = [contentCount]string{
	contentType:        "content-type",
	contentEncoding:    "content-transfer-encoding",
	contentID:          "content-id",
	contentDescription: "content-description",
	contentMD5:         "content-md5",
	contentDisposition: "content-disposition",
	contentLanguage:    "content-language",
	contentLocation:    "content-location",
}

// contentFields collects the raw bodies of one header's Content-* fields. The first field of a name
// that is not empty counts.
type contentFields struct {
	body [contentCount][]byte // folded
	seen [contentCount]bool
	cur  int // field the last line belongs to, -1: none of them
	left int // octets that may still be kept
	used int
}

func (f *contentFields) reset(limit int) {
	for i := range f.body {
		f.body[i] = f.body[i][:0]
		f.seen[i] = false
	}
	f.cur, f.left, f.used = -1, limit, 0
}

// shrink lets go of what a large header took.
func (f *contentFields) shrink() {
	for i := range f.body {
		if cap(f.body[i]) > 1<<10 {
			f.body[i] = nil
		}
	}
}

// start takes a header line, or the beginning of one.
func (f *contentFields) start(line []byte) {
	if isWSP(line[0]) {
		f.add(line)
		return
	}
	f.cur = -1
	if line[0]|0x20 != 'c' {
		return
	}
	name := fieldName(line)
	if len(name) < len("content-id") {
		return
	}
	for i, want := range contentNames {
		if equalFold(name, want) {
			if len(bytes.TrimSpace(f.body[i])) == 0 {
				f.seen[i] = true
				f.cur = i
				f.add(fieldBody(line))
			}
			return
		}
	}
}

// add takes more of the last line, or a continuation line.
func (f *contentFields) add(b []byte) {
	if f.cur < 0 {
		return
	}
	b = b[:min(len(b), f.left)]
	f.body[f.cur] = append(f.body[f.cur], b...)
	f.left -= len(b)
	f.used += len(b)
}

// fill describes a part by its fields and the defaults. It returns the boundary of a multipart.
func (f *contentFields) fill(p *Part, digest bool, maxParams int) (boundary string) {
	p.Encoding = "7bit"
	p.Type, p.Subtype = "text", "plain"
	if digest {
		p.Type, p.Subtype = "message", "rfc822" // RFC 2046 §5.1.5
	}
	if f.seen[contentType] {
		f.parseType(p, maxParams)
	}
	if f.seen[contentEncoding] {
		l := lexer{s: f.body[contentEncoding]}
		if l.space() {
			// Of "quoted printable" or "text/html" nothing can be believed; a semicolon behind is harmless, and so is an empty field.
			token, ok := l.token(nil)
			switch {
			case ok && len(token) > 0 && (l.done() || l.at(';')):
				p.Encoding = lowerASCII(intern(token))
			case !l.done():
				p.Encoding = ""
			}
		}
	}
	if f.seen[contentDisposition] {
		l := lexer{s: f.body[contentDisposition]}
		if l.space() {
			if token, ok := l.token(nil); ok {
				p.Disposition = intern(token)
				p.DispositionParams = l.params(maxParams)
				if len(token) == 0 && len(p.DispositionParams) > 0 {
					p.Disposition = "attachment" // so that the parameters can be told
				}
			}
		}
	}
	if f.seen[contentLanguage] {
		p.Language = parseLanguages(f.body[contentLanguage], maxParams)
	}
	p.ID = f.text(contentID)
	p.Description = f.text(contentDescription)
	p.MD5 = f.text(contentMD5)
	p.Location = f.text(contentLocation)
	if isMultipart(p) {
		for _, param := range p.Params {
			if equalFold(param.Name, "boundary") {
				return param.Value
			}
		}
	}
	return ""
}

// parseType reads Content-Type. Of a broken one counts what can be read, without parameters.
func (f *contentFields) parseType(p *Part, maxParams int) {
	l := lexer{s: f.body[contentType]}
	l.space()
	major, ok := l.token(nil)
	var minor []byte
	if ok = ok && len(major) > 0 && l.at('/'); ok {
		l.i++
		if ok = l.space(); ok {
			minor, ok = l.token(nil)
		}
	}
	if ok = ok && len(minor) > 0 && (l.done() || l.at(';')); ok {
		p.Params = l.params(maxParams)
	}
	if len(major) > 0 {
		p.Type, p.Subtype = intern(major), intern(minor)
	}
	if !ok && isMultipart(p) {
		p.Type, p.Subtype = "application", "octet-stream" // no boundary, and so no children
	}
	if p.Subtype == "" {
		switch {
		case equalFold(p.Type, "text"):
			p.Subtype = "plain"
		default:
			p.Subtype = "unknown"
		}
	}
}

func parseLanguages(body []byte, most int) (langs []string) {
	l := lexer{s: body}
	if !l.space() {
		return nil
	}
	for len(langs) < most {
		tag, ok := l.atom(nil)
		if len(tag) == 0 {
			break
		}
		langs = append(langs, string(tag))
		if !ok || !l.at(',') {
			break
		}
		if l.i++; !l.space() {
			break
		}
	}
	return langs
}

// text is the unfolded body of an unstructured field.
func (f *contentFields) text(i int) string {
	if !f.seen[i] {
		return ""
	}
	return string(unfold(nil, f.body[i]))
}

// common are values that most messages have.
var common = func() map[string]string {
	words := make(map[string]string)
	for _, w := range strings.Fields(`text plain html calendar multipart mixed alternative related report signed message application octet-stream pdf image jpeg
		png gif 7bit 8bit quoted-printable base64 attachment inline charset us-ascii utf-8 UTF-8 iso-8859-1 ISO-8859-1 windows-1252 format flowed
		delsp boundary name filename type`) {
		words[w] = w
	}
	return words
}()

// intern is string(b), without a copy of a common one.
func intern(b []byte) string {
	if s, ok := common[string(b)]; ok {
		return s
	}
	return string(b)
}

func isMultipart(p *Part) bool { return equalFold(p.Type, "multipart") }

// isMessage tells whether the body of a part is a message of its own (RFC 2046 §5.2.1, RFC 6532 §3.7).
func isMessage(p *Part) bool {
	return equalFold(p.Type, "message") && (equalFold(p.Subtype, "rfc822") || equalFold(p.Subtype, "global"))
}

func isText(p *Part) bool { return equalFold(p.Type, "text") }
