package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// parsed runs a parser; the value is nil and the error a *SyntaxError if it refuses.
func parsed[T any](t *testing.T, parse func(*Decoder) (T, error), args string) (v T, ok bool) {
	t.Helper()
	v, err := parse(decode(args))
	if err != nil {
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Text == "" {
			t.Errorf("%.80q: error %#v is no *SyntaxError with a text", args, err)
		}
	}
	return v, err == nil
}

// accepts checks parses and their values.
func accepts[T any](t *testing.T, parse func(*Decoder) (T, error), want map[string]T) {
	t.Helper()
	for args, want := range want {
		got, ok := parsed(t, parse, args)
		if !ok {
			t.Errorf("%.80q refused", args)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%.80q: got %+v, want %+v", args, got, want)
		}
	}
}

// refuses checks that parses fail.
func refuses[T any](t *testing.T, parse func(*Decoder) (T, error), args ...string) {
	t.Helper()
	for _, args := range args {
		if v, ok := parsed(t, parse, args); ok {
			t.Errorf("%.80q accepted: %+v", args, v)
		}
	}
}

func TestParseNone(t *testing.T) {
	for _, args := range []string{"", " ", "  "} {
		if err := ParseNone(decode(args)); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	if ParseNone(decode(" x")) == nil {
		t.Error("argument accepted")
	}
}

func TestParseLogin(t *testing.T) {
	accepts(t, ParseLogin, map[string]*Login{
		" joe secret":                          {"joe", "secret"},
		` "joe" "a \"b\\"`:                     {"joe", `a "b\`},
		" {3}\r\njoe {3+}\r\na\nb":             {"joe", "a\nb"},
		` joe ""`:                              {"joe", ""},
		` joe@example.org pässword`:            {"joe@example.org", "pässword"},
		" joe a]b ":                            {"joe", "a]b"},
		"  joe  x":                             {"joe", "x"},
		" joe {1}\r\n\xe9":                     {"joe", "\xe9"},
		" \"{3}\" \"{5+}\"":                    {"{3}", "{5+}"},
		` NIL nil`:                             {"NIL", "nil"},
		" " + strings.Repeat("u", 5000) + " p": {strings.Repeat("u", 5000), "p"},
	})
	refuses(t, ParseLogin, "", " ", " joe", " joe ", " joe a b", "joe x", ` "joe"x y`, " joe (x)", " joe {}", " joe {-1}", " joe {5", ` joe "x`, " joe {1}\r\n\x00")
}

func TestParseCompress(t *testing.T) {
	accepts(t, ParseCompress, map[string]string{" DEFLATE": "DEFLATE", " deflate ": "DEFLATE", " LZ4": "LZ4"})
	refuses(t, ParseCompress, "", " ", " DEFLATE 9", ` "DEFLATE"`, " (DEFLATE)", " {7}\r\nDEFLATE")
}

func TestParseAuthenticate(t *testing.T) {
	accepts(t, ParseAuthenticate, map[string]*Authenticate{
		" plain":               {"PLAIN", nil},
		" SCRAM-SHA-256-PLUS ": {"SCRAM-SHA-256-PLUS", nil},
		" PLAIN =":             {"PLAIN", []byte{}},
		" PLAIN AGpvZQB4":      {"PLAIN", []byte("\x00joe\x00x")},
	})
	refuses(t, ParseAuthenticate, "", " ", " PLAIN AGpv=", " PLAIN !!!!", " PLAIN AGpv AGpv", ` PLAIN "AGpv"`, ` "PLAIN"`)
}

func TestParseEnable(t *testing.T) {
	accepts(t, ParseEnable, map[string]*Enable{
		" condstore UTF8=ACCEPT": {[]string{"CONDSTORE", "UTF8=ACCEPT"}},
		" IMAP4rev2 ":            {[]string{"IMAP4REV2"}},
	})
	refuses(t, ParseEnable, "", " ", " (X)", ` "X"`)
}

func TestParseMailboxes(t *testing.T) {
	accepts(t, ParseMailbox, map[string]*Mailbox{" inbox": {"INBOX"}, " &AOk-": {"é"}, ` "a b" `: {"a b"}, ` ""`: {""}})
	refuses(t, ParseMailbox, "", " ", " a b", " a&b", " (a)")
	accepts(t, ParseRename, map[string]*Rename{" a Inbox": {"a", "INBOX"}, " \"a b\" {1}\r\nc": {"a b", "c"}})
	refuses(t, ParseRename, "", " a", " a ", " a b c")
	accepts(t, ParseSelect, map[string]*Select{
		" a":                             {Name: "a"},
		" a (CONDSTORE)":                 {Name: "a", Condstore: true},
		" a (condstore) ":                {Name: "a", Condstore: true},
		" a (QRESYNC (1 0))":             {Name: "a", QResync: &QResync{UIDValidity: 1}},
		" a (CONDSTORE QRESYNC (1 2))":   {Name: "a", Condstore: true, QResync: &QResync{UIDValidity: 1, ModSeq: 2}},
		" a (QRESYNC (1 2 3:1,7))":       {Name: "a", QResync: &QResync{1, 2, []Range{{3, 1}, {7, 7}}, nil, nil}},
		" a (QRESYNC (1 2 5 (1:2 3:4)))": {Name: "a", QResync: &QResync{1, 2, []Range{{5, 5}}, []Range{{1, 2}}, []Range{{3, 4}}}},
		" a (QRESYNC (1 2 (1 3)))":       {Name: "a", QResync: &QResync{1, 2, nil, []Range{{1, 1}}, []Range{{3, 3}}}},
	})
	refuses(t, ParseSelect, "", " a ()", " a (X)", " a (CONDSTORE", " a CONDSTORE", " a (CONDSTORE) x", " a (QRESYNC)", " a (QRESYNC 1 2)",
		" a (QRESYNC (1))", " a (QRESYNC (1 2 *))", " a (QRESYNC (1 2 1:*))", " a (QRESYNC (1 2 $))", " a (QRESYNC (1 2 3 (1)))",
		" a (QRESYNC (1 2 ))", " a (QRESYNC (1 2) QRESYNC (1 2))", " a (QRESYNC (1 9223372036854775808))", " a (QRESYNC (4294967296 1))")
	accepts(t, ParseCreate, map[string]*Create{
		" a":                        {Name: "a"},
		" a/":                       {Name: "a/"},
		` a (USE (\Sent \Archive))`: {Name: "a", SpecialUse: []string{`\Sent`, `\Archive`}},
		` a (USE ())`:               {Name: "a"},
	})
	refuses(t, ParseCreate, "", " a (USE)", ` a (USE (Sent))`, ` a (X (\Sent))`, " a ()", ` a (USE (\Sent)`, " a b")
}

func TestParseListMetadata(t *testing.T) {
	accepts(t, ParseList, map[string]*List{
		` "" % RETURN (METADATA ("/shared/a" /private/b) CHILDREN)`: {Patterns: []string{"%"}, Extended: true, RetChildren: true, RetMetadata: []string{"/shared/a", "/private/b"}},
	})
	refuses(t, ParseList, ` "" % RETURN (METADATA)`, ` "" % RETURN (METADATA ())`, ` "" % RETURN (METADATA /shared/a)`, ` "" % RETURN (METADATA (a))`)
}

func TestParseList(t *testing.T) {
	accepts(t, ParseList, map[string]*List{
		` "" *`:           {Patterns: []string{"*"}},
		` "" ""`:          {Patterns: []string{""}},
		` &AOk-/ a%`:      {Reference: "é/", Patterns: []string{"a%"}},
		` "" (a b%)`:      {Patterns: []string{"a", "b%"}, Extended: true},
		` () "" *`:        {Patterns: []string{"*"}, Extended: true},
		` "" * RETURN ()`: {Patterns: []string{"*"}, Extended: true},
		` (SUBSCRIBED remote recursivematch special-use) "" "*"`: {Patterns: []string{"*"}, Extended: true,
			SelSubscribed: true, SelRemote: true, SelRecursiveMatch: true, SelSpecialUse: true},
		` "" % return (subscribed children special-use status (messages unseen Messages))`: {Patterns: []string{"%"}, Extended: true,
			RetSubscribed: true, RetChildren: true, RetSpecialUse: true, RetStatus: []StatusItem{"MESSAGES", "UNSEEN"}},
	})
	refuses(t, ParseList, "", " ", ` ""`, ` "" `, ` "" * x`, ` "" * RETURN`, ` "" * RETURN (X)`, ` (X) "" *`, ` "" ()`, ` "" (a`, ` (RECURSIVEMATCH) "" *`,
		` (REMOTE RECURSIVEMATCH) "" *`, ` "" * RETURN (STATUS)`, ` "" * RETURN (STATUS ())`, ` "" * RETURN (STATUS (X))`, ` "" * RETURN (CHILDREN) x`,
		" "+strings.Repeat("(", 30000), ` "" `+strings.Repeat("(", 30000), ` "" (`+strings.Repeat("a ", maxPatterns+1)+")")
	accepts(t, ParseLsub, map[string]*List{` "" *`: {Patterns: []string{"*"}}, ` a "%"`: {Reference: "a", Patterns: []string{"%"}}})
	refuses(t, ParseLsub, "", ` ""`, ` "" (a b)`, ` (SUBSCRIBED) "" *`, ` "" * RETURN ()`)
}

func TestParseStatus(t *testing.T) {
	accepts(t, ParseStatus, map[string]*Status{
		" Inbox (messages)":                           {"INBOX", []StatusItem{"MESSAGES"}},
		" a (UIDNEXT UIDVALIDITY HIGHESTMODSEQ SIZE)": {"a", []StatusItem{"UIDNEXT", "UIDVALIDITY", "HIGHESTMODSEQ", "SIZE"}},
		" a ( DELETED DELETED-STORAGE DELETED )":      {"a", []StatusItem{"DELETED", "DELETED-STORAGE"}},
	})
	refuses(t, ParseStatus, "", " a", " a ()", " a (X)", " a MESSAGES", " a (MESSAGES) x", " a (MESSAGES")
}

func TestParseStore(t *testing.T) {
	modseq := func(n uint64) *uint64 { return &n }
	one := Set{Ranges: []Range{{1, 1}}}
	accepts(t, ParseStore, map[string]*Store{
		` 1 FLAGS ()`:                                {Set: one, Flags: []string{}},
		` 1 +flags (\Seen)`:                          {Set: one, Op: StoreAdd, Flags: []string{`\Seen`}},
		` 1 -FLAGS.SILENT \Seen $x`:                  {Set: one, Op: StoreRemove, Silent: true, Flags: []string{`\Seen`, "$x"}},
		` 1 FLAGS.SILENT (a) `:                       {Set: one, Silent: true, Flags: []string{"a"}},
		` 1 (UNCHANGEDSINCE 0) FLAGS a`:              {Set: one, Flags: []string{"a"}, UnchangedSince: modseq(0)},
		` 1 (unchangedsince 12345678901) FLAGS (\X)`: {Set: one, Flags: []string{`\X`}, UnchangedSince: modseq(12345678901)},
		` $ FLAGS a`:                                 {Set: Set{Saved: true}, Flags: []string{"a"}},
	})
	refuses(t, ParseStore, "", " 1", " 1 FLAGS", " 1 FLAGS ", " 1 X (a)", " 0 FLAGS (a)", " 1 FLAGS (a", " 1 FLAGS (a) b", " 1 FLAGS a (b)",
		` 1 FLAGS "a"`, " 1 () FLAGS a", " 1 (X 1) FLAGS a", " 1 (UNCHANGEDSINCE) FLAGS a", " 1 (UNCHANGEDSINCE -1) FLAGS a", " 1 FLAGS.LOUD (a)", ` 1 FLAGS (\)`)
}

func TestParseCopyAndUIDSet(t *testing.T) {
	set := Set{Ranges: []Range{{1, Star}, {3, 3}}}
	accepts(t, ParseCopy, map[string]*Copy{` 1:*,3 "a b"`: {set, "a b"}, ` 1:*,3 inbox`: {set, "INBOX"}, " $ x": {Set{Saved: true}, "x"}})
	refuses(t, ParseCopy, "", " 1", " 1 ", " x 1", " 1 a b")
	accepts(t, ParseUIDSet, map[string]Set{" 1:*,3": set, " $ ": {Saved: true}})
	refuses(t, ParseUIDSet, "", " ", " x", " 1 2")
}

func TestParseID(t *testing.T) {
	accepts(t, ParseID, map[string]*ID{
		" NIL":                             {},
		" ()":                              {map[string]string{}},
		` ("Name" "x" "version" NIL)`:      {map[string]string{"name": "x", "version": ""}},
		" ({4+}\r\nname {6+}\r\nOutl\r\n)": {map[string]string{"name": "Outl\r\n"}}, // Outlook sends literals even here
	})
	refuses(t, ParseID, "", " x", ` ("a")`, ` ("a" "b" "c")`, ` (NIL "a")`, ` (a "b")`, ` ("a" "b"`, " NIL x")
}

func TestParseFetch(t *testing.T) {
	one := Set{Ranges: []Range{{1, 1}}}
	section := func(s FetchSection) *Fetch { return &Fetch{Set: one, Items: []FetchItem{&s}} }
	accepts(t, ParseFetch, map[string]*Fetch{
		" 1 fast":                            {Set: one, Items: []FetchItem{FetchAtt("FLAGS"), FetchAtt("INTERNALDATE"), FetchAtt("RFC822.SIZE")}},
		" 1 ALL":                             {Set: one, Items: []FetchItem{FetchAtt("FLAGS"), FetchAtt("INTERNALDATE"), FetchAtt("RFC822.SIZE"), FetchAtt("ENVELOPE")}},
		" 1 Full ":                           {Set: one, Items: []FetchItem{FetchAtt("FLAGS"), FetchAtt("INTERNALDATE"), FetchAtt("RFC822.SIZE"), FetchAtt("ENVELOPE"), FetchAtt("BODY")}},
		" 1 flags":                           {Set: one, Items: []FetchItem{FetchAtt("FLAGS")}},
		" 1 (UID FLAGS UID)":                 {Set: one, Items: []FetchItem{FetchAtt("UID"), FetchAtt("FLAGS")}},
		" 1 (BODY bodystructure)":            {Set: one, Items: []FetchItem{FetchAtt("BODY"), FetchAtt("BODYSTRUCTURE")}},
		" 1 (MODSEQ SAVEDATE)":               {Set: one, Items: []FetchItem{FetchAtt("MODSEQ"), FetchAtt("SAVEDATE")}},
		" 1 BODY[]":                          section(FetchSection{}),
		" 1 body.peek[]<0.65536>":            section(FetchSection{Peek: true, Partial: &Partial{0, 65536}}),
		" 1 BODY[1.2]":                       section(FetchSection{Part: []uint32{1, 2}}),
		" 1 BODY[TEXT]":                      section(FetchSection{Spec: SpecText}),
		" 1 BODY[1.text]":                    section(FetchSection{Part: []uint32{1}, Spec: SpecText}),
		" 1 BODY[3.1.MIME]":                  section(FetchSection{Part: []uint32{3, 1}, Spec: SpecMIME}),
		" 1 BODY[HEADER]":                    section(FetchSection{Spec: SpecHeader}),
		" 1 BINARY[1]<5.1>":                  section(FetchSection{Binary: true, Part: []uint32{1}, Partial: &Partial{5, 1}}),
		" 1 BINARY.PEEK[]":                   section(FetchSection{Binary: true, Peek: true}),
		" 1 BINARY.SIZE[1.2]":                section(FetchSection{BinarySize: true, Peek: true, Part: []uint32{1, 2}}),
		" 1 RFC822":                          section(FetchSection{Obsolete: "RFC822"}),
		" 1 RFC822.PEEK":                     section(FetchSection{Obsolete: "RFC822", Peek: true}),
		" 1 RFC822.HEADER":                   section(FetchSection{Obsolete: "RFC822.HEADER", Spec: SpecHeader, Peek: true}),
		" 1 RFC822.TEXT":                     section(FetchSection{Obsolete: "RFC822.TEXT", Spec: SpecText}),
		" 1 RFC822.TEXT.PEEK":                section(FetchSection{Obsolete: "RFC822.TEXT", Spec: SpecText, Peek: true}),
		" 1 (RFC822.SIZE BODY[1])":           {Set: one, Items: []FetchItem{FetchAtt("RFC822.SIZE"), &FetchSection{Part: []uint32{1}}}},
		" 1 (PREVIEW (lazy) EMAILID)":        {Set: one, Items: []FetchItem{FetchAtt("PREVIEW"), FetchAtt("EMAILID")}},
		" 1 PREVIEW (LAZY) (CHANGEDSINCE 0)": {Set: one, Items: []FetchItem{FetchAtt("PREVIEW")}, ChangedSince: new(uint64)},
		" 1 PREVIEW (CHANGEDSINCE 0)":        {Set: one, Items: []FetchItem{FetchAtt("PREVIEW")}, ChangedSince: new(uint64)},
		" 1 FLAGS (CHANGEDSINCE 0)":          {Set: one, Items: []FetchItem{FetchAtt("FLAGS")}, ChangedSince: new(uint64)},
		" 1 FAST (vanished changedsince 0) ": {Set: one, Items: []FetchItem{FetchAtt("FLAGS"), FetchAtt("INTERNALDATE"), FetchAtt("RFC822.SIZE")},
			ChangedSince: new(uint64), Vanished: true},
		` 1 BODY.PEEK[HEADER.FIELDS (From "X Y" {2+}` + "\r\nTo)]<0.100>": section(
			FetchSection{Peek: true, Spec: SpecHeaderFields, Fields: []string{"From", "X Y", "To"}, Partial: &Partial{0, 100}}),
		" 1 BODY[2.header.fields.not (a)]": section(FetchSection{Part: []uint32{2}, Spec: SpecHeaderFieldsNot, Fields: []string{"a"}}),
	})
	refuses(t, ParseFetch, " 1 PREVIEW (X)", " 1 (PREVIEW (LAZY X))", " 1 (THREADID (LAZY))", " 1 FLAGS (CHANGEDSINCE)", " 1 FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 1)", " 1 FLAGS ()", " 1 (FLAGS) (X)", " 1 (FLAGS)(VANISHED)",
		" 1 FLAGS (CHANGEDSINCE 9223372036854775808)", "", " 1", " 1 ", " 1 ()", " 1 X", " 1 (ALL)", " 1 (FLAGS FAST)", " 1 FLAGS UID", " 1 (FLAGS", " 1 FLAGS)", " 0 FLAGS", " 1 FLAGS[]",
		" 1 BODY[", " 1 BODY[1", " 1 BODY[1.]", " 1 BODY[.1]", " 1 BODY[0]", " 1 BODY[1..2]", " 1 BODY[X]", " 1 BODY[MIME]", " 1 BODY[TEXT.1]", " 1 BODY[4294967296]",
		" 1 BODY[]<0>", " 1 BODY[]<0.0>", " 1 BODY[]<.1>", " 1 BODY[]<0.1", " 1 BODY[]<-1.1>", " 1 BODY[]<9223372036854775807.1>", " 1 BODY.PEEK",
		" 1 BODY[HEADER.FIELDS]", " 1 BODY[HEADER.FIELDS ()]", " 1 BODY[HEADER.FIELDS (a]", " 1 BODY[HEADER.FIELDS a]", " 1 BODY[1TEXT]",
		" 1 BINARY", " 1 BINARY[TEXT]", " 1 BINARY[1.TEXT]", " 1 BINARY[1.]", " 1 BINARY.SIZE[1]<0.1>", " 1 BINARY.SIZE", " 1 RFC822[]", " 1 RFC822.TEXT<0.1>",
		" 1 (("+strings.Repeat("(", 30000), " 1 ("+strings.Repeat("BODY[] ", maxSections+1)+")")
	got, ok := parsed(t, ParseFetch, " 1 ("+strings.Repeat("UID ", 20000)+strings.Repeat("BODY[] ", maxSections)+")")
	if !ok || len(got.Items) != 1+maxSections {
		t.Error("many items refused or not counted once")
	}
}

// Macros are shared tables: what a caller does to its items must not reach them.
func TestParseFetchMacroIsCopied(t *testing.T) {
	got, _ := parsed(t, ParseFetch, " 1 ALL")
	got.Items[0] = FetchAtt("X")
	if again, _ := parsed(t, ParseFetch, " 1 ALL"); again.Items[0] != FetchAtt("FLAGS") {
		t.Error("the table was changed")
	}
}
