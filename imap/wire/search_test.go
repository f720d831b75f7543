package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSearchKeys(t *testing.T) {
	day := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	and := func(keys ...SearchKey) SearchKey { return &KeyAnd{keys} }
	flag := func(f string, want bool) SearchKey { return &KeyFlag{f, want} }
	header := func(f, v string) SearchKey { return &KeyHeader{f, v} }
	set := func(uid bool, ranges ...Range) SearchKey { return &KeySet{uid, Set{Ranges: ranges}} }
	for in, want := range map[string]SearchKey{
		" ALL":                            &KeyAnd{},
		" answered":                       flag(`\Answered`, true),
		" UNANSWERED":                     flag(`\Answered`, false),
		" DELETED":                        flag(`\Deleted`, true),
		" UNDELETED":                      flag(`\Deleted`, false),
		" DRAFT":                          flag(`\Draft`, true),
		" UNDRAFT":                        flag(`\Draft`, false),
		" FLAGGED":                        flag(`\Flagged`, true),
		" UNFLAGGED":                      flag(`\Flagged`, false),
		" SEEN":                           flag(`\Seen`, true),
		" UNSEEN":                         flag(`\Seen`, false),
		" RECENT":                         flag(`\Recent`, true),
		" OLD":                            flag(`\Recent`, false),
		" NEW":                            and(flag(`\Recent`, true), flag(`\Seen`, false)),
		" KEYWORD $Junk":                  flag("$Junk", true),
		" UNKEYWORD junk":                 flag("junk", false),
		" BCC a":                          header("Bcc", "a"),
		" CC a":                           header("Cc", "a"),
		" FROM a":                         header("From", "a"),
		" SUBJECT \"a b\"":                header("Subject", "a b"),
		" TO {2+}\r\na\n":                 header("To", "a\n"),
		" HEADER Message-ID <a@b>":        header("Message-ID", "<a@b>"),
		` HEADER x ""`:                    header("x", ""),
		" BODY é":                         &KeyText{false, "é"},
		" TEXT a":                         &KeyText{true, "a"},
		" BEFORE 1-Feb-2026":              &KeyDate{DateInternal, Before, day},
		` ON "1-Feb-2026"`:                &KeyDate{DateInternal, On, day},
		" SINCE 01-feb-2026":              &KeyDate{DateInternal, Since, day},
		" SENTBEFORE 1-Feb-2026":          &KeyDate{DateSent, Before, day},
		" SENTON 1-Feb-2026":              &KeyDate{DateSent, On, day},
		" SENTSINCE 1-Feb-2026":           &KeyDate{DateSent, Since, day},
		" SAVEDBEFORE 1-Feb-2026":         &KeyDate{DateSaved, Before, day},
		" SAVEDON 1-Feb-2026":             &KeyDate{DateSaved, On, day},
		" SAVEDSINCE 1-Feb-2026":          &KeyDate{DateSaved, Since, day},
		" SAVEDATESUPPORTED":              &KeySaveDateSupported{},
		" filter on-the-road":             &KeyFilter{"on-the-road"},
		" emailid Mab-_9":                 &KeyObjectID{ID: "Mab-_9"},
		" THREADID T1 ":                   &KeyObjectID{Thread: true, ID: "T1"},
		" MODSEQ 0":                       &KeyModSeq{},
		` modseq "/flags/\\Draft" ALL 5 `: &KeyModSeq{5},
		" OLDER 60":                       &KeyAge{false, 60},
		" YOUNGER 4294967295":             &KeyAge{true, 4294967295},
		" LARGER 0":                       &KeySize{true, 0},
		" SMALLER 5000000000":             &KeySize{false, 5000000000},
		" UID *:*":                        set(true, Range{Star, Star}),
		" UID $":                          &KeySet{true, Set{Saved: true}},
		" $":                              &KeySet{false, Set{Saved: true}},
		" 1:3,*":                          set(false, Range{1, 3}, Range{Star, Star}),
		" *":                              set(false, Range{Star, Star}),
		" SEEN ALL":                       and(flag(`\Seen`, true), &KeyAnd{}),
		" (SEEN)":                         flag(`\Seen`, true),
		" ((SEEN DRAFT) 1)":               and(and(flag(`\Seen`, true), flag(`\Draft`, true)), set(false, Range{1, 1})),
		" ( SEEN  DRAFT ) ":               and(flag(`\Seen`, true), flag(`\Draft`, true)),
		" NOT NOT SEEN":                   &KeyNot{&KeyNot{flag(`\Seen`, true)}},
		" NOT (SEEN 1)":                   &KeyNot{and(flag(`\Seen`, true), set(false, Range{1, 1}))},
		" OR SEEN OR DRAFT 1":             &KeyOr{flag(`\Seen`, true), &KeyOr{flag(`\Draft`, true), set(false, Range{1, 1})}},
		// Thunderbird's quick search.
		" UNDELETED (OR (OR (OR (OR FROM x TO x) HEADER CC x) SUBJECT x) BODY x)": and(flag(`\Deleted`, false),
			&KeyOr{&KeyOr{&KeyOr{&KeyOr{header("From", "x"), header("To", "x")}, header("CC", "x")}, header("Subject", "x")}, &KeyText{false, "x"}}),
	} {
		got, ok := parsed(t, ParseSearch, in)
		if !ok || !reflect.DeepEqual(got, &Search{Key: want}) {
			t.Errorf("%q: got %s", in, printOrNothing(got))
		}
	}
}

