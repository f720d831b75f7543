package imap

import "slices"

// Lists of UIDs, all ascending.

// seek returns the place of the first of uids that is not below uid. Those before from are below it; from where that is near it is quick.
func seek(uids []uint32, from int, uid uint32) int {
	step := 1
	for from+step <= len(uids) && uids[from+step-1] < uid {
		from += step
		step *= 2
	}
	i, _ := slices.BinarySearch(uids[from:min(len(uids), from+step)], uid)
	return from + i
}

// among returns those of uids that are in all, as a slice of one of the two if that is possible.
func among(uids, all []uint32) []uint32 {
	if len(uids) <= len(all) && slices.Equal(uids, all[:len(uids)]) {
		return uids
	}
	out := make([]uint32, 0, len(uids))
	at := 0
	for _, uid := range uids {
		if at = seek(all, at, uid); at < len(all) && all[at] == uid {
			out = append(out, uid)
		}
	}
	return out
}

// without returns those of uids that are not in some.
func without(uids, some []uint32) (out []uint32) {
	at := 0
	for _, uid := range uids {
		if at = seek(some, at, uid); at == len(some) || some[at] != uid {
			out = append(out, uid)
		}
	}
	return out
}
