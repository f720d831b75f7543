package wire

import "strings"

// A Parse function takes everything behind a command's name. Its error is Decoder.Err: a *SyntaxError, in ParseSearch also a *CharsetError.
// The grammar is that of RFC 9051 §9 unless another is named; rev1's (RFC 3501) is a subset of it.

// done returns v, or the decoder's error if the parse failed.
func done[T any](d *Decoder, v *T, ok bool) (*T, error) {
	if !ok {
		d.Fail("invalid arguments")
		return nil, d.Err()
	}
	return v, nil
}

// ParseNone parses the arguments of a command that has none: CAPABILITY, NOOP, LOGOUT, CHECK, ….
func ParseNone(d *Decoder) error {
	d.ExpectEnd()
	return d.Err()
}

// ParseLogin parses LOGIN.
//
//	login = "LOGIN" SP userid SP password
func ParseLogin(d *Decoder) (*Login, error) {
	var c Login
	return done(d, &c, d.ExpectSP() && d.ExpectAString(&c.User) && d.ExpectSP() && d.ExpectAString(&c.Password) && d.ExpectEnd())
}

// ParseAuthenticate parses AUTHENTICATE.
//
//	authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64)
func ParseAuthenticate(d *Decoder) (*Authenticate, error) {
	var c Authenticate
	ok := d.ExpectSP() && d.ExpectKeyword(&c.Mechanism)
	if ok && !d.End() {
		ok = d.ExpectSP() && d.ExpectBase64(&c.Initial) && d.ExpectEnd()
	}
	return done(d, &c, ok)
}

// ParseEnable parses ENABLE.
//
//	enable = "ENABLE" 1*(SP capability)
func ParseEnable(d *Decoder) (*Enable, error) {
	var c Enable
	for {
		var word string
		if !d.ExpectSP() || !d.ExpectKeyword(&word) {
			return nil, d.Err()
		}
		c.Caps = append(c.Caps, word)
		if d.End() {
			return &c, nil
		}
	}
}

// ParseCompress parses COMPRESS and returns the mechanism in upper case.
//
//	compress = "COMPRESS" SP algorithm   ; RFC 4978 §5
func ParseCompress(d *Decoder) (mechanism string, err error) {
	if !d.ExpectSP() || !d.ExpectKeyword(&mechanism) || !d.ExpectEnd() {
		return "", d.Err()
	}
	return mechanism, nil
}

// ParseSelect parses SELECT and EXAMINE. A mod-sequence of 0, which no mailbox has, is taken: clients send it.
//
//	select        = "SELECT" SP mailbox [select-params]
//	select-params = SP "(" select-param *(SP select-param) ")"   ; RFC 4466
//	select-param  = "CONDSTORE" / "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
//	                                                             ; RFC 7162 §7
func ParseSelect(d *Decoder) (*Select, error) {
	var c Select
	ok := d.ExpectSP() && d.ExpectMailbox(&c.Name)
	if ok && !d.End() {
		ok = d.ExpectSP() && d.ExpectList1(func() bool {
			var word string
			if !d.ExpectKeyword(&word) {
				return false
			}
			switch {
			case word == "CONDSTORE":
				c.Condstore = true
				return true
			case word == "QRESYNC" && c.QResync == nil:
				c.QResync = new(QResync)
				return d.ExpectSP() && qresync(d, c.QResync)
			}
			return d.Fail("unknown SELECT parameter")
		}) && d.ExpectEnd()
	}
	return done(d, &c, ok)
}

