package imap

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
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

// urlMechanism is the only one. Its token is HMAC-SHA256 in hexadecimal.
const urlMechanism = "INTERNAL"

// submissionField is the extra field of the passwd-file of the user as which a submission server logs in: with it "submit+" lets the user in.
const submissionField = "roost_submission"

var errURLMechanism = bad("Unknown mechanism, there is " + urlMechanism)

// urlToken is the token of a URL, as its octets.
func urlToken(key []byte, validity uint32, rump string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(binary.BigEndian.AppendUint32(nil, validity))
	mac.Write([]byte(rump))
	return mac.Sum(nil)
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
	if err != nil || !u.Network || u.User == "" || u.Access == "" || u.Mechanism != "" || !s.ownURL(u) || u.Partial != nil && !s.has("URL-PARTIAL") {
		return "", refusedURL(text)
	}
	box, err := s.openMailbox(u.Mailbox)
	if errors.Is(err, maildir.ErrNotFound) || errors.Is(err, maildir.ErrNoSelect) || errors.Is(err, maildir.ErrInvalidName) {
		return "", refusedURL(text)
	}
	if err != nil {
		return "", err
	}
	defer box.Release()
	_, validity := box.Identity()
	if u.UIDValidity != 0 && u.UIDValidity != validity {
		return "", refusedURL(text)
	}
	key, err := s.mail.AccessKey(box, true)
	if err != nil {
		return "", err
	}
	return text + ":" + urlMechanism + ":" + hex.EncodeToString(urlToken(key, validity, text)), nil
}

// refusedURL is the answer to a URL that is not made.
func refusedURL(text string) error {
	r := badURL(text).(*response)
	return &response{r.kind, r.code, "A URL is not one of your mail with an access identifier"}
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
	c.okCode = "URLMECH " + urlMechanism
	return nil
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
		structure, err := p.structure()
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

// writeBinary writes the octets without their transfer encoding, NIL if that is unknown (RFC 5524 §3.2). What is no body has none.
func (p *urlPart) writeBinary(partial *wire.Partial) error {
	if p.sec.Spec != wire.SpecAll {
		p.f.binary = true
		defer func() { p.f.binary = false }()
		return p.writeBody(partial)
	}
	it := binaryItem(fetchItem{}, &wire.FetchSection{Binary: true, Part: p.sec.Part, Partial: partial})
	if err := it.prepare(p.f, &p.m); err != nil {
		p.f.enc.Nil()
		return nil
	}
	return it.write(p.f, &p.m)
}

// structure is BODYSTRUCTURE of the part that the section is or is in.
func (p *urlPart) structure() ([]byte, error) {
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
	return message.PartStructure(p.m.file, tree, part)
}

// sharedURL returns a URL that this session may fetch, and the mail that it is about, until release; nil when it may not.
func (s *session) sharedURL(text string) (u *wire.URL, mail *maildir.Store, release func()) {
	u, err := wire.ParseURL(text)
	if err != nil || !u.Network || u.Mechanism != urlMechanism || !u.Expire.IsZero() && !time.Now().Before(u.Expire) || !s.admitted(u) ||
		u.Partial != nil && !s.has("URL-PARTIAL") {
		return nil, nil, nil
	}
	token, err := hex.DecodeString(u.Token)
	if err != nil {
		return nil, nil, nil
	}
	mail, release, err = s.mailOf(u.User)
	if err != nil {
		s.log.Warn("cannot open the mail that a URL is about", "user", u.User, "cause", err)
	}
	if mail == nil {
		return nil, nil, nil
	}
	if !vouchedFor(mail, u, token) {
		release()
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

// vouchedFor tells whether the token is the one that we would make for the URL.
func vouchedFor(mail *maildir.Store, u *wire.URL, token []byte) bool {
	box, err := mail.Open(u.Mailbox)
	if err != nil {
		return false
	}
	defer box.Release()
	key, err := mail.AccessKey(box, false)
	if err != nil || key == nil {
		return false
	}
	_, validity := box.Identity()
	return hmac.Equal(token, urlToken(key, validity, u.Rump))
}
