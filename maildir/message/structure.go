package message

import (
	"cmp"
	"strconv"
)

// structureWriter renders BODY and BODYSTRUCTURE (RFC 9051 §7.5.2). Parts nest no deeper than Limits.Depth.
type structureWriter struct {
	extended  bool
	envelopes []renderedEnvelope // of the message and those embedded in it, in their order
	next      int                // envelopes before it are done with
}

func (w *structureWriter) append(dst []byte, p *Part) []byte {
	dst = append(dst, '(')
	if isMultipart(p) {
		dst = w.appendMultipart(dst, p)
	} else {
		dst = w.appendSingle(dst, p)
	}
	return append(dst, ')')
}

// envelopeOf returns ENVELOPE of an embedded message. They are asked for in the order of the list.
func (w *structureWriter) envelopeOf(p *Part) []byte {
	for ; w.next < len(w.envelopes); w.next++ {
		if w.envelopes[w.next].of == p {
			return w.envelopes[w.next].value
		}
	}
	return nil
}

// noPart stands for the children of a multipart that has none: the grammar wants at least one.
func noPart(multipart *Part) *Part {
	end := multipart.End
	return &Part{HeaderOff: end, BodyOff: end, End: end, Type: "text", Subtype: "plain", Encoding: "7bit"}
}

// body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
func (w *structureWriter) appendMultipart(dst []byte, p *Part) []byte {
	for _, child := range p.Children {
		dst = w.append(dst, child)
	}
	if len(p.Children) == 0 {
		dst = w.append(dst, noPart(p))
	}
	dst = append(dst, ' ')
	dst = appendString(dst, p.Subtype)
	if !w.extended {
		return dst
	}
	dst = append(dst, ' ')
	dst = appendParams(dst, p.Params)
	return appendExtension(dst, p)
}

// body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
func (w *structureWriter) appendSingle(dst []byte, p *Part) []byte {
	params := p.Params
	switch {
	case p.Message != nil:
		// Clients look for these words to know that an envelope follows.
		dst = append(dst, `"message" "`...)
		dst = append(dst, lowerASCII(p.Subtype)...)
		dst = append(dst, '"')
	case isMessage(p):
		dst = append(dst, `"application" "octet-stream"`...) // without a message in it the grammar does not allow its type
	default:
		dst = appendString(dst, p.Type)
		dst = append(dst, ' ')
		dst = appendString(dst, p.Subtype)
		if isText(p) {
			params = withCharset(params)
		}
	}
	dst = append(dst, ' ')
	dst = appendParams(dst, params)
	for _, s := range [...]string{p.ID, p.Description} {
		dst = append(dst, ' ')
		dst = appendOptional(dst, s)
	}
	dst = append(dst, ' ')
	dst = appendString(dst, cmp.Or(p.Encoding, "7bit")) // as Dovecot has it
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, p.WireBody, 10)
	if p.Message != nil {
		dst = append(dst, ' ')
		dst = append(dst, w.envelopeOf(p.Message)...)
		dst = append(dst, ' ')
		dst = w.append(dst, p.Message)
	}
	if p.Message != nil || isText(p) {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, p.Lines, 10)
	}
	if !w.extended {
		return dst
	}
	dst = append(dst, ' ')
	dst = appendOptional(dst, p.MD5)
	return appendExtension(dst, p)
}

// withCharset adds RFC 2046 §4.1.2's default to the parameters of a text part.
func withCharset(params []Param) []Param {
	for _, p := range params {
		if equalFold(p.Name, "charset") {
			return params
		}
	}
	return append(params[:len(params):len(params)], Param{"charset", "us-ascii"})
}

// appendExtension appends disposition, language and location.
func appendExtension(dst []byte, p *Part) []byte {
	dst = append(dst, ' ')
	if p.Disposition == "" {
		dst = append(dst, "NIL"...)
	} else {
		dst = append(dst, '(')
		dst = appendString(dst, p.Disposition)
		dst = append(dst, ' ')
		dst = appendParams(dst, p.DispositionParams)
		dst = append(dst, ')')
	}
	dst = append(dst, ' ')
	if len(p.Language) == 0 {
		dst = append(dst, "NIL"...)
	} else {
		open := byte('(')
		for _, lang := range p.Language {
			dst = append(dst, open)
			open = ' '
			dst = appendString(dst, lang)
		}
		dst = append(dst, ')')
	}
	dst = append(dst, ' ')
	return appendOptional(dst, p.Location)
}

func appendParams(dst []byte, params []Param) []byte {
	if len(params) == 0 {
		return append(dst, "NIL"...)
	}
	dst = append(dst, '(')
	for i, p := range params {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = appendString(dst, p.Name)
		dst = append(dst, ' ')
		dst = appendString(dst, p.Value)
	}
	return append(dst, ')')
}

// appendOptional appends NIL for an absent string.
func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "NIL"...)
	}
	return appendString(dst, s)
}
