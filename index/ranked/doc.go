// Package ranked keeps a second index of the same documents, for SEARCH=FUZZY (RFC 6203): words by their stems, words with typing errors, and how
// much a document is about them. It is Bleve's index (scorch) with texts, queries and documents of our own.
//
// Terms: a word is what words.go finds in a text; a term is what is indexed of it: its stem in the language of the document, without accents. A
// document is named by a Key, which says its number in the exact index and what it is, so that neither index can take one document for another.
//
// Invariants. What this index says is never the whole answer: a document that it lacks, or a word that it leaves out, is found by the exact index. It can be lost at
// any time, and is made again from the texts that the exact index keeps. One goroutine at a time changes it, any may search.
//
// Bleve runs goroutines of its own. What goes wrong in them comes back by a callback (store.go), and the index is given up and made anew: a panic there
// would end the process otherwise. For the same reason files are checked before they are handed to it, and texts are analysed before.
//
// Files: words.go text to words; language.go words to terms; document.go what Bleve is given; store.go opening, closing and damage; find.go searching.
package ranked
