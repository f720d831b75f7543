// Package segment keeps an inverted index of folded texts on disk, which answers what documents contain a string anywhere: also within words.
//
// Terms: a document is what is found, by a number that is never given twice; a field is a kind of text; a term is a word, or what stands for one in
// scripts without spaces (token.go). A segment is an immutable file of documents with adjacent numbers; an index is a list of them. Small ones are
// merged into larger ones.
//
// A needle is answered by the dictionary, not by the texts: all terms of a field stand one after another in the file, and looking through them for
// those that contain the needle takes some ten milliseconds for a gigabyte of mail. When the needle lies within one term, their documents are the answer. When it
// does not (it has a space in it), the documents that have all its parts, and the places where these meet, are candidates. Those where such a place
// has all of a short needle contain it; of the others the texts, which are kept compressed, decide.
//
// Why not a library: a word index of Bleve's takes three times the space of terms and postings here, and finds the terms that contain a string by walking
// its dictionary, for seconds.
//
// Files: token.go text to terms, pairs.go where words meet, chars.go single characters; query.go needle to terms; postings.go lists of documents;
// format.go the file; builder.go making one from documents, gather.go what it has in memory of them, write.go how that is sorted, merge.go making
// one from others; segment.go reading one, filter.go and finder.go the quick part of that; segments.go searching many, walk.go going through terms;
// texts.go the texts; bitset.go sets of documents.
package segment

// Field is a kind of text.
type Field uint8

// The fields. Header has all header fields with their names, those of the parts too; the others are those that have a search key of their own.
const (
	Body Field = iota
	Header
	Subject
	From
	To
	Cc
	Bcc
	Attached    // the text of attachments, where that is not part of the body
	bodyPairs   // where two words of the body meet (pairs.go)
	headerPairs // and of the header
	bodyChars   // what characters of ASCII, and pairs of them, are in the body (chars.go)
	headerChars // and in the header
	Fields      // how many there are
)
