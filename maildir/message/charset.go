package message

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// Charsets. Mail that says US-ASCII, nothing or something unknown and holds other octets is read as UTF-8 where that is valid and as
// Windows-1252 elsewhere, octet by octet; so is broken UTF-8. ISO-8859-1 is Windows-1252, as everywhere outside of standards: the controls
// in its place there are nothing anyone sends or seeks.

// maxCharsetName is longer than any name in IANA's registry.
const maxCharsetName = 64

// charsetDecoder gives what converts a charset to UTF-8; nil when only go-message may know it.
func charsetDecoder(name string) transform.Transformer {
	if own, ok := ownCharsets[name]; ok {
		return own()
	}
	if name == "" || declaredUTF8(name) || len(name) > maxCharsetName {
		return lenientUTF8{}
	}
	return nil
}

// declaredUTF8 tells whether a charset is UTF-8 or part of it.
func declaredUTF8(name string) bool {
	return name == "utf-8" || name == "utf8" || name == "us-ascii" || name == "ascii"
}

// utf8Reader converts r to UTF-8. An unknown charset is read as if nothing were said.
func utf8Reader(name string, r io.Reader) io.Reader {
	name = lowerASCII(strings.TrimSpace(name))
	if t := charsetDecoder(name); t != nil {
		return transform.NewReader(r, t)
	}
	if conv, err := charset.Reader(name, r); err == nil {
		return conv
	}
	return transform.NewReader(r, lenientUTF8{})
}

// appendUTF8 appends b converted to UTF-8.
func appendUTF8(dst []byte, name string, b []byte) []byte {
	name = lowerASCII(strings.TrimSpace(name))
	switch t := charsetDecoder(name).(type) { // decoders do not fail: they replace what they cannot read
	case lenientUTF8:
		return appendLenient(dst, b)
	case nil:
		conv, err := charset.Reader(name, bytes.NewReader(b))
		if err != nil {
			return appendLenient(dst, b)
		}
		buf := bytes.NewBuffer(dst)
		_, _ = buf.ReadFrom(conv)
		return buf.Bytes()
	default:
		dst = slices.Grow(dst, 3*len(b)+utf8.UTFMax) // most often enough; transform.Append alone would grow it word by word
		dst, _, _ = transform.Append(t, dst, b)
		return dst
	}
}

// convertible tells whether b is in a charset that is known and only has octets that this allows.
func convertible(name string, b []byte) bool {
	name = lowerASCII(strings.TrimSpace(name))
	switch charsetDecoder(name).(type) {
	case lenientUTF8:
		return declaredUTF8(name) && validPrefix(b) == len(b)
	case nil:
		if _, err := charset.Reader(name, bytes.NewReader(nil)); err != nil {
			return false
		}
	}
	return !bytes.ContainsRune(appendUTF8(nil, name, b), utf8.RuneError) // what they put in the place of what they cannot read
}

// appendLenient appends what lenientUTF8 makes of b.
func appendLenient(dst, b []byte) []byte {
	for {
		n := validPrefix(b)
		dst = append(dst, b[:n]...)
		if b = b[n:]; len(b) == 0 {
			return dst
		}
		dst = utf8.AppendRune(dst, charmap.Windows1252.DecodeByte(b[0]))
		b = b[1:]
	}
}

// validPrefix is the length of the longest beginning of b that is UTF-8.
func validPrefix(b []byte) (n int) {
	for n < len(b) {
		if len(b)-n >= 8 && binary.LittleEndian.Uint64(b[n:])&0x8080808080808080 == 0 {
			n += 8
			continue
		}
		if b[n] < utf8.RuneSelf {
			n++
			continue
		}
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		n += size
	}
	return n
}

// lenientUTF8 passes UTF-8 and takes every octet that is not part of it for Windows-1252.
type lenientUTF8 struct{ transform.NopResetter }

func (lenientUTF8) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		n := validPrefix(src[nSrc:min(len(src), nSrc+len(dst)-nDst)])
		nDst += copy(dst[nDst:], src[nSrc:nSrc+n])
		nSrc += n
		switch {
		case nSrc == len(src):
			return nDst, nSrc, nil
		case len(dst)-nDst < utf8.UTFMax:
			return nDst, nSrc, transform.ErrShortDst
		case !atEOF && !utf8.FullRune(src[nSrc:]):
			return nDst, nSrc, transform.ErrShortSrc
		}
		nDst += utf8.EncodeRune(dst[nDst:], charmap.Windows1252.DecodeByte(src[nSrc]))
		nSrc++
	}
	return nDst, nSrc, nil
}
