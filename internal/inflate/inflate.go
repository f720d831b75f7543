// Package inflate decompresses raw DEFLATE (RFC 1951) from a peer that waits for an answer: whatever the bits received so far say is returned before
// more are waited for.
//
// That is what zlib's inflate does, and what clients rely on that end their commands with Z_PARTIAL_FLUSH (mbsync). Behind that flush up to seven of
// the ten bits of an empty block are still with the sender. compress/flate waits for ten bits behind the end of a block before it decodes the end
// itself, and so does klauspost/compress with WithPartialBlock: the command would come with the client's next one, which never comes.
//
// A stream may also end where something else follows on the same connection (Reader.End), which RFC 8437 wants.
//
// A Reader takes about 36 KiB, of which 32 KiB are the window that the format demands.
package inflate

import (
	"bufio"
	"errors"
)

// ErrCorrupt says that the input is not DEFLATE. Where it goes on cannot be known.
var ErrCorrupt = errors.New("inflate: damaged data")

// errPause: nothing more can be decoded without waiting for input, and there is output that nobody has read.
var errPause = errors.New("inflate: pause")

const (
	windowSize = 32 << 10
	maxMatch   = 258
	maxPending = windowSize - maxMatch // output that nobody has read yet is not overwritten
	maxCode    = 15                    // bits
	fastBits   = 9
	endOfBlock = 256
)

// state says what comes next in the input.
type state uint8

const (
	atHeader state = iota
	inStored
	inCodes
)

// Reader decompresses. One goroutine uses it.
type Reader struct {
	src *bufio.Reader
	err error

	bits uint64 // received and not used, from the lowest bit on
	n    uint   // how many

	state  state
	final  bool // the block is the last one
	left   int  // octets left of a stored block
	lit    code
	dist   code
	window [windowSize]byte
	at     int // where the next octet of output goes
	total  int // octets of output so far, up to windowSize: how far back a match may reach
	unread int // octets of output before at that have not been returned
}

// NewReader decompresses what it reads from src, and takes no octet more than it needs.
func NewReader(src *bufio.Reader) *Reader { return &Reader{src: src} }

// Read returns what has been decompressed, at least one octet. The error is ErrCorrupt, io.EOF behind the last block, or that of the source.
func (d *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for d.unread == 0 && d.err == nil {
		d.run()
	}
	if d.unread == 0 {
		return 0, d.err
	}
	from := d.at - d.unread
	if from < 0 {
		from += windowSize
	}
	n := copy(p, d.window[from:min(from+d.unread, windowSize)])
	d.unread -= n
	return n, nil
}

// run decodes until a block ends, the window is full of what nobody has read, or more input would have to be waited for.
func (d *Reader) run() {
	var err error
	switch d.state {
	case atHeader:
		err = d.header()
	case inStored:
		err = d.stored()
	case inCodes:
		for err == nil && d.state == inCodes && d.unread < maxPending {
			err = d.symbol()
		}
	}
	if err != errPause {
		d.err = err
	}
}

// more receives eight bits. errPause if that could take its time and there is something to return first.
func (d *Reader) more() error {
	if d.unread > 0 && d.src.Buffered() == 0 {
		return errPause
	}
	b, err := d.src.ReadByte()
	if err != nil {
		return err
	}
	d.bits |= uint64(b) << d.n
	d.n += 8
	return nil
}

// peek returns the k bits behind the first pos bits, without using them.
func (d *Reader) peek(pos, k uint) (int, error) {
	for d.n < pos+k { // there is room: no more than 48 bits are asked for
		if err := d.more(); err != nil {
			return 0, err
		}
	}
	return int(d.bits >> pos & (1<<k - 1)), nil
}

// use takes k bits that have been peeked at.
func (d *Reader) use(k uint) {
	d.bits >>= k
	d.n -= k
}

// take is peek and use, for headers: they begin with nothing unread, so there is no pause in them.
func (d *Reader) take(k uint) (int, error) {
	v, err := d.peek(0, k)
	if err == nil {
		d.use(k)
	}
	return v, err
}

// put appends an octet of output.
func (d *Reader) put(b byte) {
	d.window[d.at&(windowSize-1)] = b
	d.at = (d.at + 1) & (windowSize - 1)
	d.total = min(d.total+1, windowSize)
	d.unread++
}

// lengths and distances of matches, RFC 1951 §3.2.5: the least one of each symbol, and how many bits are added to it.
var (
	lengthBase  = [...]int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [...]uint{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [...]int{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145,
		8193, 12289, 16385, 24577}
	distExtra = [...]uint{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// symbol decodes a literal, a match or the end of the block. All bits of it, 48 at most, are there before one is used, so that it can pause anywhere.
func (d *Reader) symbol() error {
	sym, pos, err := d.decode(&d.lit, 0)
	if err != nil {
		return err
	}
	switch {
	case sym < endOfBlock:
		d.use(pos)
		d.put(byte(sym))
		return nil
	case sym == endOfBlock:
		d.use(pos)
		return d.endBlock()
	}
	sym -= endOfBlock + 1
	if sym >= len(lengthBase) {
		return ErrCorrupt
	}
	extra, err := d.peek(pos, lengthExtra[sym])
	if err != nil {
		return err
	}
	length := lengthBase[sym] + extra
	sym, pos, err = d.decode(&d.dist, pos+lengthExtra[sym])
	if err != nil {
		return err
	}
	if sym >= len(distBase) {
		return ErrCorrupt
	}
	extra, err = d.peek(pos, distExtra[sym])
	if err != nil {
		return err
	}
	back := distBase[sym] + extra
	if back > d.total {
		return ErrCorrupt
	}
	d.use(pos + distExtra[sym])
	d.match(back, length)
	return nil
}

// match repeats output of before.
func (d *Reader) match(back, length int) {
	if from := d.at - back; from >= 0 && back >= length && d.at+length < windowSize {
		copy(d.window[d.at:d.at+length], d.window[from:])
		d.at += length
		d.total = min(d.total+length, windowSize)
		d.unread += length
		return
	}
	for range length {
		d.put(d.window[(d.at-back)&(windowSize-1)])
	}
}