func printOrNothing(c *Search) string {
	if c == nil {
		return "nothing"
	}
	return printSearch(c)
}

func TestSearchOptions(t *testing.T) {
	all := &KeyAnd{}
	accepts(t, ParseSearch, map[string]*Search{
		" RETURN () ALL":                                      {Return: SearchReturn{Present: true, All: true}, Key: all},
		" return (min MAX) ALL":                               {Return: SearchReturn{Present: true, Min: true, Max: true}, Key: all},
		" RETURN (ALL COUNT SAVE) ALL":                        {Return: SearchReturn{Present: true, All: true, Count: true, Save: true}, Key: all},
		" RETURN (CONTEXT update COUNT) ALL":                  {Return: SearchReturn{Present: true, Count: true, Context: true, Update: true}, Key: all},
		" RETURN (PARTIAL 1:500) ALL":                         {Return: SearchReturn{Present: true, Partial: &PageRange{1, 500, false}}, Key: all},
		" RETURN (SAVE partial -400:-1 MIN) ALL":              {Return: SearchReturn{Present: true, Min: true, Save: true, Partial: &PageRange{400, 1, true}}, Key: all},
		" RETURN (SAVE) CHARSET utf-8 ALL":                    {Return: SearchReturn{Present: true, Save: true}, Charset: "UTF-8", Key: all},
		" RETURN (RELEVANCY ALL) FUZZY TEXT Helo":             {Return: SearchReturn{Present: true, All: true, Relevancy: true}, Key: &KeyFuzzy{&KeyText{true, "Helo"}}, fuzzy: true},
		" NOT fuzzy (SEEN FUZZY DRAFT)":                       {Key: &KeyNot{&KeyFuzzy{and([]SearchKey{&KeyFlag{`\Seen`, true}, &KeyFuzzy{&KeyFlag{`\Draft`, true}}})}}, fuzzy: true},
		" CHARSET US-ASCII ALL":                               {Charset: "US-ASCII", Key: all},
		" CHARSET \"UTF-8\" TEXT {2}\r\né":                    {Charset: "UTF-8", Key: &KeyText{true, "é"}},
		" CHARSET iso-8859-1 TEXT {1}\r\n\xe9":                {Charset: "ISO-8859-1", Key: &KeyText{true, "é"}},
		" CHARSET ISO-8859-1 TEXT \"\xe9\"":                   {Charset: "ISO-8859-1", Key: &KeyText{true, "é"}},
		" CHARSET KOI8-R TEXT {2}\r\n\xc1\xc2":                {Charset: "KOI8-R", Key: &KeyText{true, "аб"}},
		" CHARSET ISO-2022-JP TEXT {10}\r\n\x1b$BF|K\\\x1b(B": {Charset: "ISO-2022-JP", Key: &KeyText{true, "日本"}},
		" CHARSET Shift_JIS TEXT {4}\r\n\x93\xfa\x96\x7b":     {Charset: "SHIFT_JIS", Key: &KeyText{true, "日本"}},
		" CHARSET IBM437 TEXT {1}\r\n\x82":                    {Charset: "IBM437", Key: &KeyText{true, "é"}}, // IANA only
	})
	refuses(t, ParseSearch, "", " ", " RETURN ALL", " RETURN (X) ALL", " RETURN (ALL)", " RETURN (MIN", " CHARSET UTF-8", " CHARSET", " ALL RETURN (MIN)",
		" CHARSET UTF-8 RETURN () ALL", " RETURN (PARTIAL) ALL", " RETURN (PARTIAL 1) ALL", " RETURN (PARTIAL 1:*) ALL", " RETURN (PARTIAL 0:1) ALL",
		" RETURN (PARTIAL -1:1) ALL", " RETURN (PARTIAL 1:-1) ALL", " RETURN (PARTIAL 1:5,7) ALL", " RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL", " RETURN (PARTIAL 1:2 ALL) ALL",
		" RETURN (ALL PARTIAL 1:2) ALL", " RETURN (PARTIAL 1:4294967296) ALL", " TEXT {1}\r\n\xe9", " CHARSET UTF-8 TEXT {1}\r\n\xe9", " CHARSET EUC-JP TEXT {1}\r\n\xe9", " TEXT \"\xff\"")
	for _, charset := range []string{"X-UNKNOWN", "ISO-2022-KR", "UTF-7"} {
		_, err := ParseSearch(decode(" CHARSET " + charset + " ALL"))
		var unknown *CharsetError
		if !errors.As(err, &unknown) || unknown.Charset != charset {
			t.Errorf("%s: got %v", charset, err)
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	refuses(t, ParseSearch, " FUZZY", " FUZZY ", " FUZZYSEEN", " RETURN (RELEVANCY) SEEN", " RETURN (RELEVANCY) TEXT FUZZY", " X", " NOT", " NOT ", " OR SEEN", " OR SEEN ", " OR", " ()", " (SEEN", " SEEN)", " (SEEN))", " SEEN,DRAFT", " (SEEN)(DRAFT)",
		` KEYWORD "x"`, ` KEYWORD \Seen`, " KEYWORD (x)", " KEYWORD {1}\r\nx", " KEYWORD a]", " KEYWORD", // a non-atom keyword is BAD
		" FROM", " FROM ", " HEADER a", " HEADER a ", " BEFORE", " BEFORE x", " BEFORE 31-Feb-2026", " LARGER", " LARGER -1", " LARGER x", " SMALLER 9223372036854775808",
		" OLDER 0", " OLDER 4294967296", " UID", " UID x", " UID 0", " 0", " 1,", " TEXT {3}\r\nab", ` TEXT "a`, " TEXT {1}\r\n\x00", " EMAILID", " EMAILID ", " THREADID a.b", " EMAILID "+strings.Repeat("x", 256), " MODSEQ", " MODSEQ x", ` MODSEQ "/flags/a" 1`, " MODSEQ 9223372036854775808")
}

// 100,000 of anything that nests is refused at the depth limit, without reading on.
func TestSearchDepth(t *testing.T) {
	for _, word := range []string{"NOT ", "FUZZY ", "(", "OR SEEN ", "OR (", "NOT (", "OR "} {
		refuses(t, ParseSearch, " "+strings.Repeat(word, 100000)+"SEEN")
	}
	for _, tt := range []struct {
		depth int
		ok    bool
	}{{11, true}, {10, false}} {
		_, err := ParseSearch(NewDecoder([]byte(" "+strings.Repeat("NOT ", 10)+"SEEN"), tt.depth))
		if (err == nil) != tt.ok {
			t.Errorf("10 NOTs at depth %d: %v", tt.depth, err)
		}
	}
	// Breadth is no depth.
	if _, ok := parsed(t, ParseSearch, strings.Repeat(" (SEEN 1)", 20000)); !ok {
		t.Error("many groups refused")
	}
}

func TestPageRange(t *testing.T) {
	for _, tt := range []struct {
		r           PageRange
		n, from, to int
	}{
		{PageRange{1, 3, false}, 10, 0, 3}, {PageRange{3, 1, false}, 10, 0, 3}, {PageRange{8, 12, false}, 10, 7, 10}, {PageRange{11, 12, false}, 10, 10, 10},
		{PageRange{1, 3, true}, 10, 7, 10}, {PageRange{3, 1, true}, 10, 7, 10}, {PageRange{8, 12, true}, 10, 0, 3}, {PageRange{11, 12, true}, 10, 0, 0},
		{PageRange{10, 10, true}, 10, 0, 1}, {PageRange{1, 4294967295, true}, 10, 0, 10}, {PageRange{4294967295, 4294967295, false}, 0, 0, 0},
	} {
		if from, to := tt.r.Of(tt.n); from != tt.from || to != tt.to {
			t.Errorf("%v of %d: %d, %d", tt.r, tt.n, from, to)
		}
	}
}
