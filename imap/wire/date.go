package wire

import (
	"strings"
	"time"
)

const months = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"

// fields of a date are cut by position; cutter notes the first thing that does not fit.
type cutter struct {
	s   string
	bad bool
}

// number cuts at most max digits, at least min.
func (c *cutter) number(min, max int) int {
	n, i := 0, 0
	for i < max && i < len(c.s) && isDigit(c.s[i]) {
		n = n*10 + int(c.s[i]-'0')
		i++
	}
	c.bad = c.bad || i < min
	c.s = c.s[i:]
	return n
}

// byte cuts one octet, which must be one of set.
func (c *cutter) byte(set string) byte {
	if c.s == "" || strings.IndexByte(set, c.s[0]) < 0 {
		c.bad = true
		return 0
	}
	b := c.s[0]
	c.s = c.s[1:]
	return b
}

// month cuts the three letters of a month.
func (c *cutter) month() time.Month {
	if len(c.s) < 3 {
		c.bad = true
		return 0
	}
	i := strings.Index(months, strings.ToUpper(c.s[:3]))
	c.bad = c.bad || i < 0 || i%3 != 0
	c.s = c.s[3:]
	return time.Month(i/3 + 1)
}

// day checks that y-m-d is in the calendar and returns its midnight.
func (c *cutter) day(y int, m time.Month, d int) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	c.bad = c.bad || t.Day() != d || t.Month() != m
	return t
}

// ExpectDate takes a date and returns midnight UTC of that day.
//
//	date      = date-text / DQUOTE date-text DQUOTE
//	date-text = date-day "-" date-month "-" date-year
//	date-day  = 1*2DIGIT
func (d *Decoder) ExpectDate(t *time.Time) bool {
	var s string
	if !d.rawAString(&s, isAtomChar) {
		return false
	}
	c := &cutter{s: s}
	day := c.number(1, 2)
	c.byte("-")
	month := c.month()
	c.byte("-")
	year := c.number(4, 4)
	*t = c.day(year, month, day)
	return d.expect(!c.bad && c.s == "", "a date such as 1-Feb-2026")
}

// ExpectDateTime takes a date-time; a day of one digit needs no leading space.
//
//	date-time      = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
//	date-day-fixed = (SP DIGIT) / 2DIGIT
//	time           = 2DIGIT ":" 2DIGIT ":" 2DIGIT
//	zone           = ("+" / "-") 4DIGIT
func (d *Decoder) ExpectDateTime(t *time.Time) bool {
	var s string
	if !d.rawQuoted(&s) {
		return false
	}
	c := &cutter{s: strings.TrimPrefix(s, " ")}
	day := c.number(1, 2)
	c.byte("-")
	month := c.month()
	c.byte("-")
	year := c.number(4, 4)
	c.byte(" ")
	hour := c.number(2, 2)
	c.byte(":")
	minute := c.number(2, 2)
	c.byte(":")
	second := c.number(2, 2)
	c.byte(" ")
	sign := c.byte("+-")
	zoneHour, zoneMinute := c.number(2, 2), c.number(2, 2)
	c.day(year, month, day)
	c.bad = c.bad || hour > 23 || minute > 59 || second > 60 || zoneMinute > 59 // 60: a leap second
	offset := zoneHour*3600 + zoneMinute*60
	if sign == '-' {
		offset = -offset
	}
	*t = time.Date(year, month, day, hour, minute, second, 0, time.FixedZone("", offset))
	return d.expect(!c.bad && c.s == "", `a date-time such as " 1-Feb-2026 09:00:00 +0100"`)
}
