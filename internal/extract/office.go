package extract

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"golang.org/x/text/encoding/htmlindex"
)

// maxExpanded is how much XML of one document is looked at, in octets per octet of text allowed: markup is long.
const maxExpanded = 16

// cfbMagic begins the files of older Office programs, and those in which newer ones put what is encrypted.
const cfbMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// readOffice writes what the XML files of an archive say. Which files there are tells what the document is, whatever its name.
func readOffice(data []byte, l Limits, out *text) error {
	if bytes.HasPrefix(data, []byte(cfbMagic)) && bytes.Contains(data, []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e")) {
		return &Error{Encrypted}
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return &Error{Damaged}
	}
	var members []*zip.File
	seen := map[string]bool{}
	for _, f := range archive.File {
		if memberOrder(f.Name) > 0 && !seen[f.Name] {
			seen[f.Name] = true
			members = append(members, f)
		}
	}
	if len(members) == 0 {
		return &Error{Damaged}
	}
	slices.SortStableFunc(members, func(a, b *zip.File) int {
		return cmp.Or(memberOrder(a.Name)-memberOrder(b.Name), len(a.Name)-len(b.Name), strings.Compare(a.Name, b.Name)) // slide2 < slide10
	})
	left := max(1<<20, maxExpanded*l.Output)
	var failed error
	for _, f := range members {
		n, err := readMember(f, left, l, out)
		if failed == nil {
			failed = err
		}
		if left -= n; left <= 0 || out.err != nil {
			break
		}
	}
	return failed
}

// memberOrder tells whether the text of a file of an archive is read, and in what order.
func memberOrder(name string) int {
	dir, base := path.Split(name)
	switch {
	case path.Ext(name) != ".xml":
		return 0
	case name == "META-INF/manifest.xml":
		return 1 // tells whether the rest is encrypted
	case name == "docProps/core.xml", name == "meta.xml":
		return 2
	case name == "word/document.xml", name == "content.xml", name == "xl/workbook.xml":
		return 3
	case dir == "ppt/slides/", name == "xl/sharedStrings.xml":
		return 4
	case dir == "ppt/notesSlides/", dir == "ppt/comments/", dir == "xl/worksheets/", name == "styles.xml":
		return 5
	case dir == "xl/" && strings.HasPrefix(base, "comments"), dir == "xl/threadedComments/", dir == "ppt/diagrams/", dir == "word/diagrams/":
		return 6
	case dir == "word/" && (strings.HasPrefix(base, "header") || strings.HasPrefix(base, "footer") || base == "footnotes.xml" ||
		base == "endnotes.xml" || base == "comments.xml"):
		return 6
	}
	return 0
}

// readMember writes the text of one file and returns how many octets of XML there were, at most limit.
func readMember(f *zip.File, limit int64, l Limits, out *text) (int64, error) {
	r, err := f.Open()
	if err != nil {
		return 0, &Error{Damaged}
	}
	defer r.Close()
	lr := &io.LimitedReader{R: r, N: limit}
	err = readXML(lr, l.Nesting, out)
	if lr.N == 0 {
		err = &Error{TooLong}
	}
	return limit - lr.N, err
}

// What elements mean, by local name: the formats do not use one name for two things that matter here.
var (
	// shownIn are the elements whose character data is text.
	shownIn = map[string]bool{
		"t": true, "v": true, "text": true, // Office: runs, values of cells, comments of slides and threads
		"p": true, "h": true, "a": true, "span": true, // OpenDocument: paragraphs
		"title": true, "subject": true, "description": true, "creator": true, "keyword": true, "keywords": true, // of the document
	}
	endsLine = map[string]bool{
		"p": true, "h": true, "br": true, "cr": true, "line-break": true, "si": true, "row": true, "sheet": true, "table": true, "is": true, "c": true, "text": true,
		"title": true, "subject": true, "description": true, "creator": true, "keyword": true, "keywords": true,
	}
	endsWord = map[string]bool{"tab": true, "s": true}
	unseen   = map[string]bool{ // versions for older programs, pronunciation, what was deleted, field codes
		"Fallback": true, "rPh": true, "tracked-changes": true, "delText": true, "instrText": true,
	}
)

// readXML writes the text between the tags of one file. Entities that a file defines itself are not expanded.
func readXML(r io.Reader, nesting int, out *text) error {
	d := xml.NewDecoder(r)
	d.Strict = false
	d.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		enc, err := htmlindex.Get(charset)
		if err != nil {
			return in, nil
		}
		return enc.NewDecoder().Reader(in), nil
	}
	type element struct{ shown, hidden bool }
	var open []element
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &Error{Damaged}
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			if len(open) == nesting {
				return &Error{TooDeep}
			}
			e := element{shown: shownIn[name], hidden: unseen[name]}
			if len(open) > 0 {
				e.hidden = e.hidden || open[len(open)-1].hidden
			}
			if name == "c" && attr(token, "t") == "s" {
				e.hidden = true // the number of a shared string
			}
			open = append(open, e)
			separate(name, out)
			switch name {
			case "encryption-data": // in an OpenDocument manifest
				return &Error{Encrypted}
			case "sheet", "table":
				if err := out.put(attr(token, "name")); err != nil {
					return err
				}
				out.line()
			}
		case xml.EndElement:
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
			separate(token.Name.Local, out)
		case xml.CharData:
			if len(open) == 0 {
				continue
			}
			if e := open[len(open)-1]; e.shown && !e.hidden {
				if err := out.put(string(token)); err != nil {
					return err
				}
			}
		}
	}
}

func separate(name string, out *text) {
	switch {
	case endsLine[name]:
		out.line()
	case endsWord[name]:
		out.space()
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
