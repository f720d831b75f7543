package message

import (
	"math"
	"strings"
	"time"
)

// parseDate reads a Date field (RFC 5322 §3.3, §4.3) leniently: the name of the day, the time, its seconds and the zone may be missing, years
// may have two or three digits, comments may stand anywhere, names count by three letters in any case, and C's ctime order is understood.
// It returns the date itself, its zone disregarded, in days since 1970-01-01, and the moment in seconds since then in UTC;
// math.MinInt64 twice when there is no date.
//
//	date-time = [day-name [","]] day month year [hour ":" minute [":" second]] [zone]
func parseDate(b []byte) (day, seconds int64) {
	const none = math.MinInt64
	words := dateWords(b)
	if len(words) > 0 && !isDigit(words[0][0]) && month(words[0]) == 0 {
		words = words[1:] // day of the week
	}
	if len(words) < 3 {
		return none, none
	}
	if month(words[0]) > 0 { // Jan 2 15:04:05 [zone] 2006
		last := len(words) - 1
		words = append([]string{words[1], words[0], words[last]}, words[2:last]...)
	}
	d, ok := number(words[0], 1, 2)
	m := month(words[1])
	y, okYear := number(words[2], 2, 4)
	if !ok || m == 0 || !okYear {
		return none, none
	}
	switch n := len(words[2]); { // RFC 5322 §4.3
	case n == 2 && y < 50:
		y += 2000
	case n < 4:
		y += 1900
	}
	date := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	if date.Day() != d {
		return none, none
	}
	midnight := date.Unix()
	day = midnight / 86400
	if midnight%86400 < 0 {
		day--
	}
	words = words[3:]
	seconds = midnight
	if len(words) > 0 && isDigit(words[0][0]) {
		end := strings.IndexAny(words[0]+"+", "+-") // 15:04:05+0100
		clock, ok := clock(words[0][:end])
		if !ok {
			return day, seconds
		}
		seconds += clock
		words[0] = words[0][end:]
	}
	for _, w := range words { // "GMT", "+0100", "GMT +0100"
		if off, ok := zone(w); ok && off != 0 {
			return day, seconds - off
		}
	}
	return day, seconds
}

// maxDateWords is more than any date has.
const maxDateWords = 10

// dateWords splits a date at white space, commas and comments, and 02-Jan-2006 at its dashes.
func dateWords(b []byte) (words []string) {
	l, text := lexer{s: b}, string(b)
	words = make([]string, 0, maxDateWords)
	for len(words) < maxDateWords && l.space() && !l.done() {
		start := l.i
		for !l.done() && strings.IndexByte(" \t\r\n,(", l.s[l.i]) < 0 {
			l.i++
		}
		w := text[start:l.i]
		if l.at(',') {
			l.i++
		}
		switch {
		case w == "":
		case len(words) < 2 && isDigit(w[0]) && strings.Count(w, "-") == 2:
			words = append(words, strings.FieldsFunc(w, func(r rune) bool { return r == '-' })...)
		case len(words) > 0 && isDigit(words[len(words)-1][0]) && (w[0] == ':' || strings.HasSuffix(words[len(words)-1], ":")): // §4.3: "09 : 55"
			words[len(words)-1] += w
		default:
			words = append(words, w)
		}
	}
	return words
}

// clock reads hour:minute[:second]; Dots are taken for colons. A leap second counts as the second before it.
func clock(w string) (seconds int64, ok bool) {
	parts := strings.FieldsFunc(w, func(r rune) bool { return r == ':' || r == '.' })
	if len(parts) < 2 {
		return 0, false
	}
	h, ok1 := number(parts[0], 1, 2)
	m, ok2 := number(parts[1], 1, 2)
	s := 0
	if len(parts) > 2 {
		s, _ = number(parts[2], 1, 2)
	}
	if !ok1 || !ok2 || h > 24 || m > 59 || s > 60 {
		return 0, false
	}
	return int64(h*3600 + m*60 + min(s, 59)), true
}

// zones are the names of RFC 5322 §4.3, in hours; all others, the military letters too, are taken for UTC as it says.
var zones = map[string]int64{
	"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}

// zone reads the offset from UTC in seconds.
func zone(w string) (offset int64, ok bool) {
	if h, ok := zones[lowerASCII(w)]; ok {
		return h * 3600, true
	}
	at := strings.IndexAny(w, "+-") // also GMT+0100
	if at < 0 {
		return 0, false
	}
	hm, ok := number(strings.Replace(w[at+1:], ":", "", 1), 4, 4)
	if !ok || hm%100 > 59 {
		return 0, false
	}
	offset = int64(hm/100*3600 + hm%100*60)
	if w[at] == '-' {
		offset = -offset
	}
	return offset, true
}

func month(w string) time.Month {
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	if len(w) < 3 {
		return 0
	}
	i := strings.Index(names, lowerASCII(w[:3]))
	if i < 0 || i%3 != 0 {
		return 0
	}
	return time.Month(i/3 + 1)
}

// number reads digits, at least and at most that many.
func number(w string, least, most int) (n int, ok bool) {
	if len(w) < least || len(w) > most {
		return 0, false
	}
	for i := range len(w) {
		if !isDigit(w[i]) {
			return 0, false
		}
		n = n*10 + int(w[i]-'0')
	}
	return n, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
