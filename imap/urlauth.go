package imap

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"roost/imap/wire"
	"roost/maildir"
	"roost/maildir/message"
)

// URLAUTH (RFC 4467) and URLAUTH=BINARY (RFC 5524): URLs that let others read one message or part of it. A URL is as good as the mailbox's key, its
// UIDVALIDITY and the URL's own text say together: nothing is kept of URLs that were made. Whatever is wrong with a URL that is fetched, the answer is
// NIL, and what it names is looked for only when its token is right.
//
// The host of a URL that is made must be this server. That of one that is fetched is not looked at again: its token says that we have made it,
// and a submission server may know us by another name.

// urlMechanism is the only one. Its token is in hexadecimal.
const urlMechanism = "INTERNAL"

// tokenHMACSHA256 begins a token whose rest is HMAC-SHA256, so that some day there can be tokens that are made in another way (RFC 4467 §2.4.1).
const tokenHMACSHA256 = "01"

// submissionField is the extra field of the passwd-file of the user as which a submission server logs in: with it "submit+" lets the user in.
const submissionField = "roost_submission"

// errRefusedURL is the answer to a URL that is not made: BAD, whatever is wrong with it (RFC 4467 §7).
var errRefusedURL = bad("A URL is not one of your mail with an access identifier")

var errURLMechanism = bad("Unknown mechanism, there is " + urlMechanism)

// urlToken is the token of a URL, in lower case.
func urlToken(key []byte, validity uint32, rump string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(binary.BigEndian.AppendUint32(nil, validity))
	mac.Write([]byte(rump))
	return tokenHMACSHA256 + hex.EncodeToString(mac.Sum(nil))
}

// cmdGenURLAuth is GENURLAUTH (RFC 4467 §7). All URLs are answered for, or none.
func (s *session) cmdGenURLAuth(c *command) error {
	urls, err := wire.ParseGenURLAuth(c.args)
	if err != nil {
		return err
	}
	made := make([]string, len(urls))
	for i, u := range urls {
		if u.Mechanism != urlMechanism {
			return errURLMechanism
		}
		if made[i], err = s.makeURL(u.URL); err != nil {
			return err
		}
	}
	s.enc.Raw("* GENURLAUTH")
	for _, text := range made {
		s.enc.SP().String(text)
	}
	s.enc.CRLF()
	return nil
}

// makeURL adds a token to a URL of a mailbox of the user.
func (s *session) makeURL(text string) (string, error) {
	u, err := wire.ParseURL(text)
	if err != nil || !u.Absolute || u.User == "" || u.Access == "" || u.Mechanism != "" || !s.ownURL(u) || u.Partial != nil && !s.has("URL-PARTIAL") {
		return "", errRefusedURL
	}
	box, err := s.openMailbox(u.Mailbox)
	if errors.Is(err, maildir.ErrNotFound) || errors.Is(err, maildir.ErrNoSelect) || errors.Is(err, maildir.ErrInvalidName) {
		return "", errRefusedURL
	}
	if err != nil {
		return "", err
	}
	defer box.Release()
	_, validity := box.Identity()
	if u.UIDValidity != 0 && u.UIDValidity != validity {
		return "", errRefusedURL
	}
	key, err := s.mail.AccessKey(box, true)
	if err != nil {
		return "", err
	}
	return text + ":" + urlMechanism + ":" + urlToken(key, validity, text), nil
}

// cmdResetKey is RESETKEY (RFC 4467 §7).
func (s *session) cmdResetKey(c *command) error {
	req, err := wire.ParseResetKey(c.args)
	if err != nil {
		return err
	}
	for _, mechanism := range req.Mechanisms {
		if mechanism != urlMechanism {
			return errURLMechanism
		}
	}
	var box *maildir.Mailbox
	if req.Name != "" {
		if box, err = s.openMailbox(req.Name); err != nil {
			return err
		}
		defer box.Release()
	}
	if err := s.mail.ResetAccessKeys(box); err != nil {
		return err
	}
	if s.view != nil {
		s.view.keyResets = s.view.box.KeyResets()
	}
	c.okCode = "URLMECH " + urlMechanism
	return nil
}

