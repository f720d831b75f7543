package imap

import (
	"errors"
	"io"
	"net"
	"path"
	"strings"

	"roost/imap/wire"
	"roost/maildir"
)

// errNoPart tells that a URL names nothing that is there, or nothing that the client may see: which of the two is not said.
var errNoPart = errors.New("the URL names nothing")

// urlPart is what a URL names, opened.
type urlPart struct {
	f   *fetcher
	m   fetchMessage
	sec *wire.FetchSection
	rg  region
	mem []byte // the octets as sent, where they are a selection of header fields
}

// ownURL tells whether a URL names mail of this user on this server, and what is missing in it is then taken from the session.
func (s *session) ownURL(u *wire.URL) bool {
	if u.Network && (!s.ownHost(u.Host) || u.User != "" && u.User != s.user.Name) {
		return false
	}
	if u.Network {
		return true
	}
	if u.Relative {
		if s.view == nil {
			return false
		}
		base := s.view.box.Name()
		if u.Mailbox == "" {
			u.Mailbox = base
			return true
		}
		// RFC 3986 §5.2.3: what is relative takes the place of what is behind the last slash of the base, which is the selected mailbox.
		u.Mailbox = base[:strings.LastIndexByte(base, '/')+1] + u.Mailbox
	}
	if last := path.Base(u.Mailbox); u.UIDValidity != 0 && (last == "." || last == "..") {
		return false // RFC 5092 §9.1: UIDVALIDITY belongs to the name, and no mailbox is called so
	}
	u.Mailbox = path.Clean("/" + u.Mailbox)[1:] // §5.2.4: dots are where they lead to
	return u.Mailbox != ""
}

// ownHost tells whether a host of a URL is this server, as far as we know under which names clients find it.
func (s *session) ownHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, s.srv.opt.Hostname) {
		return true
	}
	if s.tls != nil {
		if name := s.tls.ConnectionState().ServerName; name != "" && strings.EqualFold(host, name) {
			return true
		}
	}
	local, _, err := net.SplitHostPort(s.conn.LocalAddr().String())
	return err == nil && strings.Trim(host, "[]") == local
}

// openURL opens what a URL names in one of these mailboxes; close it. Everything that is wrong with the URL is errNoPart.
func (s *session) openURL(mail *maildir.Store, u *wire.URL) (*urlPart, error) {
	box, err := mail.Open(u.Mailbox)
	if err != nil {
		return nil, errNoPart
	}
	p := &urlPart{f: &fetcher{s: s, box: box, enc: s.enc}, sec: u.Section}
	recs := box.Records([]uint32{u.UID}, nil)
	if len(recs) == 0 || u.UIDValidity != 0 && u.UIDValidity != box.Status().UIDValidity {
		p.close()
		return nil, errNoPart
	}
	p.m.rec = &recs[0]
	if p.sec == nil {
		p.sec = &wire.FetchSection{}
	}
	if err := p.find(); err != nil {
		p.close()
		if !errors.Is(err, errNoPart) && !errors.Is(err, maildir.ErrGone) {
			p.f.logFile(&p.m, err)
		}
		return nil, errNoPart
	}
	return p, nil
}

// find finds the section in the message.
func (p *urlPart) find() error {
	if err := p.f.parts(&p.m); err != nil {
		return err
	}
	if p.sec.Spec == wire.SpecHeaderFields || p.sec.Spec == wire.SpecHeaderFieldsNot {
		part := findPart(p.m.tree, p.sec)
		if part == nil {
			return errNoPart
		}
		want := make(map[string]bool, len(p.sec.Fields))
		for _, field := range p.sec.Fields {
			want[strings.ToLower(field)] = true
		}
		p.f.grow()
		header, emptyLine := p.f.readHeader(&p.m, part)
		p.mem = selectFields(nil, header, want, p.sec.Spec == wire.SpecHeaderFieldsNot, emptyLine)
		p.rg.wire = int64(len(p.mem))
		return nil
	}
	var ok bool
	if p.rg, ok = findRegion(p.m.tree, p.sec); !ok {
		return errNoPart
	}
	return nil
}

func (p *urlPart) close() {
	if p.m.file != nil {
		p.m.file.Close()
	}
	p.f.close()
	p.f.box.Release()
}

// reader returns the octets as they are sent, or the stretch of them that a partial asks for, and how many they are.
func (p *urlPart) reader(part *wire.Partial) (io.Reader, int64, error) {
	from, to := window(part, p.rg.wire)
	if p.mem != nil {
		return strings.NewReader(string(p.mem[from:to])), to - from, nil
	}
	p.f.grow()
	c := &crlfReader{r: p.m.file, off: p.rg.off, end: p.rg.end}
	skip := from
	if from > 0 {
		off, wire, err := p.f.s.fetched.marks.locate(p.m.file, p.f.box, p.m.rec.UID, p.rg, from, p.f.in)
		if err != nil {
			return nil, 0, err
		}
		prev, err := octetBefore(p.m.file, off, p.rg.off)
		if err != nil {
			return nil, 0, err
		}
		c.off, c.prev, skip = off, prev, from-wire
	}
	return &regionReader{f: p.f, c: c, skip: skip, left: to - from}, to - from, nil
}

// regionReader reads a stretch of a region as it is sent: behind skip octets, left octets.
type regionReader struct {
	f          *fetcher
	c          *crlfReader
	buf        []byte
	skip, left int64
}

func (r *regionReader) Read(b []byte) (int, error) {
	for len(r.buf) == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		out, err := r.c.next(r.f.out[:0], r.f.in)
		if err == io.EOF {
			err = errShort
		}
		if err != nil {
			return 0, err
		}
		r.f.out = out
		drop := min(r.skip, int64(len(out)))
		r.skip -= drop
		r.buf = out[drop:]
		r.buf = r.buf[:min(r.left, int64(len(r.buf)))]
		r.left -= int64(len(r.buf))
	}
	n := copy(b, r.buf)
	r.buf = r.buf[n:]
	return n, nil
}
