package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode/utf8"
)

// class is a kind of search, asked again and again with other needles.
type class struct {
	key    string // for -run
	name   string
	median float64 // seconds it should take at most; 0: nothing is asked
	p99    float64
	// pick returns a command that looks for something else each time.
	pick func(*picker) string
}

// classes is the table of the issue that asks for them.
func classes() []*class {
	common := len(vocabulary)
	all := []*class{
		{key: "rare", name: "rare word, TEXT", pick: func(k *picker) string { return search("TEXT %", k.word(20_000, lexiconSize)) }},
		{key: "medium", name: "word of some messages, BODY", pick: func(k *picker) string { return search("BODY %", k.word(500, 5000)) }},
		{key: "frequent", name: "word of most messages, BODY", pick: func(k *picker) string { return search("BODY %", k.word(0, common)) }},
		{key: "part", name: "3–5 characters within a word, BODY", pick: func(k *picker) string { return search("BODY %", k.part()) }},
		{key: "part-text", name: "3–5 characters within a word, TEXT", pick: func(k *picker) string { return search("TEXT %", k.part()) }},
		{key: "name", name: "piece of an address, FROM", pick: func(k *picker) string { return search("FROM %", k.piece(k.sample().from, 4, 10)) }},
		{key: "address", name: "address, TEXT", pick: func(k *picker) string { return search("TEXT %", k.sample().from) }},
		{key: "id", name: "message id, HEADER", pick: func(k *picker) string { return search("HEADER Message-ID %", "<"+k.sample().id+">") }},
		{key: "id-part", name: "8 characters of a message id, TEXT", pick: func(k *picker) string { return search("TEXT %", k.piece(k.sample().id[:24], 8, 8)) }},
		{key: "url", name: "piece of a URL with a slash, BODY", pick: func(k *picker) string { return search("BODY %", k.url()) }},
		{key: "subject", name: "word of a subject, SUBJECT", pick: func(k *picker) string {
			return search("SUBJECT %", k.oneOf(strings.Fields(k.written(english).subject), 3))
		}},
		{key: "umlauts", name: "German or Russian word, BODY", pick: func(k *picker) string {
			return search("BODY %", strings.Trim(k.oneOf(strings.Fields(k.written(german+script(k.rng.IntN(2))).text), 5), ",."))
		}},
		{key: "absent", name: "what is in no message, TEXT", pick: func(k *picker) string { return search("TEXT %", k.random(10, idLetters)) }},
	}
	for _, c := range all {
		c.median, c.p99 = 0.020, 0.150
	}
	harder := []*class{
		{key: "one", name: "one character, BODY or TEXT", pick: func(k *picker) string { return search(k.bodyOrText(), k.random(1, idLetters+"@.-/#+")) }},
		{key: "two", name: "two characters, BODY or TEXT", pick: func(k *picker) string { return search(k.bodyOrText(), k.random(2, idLetters)) }},
		{key: "phrase", name: "three words of a line, BODY", pick: func(k *picker) string { return search("BODY %", k.phrase()) }},
		{key: "phrase-frequent", name: "two frequent words, BODY", pick: func(k *picker) string {
			return search("BODY %", k.word(0, 60)+" "+k.word(0, 60))
		}},
		{key: "cjk", name: "1–4 ideographs or kana, BODY", pick: func(k *picker) string {
			return search("BODY %", k.piece(strings.Trim(k.oneOf(strings.Fields(k.written(japanese).text), 5), ",."), 1, 4))
		}},
	}
	for _, c := range harder {
		c.median, c.p99 = 0.060, 0.400
	}
	return append(append(all, harder...), &class{key: "thunderbird", name: "Thunderbird's, of any field", median: 0.040, pick: func(k *picker) string {
		needle := k.word(0, 20_000)
		if k.rng.IntN(3) == 0 {
			needle = k.piece(k.sample().from, 5, 12)
		}
		return search("UNDELETED (OR (OR (OR (OR FROM % TO %) HEADER CC %) SUBJECT %) BODY %)", needle)
	}})
}

// search is the command with these keys, in which % is the needle. What is not ASCII is a literal that does not wait (RFC 7888).
func search(keys, needle string) string {
	quoted, charset := `"`+needle+`"`, ""
	if strings.IndexFunc(needle, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
		quoted, charset = fmt.Sprintf("{%d+}\r\n%s", len(needle), needle), "CHARSET UTF-8 "
	}
	return "UID SEARCH " + charset + strings.ReplaceAll(keys, "%", quoted)
}

// picker picks needles, most of them from mail that is there.
type picker struct {
	p     *prose
	a     *author
	rng   *rand.Rand
	total int // messages
}

func (k *picker) sample() sample {
	_, l := k.p.compose(k.a, k.rng.IntN(k.total), k.total)
	return l.has
}

// written is a sample in that script, if there is one.
func (k *picker) written(in script) (s sample) {
	for range 1000 {
		if s = k.sample(); s.script == in {
			break
		}
	}
	return s
}

// word is one of three letters or more, from that range of the lexicon.
func (k *picker) word(from, to int) string {
	return k.oneOf(k.p.words[from:to], 3)
}

// oneOf is one of some words that has at least so many characters, if there is one.
func (k *picker) oneOf(words []string, least int) (w string) {
	for range 1000 {
		if w = words[k.rng.IntN(len(words))]; utf8.RuneCountInString(w) >= least {
			break
		}
	}
	return w
}

// piece are from least to most characters of a string.
func (k *picker) piece(s string, least, most int) string {
	r := []rune(s)
	n := min(least+k.rng.IntN(most-least+1), len(r))
	at := k.rng.IntN(len(r) - n + 1)
	return string(r[at : at+n])
}

// part is from within a word, more often of a frequent one.
func (k *picker) part() string {
	f := k.rng.Float64()
	at := int(f * f * f * (lexiconSize - 1000))
	return k.piece(k.oneOf(k.p.words[at:at+1000], 6), 3, 5)
}

// url is a piece of one with a slash in it.
func (k *picker) url() string {
	for range 1000 {
		if s := strings.TrimPrefix(k.sample().url, "https://www."); s != "" {
			at := strings.IndexByte(s, '/')
			return s[k.rng.IntN(at) : at+2+k.rng.IntN(len(s)-at-1)]
		}
	}
	return "https://www."
}

// phrase is three words of a line, with what is between them.
func (k *picker) phrase() string {
	for range 1000 {
		lines := strings.Split(k.written(english).text, "\n")
		if words := strings.Fields(lines[k.rng.IntN(len(lines))]); len(words) >= 3 {
			at := k.rng.IntN(len(words) - 2)
			return strings.Join(words[at:at+3], " ")
		}
	}
	return "of the"
}

func (k *picker) bodyOrText() string {
	return []string{"BODY %", "TEXT %"}[k.rng.IntN(2)]
}

func (k *picker) random(n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[k.rng.IntN(len(alphabet))]
	}
	return string(b)
}
