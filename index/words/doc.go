// Package words tells which words of mail are those that somebody means, for SEARCH=FUZZY (RFC 6203): other forms of a word in the languages of the
// mail, and mistyped ones.
//
// Terms: a word is letters without a break, or digits; in scripts without spaces, two characters. Its stem is what its forms have in common in a
// language. Words are compared without accents. Stop words say nothing in their language.
//
// Nothing here is an index: the dictionaries of the full-text index are gone through, from one first letter to the next, and each of their terms is held
// against what is looked for (Word.Match). Stemmers and stop words are Bleve's.
//
// Files: words.go text to words; language.go words to stems; query.go what is looked for; distance.go typing errors.
package words