// tellKeyResets tells that URLs of the selected mailbox were revoked by another session (RFC 4467 §7, RESETKEY).
func (s *session) tellKeyResets() {
	if n := s.view.box.KeyResets(); n != s.view.keyResets {
		s.view.keyResets = n
		s.enc.Raw("* OK [URLMECH ").Raw(urlMechanism).Raw("] Keys of URLs were reset").CRLF()
	}
}

// cmdURLFetch is URLFETCH (RFC 4467 §7, RFC 5524 §3): a response for each URL.
func (s *session) cmdURLFetch(c *command) error {
	urls, err := wire.ParseURLFetch(c.args)
	if err != nil {
		return err
	}
	for i := range urls {
		if err := s.keepalive(); err != nil {
			return err
		}
		if err := s.fetchURL(&urls[i]); err != nil {
			return err
		}
	}
	return nil
}

// fetchURL answers for one URL.
func (s *session) fetchURL(req *wire.FetchURL) error {
	s.enc.Raw("* URLFETCH ").String(req.URL).SP()
	u, mail, release := s.sharedURL(req.URL)
	if u == nil {
		s.enc.Nil().CRLF()
		return nil
	}
	defer release()
	p, err := s.openURL(mail, u)
	if err != nil {
		s.enc.Nil().CRLF()
		return nil
	}
	defer p.close()
	if err := p.answer(req, u.Partial); err != nil {
		return err
	}
	s.enc.CRLF()
	return nil
}

// answer writes what is asked for of a URL.
func (p *urlPart) answer(req *wire.FetchURL, partial *wire.Partial) error {
	if !req.Extended || !req.Structure && !req.Binary && !req.Body {
		return p.writeBody(partial)
	}
	enc := p.f.enc
	sep := ""
	if req.Structure {
		structure, err := p.structure(req.Binary)
		if err != nil {
			p.f.logFile(&p.m, err)
			structure = []byte("NIL")
		}
		enc.Raw("(BODYPARTSTRUCTURE ").Raw(string(structure)).Raw(")")
		sep = " "
	}
	switch {
	case req.Body:
		enc.Raw(sep + "(BODY ")
		if err := p.writeBody(partial); err != nil {
			return err
		}
		enc.Raw(")")
	case req.Binary:
		enc.Raw(sep + "(BINARY ")
		if err := p.writeBinary(partial); err != nil {
			return err
		}
		enc.Raw(")")
	}
	return nil
}

// writeBody writes the octets as they are stored.
func (p *urlPart) writeBody(partial *wire.Partial) error {
	if p.mem != nil {
		from, to := window(partial, int64(len(p.mem)))
		return p.f.literal(p.mem[from:to])
	}
	return p.f.writeRegion(&p.m, p.rg, partial)
}

// writeBinary writes the octets without their transfer encoding, NIL if that is unknown (RFC 5524 §3.2). What is no body of a leaf has none.
func (p *urlPart) writeBinary(partial *wire.Partial) error {
	leaf := p.leaf(p.m.tree)
	if leaf == nil {
		p.f.binary = p.f.holdsNUL(&p.m)
		defer func() { p.f.binary = false }()
		return p.writeBody(partial)
	}
	if _, err := message.Decoded(p.m.file, leaf); err != nil {
		p.f.enc.Nil()
		return nil
	}
	p.f.grow()
	return p.f.writeDecoded(&p.m, leaf, partial)
}

// leaf is the part whose body the section is, if it has a transfer encoding of its own.
func (p *urlPart) leaf(tree *message.Message) *message.Part {
	if p.sec.Spec != wire.SpecAll || len(p.sec.Part) == 0 {
		return nil
	}
	part := tree.Find(p.sec.Part)
	if part == nil || composite(part) {
		return nil
	}
	return part
}

