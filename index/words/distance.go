package words

// Typing errors are letters left out, added, or taken for others, and two neighbours in the wrong order: the distance of two words is how many of them make
// one of the other (optimal string alignment).

// maxCompared is how many letters of a word are compared.
const maxCompared = 32

// row is a row of the table of distances of beginnings.
type row [maxCompared + 1]uint8

// distanceOf returns how far apart a and b are, and the least of what any beginning of b is apart from a; limit+1 when that is more than limit.
// Words are octets where they are ASCII, which says the same.
func distanceOf[T byte | rune](a, b []T, limit uint8) (whole, beginning uint8) {
	a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	var rows [3]row
	last2, last, now := &rows[0], &rows[1], &rows[2]
	for i := range len(a) + 1 { // rows belong to b, columns to a
		last[i] = uint8(i)
	}
	beginning = last[len(a)]
	for j, c := range b {
		now[0] = uint8(j + 1)
		least := now[0]
		for i, d := range a {
			cost := last[i]
			if c != d {
				cost = min(cost, last[i+1], now[i]) + 1
				if i > 0 && j > 0 && c == a[i-1] && b[j-1] == d {
					cost = min(cost, last2[i-1]+1)
				}
			}
			now[i+1] = cost
			least = min(least, cost)
		}
		beginning = min(beginning, now[len(a)])
		if least > limit && (j == 0 || rowLeast(last, len(a)) > limit) {
			return limit + 1, min(beginning, limit+1)
		}
		last2, last, now = last, now, last2
	}
	return min(last[len(a)], limit+1), min(beginning, limit+1)
}

func rowLeast(r *row, n int) uint8 {
	least := r[0]
	for _, v := range r[1 : n+1] {
		least = min(least, v)
	}
	return least
}
