package message

import (
	"bufio"
	"bytes"
	"cmp"
	"io"

	"golang.org/x/text/transform"
)

// Decoded returns the body of a part with its transfer encoding removed (RFC 3516 BINARY). ErrUnknownEncoding when it cannot. A body that
// needs no decoding comes as sent, with CRLF line ends. Faults in an encoding are no errors: what can be decoded is.
func Decoded(r io.ReaderAt, p *Part) (io.Reader, error) {
	if p.Encoding == "" {
		return nil, ErrUnknownEncoding
	}
	return decoded(r, p)
}

// decoded is Decoded for who looks for text: what cannot be an encoding is taken for none.
func decoded(r io.ReaderAt, p *Part) (io.Reader, error) {
	t := decoder(cmp.Or(p.Encoding, "7bit"))
	if t == nil {
		return nil, ErrUnknownEncoding
	}
	return transform.NewReader(bodyReader(r, p), t), nil
}

// decoder removes a transfer encoding (lower case); nil when it is not known.
func decoder(encoding string) transform.Transformer {
	switch encoding {
	case "7bit", "8bit", "binary":
		return &wireLines{}
	case "base64":
		return &base64Decoder{}
	case "quoted-printable":
		return &qpDecoder{}
	}
	return nil
}

// bodyReader reads the stored body of a part in large pieces.
func bodyReader(r io.ReaderAt, p *Part) io.Reader {
	size := p.End - p.BodyOff
	return bufio.NewReaderSize(io.NewSectionReader(r, p.BodyOff, size), int(max(16, min(size, 32<<10))))
}

// wireLines makes every line end CRLF.
type wireLines struct{ cr bool }

func (t *wireLines) Reset() { t.cr = false }

func (t *wireLines) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		run := src[nSrc:]
		lf := bytes.IndexByte(run, '\n')
		if lf >= 0 {
			run = run[:lf]
		}
		n := copy(dst[nDst:], run)
		if n > 0 {
			t.cr = run[n-1] == '\r'
		}
		nDst += n
		nSrc += n
		if n < len(run) {
			return nDst, nSrc, transform.ErrShortDst
		}
		if lf < 0 {
			break
		}
		if len(dst)-nDst < 2 {
			return nDst, nSrc, transform.ErrShortDst
		}
		if !t.cr {
			dst[nDst] = '\r'
			nDst++
		}
		dst[nDst] = '\n'
		nDst++
		nSrc++
		t.cr = false
	}
	return nDst, nSrc, nil
}

// base64Decoder passes over what is not in the alphabet and takes padding, wherever it stands, and the end for the end of a group.
type base64Decoder struct {
	bits uint32 // of a group not complete
	n    int    // sextets in bits
}

func (t *base64Decoder) Reset() { *t = base64Decoder{} }

func (t *base64Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if t.n == 0 {
			for len(src)-nSrc >= 4 && len(dst)-nDst >= 3 {
				s := src[nSrc : nSrc+4 : nSrc+4]
				a, b, c, d := sextets[s[0]], sextets[s[1]], sextets[s[2]], sextets[s[3]]
				if a|b|c|d >= 64 {
					break
				}
				v := uint32(a)<<18 | uint32(b)<<12 | uint32(c)<<6 | uint32(d)
				o := dst[nDst : nDst+3 : nDst+3]
				o[0], o[1], o[2] = byte(v>>16), byte(v>>8), byte(v)
				nDst += 3
				nSrc += 4
			}
			if nSrc == len(src) {
				break
			}
		}
		if len(dst)-nDst < 3 {
			return nDst, nSrc, transform.ErrShortDst
		}
		c := src[nSrc]
		nSrc++
		if v := sextets[c]; v < 64 {
			t.bits = t.bits<<6 | uint32(v)
			if t.n++; t.n == 4 {
				nDst += t.flush(dst[nDst:])
			}
		} else if c == '=' {
			nDst += t.flush(dst[nDst:])
		}
	}
	if atEOF {
		if len(dst)-nDst < 3 {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += t.flush(dst[nDst:])
	}
	return nDst, nSrc, nil
}

// flush ends a group: n sextets hold n-1 octets.
func (t *base64Decoder) flush(dst []byte) int {
	n := max(t.n-1, 0)
	v := t.bits << (6 * (4 - t.n))
	for i := range n {
		dst[i] = byte(v >> (16 - 8*i))
	}
	*t = base64Decoder{}
	return n
}

// sextets gives the value of a character of the base64 alphabet, 0xff for others.
var sextets = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		t[c] = uint8(i)
	}
	return t
}()

// qpDecoder removes quoted-printable (RFC 2045 §6.7). White space at the end of a line goes, as it was not put there by the sender; an = that
// starts nothing stays.
type qpDecoder struct{ transform.NopResetter }

// maxPadding is how far behind white space a line end is looked for.
const maxPadding = 1000

func (t *qpDecoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		rest := src[nSrc:]
		plain := 0
		for plain < len(rest) && !qpSpecial[rest[plain]] {
			plain++
		}
		n := copy(dst[nDst:], rest[:plain])
		nDst += n
		nSrc += n
		if n < plain {
			return nDst, nSrc, transform.ErrShortDst
		}
		if rest = rest[plain:]; len(rest) == 0 {
			break
		}
		if len(dst)-nDst < 2 {
			return nDst, nSrc, transform.ErrShortDst
		}
		// rest begins with white space, CR, LF or =.
		skip := 0
		if rest[0] == '=' {
			skip = 1
		}
		pad := skip
		for pad < len(rest) && pad < maxPadding && isWSP(rest[pad]) {
			pad++
		}
		// What stands at pad must be known to be a line end or not, two octets for CRLF and for =XX.
		if len(rest) < pad+2 && pad < maxPadding && !atEOF {
			return nDst, nSrc, transform.ErrShortSrc
		}
		end := pad
		if end < len(rest) && rest[end] == '\r' {
			end++
		}
		switch {
		case end < len(rest) && rest[end] == '\n':
			nSrc += end + 1
			if skip == 0 {
				nDst += copy(dst[nDst:], "\r\n")
			}
		case pad == len(rest) && atEOF: // padding or a soft break before the end
			nSrc += pad
		case skip == 1:
			if len(rest) < 3 && !atEOF {
				return nDst, nSrc, transform.ErrShortSrc
			}
			c, n := byte('='), 1
			if len(rest) >= 3 && hexDigits[rest[1]]|hexDigits[rest[2]] < 16 {
				c, n = hexDigits[rest[1]]<<4|hexDigits[rest[2]], 3
			}
			dst[nDst] = c
			nDst++
			nSrc += n
		default: // white space inside a line, or a lone CR
			n := copy(dst[nDst:], rest[:max(pad, 1)])
			nDst += n
			nSrc += n
		}
	}
	return nDst, nSrc, nil
}

var qpSpecial = [256]bool{' ': true, '\t': true, '\r': true, '\n': true, '=': true}

// hexDigits gives the value of a hexadecimal digit of either case, 0xff for others.
var hexDigits = func() (t [256]uint8) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range "0123456789ABCDEF" {
		t[c] = uint8(i)
	}
	for i, c := range "abcdef" {
		t[c] = uint8(10 + i)
	}
	return t
}()
