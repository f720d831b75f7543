package extract

import (
	"bytes"
	"errors"
	"math"

	"github.com/ledongthuc/pdf"
)

const (
	maxPages = 20_000  // nodes of the tree of pages that are visited, so that one whose branches meet again has an end
	maxForms = 100_000 // forms that are drawn
)

// readPDF writes the text of the pages in the order in which they draw it. A page that cannot be read costs only its own text, and the result is that of
// the first of those.
func readPDF(data []byte, l Limits, out *text) error {
	r, err := pdf.NewReader(bytes.NewReader(data), int64(len(data)))
	switch {
	case errors.Is(err, pdf.ErrInvalidPassword):
		return &Error{Encrypted}
	case err != nil:
		return &Error{Damaged}
	}
	root := r.Trailer().Key("Root")
	p := &pdfReader{out: out, nesting: l.Nesting}
	info := r.Trailer().Key("Info")
	for _, key := range []string{"Title", "Subject", "Author", "Keywords"} {
		if err := out.put(info.Key(key).Text()); err != nil {
			return err
		}
		out.line()
	}
	p.pages(root.Key("Pages"), pdf.Value{}, 0)
	if out.err != nil {
		return out.err
	}
	return p.failed
}

// pdfReader walks the pages of a document.
type pdfReader struct {
	out     *text
	nesting int
	nodes   int
	forms   int
	failed  error // the first fault
}

func (p *pdfReader) fail(k Kind) {
	if p.failed == nil {
		p.failed = &Error{k}
	}
}

// pages visits a node of the tree of pages, which hands its resources down.
func (p *pdfReader) pages(node, resources pdf.Value, depth int) {
	if p.nodes++; p.nodes > maxPages || depth > p.nesting {
		p.fail(TooDeep)
		return
	}
	if own := node.Key("Resources"); !own.IsNull() {
		resources = own
	}
	kids := node.Key("Kids")
	if kids.IsNull() {
		p.content(node.Key("Contents"), resources, 0)
		p.out.line()
		return
	}
	for i := 0; i < kids.Len() && p.out.err == nil && p.nodes <= maxPages; i++ {
		p.pages(kids.Index(i), resources, depth+1)
	}
}

// content draws a page or a form. The library panics at what it does not understand.
func (p *pdfReader) content(stream, resources pdf.Value, depth int) {
	defer func() {
		if recover() != nil {
			p.fail(Damaged)
		}
	}()
	if stream.IsNull() {
		return
	}
	c := &pdfContent{pdfReader: p, resources: resources, depth: depth, fonts: map[string]*pdfFont{}, stretch: 1}
	pdf.Interpret(stream, c.operator)
}

// pdfContent is the state of drawing a stream of operators (ISO 32000-1 §9.4), as far as it says where words and lines end.
type pdfContent struct {
	*pdfReader
	resources pdf.Value
	depth     int
	fonts     map[string]*pdfFont // nil: none
	font      *pdfFont
	size      float64 // of the font, in units of text space
	scale     float64 // of the text matrix, horizontally
	leading   float64
	between   float64 // added behind every code
	atSpace   float64 // added to the octet 32, with which lines are made equally long
	stretch   float64 // horizontally
	start     float64 // of the line, from where Td counts
	x, y      float64 // where text comes next
	end       float64 // where the last text ended
	shown     bool    // there was text in this stream
	lastY     float64 // its line
}

func (c *pdfContent) operator(stack *pdf.Stack, op string) {
	args := make([]pdf.Value, stack.Len())
	for i := len(args) - 1; i >= 0; i-- {
		args[i] = stack.Pop()
	}
	number := func(i int) float64 {
		if i >= len(args) {
			return 0
		}
		return args[i].Float64()
	}
	switch op {
	case "BT":
		c.scale = 1
		c.moveTo(0, 0)
	case "Tf":
		if len(args) == 2 {
			c.font = c.findFont(args[0].Name())
			c.size = args[1].Float64()
		}
	case "Tc":
		c.between = number(0)
	case "Tw":
		c.atSpace = number(0)
	case "Tz":
		c.stretch = number(0) / 100
	case "TL":
		c.leading = number(0)
	case "Td":
		c.moveTo(c.start+number(0)*c.scale, c.y+number(1)*c.scale)
	case "TD":
		c.leading = -number(1)
		c.moveTo(c.start+number(0)*c.scale, c.y+number(1)*c.scale)
	case "Tm":
		c.scale = math.Hypot(number(0), number(1))
		c.moveTo(number(4), number(5))
	case "T*":
		c.out.line()
		c.moveTo(c.start, c.y-c.leading*c.scale)
	case "'", "\"":
		c.out.line()
		c.moveTo(c.start, c.y-c.leading*c.scale)
		if op == "\"" {
			c.atSpace, c.between = number(0), number(1)
		}
		if len(args) > 0 {
			c.show(args[len(args)-1].RawString())
		}
	case "Tj":
		if len(args) > 0 {
			c.show(args[0].RawString())
		}
	case "TJ":
		if len(args) > 0 {
			c.showSpaced(args[0])
		}
	case "Do":
		if len(args) > 0 {
			c.draw(args[0].Name())
		}
	}
	if c.out.err != nil {
		panic(c.out.err) // nothing else ends Interpret
	}
}

// moveTo begins text elsewhere; place says whether that is another line, or behind a gap.
func (c *pdfContent) moveTo(x, y float64) { c.x, c.y, c.start = x, y, x }

// place separates the text that comes from that before it, by where it is.
func (c *pdfContent) place() {
	em := c.size * c.scale
	switch {
	case !c.shown:
		c.out.line()
	case math.Abs(c.y-c.lastY) > 0.01:
		c.out.line()
	case math.Abs(c.x-c.end) > 0.15*math.Abs(em):
		c.out.space()
	}
	c.shown, c.lastY = true, c.y
}

func (c *pdfContent) show(raw string) {
	if raw == "" {
		return
	}
	c.place()
	_ = c.out.put(c.font.decode(raw)) // operator looks at the error
	width, codes, spaces := c.font.width(raw)
	c.x += (width*c.size + float64(codes)*c.between + float64(spaces)*c.atSpace) * c.scale * c.stretch
	c.end = c.x
}

// showSpaced shows the strings of an array; numbers between them move, in thousandths of the font's size.
func (c *pdfContent) showSpaced(array pdf.Value) {
	for i := range array.Len() {
		switch v := array.Index(i); v.Kind() {
		case pdf.String:
			c.show(v.RawString())
		case pdf.Integer, pdf.Real:
			c.x -= v.Float64() / 1000 * c.size * c.scale * c.stretch
		}
	}
}

// draw shows what a form has to say (ISO 32000-1 §8.10). It may draw forms in its turn.
func (c *pdfContent) draw(name string) {
	form := c.resources.Key("XObject").Key(name)
	if form.Key("Subtype").Name() != "Form" {
		return
	}
	if c.forms++; c.forms > maxForms || c.depth >= c.nesting {
		c.fail(TooDeep)
		return
	}
	resources := form.Key("Resources")
	if resources.IsNull() {
		resources = c.resources
	}
	c.content(form, resources, c.depth+1)
	c.shown = false
}
