package words

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/lang/da"
	"github.com/blevesearch/bleve/v2/analysis/lang/de"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/lang/es"
	"github.com/blevesearch/bleve/v2/analysis/lang/fi"
	"github.com/blevesearch/bleve/v2/analysis/lang/fr"
	"github.com/blevesearch/bleve/v2/analysis/lang/hu"
	"github.com/blevesearch/bleve/v2/analysis/lang/it"
	"github.com/blevesearch/bleve/v2/analysis/lang/nl"
	"github.com/blevesearch/bleve/v2/analysis/lang/no"
	"github.com/blevesearch/bleve/v2/analysis/lang/pt"
	"github.com/blevesearch/bleve/v2/analysis/lang/ro"
	"github.com/blevesearch/bleve/v2/analysis/lang/ru"
	"github.com/blevesearch/bleve/v2/analysis/lang/sv"
	"github.com/blevesearch/bleve/v2/analysis/lang/tr"
	"github.com/blevesearch/bleve/v2/registry"
)

// parts are the names that Bleve gives to what a language needs: its stop words, and what makes stems, in this order.
type parts struct {
	stop  string
	stems []string
}

var table = map[string]parts{
	"da": {da.StopName, []string{da.SnowballStemmerName}},
	"de": {de.StopName, []string{de.NormalizeName, de.LightStemmerName}},
	"en": {en.StopName, []string{en.SnowballStemmerName}},
	"es": {es.StopName, []string{es.LightStemmerName}},
	"fi": {fi.StopName, []string{fi.SnowballStemmerName}},
	"fr": {fr.StopName, []string{fr.LightStemmerName}},
	"hu": {hu.StopName, []string{hu.SnowballStemmerName}},
	"it": {it.StopName, []string{it.LightStemmerName}},
	"nl": {nl.StopName, []string{nl.SnowballStemmerName}},
	"no": {no.StopName, []string{no.SnowballStemmerName}},
	"pt": {pt.StopName, []string{pt.LightStemmerName}},
	"ro": {ro.StopName, []string{ro.SnowballStemmerName}},
	"ru": {ru.StopName, []string{ru.SnowballStemmerName}},
	"sv": {sv.StopName, []string{sv.SnowballStemmerName}},
	"tr": {tr.StopName, []string{tr.SnowballStemmerName}},
}

// Check says what is wrong with a list of languages (ISO 639-1).
func Check(names []string) error {
	for i, name := range names {
		if _, ok := table[name]; !ok {
			return fmt.Errorf("%q is not a language that can be searched; there are %s", name, strings.Join(slices.Sorted(maps.Keys(table)), ", "))
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("%q is there twice", name)
		}
	}
	return nil
}

// maxStems is how many stems of a language are remembered: most words of a text are among those.
const maxStems = 1 << 14

// Languages are those of some mail. Immutable.
type Languages struct{ langs []*language }

// New returns the languages of these names (ISO 639-1), the likeliest first.
func New(names []string) (*Languages, error) {
	l := new(Languages)
	for _, name := range names {
		lang, err := load(name)
		if err != nil {
			return nil, err
		}
		l.langs = append(l.langs, lang)
	}
	return l, nil
}

// language makes stems of words. Shared by all indexes, safe for concurrent use.
type language struct {
	stop  analysis.TokenMap
	stems []analysis.TokenFilter

	mu    sync.Mutex // protects known, and the filters
	known map[string]string
}

var (
	loadMu sync.Mutex // protects loaded
	loaded = map[string]*language{}
)

// load returns a language of the table.
func load(name string) (*language, error) {
	loadMu.Lock()
	defer loadMu.Unlock()
	if l := loaded[name]; l != nil {
		return l, nil
	}
	p, ok := table[name]
	if !ok {
		return nil, Check([]string{name})
	}
	cache := registry.NewCache()
	l := &language{known: map[string]string{}}
	var err error
	if l.stop, err = cache.TokenMapNamed(p.stop); err != nil {
		return nil, err
	}
	for _, stem := range p.stems {
		f, err := cache.TokenFilterNamed(stem)
		if err != nil {
			return nil, err
		}
		l.stems = append(l.stems, f)
	}
	loaded[name] = l
	return l, nil
}

// term is the stem of a word, without accents; empty of one that says nothing in this language.
func (l *language) term(word []byte) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t, ok := l.known[string(word)]; ok {
		return t
	}
	if len(l.known) >= maxStems {
		clear(l.known)
	}
	w := string(word)
	t := ""
	if !l.stop[w] {
		tokens := analysis.TokenStream{{Term: []byte(w), End: len(w), Position: 1, Type: analysis.AlphaNumeric}}
		for _, f := range l.stems {
			tokens = f.Filter(tokens)
		}
		t = w
		if len(tokens) > 0 && len(tokens[0].Term) > 0 {
			t = string(tokens[0].Term)
		}
		t = plain(t)
	}
	l.known[w] = t
	return t
}
