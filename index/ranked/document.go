package ranked

import (
	"encoding/binary"

	"github.com/blevesearch/bleve/v2/document"
	index "github.com/blevesearch/bleve_index_api"
)

// Key names a document: its number in the exact index and the first octets of its identity there.
type Key uint64

// NewKey returns the key of a document.
func NewKey(doc uint32, id [4]byte) Key { return Key(doc)<<32 | Key(binary.BigEndian.Uint32(id[:])) }

// Doc is the number of the document.
func (k Key) Doc() uint32 { return uint32(k >> 32) }

// id is the name that Bleve knows a document by.
func (k Key) id() string { return string(binary.BigEndian.AppendUint64(nil, uint64(k))) }

func keyOf(id string) (Key, bool) {
	if len(id) != 8 {
		return 0, false
	}
	return Key(binary.BigEndian.Uint64([]byte(id))), true
}

// Field is a kind of text.
type Field uint8

// The fields.
const (
	Body Field = iota
	Subject
	From
	To
	Cc
	Bcc
	fields
)

// fieldNames are short, because they are part of what is written.
var fieldNames = [fields]string{Body: "b", Subject: "s", From: "f", To: "t", Cc: "c", Bcc: "x"}

// stemmed tells whether the words of a field belong to a language; names do not.
func (f Field) stemmed() bool { return f == Body || f == Subject }

// Document is what is indexed of a message: texts, folded.
type Document struct {
	Key   Key
	Texts [fields][]byte
}

const (
	// MaxText is how much of a text is looked at, in octets: who writes more repeats words.
	MaxText = 256 << 10
	// A document has at most fewTerms different terms, and one more for every perTerm octets: a fifth more than prose, which says new words less and less, and
	// a bound on what lists and tables take, the first words of which say what they are. maxTerms is the end of it.
	fewTerms, perTerm, maxTerms = 64, 32, 4000
	// maxFrequency is how often a term is counted in a field.
	maxFrequency = 255
)

// field is a field of a document for Bleve, with nothing but terms and how often they occur.
type field struct {
	name   string
	length int
	freqs  index.TokenFrequencies
}

func (f *field) Name() string                                     { return f.name }
func (f *field) Value() []byte                                    { return nil }
func (f *field) ArrayPositions() []uint64                         { return nil }
func (f *field) EncodedFieldType() byte                           { return 't' }
func (f *field) Analyze()                                         {}
func (f *field) Options() index.FieldIndexingOptions              { return index.IndexField }
func (f *field) AnalyzedLength() int                              { return f.length }
func (f *field) AnalyzedTokenFrequencies() index.TokenFrequencies { return f.freqs }
func (f *field) NumPlainTextBytes() uint64                        { return uint64(f.length) }
func (f *field) Size() int                                        { return f.freqs.Size() }

// analyse makes terms of the texts. Bleve would do that in a goroutine where a panic of a stemmer ended the process.
func (d *Document) analyse(langs []*language) (doc *document.Document, err error) {
	defer contain(&err)
	doc = document.NewDocument(d.Key.id())
	sample := d.Texts[Body][:min(len(d.Texts[Body]), MaxText)]
	if len(sample) < 200 {
		sample = append(append(sample[:len(sample):len(sample)], ' '), d.Texts[Subject][:min(len(d.Texts[Subject]), MaxText)]...)
	}
	lang := detect(langs, sample)
	left := fewTerms
	for _, text := range d.Texts {
		left += len(text) / perTerm
	}
	left = min(left, maxTerms)
	for i := fields; i > 0; i-- { // the body is last, when the others have had their share
		which := i - 1
		text := d.Texts[which][:min(len(d.Texts[which]), MaxText)]
		if len(text) == 0 {
			continue
		}
		f := &field{name: fieldNames[which], freqs: index.TokenFrequencies{}}
		words(text, func(word []byte) bool {
			var term string
			if which.stemmed() {
				term = lang.term(word)
			} else {
				term = plain(string(word))
			}
			if term == "" {
				return true
			}
			f.length++
			if tf := f.freqs[term]; tf != nil {
				if tf.Frequency() < maxFrequency {
					tf.SetFrequency(tf.Frequency() + 1)
				}
				return true
			}
			if left == 0 {
				return true
			}
			left--
			tf := &index.TokenFreq{Term: []byte(term)}
			tf.SetFrequency(1)
			f.freqs[term] = tf
			return true
		})
		if len(f.freqs) > 0 {
			doc.AddField(f)
		}
	}
	return doc, nil
}
