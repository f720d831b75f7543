package maildir

import (
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// manyOctets is from where on memory is asked for at once. A page that is touched for the first time costs microseconds, on a virtual machine more than what is
// then done with it.
const manyOctets = 256 << 10

// grown is slices.Grow for elements that are about to be there, not only perhaps. Their memory comes in large pages, where it can.
func grown[T any](s []T, n int) []T {
	var one T
	octets := uintptr(len(s)+n) * unsafe.Sizeof(one)
	if octets < manyOctets || cap(s)-len(s) >= n {
		return slices.Grow(s, n)
	}
	more := make([]T, len(s), max(len(s)+n, len(s)+len(s)/4)) // slices.Grow would clear, which means touch
	populate(unsafe.Pointer(unsafe.SliceData(more)), octets)
	copy(more, s)
	return more
}

// populate lets the system provide memory before it is touched: by pages of two megabytes as far as there are whole ones, and otherwise many at a time.
// It is advice, and nothing depends on it.
func populate(start unsafe.Pointer, octets uintptr) {
	page := uintptr(unix.Getpagesize())
	skip := -uintptr(start) & (page - 1) // whole pages only: what is around belongs to others
	if octets < skip+page {
		return
	}
	b := unsafe.Slice((*byte)(unsafe.Add(start, skip)), (octets-skip)&^(page-1))
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	_ = unix.Madvise(b, unix.MADV_POPULATE_WRITE)
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE) // stays as it is, and is not made large again when parts of it are given back
}
