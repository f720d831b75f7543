package imap

import "strings"

// baseSubject returns what is left of a decoded subject without the marks of replies and forwards, and whether any of them was there
// (RFC 5256 §2.1, and "reply or forward" in REFERENCES). One pass from each end: nothing is looked at again.
//
//	subj-leader  = (*subj-blob subj-refwd) / WSP
//	subj-trailer = "(fwd)" / WSP
//	subj-fwd     = "[fwd:" subject "]"
func baseSubject(subject string) (base string, reply bool) {
	s := collapseSpace(subject) // step 1
	for {
		s, reply = trimTrailers(s, reply) // step 2
		s, reply = trimLeaders(s, reply)  // steps 3 to 5
		inner, ok := cutPrefixFold(s, "[fwd:")
		if !ok || !strings.HasSuffix(inner, "]") {
			return s, reply // step 7
		}
		s, reply = inner[:len(inner)-1], true // step 6
	}
}

// collapseSpace makes one space of all white space in a row.
func collapseSpace(s string) string {
	isSpace := func(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = !isSpace(s[i]) || s[i] == ' ' && (i == 0 || s[i-1] != ' ')
	}
	if plain {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := range len(s) {
		if !isSpace(s[i]) {
			b = append(b, s[i])
		} else if len(b) == 0 || b[len(b)-1] != ' ' {
			b = append(b, ' ')
		}
	}
	return string(b)
}

func trimTrailers(s string, reply bool) (string, bool) {
	const forwarded = "(fwd)"
	for {
		s = strings.TrimRight(s, " ")
		n := len(s) - len(forwarded)
		if n < 0 || !strings.EqualFold(s[n:], forwarded) {
			return s, reply
		}
		s, reply = s[:n], true
	}
}

// trimLeaders removes all leaders, and blobs that something follows. Blobs in a row are passed once: unless a subj-refwd is behind them they
// all go, but the last one stays if it is all there is.
func trimLeaders(s string, reply bool) (string, bool) {
	for {
		s = strings.TrimLeft(s, " ")
		rest, last := s, ""
		for {
			next, ok := cutBlob(rest)
			if !ok {
				break
			}
			rest, last = next, rest
		}
		if next, ok := cutRefwd(rest); ok {
			s, reply = next, true
			continue
		}
		if rest == "" && last != "" {
			return last, reply
		}
		return rest, reply
	}
}

// cutRefwd removes the mark of a reply or forward from the front.
//
//	subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
func cutRefwd(s string) (string, bool) {
	rest, ok := cutPrefixFold(s, "re")
	if !ok {
		if rest, ok = cutPrefixFold(s, "fw"); !ok {
			return s, false
		}
		rest, _ = cutPrefixFold(rest, "d")
	}
	rest = strings.TrimLeft(rest, " ")
	rest, _ = cutBlob(rest)
	return strings.CutPrefix(rest, ":")
}

// cutBlob removes a word in brackets, which has no brackets inside, and the space behind it from the front.
//
//	subj-blob = "[" *BLOBCHAR "]" *WSP
func cutBlob(s string) (string, bool) {
	if s == "" || s[0] != '[' {
		return s, false
	}
	i := strings.IndexAny(s[1:], "[]") + 1
	if i == 0 || s[i] == '[' {
		return s, false
	}
	return strings.TrimLeft(s[i+1:], " "), true
}

// cutPrefixFold is strings.CutPrefix for ASCII in any case.
func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
