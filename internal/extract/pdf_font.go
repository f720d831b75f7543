package extract

import "github.com/ledongthuc/pdf"

// pdfFont is what is to be known of a font: what its codes mean, and how wide they are (ISO 32000-1 §9.6, §9.7). A nil pdfFont shows octets as they are.
type pdfFont struct {
	encoding pdf.TextEncoding
	wide     bool            // codes have two octets
	widths   map[int]float64 // by code, in thousandths of the size
	other    float64         // of codes that have none
}

// unknownWidth is about the mean of Latin text. Too much hides small gaps, too little finds some within words.
const unknownWidth = 500

// findFont returns a font of the resources, nil if there is none of that name.
func (c *pdfContent) findFont(name string) *pdfFont {
	f, known := c.fonts[name]
	if !known {
		if v := c.resources.Key("Font").Key(name); !v.IsNull() {
			f = newPDFFont(v)
		}
		c.fonts[name] = f
	}
	return f
}

func newPDFFont(v pdf.Value) *pdfFont {
	font := pdf.Font{V: v}
	f := &pdfFont{encoding: font.Encoder(), widths: map[int]float64{}, other: unknownWidth}
	if v.Key("Subtype").Name() != "Type0" {
		first := font.FirstChar()
		widths := v.Key("Widths")
		for i := range min(widths.Len(), 256) {
			f.widths[first+i] = widths.Index(i).Float64()
		}
		return f
	}
	f.wide = true
	f.other = 1000
	descendant := v.Key("DescendantFonts").Index(0)
	if w := descendant.Key("DW"); !w.IsNull() {
		f.other = w.Float64()
	}
	// c [w1 w2 …] or first last w
	list := descendant.Key("W")
	for i := 0; i+1 < list.Len(); {
		code := int(list.Index(i).Int64())
		if next := list.Index(i + 1); next.Kind() == pdf.Array {
			for j := range min(next.Len(), 1<<16) {
				f.set(code+j, next.Index(j).Float64())
			}
			i += 2
			continue
		}
		w := list.Index(i + 2).Float64()
		for last := int(list.Index(i + 1).Int64()); code <= last && 0 <= code && code < 1<<16; code++ {
			f.set(code, w)
		}
		i += 3
	}
	return f
}

func (f *pdfFont) set(code int, width float64) {
	if 0 <= code && code < 1<<16 {
		f.widths[code] = width
	}
}

func (f *pdfFont) decode(raw string) string {
	if f == nil {
		return raw
	}
	return f.encoding.Decode(raw)
}

// width is how far a string moves, in units of the font's size, and how many codes it has and how many of them are the octet 32.
func (f *pdfFont) width(raw string) (width float64, codes, spaces int) {
	for i := 0; i < len(raw); i++ {
		code := int(raw[i])
		if f != nil && f.wide && i+1 < len(raw) {
			i++
			code = code<<8 | int(raw[i])
		} else if code == ' ' {
			spaces++
		}
		codes++
		width += f.widthOf(code)
	}
	return width, codes, spaces
}

func (f *pdfFont) widthOf(code int) float64 {
	if f == nil {
		return unknownWidth / 1000.0
	}
	if w, ok := f.widths[code]; ok {
		return w / 1000
	}
	return f.other / 1000
}