// decodedPart describes a part as it is without its transfer encoding.
func decodedPart(file io.ReaderAt, part *message.Part) (*message.Part, error) {
	rd, err := message.Decoded(file, part)
	if err != nil {
		return nil, err
	}
	d := *part
	d.Encoding, d.WireBody, d.Lines, d.HasNUL = "binary", 0, 0, false
	buf := make([]byte, streamBlock)
	for {
		n, err := rd.Read(buf)
		d.WireBody += int64(n)
		d.Lines += int64(bytes.Count(buf[:n], []byte("\n")))
		d.HasNUL = d.HasNUL || bytes.IndexByte(buf[:n], 0) >= 0
		if err != nil {
			return &d, nil // what comes behind a decoding error does not count
		}
	}
}

// structure is BODYSTRUCTURE of the part that the section is or is in; decoded: as it is without its transfer encoding, if that can be removed.
func (p *urlPart) structure(decoded bool) ([]byte, error) {
	tree, err := message.Parse(p.m.file, p.m.size, message.DefaultLimits) // what is cached has no room for what only this needs
	if err != nil {
		return nil, err
	}
	part := tree.Root
	if len(p.sec.Part) > 0 {
		part = tree.Find(p.sec.Part)
	}
	if part == nil {
		return nil, errNoPart
	}
	if leaf := p.leaf(tree); decoded && leaf != nil {
		if d, err := decodedPart(p.m.file, leaf); err == nil {
			part = d
		}
	}
	return message.PartStructure(p.m.file, tree, part)
}

// sharedURL returns a URL that this session may fetch, and the mail that it is about, until release; nil when it may not.
func (s *session) sharedURL(text string) (u *wire.URL, mail *maildir.Store, release func()) {
	u, err := wire.ParseURL(text)
	if err != nil || !u.Absolute || u.Mechanism != urlMechanism || !u.Expire.IsZero() && !time.Now().Before(u.Expire) || !s.admitted(u) ||
		u.Partial != nil && !s.has("URL-PARTIAL") {
		return nil, nil, nil
	}
	mail, release, err = s.mailOf(u.User)
	if err != nil {
		s.log.Warn("cannot open the mail that a URL is about", "user", u.User, "cause", err)
	}
	if !vouchedFor(mail, u) {
		if mail != nil {
			release()
		}
		return nil, nil, nil
	}
	return u, mail, release
}

// admitted tells whether the user is one of whom the URL's access identifier speaks (RFC 4467 §3). All users of this server have a name.
func (s *session) admitted(u *wire.URL) bool {
	switch u.Access {
	case "submit+":
		return s.user.Extra[submissionField] != ""
	case "user+":
		return u.AccessFor == s.user.Name
	}
	return u.Access == "authuser" || u.Access == "anonymous"
}

// mailOf opens the mail of a user; nil when there is no such user.
func (s *session) mailOf(name string) (*maildir.Store, func(), error) {
	if name == s.user.Name {
		return s.mail, func() {}, nil
	}
	if s.srv.opt.Find == nil {
		return nil, nil, nil
	}
	owner := s.srv.opt.Find(name)
	if owner == nil {
		return nil, nil, nil
	}
	mail, _, release, err := s.srv.opt.Open(owner)
	if err != nil {
		return nil, nil, err
	}
	return mail, release, nil
}

// vouchedFor tells whether the token is the one that we would make for the URL of a mailbox of the user, if there are such a user, mailbox and key. What
// is not there has a key that nobody knows, so that it takes as long (RFC 4467 §6).
func vouchedFor(mail *maildir.Store, u *wire.URL) bool {
	key, validity := mailboxKey(mail, u.Mailbox)
	known := key != nil
	if !known {
		key = make([]byte, sha256.Size)
		rand.Read(key)
	}
	return hmac.Equal([]byte(strings.ToLower(u.Token)), []byte(urlToken(key, validity, u.Rump))) && known
}

// mailboxKey returns the key of a mailbox and its UIDVALIDITY; nil where there is none. mail may be nil.
func mailboxKey(mail *maildir.Store, name string) (key []byte, validity uint32) {
	if mail == nil {
		return nil, 0
	}
	box, err := mail.Open(name)
	if err != nil {
		return nil, 0
	}
	defer box.Release()
	_, validity = box.Identity()
	if key, err = mail.AccessKey(box, false); err != nil {
		return nil, 0
	}
	return key, validity
}
