package segment

import (
	"encoding/binary"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// The folded texts of the bodies of documents are kept, compressed in blocks, to look for needles in them that terms alone do not decide. Behind each
// is an octet that does not occur in UTF-8, and so not in needles: none is found across two texts.

const (
	textEnd = 0xff

	// blockFill is how many octets of text a block has, or a few more: the larger, the better compressed, and the longer to read for one document.
	// Blocks of 128 KiB are smaller by a fortieth, and take six times as long.
	blockFill = 16 << 10
	// maxText is the longest text of a document that is kept.
	maxText = 4 << 20
)

var (
	zstdEncoders = sync.Pool{New: func() any {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderCRC(false),
			zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(256<<10))
		if err != nil {
			panic(err)
		}
		return e
	}}
	zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(2*maxText+blockFill))
		if err != nil {
			panic(err)
		}
		return d
	})
)

// textWriter collects blocks.
type textWriter struct {
	w      interface{ Write([]byte) (int, error) }
	at     uint64 // in the file
	block  []byte // being filled
	packed []byte
	blocks []byte // the table
}

// add takes the texts of a document and returns where they are.
func (t *textWriter) add(text []byte) (block, off uint32) {
	if len(t.block) > 0 && len(t.block)+len(text) > blockFill+blockFill/2 {
		t.flush()
	}
	block, off = uint32(len(t.blocks)/blockSize), uint32(len(t.block))
	t.block = append(t.block, text...)
	if len(t.block) >= blockFill {
		t.flush()
	}
	return block, off
}

// flush ends a block.
func (t *textWriter) flush() {
	if len(t.block) == 0 {
		return
	}
	e := zstdEncoders.Get().(*zstd.Encoder)
	t.packed = e.EncodeAll(t.block, t.packed[:0])
	zstdEncoders.Put(e)
	t.raw(t.packed, len(t.block))
	if t.block = t.block[:0]; cap(t.block) > 4*blockFill {
		t.block = nil
	}
}

// raw takes a block as another segment has it.
func (t *textWriter) raw(packed []byte, size int) {
	t.blocks = binary.LittleEndian.AppendUint64(t.blocks, t.at)
	t.blocks = binary.LittleEndian.AppendUint32(t.blocks, uint32(len(packed)))
	t.blocks = binary.LittleEndian.AppendUint32(t.blocks, uint32(size))
	t.at += uint64(len(packed))
	t.w.Write(packed)
}
