package wire

// maxURLs bounds the URLs of one command.
const maxURLs = 1000

// ParseGenURLAuth parses GENURLAUTH.
//
//	genurlauth = "GENURLAUTH" 1*(SP url-rump SP mechanism)   ; RFC 4467 §9
//	url-rump   = astring
func ParseGenURLAuth(d *Decoder) ([]GenURL, error) {
	var urls []GenURL
	for ok := true; ok && (urls == nil || !d.End()); {
		var u GenURL
		ok = d.ExpectSP() && d.ExpectAString(&u.URL) && d.ExpectSP() && d.ExpectKeyword(&u.Mechanism)
		if len(urls) == maxURLs {
			d.Fail("too many URLs")
		}
		urls = append(urls, u)
	}
	if d.err != nil {
		return nil, d.err
	}
	return urls, nil
}

// ParseURLFetch parses URLFETCH.
//
//	urlfetch        = "URLFETCH" 1*(SP (url-full / url-fetch-ext))          ; RFC 5524 §5
//	url-fetch-ext   = "(" url-full *(SP url-fetch-param) ")"
//	url-fetch-param = "BODYPARTSTRUCTURE" / "BINARY" / "BODY"               ; BINARY and BODY not together, none twice (§3.1)
func ParseURLFetch(d *Decoder) ([]FetchURL, error) {
	var urls []FetchURL
	for ok := true; ok && (urls == nil || !d.End()); {
		var u FetchURL
		if ok = d.ExpectSP(); ok && d.peek() == '(' {
			u.Extended = true
			ok = d.expectFetchURL(&u)
		} else if ok {
			ok = d.ExpectAString(&u.URL)
		}
		if len(urls) == maxURLs {
			d.Fail("too many URLs")
		}
		urls = append(urls, u)
	}
	if d.err != nil {
		return nil, d.err
	}
	return urls, nil
}

// expectFetchURL takes a url-fetch-ext.
func (d *Decoder) expectFetchURL(u *FetchURL) bool {
	if d.Without["("] { // URLAUTH=BINARY is turned off
		return d.Fail("expected a URL")
	}
	first := true
	return d.ExpectList1(func() bool {
		if first {
			first = false
			return d.ExpectAString(&u.URL)
		}
		var param string
		if !d.ExpectKeyword(&param) {
			return false
		}
		switch {
		case param == "BODYPARTSTRUCTURE" && !u.Structure:
			u.Structure = true
		case param == "BINARY" && !u.Binary && !u.Body:
			u.Binary = true
		case param == "BODY" && !u.Binary && !u.Body:
			u.Body = true
		default:
			return d.Fail("unknown or repeated parameter of a URL")
		}
		return true
	})
}

// ParseResetKey parses RESETKEY.
//
//	resetkey = "RESETKEY" [SP mailbox *(SP mechanism)]   ; RFC 4467 §9
func ParseResetKey(d *Decoder) (*ResetKey, error) {
	var c ResetKey
	if d.End() {
		return &c, nil
	}
	ok := d.ExpectSP() && d.ExpectMailbox(&c.Name)
	if ok && c.Name == "" {
		ok = d.Fail("mailbox name is empty")
	}
	for ok && !d.End() {
		var mechanism string
		ok = d.ExpectSP() && d.ExpectKeyword(&mechanism)
		c.Mechanisms = append(c.Mechanisms, mechanism)
	}
	return done(d, &c, ok)
}
