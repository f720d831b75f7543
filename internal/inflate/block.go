package inflate

import "io"

// fixed are the codes of blocks that bring none (RFC 1951 §3.2.6).
var fixedLit, fixedDist = func() (lit, dist code) {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	var distances [32]uint8 // the last two do not occur, but make the code complete
	for i := range distances {
		distances[i] = 5
	}
	if lit.build(lengths[:]) != nil || dist.build(distances[:]) != nil {
		panic("inflate: the fixed codes are wrong")
	}
	return lit, dist
}()

// header reads the header of a block.
func (d *Reader) header() error {
	v, err := d.take(3)
	if err != nil {
		return err
	}
	d.final = v&1 != 0
	switch v >> 1 {
	case 0:
		return d.storedHeader()
	case 1:
		d.lit, d.dist = fixedLit, fixedDist
	case 2:
		if err := d.dynamicHeader(); err != nil {
			return err
		}
	default:
		return ErrCorrupt
	}
	d.state = inCodes
	return nil
}

// endBlock goes on behind a block.
func (d *Reader) endBlock() error {
	d.state = atHeader
	if d.final {
		return io.EOF
	}
	return nil
}

// storedHeader reads the length of a block that is not compressed, which begins with a whole octet.
func (d *Reader) storedHeader() error {
	d.use(d.n % 8)
	size, err := d.take(16)
	if err != nil {
		return err
	}
	check, err := d.take(16)
	if err != nil {
		return err
	}
	if size != check^0xffff {
		return ErrCorrupt
	}
	d.left = size
	if d.left == 0 {
		return d.endBlock()
	}
	d.state = inStored
	return nil
}

// stored passes octets of a stored block on.
func (d *Reader) stored() error {
	for d.left > 0 && d.unread < maxPending {
		v, err := d.peek(0, 8)
		if err != nil {
			return err
		}
		d.use(8)
		d.put(byte(v))
		d.left--
	}
	if d.left == 0 {
		return d.endBlock()
	}
	return nil
}

// lengthOrder is the order in which the lengths of the code for code lengths come.
var lengthOrder = [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamicHeader reads the codes of a block that brings its own (RFC 1951 §3.2.7).
func (d *Reader) dynamicHeader() error {
	v, err := d.take(14)
	if err != nil {
		return err
	}
	literals, distances, n := v&31+257, v>>5&31+1, v>>10+4
	if literals > 286 || distances > 30 {
		return ErrCorrupt
	}
	var lengths [286 + 30]uint8
	for _, sym := range lengthOrder[:n] {
		l, err := d.take(3)
		if err != nil {
			return err
		}
		lengths[sym] = uint8(l)
	}
	if err := d.lit.build(lengths[:len(lengthOrder)]); err != nil {
		return err
	}
	clear(lengths[:len(lengthOrder)])
	for i := 0; i < literals+distances; {
		sym, pos, err := d.decode(&d.lit, 0)
		if err != nil {
			return err
		}
		d.use(pos)
		if sym < 16 {
			lengths[i] = uint8(sym)
			i++
			continue
		}
		var l uint8
		if sym == 16 {
			if i == 0 {
				return ErrCorrupt
			}
			l = lengths[i-1]
		}
		repeat := [...]struct {
			bits  uint
			least int
		}{{2, 3}, {3, 3}, {7, 11}}[sym-16]
		more, err := d.take(repeat.bits)
		if err != nil {
			return err
		}
		end := i + repeat.least + more
		if end > literals+distances {
			return ErrCorrupt
		}
		for ; i < end; i++ {
			lengths[i] = l
		}
	}
	if lengths[endOfBlock] == 0 {
		return ErrCorrupt
	}
	if err := d.lit.build(lengths[:literals]); err != nil {
		return err
	}
	return d.dist.build(lengths[literals : literals+distances])
}
