// Package extract gives the text of attachments: PDF, and documents of Office and OpenDocument (docx, xlsx, pptx, odt, ods, odp and their
// templates and macro-enabled kin).
//
// Documents are read in another process, which is this program again ("roost extract", Main), because nothing less holds a hostile file.
// A library for PDF may loop for ever within one call, take memory without end, or nest its calls until Go ends the process, and none of that can
// be stopped or recovered from in the process it happens in. The child gets documents on its standard input and gives text on its standard
// output. Its memory and processor time are limited by the kernel, it can open nothing, and it has no environment.
// What it does ends in text, or in an Error whose Kind can be recorded.
//
// A child reads one document after another, because starting a process takes longer than reading most of them, but only those of one Reader, whose
// documents are to be one user's, and none after one that did more to it than to be read or broken. What one dies of that has read another before is not
// held against the document: it is read once more, in a new one.
//
// Files: extract.go what is read and how far, reader.go what callers use, child.go the other process, frames.go what both say to each other, office.go
// archives of XML, pdf.go PDF, text.go the text that comes out.
package extract

import (
	"fmt"
	"mime"
	"path"
	"strings"
	"time"
)

// Format is a family of documents that are read in the same way.
type Format string

const (
	None   Format = ""       // no text can be had
	PDF    Format = "pdf"    //
	Office Format = "office" // an archive of XML: Office Open XML, OpenDocument
)

// officeTypes begin the media types of documents that are archives of XML.
var officeTypes = []string{
	"application/vnd.openxmlformats-officedocument.", "application/vnd.oasis.opendocument.", "application/vnd.ms-word.document.macroenabled.",
	"application/vnd.ms-excel.sheet.macroenabled.", "application/vnd.ms-powerpoint.presentation.macroenabled.",
}

var extensions = map[string]Format{".pdf": PDF}

func init() {
	for _, ext := range strings.Fields("docx docm dotx dotm xlsx xlsm xltx xltm pptx pptm potx potm ppsx ppsm odt ott ods ots odp otp odg") {
		extensions["."+ext] = Office
	}
}

// FormatOf tells by media type, or where that says nothing by file name, how a document is read; None when it cannot be.
func FormatOf(mediaType, filename string) Format {
	if t, _, err := mime.ParseMediaType(mediaType); err == nil {
		mediaType = t
	}
	mediaType = strings.ToLower(mediaType)
	if mediaType == "application/pdf" || mediaType == "application/x-pdf" {
		return PDF
	}
	for _, prefix := range officeTypes {
		if strings.HasPrefix(mediaType, prefix) {
			return Office
		}
	}
	return extensions[strings.ToLower(path.Ext(filename))]
}

// Limits bound the reading of one document.
type Limits struct {
	Input   int64         // octets of the document
	Output  int64         // octets of its text
	Memory  int64         // octets of data of the child, of which some 100 MB are Go's own
	Time    time.Duration // of the clock; of the processor, in whole seconds
	Nesting int           // elements of XML, nodes of the tree of pages, forms in forms
}

// DefaultLimits are enough for what people send each other.
var DefaultLimits = Limits{Input: 64 << 20, Output: 8 << 20, Memory: 512 << 20, Time: 20 * time.Second, Nesting: 256}

// Kind says why a document has no text, or not all.
type Kind uint8

const (
	Damaged   Kind = 1 + iota // not such a document, or broken
	Encrypted                 // needs a password
	TooLarge                  // the document is longer than Limits.Input
	TooLong                   // the text is longer than Limits.Output; that much of it was written
	TooDeep                   // Limits.Nesting
	TooSlow                   // Limits.Time
	TooHungry                 // Limits.Memory
	Crashed                   // the child died of something else
)

var kindNames = [...]string{
	Damaged: "damaged", Encrypted: "encrypted", TooLarge: "too large", TooLong: "too much text", TooDeep: "nested too deeply",
	TooSlow: "takes too much time", TooHungry: "takes too much memory", Crashed: "cannot be read",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Error is the fault of the document: trying again gives the same. It says nothing of what is in it.
type Error struct{ Kind Kind }

func (e *Error) Error() string { return "document: " + e.Kind.String() }
