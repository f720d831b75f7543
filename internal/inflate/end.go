package inflate

import (
	"errors"
	"io"
)

// A stream that is to go on as something else ends with its last block, or just with a flush, since that is how senders end all they write. What zlib
// adds for one is an empty block: a stored one, behind which an octet begins, or for Z_PARTIAL_FLUSH one with the fixed codes, the end of which may stay with
// the sender. That end is zeros, less than an octet; what came of it is dropped, and the next octet is not of the stream.

var errEnded = errors.New("inflate: read behind the end")

// End goes on to where the stream ends, when the sender has said all in it that it has to say and Read has returned that. It waits for as much as it takes to
// tell. Then the source begins with what is behind, and the Reader is of no use any more. The error is ErrCorrupt, also when there is more to
// decompress, or that of the source unless it ended, too.
func (d *Reader) End() error {
	for d.unread == 0 && d.err == nil && d.state == inCodes {
		d.err = d.symbol()
	}
	if d.unread > 0 || d.state == inStored {
		d.err = ErrCorrupt
	}
	for more := true; more && d.err == nil; {
		if d.err = d.emptyBlock(); d.err == nil {
			var next []byte
			next, d.err = d.src.Peek(1)
			more = d.err == nil && next[0] < 4 // the header of another empty block; no line of text begins so
		}
	}
	err := d.err
	d.bits, d.n, d.err = 0, 0, errEnded
	if err == io.EOF { // of the stream, behind its last block, or of the source, which says so again
		return nil
	}
	return err
}

// emptyBlock reads a block without data, behind which an octet begins. io.EOF: it was the last one.
func (d *Reader) emptyBlock() error {
	v, err := d.take(3)
	if err != nil {
		return err
	}
	d.final = v&1 != 0
	switch v >> 1 {
	case 0:
		if err := d.storedHeader(); err != nil {
			return err
		}
		if d.state == atHeader {
			return nil
		}
	case 1:
		if !d.final && d.bits == 0 {
			d.use(d.n)
			return nil
		}
		end, err := d.take(7)
		if err != nil {
			return err
		}
		if end == 0 && d.final {
			return io.EOF
		}
	}
	return ErrCorrupt
}