// qresync takes the argument of QRESYNC.
//
//	known-uids     = sequence-set
//	seq-match-data = "(" known-sequence-set SP known-uid-set ")"
func qresync(d *Decoder, q *QResync) bool {
	if !d.ExpectSpecial('(') || !d.ExpectNumber(&q.UIDValidity) || !d.ExpectSP() || !d.ExpectModSeq(&q.ModSeq) {
		return false
	}
	if d.SP() {
		if d.peek() != '(' {
			if !knownSet(d, &q.Known) {
				return false
			}
			if !d.SP() {
				return d.ExpectSpecial(')')
			}
		}
		if !d.ExpectSpecial('(') || !knownSet(d, &q.MatchSeqs) || !d.ExpectSP() || !knownSet(d, &q.MatchUID) || !d.ExpectSpecial(')') {
			return false
		}
	}
	return d.ExpectSpecial(')')
}

// knownSet takes a sequence-set of numbers only.
func knownSet(d *Decoder, ranges *[]Range) bool {
	var set Set
	if !d.ExpectSet(&set) {
		return false
	}
	for _, r := range set.Ranges {
		if r.First == Star || r.Last == Star {
			return d.Fail("* is not known")
		}
	}
	*ranges = set.Ranges
	return d.expect(!set.Saved, "a set of numbers")
}

// ParseCreate parses CREATE.
//
//	create     = "CREATE" SP mailbox [SP "(" "USE" SP use-attrs ")"]   ; RFC 6154 §6
//	use-attrs  = "(" [use-attr *(SP use-attr)] ")"
//	use-attr   = "\" atom
func ParseCreate(d *Decoder) (*Create, error) {
	var c Create
	ok := d.ExpectSP() && d.ExpectMailbox(&c.Name)
	if ok && !d.End() {
		ok = d.ExpectSP() && d.ExpectList1(func() bool {
			if !d.Keyword("USE") {
				return d.Fail("unknown CREATE parameter")
			}
			return d.ExpectSP() && d.ExpectList(func() bool {
				var attr string
				if d.peek() != '\\' || !d.ExpectFlag(&attr) {
					return d.Fail("expected a special-use attribute")
				}
				c.SpecialUse = append(c.SpecialUse, attr)
				return true
			})
		}) && d.ExpectEnd()
	}
	return done(d, &c, ok)
}

// ParseMailbox parses DELETE, SUBSCRIBE, UNSUBSCRIBE.
//
//	delete = "DELETE" SP mailbox
func ParseMailbox(d *Decoder) (*Mailbox, error) {
	var c Mailbox
	return done(d, &c, d.ExpectSP() && d.ExpectMailbox(&c.Name) && d.ExpectEnd())
}

// ParseRename parses RENAME.
//
//	rename = "RENAME" SP mailbox SP mailbox
func ParseRename(d *Decoder) (*Rename, error) {
	var c Rename
	return done(d, &c, d.ExpectSP() && d.ExpectMailbox(&c.From) && d.ExpectSP() && d.ExpectMailbox(&c.To) && d.ExpectEnd())
}

// storeItems are the forms of STORE's data item.
var storeItems = map[string]Store{
	"FLAGS":         {Op: StoreReplace},
	"FLAGS.SILENT":  {Op: StoreReplace, Silent: true},
	"+FLAGS":        {Op: StoreAdd},
	"+FLAGS.SILENT": {Op: StoreAdd, Silent: true},
	"-FLAGS":        {Op: StoreRemove},
	"-FLAGS.SILENT": {Op: StoreRemove, Silent: true},
}

// ParseStore parses STORE and UID STORE.
//
//	store           = "STORE" SP sequence-set [SP store-modifiers] SP store-att-flags
//	store-modifiers = "(" "UNCHANGEDSINCE" SP mod-sequence-valzer ")"   ; RFC 7162 §7
//	store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))
func ParseStore(d *Decoder) (*Store, error) {
	var c Store
	if !d.ExpectSP() || !d.ExpectSet(&c.Set) || !d.ExpectSP() {
		return nil, d.Err()
	}
	if d.peek() == '(' {
		if !d.ExpectList1(func() bool {
			if !d.Keyword("UNCHANGEDSINCE") || c.UnchangedSince != nil { // there may be one (RFC 7162 §7)
				return d.Fail("unknown STORE modifier")
			}
			c.UnchangedSince = new(uint64)
			return d.ExpectSP() && d.ExpectModSeq(c.UnchangedSince)
		}) || !d.ExpectSP() {
			return nil, d.Err()
		}
	}
	var word string
	if !d.ExpectKeyword(&word) {
		return nil, d.Err()
	}
	item, known := storeItems[word]
	if !known {
		d.Fail("unknown STORE item")
		return nil, d.Err()
	}
	c.Op, c.Silent = item.Op, item.Silent
	if !d.ExpectSP() {
		return nil, d.Err()
	}
	if d.peek() == '(' {
		return done(d, &c, d.ExpectFlagList(&c.Flags) && d.ExpectEnd())
	}
	for {
		var flag string
		if !d.ExpectFlag(&flag) {
			return nil, d.Err()
		}
		c.Flags = append(c.Flags, flag)
		if d.End() {
			return &c, nil
		}
		if !d.ExpectSP() {
			return nil, d.Err()
		}
	}
}

// ParseCopy parses COPY, MOVE and their UID forms.
//
//	copy = "COPY" SP sequence-set SP mailbox
func ParseCopy(d *Decoder) (*Copy, error) {
	var c Copy
	return done(d, &c, d.ExpectSP() && d.ExpectSet(&c.Set) && d.ExpectSP() && d.ExpectMailbox(&c.Name) && d.ExpectEnd())
}

// ParseUIDSet parses UID EXPUNGE.
//
//	uid-expunge = "EXPUNGE" SP sequence-set
func ParseUIDSet(d *Decoder) (Set, error) {
	var s Set
	if !d.ExpectSP() || !d.ExpectSet(&s) || !d.ExpectEnd() {
		return Set{}, d.Err()
	}
	return s, nil
}

// ParseUIDBatches parses UIDBATCHES.
//
//	message-batches = "UIDBATCHES" SP nz-number [SP nz-number ":" nz-number]   ; RFC 10022 §4
func ParseUIDBatches(d *Decoder) (*UIDBatches, error) {
	var c UIDBatches
	ok := d.ExpectSP() && d.ExpectNzNumber(&c.Size)
	if ok && !d.End() {
		ok = d.ExpectSP() && d.ExpectNzNumber(&c.First) && d.ExpectSpecial(':') && d.ExpectNzNumber(&c.Last)
		if ok && c.First > c.Last {
			d.err = &SyntaxError{Text: "Invalid batch range", Code: "CLIENTBUG"} // RFC 10022 §3.1.5
		}
	}
	return done(d, &c, ok && d.ExpectEnd())
}

// ParseCancelUpdate parses CANCELUPDATE: the tags of searches.
//
//	cancelupdate = "CANCELUPDATE" 1*(SP quoted)   ; RFC 5267 §5
func ParseCancelUpdate(d *Decoder) ([]string, error) {
	var tags []string
	for {
		var tag string
		if !d.ExpectSP() || !d.ExpectString(&tag) {
			return nil, d.Err()
		}
		tags = append(tags, tag)
		if d.End() {
			return tags, nil
		}
	}
}

// ParseID parses ID. Params is nil for NIL; a NIL value is the empty string, and of two fields with one name the last one counts.
//
//	id        = "ID" SP id-params                                          ; RFC 2971 §4
//	id-params = "(" [string SP nstring *(SP string SP nstring)] ")" / nil
func ParseID(d *Decoder) (*ID, error) {
	var c ID
	if !d.ExpectSP() {
		return nil, d.Err()
	}
	if d.Keyword("NIL") {
		return done(d, &c, d.ExpectEnd())
	}
	c.Params = map[string]string{}
	return done(d, &c, d.ExpectList(func() bool {
		var key, value string
		var present bool
		if !d.ExpectString(&key) || !d.ExpectSP() || !d.ExpectNString(&value, &present) {
			return false
		}
		c.Params[strings.ToLower(key)] = value
		return true
	}) && d.ExpectEnd())
}
